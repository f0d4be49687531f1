"""The command line: serve, models, doctor; `bench`, `run`, `workers`, `loras` and `swap` have their own.

Heavy imports stand inside the commands: `--help`, `doctor` and mistakes in the configuration must not wait for torch.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from .bench.cli import app as bench_app
from .config import Config, load_config
from .errors import RealtimeError
from .operate import app as workers_app
from .operate import loras_app, swap
from .options import option_of
from .refusals import first_in_words
from .run.cli import run
from .version import __version__

if TYPE_CHECKING:
    from .server.app import Announced

EXIT_USAGE = 2


def fail(message: str) -> typer.Exit:
    """Say in one line what is wrong; raise the result."""
    typer.echo(f"realtime: {message}", err=True)
    return typer.Exit(EXIT_USAGE)


class Commands(TyperGroup):
    """A command that raises a `RealtimeError` ends with its message, in one line, and with `EXIT_USAGE`.

    What typer finds wrong with an option it says itself, in our words.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except RealtimeError as error:
            raise fail(str(error)) from None
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):  # whose words typer passes on
                error.message = first_in_words(error.__cause__)
            raise


app = typer.Typer(
    name="realtime",
    cls=Commands,
    help="Real-time streaming image-to-image: live frames in, restyled frames out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
models_app = typer.Typer(help="The models that go by a name.", no_args_is_help=True)
app.add_typer(models_app, name="models")
app.add_typer(bench_app, name="bench")
app.add_typer(workers_app, name="workers")
app.add_typer(loras_app, name="loras")


class LogLevel(StrEnum):
    """How much is said on standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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
    config = load_config(given, toml_file)
    from .process import Patience
    from .server.app import serve

    raise typer.Exit(serve(config, announce=_announce(config), on_signal=Patience()))


def _announce(config: Config) -> Any:
    def announce(announced: Announced) -> None:
        typer.echo(f"realtime {__version__} with --model {config.model}: open {announced.address}")
        if announced.on_network:
            typer.echo(f"From other machines: {announced.on_network}")
            _show_code(announced.on_network)
        if announced.fingerprint:
            typer.echo(f"Browsers ask once whether to trust its certificate, whose SHA-256 is {announced.fingerprint}")
        if not config.is_loopback and not config.token:
            typer.echo("The token in it was made for this run; keep one with --token or REALTIME_TOKEN.")
        sys.stdout.flush()

    return announce


def _show_code(address: str) -> None:
    """Show the address as a QR code, where somebody sees it and the terminal has the characters."""
    from .qr import BLOCKS, qr_code

    if not sys.stdout.isatty():
        return
    try:
        "".join(BLOCKS).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return
    typer.echo(qr_code(address))


def _serve_signature() -> inspect.Signature:
    """Config's fields as options, so that an option is written once: in config.py."""
    options = [
        option_of(name, field.annotation, field.description or "", field.default)
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


def worker(
    ray: Annotated[str, typer.Option(envvar="REALTIME_RAY", help="Address of the Ray cluster, as HOST:6379.")],
    devices: Annotated[
        str,
        typer.Option(help="An engine on each: cuda:0,cuda:1 or all (GPUs), or cpu,cpu. Default: one."),
    ] = "",
    name: Annotated[str, typer.Option(help="Of this machine, in names of engines. Default: its own.")] = "",
    node: Annotated[
        str, typer.Option(help="Address of this machine's node of the cluster, where it has several.")
    ] = "",
    log_level: Annotated[LogLevel, typer.Option(help="How much is said on standard error.")] = LogLevel.INFO,
) -> None:
    """Run engines on this machine for a server elsewhere, `realtime serve --ray`, which says what they load."""
    _log_to_stderr(level=log_level)
    from .server.remote.working import work

    work(ray, devices, name, node, lambda names: typer.echo(f"Workers for {ray}: {', '.join(names)}"))


_serve.__signature__ = _serve_signature()  # type: ignore[attr-defined]
app.command("serve")(_serve)
app.command("run")(run)
app.command("worker")(worker)
app.command("swap")(swap)


def _log_to_stderr(level: LogLevel) -> None:
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # These say a line for every start, request or candidate.
    for name in ("uvicorn.error", "uvicorn.access", "httpx", "huggingface_hub", "aioice", "aiortc"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


@models_app.command("list")
def models_list() -> None:
    """Presets with their licence, what they are good for, and whether they are on this machine; and the nets that steer
    them, each with the models that it fits; and what may look at pictures before others do.
    """
    from rich.console import Console
    from rich.table import Column, Table

    from .engine.models.checkers import CHECKERS, is_checker_cached
    from .engine.models.control_presets import CONTROL_PRESETS
    from .engine.models.ip_adapter.names import ADAPTERS, LICENCE
    from .engine.models.ip_adapter.names import is_cached as is_adapter_cached
    from .engine.models.net_downloads import hints_of, is_net_cached, models_for
    from .engine.models.pose.names import DETECTORS
    from .engine.models.pose.names import LICENCE as DETECTORS_LICENCE
    from .engine.models.pose.names import is_cached as is_detector_cached
    from .engine.models.presets import is_cached, list_presets

    table = Table("--model", "what", "licence of the weights", "download", "here")
    for preset in list_presets():
        size = f"{preset.download_gb:.1f} GB" if preset.download_gb else "none"
        licence = f"{preset.licence.name}: {preset.licence.note}"
        table.add_row(preset.name, preset.title, licence, size, "yes" if is_cached(preset) else "no")
    nets = Table("--control", "for --model", "is shown", "licence of the weights", "download", "here")
    for net in CONTROL_PRESETS:
        fits = ", ".join(models_for(net))
        licence = f"{net.licence.name}: {net.licence.note}"
        hints = ", ".join(hints_of(net))
        nets.add_row(net.name, fits, hints, licence, f"{net.download_gb:.1f} GB", "yes" if is_net_cached(net) else "no")
    console = Console()
    console.print(table)
    console.print(nets)
    names = Column("--reference", min_width=max(map(len, ADAPTERS)))  # names are typed: the rest gives way
    adapters = Table(names, "for models of", "licence", "download", "here")
    for name, adapter in ADAPTERS.items():
        is_here = "yes" if is_adapter_cached(adapter) else "no"
        adapters.add_row(name, adapter.title, LICENCE.name, f"{adapter.download_gb:.1f} GB", is_here)
    console.print(adapters)
    detectors = Table("--pose-detector", "what", "licence", "download", "here")
    for name, detector in DETECTORS.items():
        is_here = "yes" if is_detector_cached(detector) else "no"
        detectors.add_row(name, detector.title, DETECTORS_LICENCE.name, f"{detector.download_gb:.1f} GB", is_here)
    console.print(detectors)
    names = Column("--frame-checker", min_width=max(len(one.name) for one in CHECKERS))
    checkers = Table(names, "for", "what", "licence of the weights", "download", "here")
    for one in CHECKERS:
        is_here = "yes" if is_checker_cached(one) else "no"
        checkers.add_row(one.name, one.title, one.kind, one.licence.name, f"{one.download_gb:.2f} GB", is_here)
    console.print(checkers)


@models_app.command("pull")
def models_pull(
    name: Annotated[
        str, typer.Argument(help="A preset of a model, an adapter, a detector or a frame checker, a hub id, or a net.")
    ],
    model: Annotated[str, typer.Option("--for", help="Of a net: the model that it is for, as sd-turbo.")] = "",
) -> None:
    """Download a model, or a net, an adapter, a detector or a checker of its pictures, without starting it."""
    from .engine.models.checkers import find_checker, pull_checker
    from .engine.models.ip_adapter.names import ADAPTERS, pull_adapter
    from .engine.models.net_downloads import is_net, pull_net
    from .engine.models.pose.names import DETECTORS, pull_detector
    from .engine.models.presets import pull

    def progress(stage: str, percent: float | None) -> None:
        typer.echo(stage if percent is None else f"{stage}: {percent:.0f} %")

    if adapter := ADAPTERS.get(name):
        pull_adapter(adapter, progress)
    elif detector := DETECTORS.get(name):
        pull_detector(detector, progress)
    elif checker := find_checker(name):
        pull_checker(checker, progress)
    elif is_net(name) or model:
        pull_net(name, model, progress)
    else:
        pull(name, progress)


@app.command()
def doctor() -> None:
    """Look at this machine and say what would keep the server from working, and what to do about it."""
    from .doctor import examine

    failures = 0
    for finding in examine():
        typer.echo(f"{finding.verdict.value:<5} {finding.subject}: {finding.text}")
        failures += finding.is_failure
    raise typer.Exit(int(failures > 0))
