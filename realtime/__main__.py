"""The command line: serve, models, doctor, bench.

Heavy imports stand inside the commands: `--help`, `doctor` and mistakes in the configuration must not wait for torch.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic import SecretStr

from .config import Config, load_config
from .errors import RealtimeError
from .version import __version__

EXIT_USAGE = 2

app = typer.Typer(
    name="realtime",
    help="Real-time streaming image-to-image: live frames in, restyled frames out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="The models that go by a name.", no_args_is_help=True)
app.add_typer(models_app, name="models")
bench_app = typer.Typer(help="Measure. The last line is one JSON object.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")


class LogLevel(StrEnum):
    """How much is said on standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def fail(message: str) -> typer.Exit:
    """Say in one line what is wrong; raise the result."""
    typer.echo(f"realtime: {message}", err=True)
    return typer.Exit(EXIT_USAGE)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Real-time streaming image-to-image: live frames in, restyled frames out."""
    # No telemetry: we have none, and libraries read these when they are imported, which is later.
    for variable in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(variable, "1")


def _serve(**flags: Any) -> None:
    """Serve the web client and the API; the page works at once with the embedded model.

    Every option can also be a REALTIME_* environment variable or a field of the TOML file.
    """
    level: LogLevel = flags.pop("log_level")
    toml_file: Path | None = flags.pop("config")
    _log_to_stderr(level)
    # An option that may be given many times is an empty list where it was not given.
    given = {name: value for name, value in flags.items() if value not in (None, [], ())}
    try:
        config = load_config(given, toml_file)
        from .server.app import serve

        raise typer.Exit(serve(config, announce=_announce(config)))
    except RealtimeError as error:
        raise fail(str(error)) from None


def _announce(config: Config) -> Any:
    def announce(address: str) -> None:
        typer.echo(f"realtime {__version__} with --model {config.model}: open {address}")
        if not config.is_loopback and not config.token:
            typer.echo("The token in it was made for this run; keep one with --token or REALTIME_TOKEN.")
        sys.stdout.flush()

    return announce


def _serve_signature() -> inspect.Signature:
    """Config's fields as options, so that an option is written once: in config.py."""
    options = [
        _option(name, field.annotation, field.description or "", field.default)
        for name, field in Config.model_fields.items()
    ]
    options.append(
        inspect.Parameter(
            "config",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[Path | None, typer.Option(help="A TOML file of these options.")],
        )
    )
    options.append(
        inspect.Parameter(
            "log_level",
            inspect.Parameter.KEYWORD_ONLY,
            default=LogLevel.INFO,
            annotation=Annotated[LogLevel, typer.Option(help="How much is said on standard error.")],
        )
    )
    return inspect.Signature(options)


def _option(name: str, annotation: Any, text: str, default: Any) -> inspect.Parameter:
    """A typer option that is None where it was not given: the environment and the file may then speak."""
    shown = "" if default in (None, ()) else f" [default: {default}]"
    many = get_origin(annotation) is tuple
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)] or [annotation]
    kind = str if many or kinds[0] is SecretStr else kinds[0]
    wanted = list[kind] | None if many else kind | None  # type: ignore[valid-type]
    flag = re.sub(r"(?<=ss)es$|s$", "", name) if many else name
    spelling = f"--{flag.replace('_', '-')}"
    if kinds[0] is bool:
        spelling += f"/--no-{flag.replace('_', '-')}"
    option = typer.Option(spelling, help=text + shown, show_default=False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[wanted, option])


_serve.__signature__ = _serve_signature()  # type: ignore[attr-defined]
app.command("serve")(_serve)


