"""What WebRTC costs and gains here, beside aiortc as it ships, in the same run.

Must not know how a run is made, or how numbers are printed.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from realtime.bench import report
from realtime.bench.errors import check_names
from realtime.bench.measures import Measures
from realtime.bench.servers import Process, serving, start
from realtime.server.webrtc import seams
from realtime.server.webrtc.encoder import full_bitrate

from .. import console
from ..comparison import Comparison
from ..repeats import Numbers, together
from . import calls, encoders
from .calls import Load
from .peer import Dial
from .video import diffusion_like, planes, webcam_like

SIDE = 512
FPS = 30.0
CLIP = 64
"""Pictures of the cameras' clip."""
CLIENT_SHARE = 0.25
"""Of the full bitrate, where the client is to be cheap: 1.5 Mbit/s, as browsers send at this size."""
OVERLOAD_MS = 50
VIEWERS = (0, 1, 4, 8)
AIORTC_CAP = {"H264": 3_000_000, "VP8": 1_500_000}
"""Bits a second that aiortc's own encoders never go beyond."""
CODECS = ("VP8", "H264")
LOOPBACK = "127.0.0.1"
ICE = ("--ice-address", LOOPBACK)


def webrtc_bench(
    seconds: float = 4.0,
    overload_seconds: float = 14.0,
    repetitions: int = 5,
    *,
    only: Sequence[str] = (),
    output: Path | None = None,
) -> Measures:
    """Start servers, call them, and print tables and the JSON object.

    Args:
        seconds: length of each run after its warm-up.
        overload_seconds: length of the overload runs.
        repetitions: of every run, in turns with those that it is compared with.
        only: names out of `SCENARIOS`; none means all.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: it could not be measured. (A missed target is no error.)
    """
    check_names(only, SCENARIOS)
    seams.offer_addresses([LOOPBACK])
    try:
        bench = _Bench(seconds, overload_seconds, repetitions)
        for name, measure in SCENARIOS.items():
            if not only or name in only:
                measure(bench)
    finally:
        seams.offer_addresses([])
    versions = {name: importlib.metadata.version(name) for name in ("aiortc", "aioice", "av", "opencv-python")}
    about = report.header("webrtc") | {
        "versions": versions,
        "model": "echo",
        "settings": {
            "seconds": seconds,
            "warmup_s": bench.warmup_s,
            "overload_seconds": overload_seconds,
            "repetitions": repetitions,
            "width": SIDE,
            "height": SIDE,
        },
    }
    return console.conclude(about, bench, output)


class _Bench(Comparison):
    """The runs made so far and the targets that they were held to."""

    def __init__(self, seconds: float, overload_seconds: float, repetitions: int) -> None:
        super().__init__(repetitions)
        self.seconds = seconds
        self.overload_seconds = overload_seconds
        self.warmup_s = min(2.0, seconds / 2)
        self._pictures = planes(webcam_like(CLIP, SIDE, SIDE))

    def load(self, fps: float = FPS) -> Load:
        """A camera."""
        return Load(self._pictures, fps, self.warmup_s, self.seconds)


def _receive(bench: _Bench) -> None:
    """The receive path alone: the same peer, with aiortc's jitter buffer and with ours."""
    with _stock() as process:
        for fps, limit in ((30, 0.27), (15, 0.15)):
            load = bench.load(fps)
            runs = bench.compare(
                f"receive_{fps}fps",
                {
                    "stock": partial(calls.receive, process, load, marker=False),
                    "ours": partial(calls.receive, process, load, marker=True),
                },
            )
            bench.want(
                f"receive_{fps}fps_p50_to_stock",
                bench.relate(f"receive_{fps}fps_p50", runs["ours"], runs["stock"], "p50_ms"),
                limit,
            )


def _echo(bench: _Bench) -> None:
    """There and back: stock at both ends, stock at the server alone, and ours."""
    load = bench.load()
    with _stock() as stock, serving("echo", *ICE) as serve:
        runs = bench.compare(
            "echo",
            {
                "stock": partial(calls.echo, stock, load, "echo", Dial(marker=False)),
                "stock_server": partial(calls.echo, stock, load, "echo", Dial()),
                "ours": partial(calls.echo, serve, load, "rtc", Dial()),
                "ours_split": partial(calls.echo, serve, load, "rtc", Dial(), split=True),
            },
        )
    bench.want("echo_p50_to_stock", bench.relate("echo_p50", runs["ours"], runs["stock"], "p50_ms"), 0.22)
    bench.relate("echo_p50_server_alone", runs["ours"], runs["stock_server"], "p50_ms")
    for way in ("in", "out"):
        median_ms = together(runs["ours_split"])[f"{way}_p50_ms"]["median"]
        bench.want(f"one_way_{way}_p50_ms", median_ms, 15.0)


def _overload(bench: _Bench) -> None:
    """A model that takes 50 ms, and a camera of 30 fps."""
    load = Load(bench.load().pictures, FPS, 0.0, bench.overload_seconds)
    with _stock() as stock, serving(f"echo:{OVERLOAD_MS}", *ICE) as serve:
        runs = bench.compare(
            "overload",
            {
                "stock": partial(calls.overload, stock, load, f"echo?sleep_ms={OVERLOAD_MS}"),
                "ours": partial(calls.overload, serve, load, "rtc"),
            },
            repetitions=min(3, bench.repetitions),
        )
    bench.want(
        "overload_last_p50_to_stock",
        bench.relate("overload_last_p50", runs["ours"], runs["stock"], "last_p50_ms"),
        0.03,
    )
    slope = together(runs["ours"])["slope_ms_per_s"]["median"]
    bench.want("overload_slope_ms_per_s", abs(slope), 1.0)


