"""The server beside what others ship: StreamDiffusion's demo, the WebSocket libraries' defaults, Pillow.

Must not know how a run is made.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from realtime.bench.errors import BenchError
from realtime.bench.load import Run, drive
from realtime.bench.measures import measure
from realtime.bench.pacer import Camera
from realtime.bench.resources import cpu_s
from realtime.bench.servers import Process, serving, start
from realtime.frame import Format
from realtime.media import codec
from realtime.params import OutputFormat

from ..comparison import Comparison
from ..repeats import Numbers
from . import demo_server
from .demo import drive_demo, numbers_of

SIDE = 512
QUALITY = 85
LIBRARIES_LIMIT, CODEC_LIMIT = 0.05, 0.45


@dataclass(frozen=True, slots=True)
class DemoLoad:
    """One load that both servers get, and what is wanted of the ratio ours / demo.

    Attributes:
        wanted: number, limit and whether the ratio is to be at least that.
    """

    name: str
    model_ms: float
    cameras: Sequence[Camera]
    wanted: Sequence[tuple[str, float, bool]]


DEMO_LOADS = (
    DemoLoad("demo_30fps", 10, [Camera(30)], ()),
    DemoLoad("demo_60fps", 10, [Camera(60)], [("p50_ms", 0.4, False)]),
    DemoLoad("demo_120fps", 10, [Camera(120)], [("fps", 1.7, True)]),
    DemoLoad(
        "demo_4_clients",
        10,
        [Camera(30, phase=index / 4) for index in range(4)],
        [("p50_ms", 0.25, False), ("interval_sd_ms", 0.1, False)],
    ),
    DemoLoad("demo_200fps_echo_5", 5, [Camera(200)], [("fps", 2.5, True)]),
)


def check_checkout(checkout: Path) -> None:
    """Look whether there is a demo to run.

    Raises:
        BenchError: there is none.
    """
    for file in (checkout / demo_server.DEMO / "main.py", checkout / demo_server.WRAPPER):
        if not file.is_file():
            raise BenchError(f"--streamdiffusion {checkout}: no checkout of StreamDiffusion: it has no {file.name}")


def measure_demo(
    comparison: Comparison, checkout: Path, pictures: Sequence[bytes], warmup_s: float, seconds: float
) -> None:
    """StreamDiffusion's demo server and ours around models of the same time, in turns."""
    for model_ms in dict.fromkeys(load.model_ms for load in DEMO_LOADS):
        demo_command = ("benchmarks.server.demo_server", str(checkout), f"{model_ms:g}")
        with serving(f"echo:{model_ms:g}") as ours, start(*demo_command) as demo:
            for load in DEMO_LOADS:
                if load.model_ms != model_ms:
                    continue
                arms = {
                    "demo": partial(_run, drive_demo, demo.url),
                    "ours": partial(_run, partial(drive, size=(SIDE, SIDE)), ours.websocket_url),
                }
                sent: dict[str, Any] = {"pictures": pictures, "warmup_s": warmup_s, "seconds": seconds}
                runs = comparison.compare(
                    load.name, {name: partial(arm, load.cameras, **sent) for name, arm in arms.items()}
                )
                ratios = {
                    number: comparison.relate(f"{load.name}_{number}", runs["ours"], runs["demo"], number)
                    for number in ("fps", "p50_ms", "interval_sd_ms")
                }
                for number, limit, at_least in load.wanted:
                    comparison.want(f"{load.name}_{number}_to_demo", ratios[number], limit, at_least=at_least)


def _run(
    driver: Callable[..., Coroutine[Any, Any, Run]], url: str, cameras: Sequence[Camera], **how_long: Any
) -> Numbers:
    return numbers_of(measure(asyncio.run(driver(url, cameras, **how_long))))


def measure_websocket(comparison: Comparison, picture: bytes, seconds: float) -> None:
    """What the server's processor pays for a picture's way in and out: our settings, and uvicorn's as it ships."""
    server = "benchmarks.server.echo_server"
    with start(server, "ours") as ours, start(server, "stock") as stock:
        arms = {
            name: partial(_echo_cpu, process, picture, seconds) for name, process in (("ours", ours), ("stock", stock))
        }
        runs = comparison.compare("websocket", arms)
    name = "websocket_cpu"
    comparison.want(
        f"{name}_to_stock", comparison.relate(name, runs["ours"], runs["stock"], "cpu_us_per_frame"), LIBRARIES_LIMIT
    )


def _echo_cpu(process: Process, picture: bytes, seconds: float) -> Numbers:
    return asyncio.run(_echoes(process, picture, seconds))


async def _echoes(process: Process, picture: bytes, seconds: float) -> Numbers:
    before_s, begin_s, count = cpu_s(process.pid), time.monotonic(), 0
    # The client's own defaults: it offers compression, and takes it where the server does.
    async with connect(process.websocket_url, max_size=None) as websocket:
        while time.monotonic() - begin_s < seconds:
            await websocket.send(picture)
            await websocket.recv()
            count += 1
    used_s, whole_s = cpu_s(process.pid), time.monotonic() - begin_s
    if before_s is None or used_s is None:
        raise BenchError("this machine does not tell what a process uses: install psutil")
    return {
        "cpu_us_per_frame": round((used_s - before_s) * 1e6 / count, 2),
        "round_trip_ms": round(whole_s * 1000 / count, 4),
        "frames": float(count),
    }


def measure_codec(comparison: Comparison, pictures: Sequence[bytes], seconds: float) -> None:
    """Decoding and encoding a JPEG of 512x512: our codec, and Pillow as a server of the usual kind uses it."""
    arms: dict[str, Callable[[], Numbers]] = {
        "ours": partial(_codec_cpu, _our_codec, pictures, seconds),
        "pillow": partial(_codec_cpu, _pillow, pictures, seconds),
    }
    runs = comparison.compare("codec", arms)
    median = comparison.relate("codec_cpu", runs["ours"], runs["pillow"], "cpu_ms_per_frame")
    comparison.want("codec_cpu_to_pillow", median, CODEC_LIMIT)


def _our_codec(picture: bytes) -> bytes:
    pixels = codec.decode(picture, Format.JPEG, SIDE, SIDE, SIDE * SIDE)
    return codec.encode(pixels, OutputFormat.JPEG, QUALITY)[1]


def _pillow(picture: bytes) -> bytes:
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    answer = io.BytesIO()
    Image.fromarray(pixels).save(answer, format="JPEG", quality=QUALITY)
    return answer.getvalue()


def _codec_cpu(work: Callable[[bytes], bytes], pictures: Sequence[bytes], seconds: float) -> Numbers:
    times_ms: list[float] = []
    end_s = time.monotonic() + seconds
    size = 0
    while time.monotonic() < end_s:
        begin_ns = time.thread_time_ns()
        size = len(work(pictures[len(times_ms) % len(pictures)]))
        times_ms.append((time.thread_time_ns() - begin_ns) / 1e6)
    return {"cpu_ms_per_frame": round(statistics.median(times_ms), 4), "answer_kb": round(size / 1000, 1)}