def _log_to_stderr(level: LogLevel) -> None:
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # These say a line for every start, request or candidate.
    for name in ("uvicorn.error", "uvicorn.access", "httpx", "huggingface_hub", "aioice", "aiortc"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


@models_app.command("list")
def models_list() -> None:
    """Presets with their licence, what they are good for, and whether they are on this machine."""
    from rich.console import Console
    from rich.table import Table

    from .engine.models.presets import is_cached, list_presets

    table = Table("--model", "what", "licence of the weights", "download", "here")
    for preset in list_presets():
        size = f"{preset.download_gb:.1f} GB" if preset.download_gb else "none"
        licence = f"{preset.licence.name}: {preset.licence.note}"
        table.add_row(preset.name, preset.title, licence, size, "yes" if is_cached(preset) else "no")
    Console().print(table)


@models_app.command("pull")
def models_pull(name: Annotated[str, typer.Argument(help="A preset or a hub id.")]) -> None:
    """Download a model without starting it."""
    from .engine.models.presets import pull

    try:
        pull(name, lambda stage, percent: typer.echo(stage if percent is None else f"{stage}: {percent:.0f} %"))
    except RealtimeError as error:
        raise fail(str(error)) from None


@app.command()
def doctor() -> None:
    """Look at this machine and say what would keep the server from working, and what to do about it."""
    from .doctor import examine

    findings = examine()
    for finding in findings:
        typer.echo(f"{finding.verdict.value:<5} {finding.subject}: {finding.text}")
    raise typer.Exit(int(any(finding.is_failure for finding in findings)))


@bench_app.command("server")
def bench_server(
    tick_ms: Annotated[float, typer.Option(min=0.1, help="Milliseconds a tick of the echo engine.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each run, after the warm-up.")] = 10.0,
    overload_seconds: Annotated[float, typer.Option(min=0.5, help="Length of the overload run.")] = 60.0,
    model: Annotated[str | None, typer.Option(help="Measure this model and not the echo engine.")] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Of what is compared with others.")] = 3,
    streamdiffusion: Annotated[
        Path | None, typer.Option(help="A checkout of StreamDiffusion: its demo server is run beside ours.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="A scenario; give it again for more. Default: all.")] = None,
    busy: Annotated[bool, typer.Option("--busy", help="Keep every core busy with other work meanwhile.")] = False,
    raw: Annotated[Path | None, typer.Option(help="A CSV file that gets every frame.")] = None,
    output: Annotated[Path | None, typer.Option(help="A file that gets the JSON object too.")] = None,
) -> None:
    """The server around an engine of known speed: what it delivers, what it adds, what it does when it is too much."""
    from .bench import server_bench

    try:
        server_bench(
            tick_ms,
            seconds,
            overload_seconds,
            model=model,
            repetitions=repetitions,
            streamdiffusion=streamdiffusion,
            only=only or (),
            busy=busy,
            raw=raw,
            output=output,
        )
    except RealtimeError as error:
        raise fail(str(error)) from None


@bench_app.command("webrtc")
def bench_webrtc(
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each run, after the warm-up.")] = 4.0,
    overload_seconds: Annotated[float, typer.Option(min=0.5, help="Length of the overload runs.")] = 14.0,
    repetitions: Annotated[int, typer.Option(min=1, help="Of every run.")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="A scenario; give it again for more. Default: all.")] = None,
    output: Annotated[Path | None, typer.Option(help="A file that gets the JSON object too.")] = None,
) -> None:
    """WebRTC beside aiortc as it ships: delays, overload, encoders, viewers, processor time."""
    from .bench import webrtc_bench

    try:
        webrtc_bench(seconds, overload_seconds, repetitions, only=only or (), output=output)
    except RealtimeError as error:
        raise fail(str(error)) from None


@bench_app.command("engine")
def bench_engine(
    shape: Annotated[
        list[str] | None, typer.Option(help="tiny, sd-turbo, lcm or sdxl-turbo; default: sd-turbo.")
    ] = None,
    accelerate: Annotated[
        list[str] | None,
        typer.Option(help="A rung beside eager, with :float32 behind it to hold it to that; give it again for more."),
    ] = None,
    steps: Annotated[list[int] | None, typer.Option(help="Steps a frame; give it again for more. Default: 1.")] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Frames a tick; give it again for more. Default: 1.")] = None,
    device: Annotated[str, typer.Option(help="As in serve.")] = "auto",
    dtype: Annotated[str, typer.Option(help="As in serve.")] = "auto",
    seconds: Annotated[float, typer.Option(min=0.01, help="Of each arm, in each repetition.")] = 2.0,
    repetitions: Annotated[int, typer.Option(min=1, help="Of every arm.")] = 3,
    baselines: Annotated[bool, typer.Option(help="Run diffusers and StreamDiffusion too.")] = True,
    tiny_shapes: Annotated[bool, typer.Option(help="Models of few channels: only to see that all of it runs.")] = False,
    keep: Annotated[Path | None, typer.Option(help="A folder that keeps the random models.")] = None,
    output: Annotated[Path | None, typer.Option(help="A file that gets the JSON object too.")] = None,
) -> None:
    """The engine alone: rungs, steps, batches; on the embedded model, or random weights beside other pipelines."""
    from .bench.engine_bench import Trial, engine_bench

    trial = Trial(
        shapes=shape or ("sd-turbo",),
        rungs=accelerate or (),
        steps=steps or (1,),
        batches=batch or (1,),
        baselines=baselines,
        seconds=seconds,
        repetitions=repetitions,
    )
    try:
        engine_bench(trial, device=device, dtype=dtype, tiny_shapes=tiny_shapes, keep=keep, output=output)
    except (RealtimeError, ValueError) as error:
        raise fail(str(error)) from None


@bench_app.command("capacity")
def bench_capacity(
    model: Annotated[str, typer.Option(help="As in serve.")] = "echo:10",
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each step, after its warm-up.")] = 30.0,
    side: Annotated[int | None, typer.Option(min=64, help="Of the pictures, pixels. Default: the model's.")] = None,
    fixed: Annotated[list[int] | None, typer.Option(min=1, help="Streams measured in any case: 1, 4, 8.")] = None,
    at_most: Annotated[int, typer.Option(min=1, help="Streams.")] = 64,
    option: Annotated[list[str] | None, typer.Option(help="A further option of serve, as --option=--dtype=...")] = None,
    raw: Annotated[Path | None, typer.Option(help="A CSV file that gets every frame.")] = None,
    output: Annotated[Path | None, typer.Option(help="A file that gets the JSON object too.")] = None,
) -> None:
    """How many streams of 30 fps a server carries with 95 of 100 frames within 66 and within 100 ms."""
    from .bench.capacity import FIXED, capacity_bench

    try:
        capacity_bench(
            model,
            seconds,
            options=option or (),
            fixed=fixed or FIXED,
            side_px=side,
            at_most=at_most,
            raw=raw,
            output=output,
        )
    except RealtimeError as error:
        raise fail(str(error)) from None


@bench_app.command("coldstart")
def bench_coldstart(
    model: Annotated[str, typer.Option(help="As in serve.")] = "tiny",
    accelerate: Annotated[list[str] | None, typer.Option(help="A rung beside off; again for more: auto.")] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Of every arm.")] = 3,
    option: Annotated[list[str] | None, typer.Option(help="A further option of serve, as --option=--dtype=...")] = None,
    output: Annotated[Path | None, typer.Option(help="A file that gets the JSON object too.")] = None,
) -> None:
    """From the start of the process to the first restyled frame: each rung with an empty and a warm cache."""
    from .bench.coldstart import coldstart_bench

    try:
        coldstart_bench(model, accelerate or ("auto",), repetitions, options=option or (), output=output)
    except RealtimeError as error:
        raise fail(str(error)) from None


@bench_app.command("overload")
def bench_overload(
    model: Annotated[str | None, typer.Option(help="As in serve; default: echo.")] = None,
    tick_ms: Annotated[float, typer.Option(min=0.1, help="Milliseconds a tick of the echo engine.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of the run.")] = 60.0,
    raw: Annotated[Path | None, typer.Option(help="A CSV file that gets every frame.")] = None,
    output: Annotated[Path | None, typer.Option(help="A file that gets the JSON object too.")] = None,
) -> None:
    """Twice what the server can do, for long: neither latency nor memory may grow. Part of `server`, by itself."""
    from .bench import server_bench

    try:
        server_bench(tick_ms, 10.0, seconds, model=model, only=["overload"], raw=raw, output=output)
    except RealtimeError as error:
        raise fail(str(error)) from None


@bench_app.command("draw")
def bench_draw(
    document: Annotated[Path, typer.Option(help="Whose marked sections are redrawn.")] = Path("docs/performance.md"),
    results: Annotated[Path, typer.Option(help="The folder of the JSON objects.")] = Path("benchmarks/results"),
) -> None:
    """Redraw the tables and plots of a document from kept results. In a checkout: no options are needed."""
    from .bench.draw import redraw

    try:
        changed = redraw(document, results, document.parent / "images")
    except (OSError, ValueError) as error:
        raise fail(str(error)) from None
    typer.echo("\n".join(map(str, changed)) or "nothing has changed")


if __name__ == "__main__":
    app(prog_name="realtime")
