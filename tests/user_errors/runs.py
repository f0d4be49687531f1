"""What `realtime run` says of its input, its output, its params, and the work of a run before."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image

from realtime.config import EngineConfig
from realtime.engine.echo import EchoEngine
from realtime.errors import FrameError
from realtime.frame import Job
from realtime.params import Params
from realtime.run import segment
from realtime.run.progress import LineProgress
from realtime.run.running import Interrupted, RunOrder, restyle_recording
from realtime.run.wanted import asked_params, params_for
from tests.fakes.clips import a_clip, greys

from .case import Case
from .command_line import command

SIZE = {"width": 64, "height": 64}


def run(source: str = "clip.mp4", output: str = "out.mp4", asked: dict[str, Any] | None = None, **how: Any) -> object:
    """A run of a clip that is there."""
    if not Path("clip.mp4").exists():
        a_clip(Path("clip.mp4"), greys(3))
    stops, load = how.pop("stops", False), how.pop("load", None)
    order = RunOrder(source, Path(output), asked or SIZE, EngineConfig(model="echo"), **how)
    said = LineProgress(lambda line: None)
    return restyle_recording(order, said, lambda: stops, **({"load": load} if load else {}))


def of(source: str = "clip.mp4", output: str = "out.mp4", **how: Any) -> Callable[[], object]:
    return lambda: run(source, output, **how)


def there() -> object:
    Path("out.mp4").touch()
    return run()


def a_folder() -> object:
    Path("films.mp4").mkdir()
    return run(output="films.mp4")


def a_picture() -> object:
    Image.new("L", (16, 16)).save("still.png")
    return run("still.png")


def a_film_without_frames() -> object:
    with mock.patch("realtime.media.decoding.VideoDecoding.frames", lambda _: iter(())):
        return run()


def after_one_that_was_stopped(content: str | None = None, **how: Any) -> Callable[[], object]:
    """A run after one of the same line.

    Args:
        content: of the file that says what the work is of, where somebody has changed it.
    """

    def again() -> object:
        try:
            run(stops=True)
        except Interrupted:
            if content is not None:
                Path("out.mp4.part/run.json").write_text(content)
            return run(**how)
        raise AssertionError("it was not stopped")

    return again


def changed_input() -> object:
    """The input is another one than it was."""
    state = Path("out.mp4.part/run.json")
    try:
        run(stops=True)
    except Interrupted:
        content = json.loads(state.read_text())
        content["terms"]["input"]["size"] += 1
        state.write_text(json.dumps(content))
    return run()


def somebody_elses_folder(**how: Any) -> Callable[[], object]:
    def go() -> object:
        Path("out.mp4.part").mkdir()
        Path("out.mp4.part/mine.txt").touch()
        return run(**how)

    return go


def full_disk() -> object:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with mock.patch.object(segment.SegmentWriter, "write", side_effect=full):
        return run()


def full_disk_at_the_end() -> object:
    try:
        run(stops=True)
    except Interrupted:
        Path("out.mp4.part/whole.mp4").symlink_to("/dev/full")
    return run()


def failing_frame() -> object:
    def fault(job: Job) -> None:
        raise FrameError("its picture is not finite")

    return run(load=lambda config, progress: EchoEngine(fault=fault))


def in_use(**how: Any) -> Callable[[], object]:
    """While another run works at the same output."""

    def second(job: Job) -> None:
        if job.frame.seq == 2:  # the first frame is written by now
            run(**how)

    def first() -> object:
        return run(load=lambda config, progress: EchoEngine(fault=second, max_rows=1))

    return first


def params_file(content: str | None, look: str | None = None) -> Callable[[], object]:
    def read() -> object:
        if content is not None:
            Path("look.json").write_text(content)
        return asked_params({}, Path("look.json"), look)

    return read


LOOKS = json.dumps({"presets": [{"name": "ink", "look": {"prompt": "ink"}}, {"name": "oil", "look": {}}]})
PICTURE = [{"picture": "a" * 32, "weight": 1}]

INPUT = [
    Case("INPUT .: that is a folder; name a file in it", "INPUT", of(".")),
    Case("INPUT clip.mov: there is no such file; a camera is camera:0, a URL has ://", "clip.mov", of("clip.mov")),
    Case(
        "still.png: it is a picture and no video; the page of realtime serve restyles pictures", "still.png", a_picture
    ),
    Case("clip.mp4: it has no frames; give a file or stream that does", "clip.mp4", a_film_without_frames),
]

OUTPUT: list[Case] = [
    Case("OUTPUT out.avi: run writes MP4 and MKV: end its name in .mp4 or .mkv", "out.avi", of(output="out.avi")),
    Case("OUTPUT out.mp4: there is such a file; name another, or replace it with --overwrite", "out.mp4", there),
    Case("OUTPUT films.mp4: that is a folder; name a file in it", "films.mp4", a_folder),
    Case("OUTPUT films/out.mp4: there is no folder films; make it first", "films", of(output="films/out.mp4")),
    Case("OUTPUT is INPUT: name another file", "OUTPUT", of(output="clip.mp4", overwrite=True)),
    Case(
        "out.mp4.part: it can't be written: No space left on device; the work so far is kept for when it can be",
        "out.mp4.part",
        full_disk,
    ),
]

if Path("/dev/full").exists():
    OUTPUT.append(
        Case(
            "out.mp4.part: it can't be written: No space left on device; the work so far is kept for when it can be",
            "out.mp4.part",
            full_disk_at_the_end,
        )
    )

PARAMS = [
    Case(
        "realtime: strength: must be at most 1, not 2.0",
        "strength",
        command("run", "clip.mp4", "out.mp4", "--strength", "2"),
    ),
    Case(
        "--look ink is of a file of looks: name that with --params", "--look ink", lambda: asked_params({}, None, "ink")
    ),
    Case(
        "--params look.json: it can't be read: No such file or directory: check the name",
        "look.json",
        params_file(None),
    ),
    Case(
        '--params look.json: it is no JSON: write {"prompt": "watercolor"}, for example',
        "look.json",
        params_file("prompt: ink"),
    ),
    Case(
        '--params look.json: it has no params: write {"prompt": "watercolor"}, for example',
        "look.json",
        params_file("[]"),
    ),
    Case(
        "--params look.json: it has no looks with names: leave --look out", "look.json", params_file("{}", look="ink")
    ),
    Case(
        "--params look.json: choose one of its looks with --look: there are 'ink', 'oil'",
        "look.json",
        params_file(LOOKS),
    ),
    Case(
        "width, height: 512 x 512 are more pixels than this model makes, which are 65536: ask for less",
        "512 x 512",
        lambda: params_for({"width": 512, "height": 512}, Params(), (1, 1), 256 * 256),
    ),
]

BEFORE = [
    Case(
        "out.mp4.part holds the work of another run: strength was not given, and is 0.7 now; begin anew with --fresh",
        "strength",
        after_one_that_was_stopped(asked=SIZE | {"strength": 0.7}),
    ),
    Case(
        "out.mp4.part holds the work of another run: INPUT is not the file that it was; begin anew with --fresh",
        "INPUT",
        changed_input,
    ),
    Case(
        "out.mp4.part/run.json: it can't be read: begin anew with --fresh",
        "run.json",
        after_one_that_was_stopped("{"),
    ),
    Case(
        "out.mp4.part: that is not the work of a run: move it away, or name another OUTPUT",
        "out.mp4.part",
        somebody_elses_folder(),
    ),
    Case(
        "out.mp4.part: that is not the work of a run: move it away, or name another OUTPUT",
        "out.mp4.part",
        somebody_elses_folder(fresh=True),
    ),
    Case("out.mp4.part: another run works in it: wait for its end, or stop it", "out.mp4.part", in_use()),
    Case("out.mp4.part: another run works in it: wait for its end, or stop it", "out.mp4.part", in_use(fresh=True)),
    Case(
        "frame 1 can't be restyled: its picture is not finite; try another --dtype or --accelerate",
        "frame 1",
        failing_frame,
    ),
]
CASES = [*INPUT, *OUTPUT, *PARAMS, *BEFORE]
