"""Whole runs: real files in, real files out, by the engine without a model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime.config import EngineConfig
from realtime.engine.echo import EchoEngine
from realtime.errors import ConfigError, EngineError, FrameError, RunError, SourceError
from realtime.frame import Job
from realtime.run import running
from realtime.run.progress import LineProgress
from realtime.run.running import Interrupted, RunOrder, RunSummary, restyle_recording
from tests.fakes.clips import a_clip, greys
from tests.fakes.films import a_film, packets_of, pictures_of, times_of
from tests.fakes.waiting import PATIENCE_S

ECHO = EngineConfig(model="echo")
SMALL = {"width": 64, "height": 64}


def an_order(source: Path, output: Path, asked: dict[str, Any] | None = None, **how: Any) -> RunOrder:
    return RunOrder(str(source), output, SMALL if asked is None else asked, ECHO, **how)


def run(order: RunOrder, **how: Any) -> RunSummary:
    return restyle_recording(order, LineProgress(lambda line: None), **how)


def stopping_after(frames: int) -> Callable[[], bool]:
    asked = iter(range(1, 10**9))
    return lambda: next(asked) >= frames


def streams_of(file: Path) -> dict[str, float]:
    """The kinds of streams, and how many seconds they last."""
    with av.open(str(file)) as container:
        return {each.type: float((each.duration or 0) * (each.time_base or 0)) for each in container.streams}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_frames_sound_and_duration_are_kept(tmp_path: Path, suffix: str) -> None:
    film, output = a_film(tmp_path / "film.mp4", chapters=True), tmp_path / f"restyled{suffix}"

    summary = run(an_order(film, output))

    assert (summary.file, summary.frames, summary.restyled, summary.notes) == (output, 250, 250, ())
    assert len(pictures_of(output)) == 250
    assert packets_of(output, "audio") == packets_of(film, "audio")
    with av.open(str(output)) as container:
        assert container.duration == pytest.approx(10e6, abs=30e3)
        assert container.metadata["title"] == "a film"
        assert [each["metadata"] for each in container.chapters()] == [{"title": "all of it"}]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(["film.mp4", output.name])


def test_what_is_seen_and_when_is_kept(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mp4", 2), tmp_path / "restyled.mp4"

    run(an_order(film, output, {"width": 64, "height": 64}))

    assert times_of(output) == times_of(film)
    assert streams_of(output) == pytest.approx(streams_of(film), abs=0.001)
    for before, after in zip(pictures_of(film), pictures_of(output), strict=True):
        bright = [int((picture[24].mean(axis=-1) > 120).sum()) for picture in (before[:, 8:56], after)]
        assert bright[0] * 64 / 48 == pytest.approx(bright[1], abs=3)


def test_colours_are_those_of_the_tags(tmp_path: Path) -> None:
    output = tmp_path / "restyled.mp4"

    run(an_order(a_film(tmp_path / "film.mp4", 0.2, sound=None), output))

    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
    assert (frame.format.name, frame.colorspace, frame.color_range, frame.color_primaries) == ("yuv420p", 1, 1, 1)
    grey = frame.to_ndarray(format="rgb24")[32, 48]
    assert grey.tolist() == pytest.approx([40, 40, 40], abs=4)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate_is_kept(tmp_path: Path, suffix: str) -> None:
    film = a_film(tmp_path / "film.mkv", 5, durations=(5, 10, 15, 40), sound=None)
    output = tmp_path / f"restyled{suffix}"

    run(an_order(film, output))

    assert times_of(output) == times_of(film)


def test_turned_recording_is_upright(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mp4", 0.4, rotation=90), tmp_path / "restyled.mp4"

    run(an_order(film, output, {"width": 72}))

    first = pictures_of(output)[0]
    assert first.shape == (96, 72, 3)
    assert first[-2].mean() > 120 > first[8].mean()
    with av.open(str(output)) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_recording_without_sound(tmp_path: Path) -> None:
    output = tmp_path / "restyled.mp4"

    run(an_order(a_film(tmp_path / "film.mp4", 1, sound=None), output))

    assert list(streams_of(output)) == ["video"]


def test_transport_stream_begins_at_zero(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.ts", 2, container_format="mpegts"), tmp_path / "restyled.mp4"

    run(an_order(film, output))

    shift = times_of(film)[0] - times_of(output)[0]
    assert times_of(output) == pytest.approx([time - shift for time in times_of(film)], abs=0.001)
    assert times_of(output)[0] < 0.1
    with av.open(str(output)) as container:
        assert [each.codec_context.name for each in container.streams] == ["h264", "aac"]
        assert sum(frame.samples for frame in container.decode(audio=0)) == pytest.approx(2 * 48000, abs=3000)


def test_video_without_timestamps_has_the_rate_of_its_kind(tmp_path: Path) -> None:
    clip = a_clip(tmp_path / "clip.mjpeg", greys(5, kind="yuvj420p"), "mjpeg", container_format="mjpeg")
    output = tmp_path / "restyled.mp4"

    run(an_order(clip, output))

    assert times_of(output) == pytest.approx([0.04 * index for index in range(5)])


def test_sound_that_does_not_fit_becomes_aac(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mov", 2, sound="pcm_mulaw"), tmp_path / "restyled.mp4"

    summary = run(an_order(film, output))

    assert summary.notes == ("its sound (pcm_mulaw) doesn't fit into MP4 and became AAC",)
    with av.open(str(output)) as container:
        (sound,) = container.streams.audio
        assert sound.codec_context.name == "aac"
        wave = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert len(wave) == pytest.approx(2 * 48000, abs=3000)
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_subtitles_are_kept_where_they_fit_and_named_where_not(tmp_path: Path) -> None:
    film = a_film(tmp_path / "film.mkv", 1, subtitles=True)

    kept = run(an_order(film, tmp_path / "restyled.mkv"))
    lost = run(an_order(film, tmp_path / "restyled.mp4"))

    assert kept.notes == ()
    assert packets_of(tmp_path / "restyled.mkv", "subtitles") == [b"Hello there"]
    with av.open(str(tmp_path / "restyled.mkv")) as container:
        assert container.streams.subtitles[0].metadata["language"] == "eng"
    assert lost.notes == ("left out: its subtitles (subrip), which MP4 doesn't hold; an .mkv may",)


# -- going on -------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal
from realtime.run.segment import SegmentWriter
from realtime.cli import app
written, write = 0, SegmentWriter.write
def deadly(*arguments):
    global written
    write(*arguments)
    written += 1
    if written == {frames}:
        os.kill(os.getpid(), signal.{signal})
SegmentWriter.write = deadly
app({arguments})
"""


