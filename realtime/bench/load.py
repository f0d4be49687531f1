"""Open-loop load: clients that send frames on a fixed schedule, whatever the server does, and log what comes back.

Must not know what is measured with them, or how the server was started.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from ..client import ClientError, Picture, Stream, connect, now_us
from ..protocol import WINDOW
from .errors import BenchError
from .pacer import Camera, Pacer, quiet

LEAD_S = 0.1
"""Time from setting up the clients to the first frame."""
ANSWER_TIMEOUT_S = 10.0
"""How long a client waits for the answer to its params."""
TOLD_S = 0.35
"""Wait after the last frame, longer than the server's interval of `dropped` messages (250 ms)."""
DRAIN_S, DRAIN_LOOKS = 1.0, 50
"""How long after that unsettled frames are waited for, and how often that is checked."""


@dataclass(slots=True)
class Log:
    """What one client sent and received. Times are microseconds on this process's monotonic clock.

    Attributes:
        sent: when each frame was sent, by its number.
        arrived, arrived_us: pictures and repeats, and when each arrived.
        dropped: reasons by frame number.
        left_out: when frames were due and not sent, as the window was full.
        errors: number of `error` messages by code.
        stats: the last `stats` message.
    """

    sent: dict[int, int] = field(default_factory=dict[int, int])
    arrived: list[Picture] = field(default_factory=list[Picture])
    arrived_us: list[int] = field(default_factory=list[int])
    dropped: dict[int, str] = field(default_factory=dict[int, str])
    left_out: list[int] = field(default_factory=list[int])
    errors: Counter[str] = field(default_factory=Counter[str])
    stats: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Run:
    """The logs of one run, one for each camera.

    Attributes:
        begin_us, end_us: when the frames that count were due, after the warm-up.
        late_us: how much later than due each frame was sent: this machine's own error.
    """

    logs: Sequence[Log]
    begin_us: int
    end_us: int
    late_us: Sequence[int]


class _Client:
    def __init__(self, stream: Stream, camera: Camera, pictures: Sequence[bytes], first: int) -> None:
        self.log = Log()
        self._stream = stream
        self._camera = camera
        self._pictures = pictures
        self._next = first
        self._unsettled: set[int] = set()
        self._sending: set[asyncio.Task[None]] = set()
        stream.on_message = self._on_message

    @property
    def settled(self) -> bool:
        return not self._unsettled and not self._sending

    async def update(self, patch: dict[str, Any]) -> None:
        """Change params and wait for the answer. Raises BenchError where there is none, or a refusal."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._stream.update(**patch)
        except (ClientError, TimeoutError) as error:
            raise BenchError(f"the server does not take the params {patch}: {str(error) or 'no answer'}") from None

    def fire(self) -> None:
        """Send the next frame now."""
        if self._camera.windowed and len(self._unsettled) + len(self._sending) >= WINDOW:
            self.log.left_out.append(now_us())
            return
        picture = self._pictures[self._next % len(self._pictures)]
        self._next += 1
        task = asyncio.get_running_loop().create_task(self._send(picture))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, picture: bytes) -> None:
        sent_us = now_us()
        try:
            seq = await self._stream.send(picture, captured_us=sent_us)
        except ClientError:
            return  # `receive` raises the reason
        self.log.sent[seq] = sent_us
        if not self.log.arrived or self.log.arrived[-1].seq < seq:
            self._unsettled.add(seq)

    async def receive(self) -> None:
        try:
            async for picture in self._stream.pictures():
                self.log.arrived_us.append(now_us())
                self.log.arrived.append(picture)
                self._unsettled = {seq for seq in self._unsettled if seq > picture.seq}
        except ClientError as error:
            raise BenchError(f"the connection broke: {error}") from error
        raise BenchError("the server closed the connection: its output says why")

    def _on_message(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "dropped":
                self.log.dropped.update(dict.fromkeys(message["seqs"], message["reason"]))
                self._unsettled.difference_update(message["seqs"])
            case "stats":
                self.log.stats = message
            case "error":
                self.log.errors[message["code"]] += 1
            case _:
                pass


async def drive(
    url: str,
    cameras: Sequence[Camera],
    pictures: Sequence[bytes],
    *,
    size: tuple[int, int] | None,
    warmup_s: float,
    seconds: float,
    skip_unchanged: bool = False,
    params: Mapping[str, Any] | None = None,
    ready_timeout_s: float = 60.0,
    on_begin: Callable[[], None] = lambda: None,
) -> Run:
    """Connect a client for each camera, send all their frames, and wait for the last results.

    Args:
        url: of the WebSocket.
        cameras: one for each client.
        pictures: encoded; client i sends them in turn, from the i-th on.
        size: width and height of the results; None for the model's own.
        warmup_s: length of the warm-up, whose frames do not count.
        seconds: length of the run after it.
        skip_unchanged: the param; False has the engine run all frames, however similar they are.
        params: further ones.
        ready_timeout_s: how long to wait for the server's `ready`.
        on_begin: called on the event loop when the warm-up ends.

    Raises:
        BenchError: a connection failed or ended early.
    """
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as connections:
        try:
            streams = [
                await connections.enter_async_context(
                    connect(url, ready_timeout_s=ready_timeout_s, patience_s=0, keep=None)
                )
                for _ in cameras
            ]
        except ClientError as error:
            raise BenchError(f"can't connect to {url}: {error}") from error
        clients = [
            _Client(stream, camera, pictures, first)
            for first, (stream, camera) in enumerate(zip(streams, cameras, strict=True))
        ]
        receivers = [asyncio.create_task(client.receive()) for client in clients]
        try:
            patch: dict[str, Any] = {"skip_unchanged": skip_unchanged, **(params or {})}
            if size is not None:
                patch |= {"width": size[0], "height": size[1]}
            await unless_ended(asyncio.gather(*(client.update(patch) for client in clients)), receivers)
            with quiet():  # its garbage collection takes longer than `LEAD_S`: so it comes before
                start_ns = time.monotonic_ns() + int(LEAD_S * 1e9)
                begin_ns = start_ns + int(warmup_s * 1e9)
                end_ns = begin_ns + int(seconds * 1e9)
                loop.call_at(loop.time() + LEAD_S + warmup_s, on_begin)
                fires = [(camera, client.fire) for camera, client in zip(cameras, clients, strict=True)]
                pacer = Pacer(loop, fires, start_ns, end_ns)
                await unless_ended(pacer.done, receivers)
                await unless_ended(_settle(clients), receivers)
        finally:
            for receiver in receivers:
                receiver.cancel()
            await asyncio.gather(*receivers, return_exceptions=True)
    return Run([client.log for client in clients], begin_ns // 1000, end_ns // 1000, pacer.late_us)


async def unless_ended(awaitable: Any, receivers: Sequence[asyncio.Task[None]]) -> None:
    """Wait for `awaitable`, but raise a receiver's error as soon as there is one."""
    wanted = asyncio.ensure_future(awaitable)
    await asyncio.wait([wanted, *receivers], return_when=asyncio.FIRST_COMPLETED)
    if not wanted.done():
        wanted.cancel()
    for receiver in receivers:
        if receiver.done():
            receiver.result()
    await wanted


async def _settle(clients: Sequence[_Client]) -> None:
    await asyncio.sleep(TOLD_S)
    for _ in range(DRAIN_LOOKS):
        if all(client.settled for client in clients):
            return
        await asyncio.sleep(DRAIN_S / DRAIN_LOOKS)
