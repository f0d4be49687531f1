"""The command line of the comparisons: `python -m benchmarks`, in the root of a checkout.

What needs a GPU has one of its own, `python -m benchmarks.gpu`. Heavy imports stand inside the commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from realtime.bench.cli import Output, Raw, TickMs
from realtime.cli import Commands, fail
from realtime.config import Accelerate, Device, Dtype

from .page.cli import app as page

app = typer.Typer(
    cls=Commands,
    help="realtime beside what others ship. The last line is one JSON object.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(page, name="page")

Only = Annotated[list[str] | None, typer.Option(help="A scenario; give it again for more. Default: all.")]
Seconds = Annotated[float, typer.Option(min=0.5, help="Length of each run, after the warm-up.")]
OverloadSeconds = Annotated[float, typer.Option(min=0.5, help="Length of each overload run.")]
Repetitions = Annotated[int, typer.Option(min=1, help="Of what is compared.")]


@app.command()
def server(
    tick_ms: TickMs = 10.0,
    seconds: Seconds = 10.0,
    overload_seconds: OverloadSeconds = 60.0,
    model: Annotated[str | None, typer.Option(help="Measure this model and not the echo engine.")] = None,
    repetitions: Repetitions = 3,
    streamdiffusion: Annotated[
        Path | None, typer.Option(help="A checkout of StreamDiffusion: its demo server is run beside ours.")
    ] = None,
    only: Only = None,
    busy: Annotated[bool, typer.Option("--busy", help="Keep every core busy with other work meanwhile.")] = False,
    raw: Raw = None,
    output: Output = None,
) -> None:
    """`realtime bench server`, beside a bare loop, StreamDiffusion's demo, libraries' defaults and eager mode."""
    from .server.bench import server_bench

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


@app.command()
def scaling(output: Output = None) -> None:
    """10, 100 and 1,000 GPUs: a simulation, of computed times a tick."""
    from .scaling.bench import scaling_bench

    scaling_bench(output)


@app.command()
def webrtc(
    seconds: Seconds = 4.0,
    overload_seconds: OverloadSeconds = 14.0,
    repetitions: Repetitions = 5,
    only: Only = None,
    output: Output = None,
) -> None:
    """WebRTC beside aiortc as it ships: delays, overload, encoders, viewers, processor time."""
    from .webrtc.bench import webrtc_bench

    webrtc_bench(seconds, overload_seconds, repetitions, only=only or (), output=output)


@app.command()
def engine(
    shape: Annotated[
        list[str] | None, typer.Option(help="tiny, sd-turbo, lcm or sdxl-turbo; default: sd-turbo.")
    ] = None,
    accelerate: Annotated[
        list[str] | None,
        typer.Option(help="A rung beside eager, with :float32 behind it to hold it to that; give it again for more."),
    ] = None,
    steps: Annotated[list[int] | None, typer.Option(help="Steps a frame; give it again for more. Default: 1.")] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Frames a tick; give it again for more. Default: 1.")] = None,
    device: Annotated[Device, typer.Option(help="As in serve.")] = Device.AUTO,
    dtype: Annotated[Dtype, typer.Option(help="As in serve.")] = Dtype.AUTO,
    seconds: Annotated[float, typer.Option(min=0.01, help="Of each arm, in each repetition.")] = 2.0,
    repetitions: Repetitions = 3,
    baselines: Annotated[bool, typer.Option(help="Run diffusers and StreamDiffusion too.")] = True,
    tiny_shapes: Annotated[bool, typer.Option(help="Models of few channels: only to see that all of it runs.")] = False,
    keep: Annotated[Path | None, typer.Option(help="A folder that keeps the random models.")] = None,
    output: Output = None,
) -> None:
    """The engine alone: rungs, steps, batches; on the embedded model, or random weights beside other pipelines."""
    from .engine.bench import Trial, engine_bench

    trial = Trial(
        shapes=shape or ("sd-turbo",),
        rungs=accelerate or (),
        steps=steps or (1,),
        batches=batch or (1,),
        baselines=baselines,
        seconds=seconds,
        repetitions=repetitions,
    )
    engine_bench(trial, device=device, dtype=dtype, tiny_shapes=tiny_shapes, keep=keep, output=output)


@app.command()
def variants(
    shape: Annotated[
        list[str] | None, typer.Option(help="tiny, sd-turbo, lcm or sdxl-turbo; default: sd-turbo.")
    ] = None,
    variant: Annotated[list[str] | None, typer.Option(help="One alone; again for more. Default: all.")] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Frames a tick; give it again for more. Default: 1.")] = None,
    side_px: Annotated[int | None, typer.Option(min=64, max=1024, help="Of the pictures.")] = None,
    device: Annotated[Device, typer.Option(help="As in serve.")] = Device.AUTO,
    dtype: Annotated[Dtype, typer.Option(help="As in serve.")] = Dtype.AUTO,
    seconds: Annotated[float, typer.Option(min=0.01, help="Of each variant, five turns at least.")] = 4.0,
    tiny_shapes: Annotated[bool, typer.Option(help="Models of few channels: only to see that all of it runs.")] = False,
    keep: Annotated[Path | None, typer.Option(help="A folder that keeps the random models.")] = None,
    output: Output = None,
) -> None:
    """Each variant of the regions (`--variants` of serve) beside the plain ones, in turns."""
    from .engine.variants import variants_bench

    variants_bench(
        shape or ("sd-turbo",),
        names=variant or (),
        batches=batch or (1,),
        side=side_px,
        device=device,
        dtype=dtype,
        seconds=seconds,
        tiny_shapes=tiny_shapes,
        keep=keep,
        output=output,
    )


@app.command()
def calm(
    accelerate: Annotated[Accelerate, typer.Option(help="As in serve.")] = Accelerate.AUTO,
    photograph: Annotated[
        list[str] | None,
        typer.Option(
            help="Of which clips are made; again for more. Default: six, five of scikit-image and scikit-learn."
        ),
    ] = None,
    side_px: Annotated[int, typer.Option(min=64, max=1024, help="Of the pictures.")] = 256,
    sheet: Annotated[Path | None, typer.Option(help="Draw a picture of it to this JPEG, and measure nothing.")] = None,
    output: Output = None,
) -> None:
    """How calm the embedded model's pictures are, by `calm`: flicker along known motions, sharpness, ghosts."""
    from .calm.bench import calm_bench
    from .calm.photographs import NAMES
    from .calm.sheet import draw_sheet

    if sheet is not None:
        return draw_sheet((photograph or NAMES)[0], sheet)
    calm_bench(accelerate=accelerate, photographs=photograph or (), side_px=side_px, output=output)


