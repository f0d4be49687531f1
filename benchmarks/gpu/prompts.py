"""How soon a new prompt shows: from the patch to the first picture that was made with it.

Must not know how the server was started.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from realtime.bench import numbers
from realtime.bench.load import ANSWER_TIMEOUT_S
from realtime.bench.measures import Measures
from realtime.bench.pacer import Camera, Pacer, quiet
from realtime.client import Picture, Stream, connect, now_us

KNOWN = "a photo of a room"
WARMUP_S = 1.0


@dataclass(slots=True)
class _Change:
    """A patch on its way.

    Attributes:
        version: that the params get by it.
        last_seq: the newest frame that was sent before.
    """

    version: int
    last_seq: int
    sent_us: int
    shown: asyncio.Future[Picture] = field(default_factory=asyncio.Future[Picture])


async def prompt_changes(
    url: str, pictures: Sequence[bytes], patch: dict[str, Any], *, fps: float, changes: int, every_s: float
) -> Measures:
    """A camera that never stops, and a prompt that changes: to one never seen before, and back to a known one.

    Args:
        url: of the WebSocket.
        pictures: what the camera sends, in turn.
        patch: params beside the prompt.
        changes: of each kind.
        every_s: between two.

    Returns:
        For `new` and `known`: `ms` from the patch to the picture, and `frames`: 1 where the first frame that was sent
        behind the patch shows it already.

    Raises:
        TimeoutError: a change never showed.
    """
    async with connect(url, patience_s=0, keep=None) as stream:
        client = _Client(stream, pictures)
        receiver = asyncio.create_task(client.receive())
        try:
            with quiet():
                return await client.run(patch, Camera(fps), changes, every_s)
        finally:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)


class _Client:
    def __init__(self, stream: Stream, pictures: Sequence[bytes]) -> None:
        self._stream = stream
        self._pictures = pictures
        self._version = int(stream.params["version"])
        self._change: _Change | None = None
        self._last_seq = 0
        self._dropped: Counter[str] = Counter()
        self._sending: set[asyncio.Task[None]] = set()
        stream.on_message = self._on_message

    async def receive(self) -> None:
        async for picture in self._stream.pictures():
            change = self._change
            if change is not None and picture.params_version >= change.version and not change.shown.done():
                change.shown.set_result(picture)

    def _on_message(self, message: dict[str, Any]) -> None:
        if message["type"] == "dropped":
            self._dropped[message["reason"]] += len(message["seqs"])

    async def run(self, patch: dict[str, Any], camera: Camera, changes: int, every_s: float) -> Measures:
        loop = asyncio.get_running_loop()
        begin_ns = now_us() * 1000
        end_ns = begin_ns + 3600 * 10**9  # it stops with `done`
        pacer = Pacer(loop, [(camera, self._fire)], begin_ns, end_ns)
        try:
            await self._patch(patch | {"prompt": KNOWN})
            await asyncio.sleep(WARMUP_S)
            self._dropped.clear()
            found: dict[str, list[tuple[float, int]]] = {"new": [], "known": []}
            for number in range(changes):
                for kind, prompt in {"new": f"a painting, number {number}", "known": KNOWN}.items():
                    found[kind].append(await self._patch({"prompt": prompt}))
                    await asyncio.sleep(every_s)
        finally:
            pacer.done.cancel()
        told = {
            kind: {"ms": numbers.spread([ms for ms, _ in times]), "frames": numbers.spread([n for _, n in times])}
            for kind, times in found.items()
        }
        return told | {"changes": changes, "fps": camera.fps, "dropped": dict(self._dropped)}

    async def _patch(self, patch: dict[str, Any]) -> tuple[float, int]:
        """Change params; milliseconds and frames until the first picture that was made with them."""
        self._version += 1
        change = self._change = _Change(self._version, self._last_seq, now_us())
        await self._stream.update(**patch)
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            picture = await change.shown
        return (now_us() - change.sent_us) / 1000, picture.seq - change.last_seq

    def _fire(self) -> None:
        task = asyncio.get_running_loop().create_task(self._send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self) -> None:
        picture = self._pictures[self._last_seq % len(self._pictures)]
        self._last_seq = await self._stream.send(picture)
