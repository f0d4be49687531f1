"""The data channel `control`: text messages both ways, and a last one with code and reason, as a WebSocket's close.

Must not know what the messages mean.
"""

from __future__ import annotations

import asyncio
import contextlib

from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

from ... import protocol
from ...errors import CloseCode, ProtocolError
from ..connection import Closed, Gone

LABEL = "control"
WAITING_MAX = 256
"""Unread messages from which on a client is refused: a data channel has no way to slow its sender down."""
BUFFERED_MAX_BYTES = 256 * 1024
FLUSH_S = 2.0


class ControlChannel:
    """The control channel of one peer, which may not be open yet."""

    def __init__(self) -> None:
        self._opened: asyncio.Future[RTCDataChannel] = asyncio.get_running_loop().create_future()
        self._texts: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._is_flooded = False
        self._drained = asyncio.Event()
        self._closed = asyncio.Event()

    def adopt(self, channel: RTCDataChannel) -> None:
        """Use a channel that the peer opened. All but the first with the label `control` are ignored."""
        if channel.label != LABEL or self._opened.done():
            return
        channel.bufferedAmountLowThreshold = BUFFERED_MAX_BYTES // 2
        channel.on("message", self._on_message)
        channel.on("bufferedamountlow", self._drained.set)
        channel.on("close", self._on_close)
        self._opened.set_result(channel)

    def _on_close(self) -> None:
        self._drained.set()
        self._closed.set()

    async def opened(self) -> None:
        """Wait until the peer has opened the channel."""
        await asyncio.shield(self._opened)

    def _on_message(self, message: str | bytes) -> None:
        self._is_flooded = self._is_flooded or self._texts.qsize() >= WAITING_MAX
        if not self._is_flooded:
            self._texts.put_nowait(message)

    async def receive(self) -> str:
        """The next text message.

        Raises:
            ProtocolError: the message is binary.
            Closed: `WAITING_MAX` messages are unread.
        """
        message = await self._texts.get()
        if self._is_flooded:
            raise Closed(CloseCode.REFUSED, "texts come faster than they can be read: send fewer")
        if isinstance(message, bytes):
            raise ProtocolError("the control channel carries text messages only: send video as video")
        return message

    async def send(self, text: str) -> None:
        """Send a text message, once less than `BUFFERED_MAX_BYTES` are unsent.

        Raises:
            Gone: the channel is closed, or the peer's offer said that it takes no texts of this size.
        """
        channel = await asyncio.shield(self._opened)
        while channel.bufferedAmount > BUFFERED_MAX_BYTES and channel.readyState == "open":
            self._drained.clear()
            await self._drained.wait()
        try:
            channel.send(text)
        except InvalidStateError:
            raise Gone("the control channel is closed") from None
        except ValueError:
            raise Gone("the peer takes no texts of the size that is needed") from None

    async def close(self, end: Closed) -> None:
        """Send code and reason, close the channel, and wait until the peer has closed it too; `FLUSH_S` at most."""
        if not self._opened.done():
            return
        channel = self._opened.result()
        with contextlib.suppress(InvalidStateError, TimeoutError, ValueError):
            channel.send(protocol.closed_message(end.code, str(end)))
            # A channel is closed by both sides, and only after what was sent before (RFC 8831 section 6.7).
            channel.close()
            async with asyncio.timeout(FLUSH_S):
                await self._closed.wait()
