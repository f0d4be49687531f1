"""One run of each kind over WebRTC, and its numbers.

Must not know what they are compared with.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import simplejpeg
from websockets.asyncio.client import connect as connect_websocket

from realtime.bench import numbers
from realtime.bench.errors import BenchError
from realtime.bench.load import LEAD_S
from realtime.bench.pacer import Camera, Pacer, quiet
from realtime.bench.resources import cpu_s
from realtime.bench.servers import Process, wait_until
from realtime.client import now_us
from realtime.pixels import Pixels
from realtime.protocol import HEADER

from ..repeats import Numbers
from .peer import Call, CameraTrack, Dial, connected, get_json
from .video import read_index

SETTLE_S = 0.4
"""For what is still under way when a run ends."""
READY_TIMEOUT_S = 10.0

_names = (f"bench-{number}" for number in itertools.count())


@dataclass(frozen=True, slots=True)
class Load:
    """What the camera does.

    Attributes:
        pictures: I420, all of one size.
        warmup_s: frames of the first seconds are sent and not counted.
        seconds: how long frames are counted.
    """

    pictures: Sequence[Pixels]
    fps: float
    warmup_s: float
    seconds: float


@dataclass(slots=True)
class Drive:
    """A camera's run: when it was, and what it took of the server."""

    begin_us: int
    end_us: int
    cpu_s: float
    received_bytes: int
    sent: int
    late_ms: float

    def numbers(self) -> Numbers:
        """What every run tells."""
        seconds = (self.end_us - self.begin_us) / 1e6
        return {
            "server_cpu_ms_per_frame": round(self.cpu_s * 1000 / self.sent, 3),
            "server_cpu_ms_per_s": round(self.cpu_s * 1000 / seconds, 2),
            "received_mbit_per_s": round(self.received_bytes * 8 / seconds / 1e6, 3),
            "sent": self.sent,
            "sent_late_p99_ms": self.late_ms,
        }


