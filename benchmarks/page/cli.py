"""The command line of what is measured on the page: `python -m benchmarks page`.

Heavy imports stand inside the commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from realtime.bench.cli import Output
from realtime.cli import Commands

app = typer.Typer(
    cls=Commands,
    help="The page in a real Chromium with a camera that shows a face. The last line is one JSON object.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Model = Annotated[str, typer.Option(help="As in serve.")]
Options = Annotated[list[str] | None, typer.Option(help="A further option of serve, as --option=--accelerate=off.")]
Repetitions = Annotated[int, typer.Option(min=1, help="Of each.")]
Pictures = Annotated[Path | None, typer.Option(help="A folder that gets a screenshot of each one's end.")]


@app.command()
def walks(
    model: Model = "tiny",
    repetitions: Repetitions = 3,
    only: Annotated[list[str] | None, typer.Option(help="A walk; give it again for more. Default: all.")] = None,
    option: Options = None,
    pictures: Pictures = None,
    output: Output = None,
) -> None:
    """From the page to what people come for: how many actions, how long, and proof."""
    from .walks import walks_bench

    walks_bench(model, repetitions, only=only or (), options=option or (), pictures=pictures, output=output)


@app.command()
def stage(
    model: Model = "tiny",
    minutes: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    option: Options = None,
    pictures: Pictures = None,
    output: Output = None,
) -> None:
    """Somebody plays the page: what it holds, the longest gap of its main thread, what its console says."""
    from .stage import stage_bench

    stage_bench(model, minutes, options=option or (), pictures=pictures, output=output)


@app.command()
def tiles(
    model: Model = "tiny",
    repetitions: Repetitions = 5,
    window_s: Annotated[float, typer.Option(min=1, help="Of each look at the live picture alone.")] = 20.0,
    settle_s: Annotated[float, typer.Option(min=0, help="Of the live picture before.")] = 60.0,
    option: Options = None,
    output: Output = None,
) -> None:
    """What the styles' tiles cost the live picture."""
    from .tiles import tiles_bench

    tiles_bench(model, repetitions, window_s=window_s, settle_s=settle_s, options=option or (), output=output)


@app.command()
def hidden(
    model: Model = "echo",
    repetitions: Repetitions = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Of each look.")] = 10.0,
    option: Options = None,
    output: Output = None,
) -> None:
    """Pictures of a camera that a page sends while its window is minimised, by WebSocket and by WebRTC."""
    from .hidden import hidden_bench

    hidden_bench(model, repetitions, seconds, options=option or (), output=output)
