"""Clients that send frames, by the Python client, and count what becomes of them.

Must not know what is done to the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncGenerator, Sequence
from functools import cache
from typing import Any

from realtime.bench.pictures import photo_jpegs, photo_like
from realtime.client import ClientError, Stream, connect
from realtime.media import codec
from realtime.params import OutputFormat

from .account import Account
from .waiting import PATIENCE_S, until

SIDE_PX = 256
"""Of the frames and of their pictures."""
UNLIKE = 16
"""Frames that are unlike each other."""
QUALITY = 80
STILL = 4
"""How often each is sent in a row, by a client whose input is still half of the time: it is answered by repeats."""


@cache
def frames(kind: OutputFormat = OutputFormat.JPEG) -> Sequence[bytes]:
    """Frames to send."""
    if kind is OutputFormat.JPEG:
        return photo_jpegs(UNLIKE, SIDE_PX, SIDE_PX)
    return [codec.encode(photo_like(seed, SIDE_PX, SIDE_PX), kind, QUALITY)[1] for seed in range(UNLIKE)]


class Player:
    """A client.

    Args:
        url: of the server.
        session: its name.
        fps: frames a second; 0: as many as it may send.
        is_still: whether it sends each frame a few times.
        pictures: what it sends, again and again; None: JPEG.
        options: of `connect`.

    Attributes:
        account: of its frames.
        stream: None before it is connected.
    """

    def __init__(
        self, url: str, session: str, fps: float = 0.0, *, is_still: bool = False,
        pictures: Sequence[bytes] | None = None, **options: Any,
    ) -> None:  # fmt: skip
        self.session = session
        self.account = Account()
        self.stream: Stream | None = None
        self._url = url
        self._fps = fps
        self._stills = STILL if is_still else 1
        self._options = options
        self._pictures = pictures
        self._cuts_from = 1
        self._seq = 0
        self._is_sending = False
        self._is_to_send = asyncio.Event()
        self._is_to_send.set()

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncGenerator[Player]:
        """Connect, and send while the block runs.

        Raises:
            ClientError: the stream has ended.
        """
        async with (
            connect(
                self._url, session=self.session, patience_s=PATIENCE_S, keep=None, on_message=self._hear,
                **self._options,
            ) as self.stream,
            asyncio.TaskGroup() as tasks,
        ):  # fmt: skip
            await self.stream.update(width=SIDE_PX, height=SIDE_PX)
            running = [tasks.create_task(self._send(self.stream)), tasks.create_task(self._take(self.stream))]
            yield self
            for task in running:
                task.cancel()

    @property
    def connections(self) -> int:
        """How often it was connected."""
        return self.stream.connections if self.stream is not None else 1

    async def settle(self) -> None:
        """Send nothing more, and wait until every frame has its fate."""
        self._is_to_send.clear()

        def is_settled() -> bool:
            if not self._is_sending:
                self._note_cut(self._seq + 1)
            return self.account.unsettled == 0

        await until(is_settled, f"{self.session}: all frames have their fates")

    async def progress(self, pictures: int = 3) -> float:
        """Wait until so many more frames are answered; returns the seconds that it took."""
        before = self.account.answered
        return await until(lambda: self.account.answered >= before + pictures, f"{self.session} gets pictures")

    async def _send(self, stream: Stream) -> None:
        each = 1 / self._fps if self._fps else 0.0
        due_s = time.monotonic()
        for frame in itertools.cycle(self._pictures or frames()):
            for _ in range(self._stills):
                await self._is_to_send.wait()
                await stream.credit()
                await self._send_one(stream, frame)
                due_s = max(due_s + each, time.monotonic() - each)
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    async def _send_one(self, stream: Stream, frame: bytes) -> None:
        self._is_sending = True
        self.account.sent(self._seq + 1)  # the answer may be here before `send` is done
        self._seq = await stream.send(frame)
        self._is_sending = False
        self._note_cut(self._seq)

    def _note_cut(self, before: int) -> None:
        if self.connections != self._cuts_from:
            self._cuts_from = self.connections
            self.account.cut(before)

    async def _take(self, stream: Stream) -> None:
        with contextlib.suppress(ClientError):  # the sender raises it
            async for picture in stream.pictures():
                brightest = int(picture.pixels().max())
                self.account.picture(
                    picture.seq, time.monotonic(), is_repeat=picture.is_repeat, brightest=brightest
                )  # fmt: skip

    def _hear(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "dropped", "seqs": seqs, "reason": why}:
                for seq in seqs:
                    self.account.dropped(seq, why)
            case {"type": "error", "seq": seq, "code": code}:
                self.account.dropped(seq, code)
            case _:
                pass