async def drive(camera: CameraTrack, load: Load, process: Process, call: Call) -> Drive:
    """Let the camera run, and wait for what is still under way."""
    loop = asyncio.get_running_loop()
    with quiet():  # which collects first, for longer than the lead
        start_ns = time.monotonic_ns() + int(LEAD_S * 1e9)
        begin_ns = start_ns + int(load.warmup_s * 1e9)
        end_ns = begin_ns + int(load.seconds * 1e9)
        pacer = Pacer(loop, [(Camera(load.fps), camera.fire)], start_ns, end_ns)
        await asyncio.sleep((begin_ns - time.monotonic_ns()) / 1e9)
        used_s, received = cpu_s(process.pid) or 0.0, await call.received_bytes()
        await pacer.done
        used_s, received = (cpu_s(process.pid) or 0.0) - used_s, await call.received_bytes() - received
        await asyncio.sleep(SETTLE_S)
    sent = sum(at_us >= begin_ns // 1000 for at_us in camera.sent_us)
    late_ms = numbers.spread([late_us / 1000 for late_us in pacer.late_us])["p99"]
    return Drive(begin_ns // 1000, end_ns // 1000, used_s, received, sent, late_ms)


def latencies_ms(sent_us: Sequence[int], arrived: Sequence[tuple[int, int]], begin_us: int) -> dict[int, float]:
    """How long each frame sent since `begin_us` took, by number; a picture that was sent again counts once."""
    found: dict[int, float] = {}
    for index, at_us in arrived:
        if index < len(sent_us) and sent_us[index] >= begin_us and index not in found and at_us >= sent_us[index]:
            found[index] = (at_us - sent_us[index]) / 1000
    return found


def _times(latencies: dict[int, float], sent: int, prefix: str = "") -> Numbers:
    if not latencies:
        raise BenchError("no picture came back")
    spread = numbers.spread(list(latencies.values()))
    return {f"{prefix}{name}_ms": spread[name] for name in ("p50", "p95", "p99")} | {
        f"{prefix}delivered": round(len(latencies) / sent, 4)
    }


def receive(process: Process, load: Load, *, marker: bool) -> Numbers:
    """One way to the receiver that logs: from the hand-over to the track here, to the decoded frame there."""

    async def run() -> Numbers:
        camera = CameraTrack(load.pictures)
        async with connected(process.url, f"receive?marker={int(marker)}", Dial(camera, back=False)) as call:
            driven = await drive(camera, load, process, call)
            log = await asyncio.to_thread(get_json, f"{process.url}log")
        return _times(latencies_ms(camera.sent_us, log, driven.begin_us), driven.sent) | driven.numbers()

    return asyncio.run(run())


def echo(process: Process, load: Load, path: str, dial: Dial, *, split: bool = False) -> Numbers:
    """There and back: from the hand-over to the track to the decoded frame, both here.

    Args:
        path: `rtc` is our server's; a session is named for it.
        dial: how; the camera is put in.
        split: watch the session by WebSocket too, and say when frames were in the session's inbox.
    """

    async def run() -> Numbers:
        camera = CameraTrack(load.pictures)
        name = next(_names)
        full_path = f"rtc?session={name}" if path == "rtc" else path
        async with (
            connected(process.url, full_path, replace(dial, camera=camera, control=path == "rtc")) as call,
            _watching(process, name if split else None) as watched,
        ):
            driven = await drive(camera, load, process, call)
        trips = latencies_ms(camera.sent_us, call.arrived, driven.begin_us)
        found = _times(trips, driven.sent) | driven.numbers()
        if split:
            inboxes = latencies_ms(camera.sent_us, [_inbox(*message) for message in watched], driven.begin_us)
            found |= _times(inboxes, driven.sent, "in_")
            back = {index: trips[index] - inboxes[index] for index in trips.keys() & inboxes.keys()}
            found |= _times(back, driven.sent, "out_")
        return found

    return asyncio.run(run())


@asynccontextmanager
async def _watching(process: Process, name: str | None) -> AsyncGenerator[list[tuple[int, bytes]]]:
    """Every picture of a session as it is sent to a viewer by WebSocket, and when it came."""
    watched: list[tuple[int, bytes]] = []
    if name is None:
        yield watched
        return

    async def read() -> None:
        async for message in websocket:
            if isinstance(message, bytes):
                watched.append((now_us(), message))

    async with connect_websocket(f"{process.websocket_url}?watch={name}", compression=None) as websocket:
        reader = asyncio.create_task(read())
        try:
            yield watched
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


def _inbox(at_us: int, message: bytes) -> tuple[int, int]:
    """The number in a viewer's picture, and when that frame was in the inbox: its message says how long ago that was
    when it was sent, so this is late by the message's own way, and never early."""
    engine_us = HEADER.unpack_from(message)[6]
    luma = simplejpeg.decode_jpeg(message[HEADER.size :], colorspace="GRAY")[..., 0]
    return read_index(luma), at_us - engine_us


def overload(process: Process, load: Load, path: str) -> Numbers:
    """A camera that is too fast: how late pictures are after so long, and how that grew."""

    async def run() -> Numbers:
        camera = CameraTrack(load.pictures)
        full_path = f"rtc?session={next(_names)}" if path == "rtc" else path
        async with connected(process.url, full_path, Dial(camera, control=path == "rtc")) as call:
            driven = await drive(camera, load, process, call)
        seen = [
            ((at_us - driven.begin_us) / 1e6, (at_us - camera.sent_us[index]) / 1000)
            for index, at_us in call.arrived
            if index < len(camera.sent_us) and driven.begin_us <= at_us < driven.end_us
        ]
        settled = [(at_s, late_ms) for at_s, late_ms in seen if at_s >= load.seconds / 7]
        last = [late_ms for at_s, late_ms in seen if at_s >= load.seconds * 6 / 7]
        if not last:
            raise BenchError("no picture came back")
        return {
            "last_p50_ms": numbers.spread(last)["p50"],
            "slope_ms_per_s": round(numbers.slope(*zip(*settled, strict=True)), 3),
            "fps": round(len(seen) / load.seconds, 2),
        } | driven.numbers()

    return asyncio.run(run())


def viewers(process: Process, load: Load, count: int, *, ours: bool) -> Numbers:
    """One publisher and so many viewers: what they cost the server, and what each gets."""

    async def run() -> Numbers:
        camera, name = CameraTrack(load.pictures), next(_names)
        paths = (f"whip?session={name}", f"whep?session={name}") if ours else ("publish", "watch")
        async with AsyncExitStack() as calls:
            dial = Dial(camera, back=False, cheap=0.25)
            publisher = await calls.enter_async_context(connected(process.url, paths[0], dial))
            if ours:
                await asyncio.to_thread(wait_until, process, "realtime_sessions", READY_TIMEOUT_S)
            camera.fire()
            watching = [
                await calls.enter_async_context(connected(process.url, paths[1], Dial(counts=True)))
                for _ in range(count)
            ]
            counters = [call.counter for call in watching if call.counter is not None]
            driving = asyncio.create_task(drive(camera, load, process, publisher))
            await asyncio.sleep(LEAD_S + load.warmup_s)
            before = [counter.frames for counter in counters]
            before_bytes = [await call.received_bytes() for call in watching]
            await asyncio.sleep(load.seconds)
            rates = [(c.frames - b) / load.seconds for c, b in zip(counters, before, strict=True)]
            sizes = [await call.received_bytes() - b for call, b in zip(watching, before_bytes, strict=True)]
            encodings = process.metric("realtime_video_encodings") if ours else count
            driven = await driving
        return driven.numbers() | {
            "encodings": encodings if encodings is not None else -1,
            "slowest_viewer_fps": round(min(rates, default=0.0), 2),
            "viewer_mbit_per_s": round(sum(sizes) * 8 / load.seconds / 1e6 / max(count, 1), 3),
        }

    return asyncio.run(run())