@app.command()
def hints(repetitions: Repetitions = 20, output: Output = None) -> None:
    """What making hints for nets takes, beside decoding the frame."""
    from .hints.bench import hints_bench

    hints_bench(repetitions=repetitions, output=output)


@app.command()
def coldstart(
    model: Annotated[str, typer.Option(help="As in serve.")] = "tiny",
    accelerate: Annotated[list[str] | None, typer.Option(help="A rung beside off; again for more: auto.")] = None,
    repetitions: Repetitions = 3,
    option: Annotated[list[str] | None, typer.Option(help="A further option of serve, as --option=--dtype=...")] = None,
    output: Output = None,
) -> None:
    """From the start of the process to the first restyled frame: each rung with an empty and a warm cache."""
    from .server.coldstart import coldstart_bench

    coldstart_bench(model, accelerate or ("auto",), repetitions, options=option or (), output=output)


@app.command()
def devices(
    model: Annotated[str, typer.Option(help="As in serve.")] = "echo:10",
    devices: Annotated[str, typer.Option(help="As in serve; the first is measured alone too.")] = "cpu,cpu",
    seconds: Seconds = 8.0,
    repetitions: Repetitions = 5,
    output: Output = None,
) -> None:
    """What a server of several engines delivers beside one of one engine."""
    from .server.devices import devices_bench

    devices_bench(model, devices, seconds, repetitions, output=output)


@app.command()
def process(
    model: Annotated[str, typer.Option(help="As in serve.")] = "echo:10",
    seconds: Seconds = 8.0,
    repetitions: Repetitions = 5,
    output: Output = None,
) -> None:
    """What an engine in a process of its own delivers beside one in a thread of the server."""
    from .server.process import process_bench

    process_bench(model, seconds, repetitions, output=output)


@app.command()
def ray(
    model: Annotated[str, typer.Option(help="As in serve.")] = "echo:10",
    seconds: Seconds = 8.0,
    repetitions: Repetitions = 3,
    namespaces: Annotated[
        bool, typer.Option("--namespaces", help="Each worker in a network namespace of its own, as root on Linux.")
    ] = False,
    output: Output = None,
) -> None:
    """What two workers of a Ray cluster deliver beside one, and what is seen when one is killed or frozen."""
    from .remote.bench import ray_bench

    ray_bench(model, seconds, repetitions, namespaces=namespaces, output=output)


@app.command()
def draw(
    document: Annotated[Path, typer.Option(help="Whose marked sections are redrawn.")] = Path("docs/performance.md"),
    results: Annotated[Path, typer.Option(help="The folder of the JSON objects.")] = Path("benchmarks/results"),
) -> None:
    """Redraw the tables and plots of a document from kept results."""
    from .drawing.draw import redraw

    try:
        changed = redraw(document, results, document.parent / "images")
    except (OSError, ValueError) as error:
        raise fail(str(error)) from None
    typer.echo("\n".join(map(str, changed)) or "nothing has changed")


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
