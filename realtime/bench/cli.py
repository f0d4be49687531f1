"""The command line of `realtime bench`.

Must not import what it measures with before a command runs: `--help` does not wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config import Accelerate, Device, Dtype

app = typer.Typer(help="Measure this machine. The last line is one JSON object.", no_args_is_help=True)

Raw = Annotated[Path | None, typer.Option(help="A CSV file that gets every frame.")]
Output = Annotated[Path | None, typer.Option(help="A file that gets the JSON object too.")]
TickMs = Annotated[float, typer.Option(min=0.1, help="Milliseconds a tick of the echo engine.")]


@app.command()
def server(
    tick_ms: TickMs = 10.0,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of each run, after the warm-up.")] = 10.0,
    overload_seconds: Annotated[float, typer.Option(min=0.5, help="Length of the overload run.")] = 60.0,
    model: Annotated[str | None, typer.Option(help="Measure this model and not the echo engine.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A scenario; give it again for more. Default: all.")] = None,
    raw: Raw = None,
    output: Output = None,
) -> None:
    """The server around an engine of known speed: what it delivers, what it adds, what it does when it is too much."""
    from .server import server_bench

    server_bench(tick_ms, seconds, overload_seconds, model=model, only=only or (), raw=raw, output=output)


@app.command()
def overload(
    model: Annotated[str | None, typer.Option(help="As in serve; default: echo.")] = None,
    tick_ms: TickMs = 10.0,
    seconds: Annotated[float, typer.Option(min=0.5, help="Length of the run.")] = 60.0,
    raw: Raw = None,
    output: Output = None,
) -> None:
    """Twice what the server can do, for long: neither latency nor memory may grow. Part of `server`, by itself."""
    from .server import server_bench

    server_bench(tick_ms, 10.0, seconds, model=model, only=["overload"], raw=raw, output=output)


@app.command()
def capacity(
    model: Annotated[str, typer.Option(help="As in serve.")] = "echo:10",
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each step, after its warm-up.")] = 30.0,
    side: Annotated[int | None, typer.Option(min=64, help="Of the pictures, pixels. Default: the model's.")] = None,
    fixed: Annotated[list[int] | None, typer.Option(min=1, help="Streams measured in any case: 1, 4, 8.")] = None,
    at_most: Annotated[int, typer.Option(min=1, help="Streams.")] = 64,
    option: Annotated[list[str] | None, typer.Option(help="A further option of serve, as --option=--dtype=...")] = None,
    raw: Raw = None,
    output: Output = None,
) -> None:
    """How many streams of 30 fps a server carries with 95 of 100 frames within 66 and within 100 ms."""
    from .capacity import FIXED, capacity_bench

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


@app.command()
def engine(
    model: Annotated[str, typer.Option(help="As in serve.")] = "tiny",
    accelerate: Annotated[list[Accelerate] | None, typer.Option(help="A rung; give it again for more.")] = None,
    steps: Annotated[list[int] | None, typer.Option(help="Steps a frame; give it again for more. Default: 1.")] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Frames a tick; give it again for more. Default: 1.")] = None,
    device: Annotated[Device, typer.Option(help="As in serve.")] = Device.AUTO,
    dtype: Annotated[Dtype, typer.Option(help="As in serve.")] = Dtype.AUTO,
    side: Annotated[int | None, typer.Option(min=64, help="Of the pictures, pixels. Default: the model's.")] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="Of each rung with each batch and number of steps.")] = 2.0,
    output: Output = None,
) -> None:
    """The engine alone: how long a frame takes on each rung, with each batch and number of steps."""
    from .engine import engine_bench

    engine_bench(
        model,
        accelerate or (Accelerate.AUTO,),
        steps or (1,),
        batch or (1,),
        device=device,
        dtype=dtype,
        side_px=side,
        seconds=seconds,
        output=output,
    )
