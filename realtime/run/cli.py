"""The command line of `realtime run`.

Must not import what it runs with before it does: `--help` and mistakes don't wait for it.
"""

from __future__ import annotations

import inspect
import logging
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config import EngineConfig, load_config
from ..options import option_of
from ..outputs.target import is_live_input, is_live_output

if TYPE_CHECKING:
    from .prompt_images import PromptImages
    from .running import RunSummary


class EncoderChoice(StrEnum):
    """What encodes H.264."""

    AUTO = "auto"
    SOFTWARE = "software"


EXIT_INTERRUPTED = 130
"""As shells have it for Ctrl-C."""
SHOW_CURSOR = b"\x1b[?25h\r\n"
NO_OPTIONS = ("devices",)
"""Fields of the engine's configuration that are a server's."""


def run(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A file of video, camera:0 or a URL: rtsp, srt, rtmp, http, udp.")
    ],
    output: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT",
            help="A file (.mp4, .mkv), a URL (rtmp, srt, udp, tcp), camera (a virtual one), ndi, spout or syphon.",
        ),
    ],
    prompt: Annotated[str | None, typer.Option(help="What the pictures should look like, as 'van gogh'.")] = None,
    prompt_image: Annotated[
        list[str] | None,
        typer.Option(help="FILE[:WEIGHT], a picture beside the words, where the model hears pictures; repeat it."),
    ] = None,
    steer: Annotated[
        list[str] | None,
        typer.Option(
            help="NET[=FILE][:WEIGHT], a net of --control that steers, by a picture if not the input; repeat it."
        ),
    ] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What to keep out, where the model hears that.")] = None,
    strength: Annotated[
        float | None, typer.Option(help="How far the pictures may leave the input: 0 to 1. [default: the model's]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="UNet calls a frame, 1 to 8: more is finer and slower. [default: the model's]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which noise; the same for all frames. [default: 0]")] = None,
    calm: Annotated[
        float | None, typer.Option(help="How much of the last picture stays, for less flicker: 0 to 1. [default: 0]")
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="Of the output, a multiple of 8. [default: by the input's shape]")
    ] = None,
    height: Annotated[
        int | None, typer.Option(help="Of the output; as many pixels as suit the model where neither is given.")
    ] = None,
    params: Annotated[
        Path | None, typer.Option(help="JSON file of any params, or of looks saved on the page; options win over it.")
    ] = None,
    look: Annotated[str | None, typer.Option(help="Which of the looks in that file.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it is there.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, and forget what an interrupted run has done.")
    ] = False,
    rate: Annotated[
        int, typer.Option(min=1, max=120, help="Pictures a second that go out where INPUT or OUTPUT is live.")
    ] = 30,
    encoder: Annotated[
        EncoderChoice | None,
        typer.Option(help="auto: this machine's hardware where it has one. [default: auto where live, else software]"),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of options, as of serve.")] = None,
    **engine: Any,
) -> None:
    """Restyle a video. From file to file: every frame of INPUT, with its sound and subtitles, into OUTPUT.

    For example: realtime run holiday.mp4 painted.mp4 --prompt "van gogh" --strength 0.6

    Stop it with Ctrl-C, and start it again with the same line: it goes on where it was. Until OUTPUT is whole, the work
    is in the folder OUTPUT.part beside it.

    Where INPUT or OUTPUT is live, the newest frame, until INPUT ends or Ctrl-C: realtime run camera:0
    rtmp://live.example/app/KEY
    """
    given = {name: value for name, value in engine.items() if value not in (None, [], ())}
    settings = load_config(given, config)
    engine_config = EngineConfig(**settings.model_dump(include=set(EngineConfig.model_fields) - set(NO_OPTIONS)))
    from .prompt_images import PromptImages
    from .wanted import asked_params

    flags = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "strength": strength,
        "num_inference_steps": steps,
        "seed": seed,
        "calm": calm,
        "width": width,
        "height": height,
    }
    images = PromptImages.read(
        prompt_image or [], steer or [], engine_config.control, has_adapter=engine_config.reference is not None
    )
    asked = asked_params(flags, params, look, images)
    if engine_config.control and not asked.get("control"):
        typer.echo("realtime: --control: nets are loaded, and none steers: name one with --steer", err=True)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    if is_live_output(output) or is_live_input(source):
        _run_live(source, output, asked, engine_config, rate, encoder or EncoderChoice.AUTO, overwrite, images)
        return
    from .progress import in_time, progress_on
    from .running import Interrupted, RunOrder, restyle_recording

    codec = _codec(encoder or EncoderChoice.SOFTWARE)
    file = Path(output).expanduser()
    order = RunOrder(source, file, asked, engine_config, codec, fresh=fresh, overwrite=overwrite, images=images)
    stopping = _Stopping()
    try:
        with stopping, progress_on(sys.stderr) as progress:
            summary = restyle_recording(order, progress, stopping.is_wanted)
    except Interrupted:
        typer.echo(f"realtime: stopped; the work is kept in {order.part}: the same line goes on with it", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    for note in summary.notes:
        typer.echo(f"realtime: {note}", err=True)
    typer.echo(_said(summary, in_time(summary.seconds)))


def _run_live(
    source: str,
    output: str,
    asked: dict[str, Any],
    config: EngineConfig,
    rate: int,
    encoder: EncoderChoice,
    overwrite: bool,
    images: PromptImages,
) -> None:
    from ..media.opening import opening_of
    from ..outputs.target import target_of
    from .live import LiveOrder, restyle_live
    from .progress import in_time, live_progress_on

    target, opening = target_of(output, "OUTPUT"), opening_of(source, named="INPUT")
    found = lambda: _codec(encoder)  # noqa: E731
    order = LiveOrder(opening, target, asked, config, rate, found, overwrite=overwrite, images=images)
    progress, stopping = live_progress_on(sys.stderr), _Stopping()
    try:
        with stopping:
            summary = restyle_live(order, progress, stopping.is_wanted)
    finally:
        progress.close()
    fps = summary.restyled / summary.seconds if summary.seconds else 0.0
    typer.echo(
        f"{summary.shown}: {summary.sent} pictures in {in_time(summary.seconds)}; {summary.restyled} restyled "
        f"({fps:.1f} a second), {summary.dropped} dropped"
    )


def _codec(choice: EncoderChoice) -> str:
    from ..outputs.choosing import chosen_encoder
    from ..outputs.h264 import SOFTWARE

    return SOFTWARE if choice is EncoderChoice.SOFTWARE else chosen_encoder()


def _said(summary: RunSummary, taken: str) -> str:
    fps = summary.restyled / summary.seconds if summary.seconds else 0.0
    before = summary.frames - summary.restyled
    kept = f" and {before} of an earlier run" if before else ""
    return f"{summary.file}: {summary.restyled} frames in {taken} ({fps:.1f} a second){kept}"


class _Stopping:
    """Ctrl-C and `kill`: the first ends a run in order, once there are frames, the second at once.

    Before there are frames nothing is to be kept, and libraries that load a model don't ask: the first ends it too.
    """

    def __init__(self) -> None:
        self._is_running = self._wanted = False
        self._before: dict[int, Any] = {}

    def is_wanted(self) -> bool:
        """Whether the run is to stop: asked with each frame."""
        self._is_running = True
        return self._wanted

    def __enter__(self) -> _Stopping:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._wanted or not self._is_running:
            if sys.stderr.isatty():
                os.write(2, SHOW_CURSOR)  # the bar has hidden it
            os.write(2, b"realtime: stopped\n")
            os._exit(EXIT_INTERRUPTED)
        self._wanted = True


def _signature() -> inspect.Signature:
    """The command's own options, then those of the engine, which are fields of the configuration."""
    own = [each for each in inspect.signature(run, eval_str=True).parameters.values() if each.name != "engine"]
    engine = [
        option_of(name, field.annotation, field.description or "", field.default)
        for name, field in EngineConfig.model_fields.items()
        if name not in NO_OPTIONS
    ]
    return inspect.Signature([*own, *engine])


run.__signature__ = _signature()  # type: ignore[attr-defined]