def a_killed_run(film: Path, output: Path, frames: int, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """The command line in a process that gets a signal with its nth frame."""
    arguments = ["run", str(film), str(output), "--model", "echo", "--width", "64", "--height", "64"]
    program = KILLED.format(frames=frames, signal=number.name, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False
    )


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_run_goes_on_and_makes_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    film, whole, output = a_film(tmp_path / "film.mp4"), tmp_path / "whole.mp4", tmp_path / "restyled.mp4"
    run(an_order(film, whole))

    killed = a_killed_run(film, output, 130, signal.SIGKILL)
    was_there = output.exists()
    summary = run(an_order(film, output))

    assert killed.returncode == -signal.SIGKILL
    assert not was_there
    assert (summary.frames, summary.restyled) == (250, 150)
    assert all(map(np.array_equal, pictures_of(output), pictures_of(whole)))
    assert times_of(output) == times_of(whole)
    assert packets_of(output, "audio") == packets_of(film, "audio")
    assert streams_of(output) == streams_of(whole)
    assert not output.with_name("restyled.mp4.part").exists()


@pytest.mark.skipif(os.name == "nt", reason="a process can't send itself Ctrl-C")
def test_ctrl_c_keeps_the_work_and_says_how_to_go_on(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mp4"), tmp_path / "restyled.mp4"

    stopped = a_killed_run(film, output, 130, signal.SIGINT)
    summary = run(an_order(film, output))

    assert stopped.returncode == 130
    assert f"stopped; the work is kept in {output}.part: the same line goes on with it" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert (summary.frames, summary.restyled) == (250, 120)
    assert len(pictures_of(output)) == 250


@pytest.mark.parametrize("asked", [{"calm": 0.8}, {"feedback": 0.5}], ids=str)
def test_pictures_that_depend_on_the_last_one_go_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    monkeypatch.setattr(running, "SEGMENT_FRAMES", 10)
    film = a_film(tmp_path / "film.mp4", 1, flickers=True)
    whole, output = tmp_path / "whole.mp4", tmp_path / "restyled.mp4"
    run(an_order(film, whole, SMALL | asked))

    with pytest.raises(Interrupted):
        run(an_order(film, output, SMALL | asked), is_stopping=stopping_after(10))
    run(an_order(film, output, SMALL | asked))

    assert all(map(np.array_equal, pictures_of(output), pictures_of(whole)))
    assert not np.array_equal(pictures_of(whole)[10], pictures_of(film)[10])


def stopped_run(tmp_path: Path) -> tuple[Path, Path]:
    film, output = a_film(tmp_path / "film.mp4", 1), tmp_path / "restyled.mp4"
    with pytest.raises(Interrupted):
        run(an_order(film, output), is_stopping=stopping_after(5))
    return film, output


def test_work_of_other_params_is_not_gone_on_with(tmp_path: Path) -> None:
    film, output = stopped_run(tmp_path)

    with pytest.raises(RunError, match=r"strength was not given, and is 0\.7 now; begin anew with --fresh"):
        run(an_order(film, output, SMALL | {"strength": 0.7}))
    summary = run(an_order(film, output, SMALL | {"strength": 0.7}, fresh=True))

    assert summary.restyled == 25


def test_work_of_another_input_is_not_gone_on_with(tmp_path: Path) -> None:
    film, output = stopped_run(tmp_path)
    a_film(film, 2)

    with pytest.raises(RunError, match="INPUT is not the file that it was"):
        run(an_order(film, output))


def test_work_whose_pieces_are_gone_is_done_again(tmp_path: Path) -> None:
    film, output = stopped_run(tmp_path)
    (tmp_path / "restyled.mp4.part" / "00000.mp4").unlink()

    assert run(an_order(film, output)).restyled == 25


def test_folder_that_is_no_work_is_left_alone(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mp4", 0.2), tmp_path / "restyled.mp4"
    own = tmp_path / "restyled.mp4.part" / "mine.txt"
    own.parent.mkdir()
    own.write_text("mine")

    for fresh in (False, True):
        with pytest.raises(RunError, match="that is not the work of a run"):
            run(an_order(film, output, fresh=fresh))

    assert own.read_text() == "mine"


# -- what goes wrong ------------------------------------------------------------------------------------------------


def test_output_that_is_there_is_replaced_when_the_new_one_is_whole_and_asked_for(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mp4", 0.4), tmp_path / "restyled.mp4"
    output.write_text("old")

    with pytest.raises(ConfigError, match="--overwrite"):
        run(an_order(film, output))
    with pytest.raises(Interrupted):
        run(an_order(film, output, overwrite=True), is_stopping=stopping_after(2))
    was = output.read_text()
    run(an_order(film, output, overwrite=True))

    assert was == "old"
    assert len(pictures_of(output)) == 10


def test_recording_is_not_its_own_output(tmp_path: Path) -> None:
    film = a_film(tmp_path / "film.mp4", 0.4)
    before = film.read_bytes()

    with pytest.raises(ConfigError, match="OUTPUT is INPUT"):
        run(an_order(film, film, overwrite=True))

    assert film.read_bytes() == before


def test_recording_that_is_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mkv", 2), tmp_path / "restyled.mkv"
    film.write_bytes(film.read_bytes()[:-2000])

    summary = run(an_order(film, output))

    assert 0 < summary.frames == len(pictures_of(output)) == len(pictures_of(film))


def test_input_that_is_no_video_is_named(tmp_path: Path) -> None:
    words = tmp_path / "words.mp4"
    words.write_text("no video")

    with pytest.raises(SourceError, match=r"words\.mp4: it holds nothing that this FFmpeg reads as video"):
        run(an_order(words, tmp_path / "restyled.mp4"))


def test_frame_that_fails_ends_the_run_and_keeps_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SEGMENT_FRAMES", 5)
    film, output = a_film(tmp_path / "film.mp4", 1), tmp_path / "restyled.mp4"

    def fault(job: Job) -> None:
        if job.frame.seq == 12:
            raise FrameError("its picture is not finite")

    with pytest.raises(EngineError, match="frame 13 can't be restyled: its picture is not finite"):
        run(an_order(film, output), load=lambda config, progress: EchoEngine(fault=fault, max_rows=2))
    summary = run(an_order(film, output))

    assert (summary.frames, summary.restyled) == (25, 15)


def test_state_names_what_the_work_is_of(tmp_path: Path) -> None:
    _, output = stopped_run(tmp_path)

    state = json.loads((output.with_name("restyled.mp4.part") / "run.json").read_text())

    assert state["terms"]["params"] == SMALL
    assert state["segments"] == [{"file": "00000.mp4", "frames": 5, "begin": 0}]