def _encoders(bench: _Bench) -> None:
    """Encoding alone, on one core: aiortc's two at their caps and at our bitrate, ours at every effort."""
    full = full_bitrate(SIDE, SIDE)
    count = encoders.SETTLE + max(2, round(bench.seconds * encoders.EXPECTED_FPS / 2))
    clips = {"webcam": webcam_like(count, SIDE, SIDE), "diffusion": diffusion_like(count, SIDE, SIDE)}
    for content, clip in clips.items():

        def measure(codec: str, bitrate: int, effort: int | None, clip: Sequence[encoders.Pixels] = clip) -> Numbers:
            made = encoders.stock(codec, bitrate) if effort is None else encoders.ours(codec, effort, bitrate, SIDE)
            return encoders.measure(codec, made, clip)

        arms: dict[str, Callable[[], Numbers]] = {}
        for codec in CODECS:
            for bitrate in (AIORTC_CAP[codec], full):
                at = f"{bitrate / 1e6:.1f} Mbit/s"
                arms[f"{codec} stock, {at}"] = partial(measure, codec, bitrate, None)
                for name, effort in encoders.efforts(codec).items():
                    arms[f"{codec} {name}, {at}"] = partial(measure, codec, bitrate, effort)
        with encoders.one_core():
            runs = bench.compare(f"encoders_{content}", arms)
        _relate_encoders(bench, content, runs, full)


def _relate_encoders(bench: _Bench, content: str, runs: Mapping[str, list[Numbers]], full: int) -> None:
    for codec in CODECS:
        best = next(iter(encoders.efforts(codec)))
        cap, at_full = f"{AIORTC_CAP[codec] / 1e6:.1f} Mbit/s", f"{full / 1e6:.1f} Mbit/s"
        stock, same, more = (
            runs[f"{codec} {arm}"] for arm in (f"stock, {cap}", f"{best}, {cap}", f"{best}, {at_full}")
        )
        share = bench.relate(f"encode_{codec}_{content}_p50", same, stock, "p50_ms")
        bench.relate(f"encode_{codec}_{content}_cpu", same, stock, "cpu_ms")
        loss_db = stock[0]["psnr_db"] - same[0]["psnr_db"]
        gain_db = more[0]["psnr_db"] - stock[0]["psnr_db"]
        if codec == "H264" and content == "webcam":
            bench.want("encode_h264_webcam_p50_to_stock", share, 0.15)
        if content == "webcam":
            bench.want(f"encode_{codec.lower()}_webcam_loss_db", loss_db, 0.5)
        else:
            bench.want(f"encode_{codec.lower()}_diffusion_gain_db", gain_db, 1.5, at_least=True)


def _viewers(bench: _Bench) -> None:
    """One session and its viewers by WHEP, and the same relayed by aiortc."""
    load = bench.load()
    with _stock() as stock, serving("echo", *ICE) as serve:
        arms: dict[str, Callable[[], Numbers]] = {}
        for count in VIEWERS:
            arms[f"ours_{count}"] = partial(calls.viewers, serve, load, count, ours=True)
            arms[f"stock_{count}"] = partial(calls.viewers, stock, load, count, ours=False)
        runs = bench.compare("viewers", arms)
    first, last = 1, VIEWERS[-1]
    for side in ("ours", "stock"):
        pairs = zip(runs[f"{side}_{last}"], runs[f"{side}_{first}"], strict=True)
        added = [
            {"ms_per_s": (many["server_cpu_ms_per_s"] - one["server_cpu_ms_per_s"]) / (last - first)}
            for many, one in pairs
        ]
        bench.measured["viewers"][f"{side}_per_added_viewer"] = together(added)
    bench.want("viewers_encodings", max(run["encodings"] for run in runs[f"ours_{last}"]), 1)
    bench.relate(f"viewers_{last}_cpu", runs[f"ours_{last}"], runs[f"stock_{last}"], "server_cpu_ms_per_s")


def _cpu(bench: _Bench) -> None:
    """What the server uses for each frame of an echo: stock at its own bitrate, stock at ours, ours."""
    load, full = bench.load(), full_bitrate(SIDE, SIDE)
    with _stock() as stock, _stock(full) as pinned, serving("echo", *ICE) as serve:
        for codec in CODECS:
            dial = Dial(codec=codec, cheap=CLIENT_SHARE)
            runs = bench.compare(
                f"cpu_{codec}",
                {
                    "stock": partial(calls.echo, stock, load, "echo", dial),
                    "stock_at_our_bitrate": partial(calls.echo, pinned, load, "echo", dial),
                    "ours": partial(calls.echo, serve, load, "rtc", dial),
                },
            )
            for name, other in (("cpu", "stock"), ("cpu_at_our_bitrate", "stock_at_our_bitrate")):
                bench.relate(f"{name}_{codec}", runs["ours"], runs[other], "server_cpu_ms_per_frame")


SCENARIOS: dict[str, Callable[[_Bench], None]] = {
    "receive": _receive,
    "echo": _echo,
    "overload": _overload,
    "encoders": _encoders,
    "viewers": _viewers,
    "cpu": _cpu,
}


@contextmanager
def _stock(bitrate: int | None = None) -> Generator[Process]:
    with start("benchmarks.webrtc.stock", *([] if bitrate is None else [str(bitrate)])) as process:
        yield process
