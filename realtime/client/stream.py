"""A stream to one session that outlives its connections: sends frames, hands out pictures, comes back after a cut.

Must not know how a connection is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .. import protocol
from ..errors import ClientError, ConnectionLostError, RefusedError, SessionEndedError
from .brought import Brought
from .dialling import Address, dial, end_of, parse, persistently
from .pictures import Picture, Pixels, Unpacker, encoded, now_us, pack
from .wishes import Wishes, patch_message

TRIES_OF_A_FRAME = 3
"""How often `restyle` sends a frame: one that cuts the connection each time is not sent for ever."""

ABOUT_MODEL = ("model", "styles", "guidance", "mattes", "pictures", "best_steps")
"""Fields of `ready` that say what the model is; a `model` message has them anew."""

OnMessage = Callable[[dict[str, Any]], None]


class Stream:
    """A session at a server, from `connect`.

    After a cut it connects again and takes its session up where it was; the frames under way are lost and counted, and
    `restyle` sends its own again. Where the server has forgotten the session, the new one is told the same params.

    Args:
        address: of the session.
        websocket: open, of which nothing was read behind `ready`.
        ready: the server's `ready` message.
        patience_s: for how long a server is tried again; 0 ends the stream with its first connection.
        keep: pictures that wait for `pictures`, see there.

    Attributes:
        ready: the newest `ready` message, with what it says of the model as it is now.
        on_message: called with every text message, as an object.
        lost: number of frames that were under way when the connection was cut.
        skipped: number of pictures that `pictures` has left out, as newer ones had come.
        connections: number of connections so far.
        away: why the server's engine is away at the moment; empty while it is there. Frames wait for it.
        held: `unsafe` or `unchecked` while the server's frame checker holds pictures; else empty.
    """

    def __init__(
        self,
        address: Address,
        websocket: ClientConnection,
        ready: dict[str, Any],
        *,
        on_message: OnMessage = lambda message: None,
        patience_s: float = 0.0,
        keep: int | None = protocol.WINDOW,
    ) -> None:
        self.ready = ready
        self.on_message = on_message
        self.lost = self.skipped = 0
        self.connections = 1
        self.away = self.held = ""
        self._address = address.with_session(ready["session"], ready.get("ticket"))
        self._websocket = websocket
        self._patience_s = patience_s
        self._wishes = Wishes(ready["params"])
        self._unpacker = Unpacker()
        self._seq = 0
        self._unsettled: deque[int] = deque()
        self._answers: dict[int, asyncio.Future[Picture]] = {}
        self._brought = Brought()
        self._pictures: deque[Picture] = deque(maxlen=keep)
        self._is_open = True
        self._ended: ClientError | None = None
        self._changed = asyncio.Event()

    @property
    def params(self) -> dict[str, Any]:
        """The params in force, as far as the server has told."""
        return self._wishes.params

    @property
    def session(self) -> str:
        """The session's name."""
        return str(self.ready["session"])

    # -- out --------------------------------------------------------------------------------------------------------

    async def send(self, frame: bytes | Pixels, *, captured_us: int | None = None) -> int:
        """Send a frame: a JPEG, PNG or WebP picture, or an array, uint8 [H, W, 3] in RGB or [H, W, 4] in RGBA.

        It does not wait for the answer. Without a connection it waits for one. Wait for `credit` before a frame is
        captured, and none gets old on its way.

        Args:
            captured_us: time of the capture by `now_us`, the default.

        Returns:
            Its seq.

        Raises:
            ValueError: it is no picture.
            RefusedError: it is larger than the server's messages may be.
            ClientError: the stream has ended.
        """
        captured = now_us() if captured_us is None else captured_us
        data = encoded(frame)
        most = int(self.ready["limits"].get("max_message_bytes", len(data) + protocol.HEADER.size))
        if len(data) + protocol.HEADER.size > most:
            raise RefusedError("too_big", f"a frame of {len(data)} bytes; this server takes {most}: make it smaller")
        return await self._send_frame(data, captured)

    async def _send_frame(self, data: bytes, captured_us: int, answer: asyncio.Future[Picture] | None = None) -> int:
        await self._until(lambda: self._is_open)
        self._seq += 1
        seq = self._seq
        self._unsettled.append(seq)
        if answer is not None:
            self._answers[seq] = answer
        await self._send(pack(seq, data, captured_us))
        return seq

    async def credit(self) -> None:
        """Wait until a further frame may be sent: fewer than the server's `window` are under way.

        Raises:
            ClientError: the stream has ended.
        """
        await self._until(lambda: self._is_open and len(self._unsettled) < int(self.ready["window"]))

    async def update(self, **patch: Any) -> dict[str, Any]:
        """Change some params, and wait until they are in force.

        Returns:
            All params.

        Raises:
            RefusedError: the server refuses a field, or a message may not be so long; nothing has changed.
            TypeError, ValueError: a value is none of JSON.
            ClientError: the stream has ended.
        """
        return await self._patch(patch)

    async def glide(self, seconds: float, **patch: Any) -> dict[str, Any]:
        """Have the server glide to new params, from what is shown now, whatever their own `transition_s`. The server
        does so by its clock: nothing more is to be sent.

        Args:
            seconds: 0 to 60; 0 changes all at once.

        Returns:
            All params, as soon as the server knows them: where the way ends.

        Raises:
            as `update`.
        """
        return await self._patch(patch, seconds)

    async def _patch(self, patch: dict[str, Any], transition_s: float | None = None) -> dict[str, Any]:
        text = _patch_text(patch_message(patch, transition_s))
        await self._until(lambda: self._is_open)
        answer = self._wishes.patch(patch, transition_s)
        await self._send(text)
        return await answer

    async def command(self, name: str) -> None:
        """Send a command, for example `freeze`; see docs/protocol.md.

        Raises:
            ClientError: the stream has ended.
        """
        text = _command_text(name)
        await self._until(lambda: self._is_open)
        self._wishes.command(name)
        await self._send(text)

    async def bring(self, picture: bytes | Pixels) -> str:
        """Bring a picture in whose style others are to be, where the model hears pictures: in its prompt
        (`ready["pictures"]`), or as references (`ready["references"]`).

        Returns:
            Its id, for `update(prompt=[{"picture": id}])` or `update(references=[{"picture": id}])`. A server that was
            restarted is brought it again.

        Raises:
            ValueError: it is no picture.
            RefusedError: the server does not take it.
            ClientError: the stream has ended.
        """
        data = encoded(picture)
        for _ in range(TRIES_OF_A_FRAME):
            await self._until(lambda: self._is_open)
            self._seq += 1
            answer = self._brought.sent(self._seq)
            await self._send(pack(self._seq, data, 0, protocol.REFERENCE))
            try:
                reference = await answer
            except _CutError:
                continue
            self._brought.keep(reference, data)
            return reference
        raise ConnectionLostError(f"the connection was cut {TRIES_OF_A_FRAME} times while this picture was under way")

    async def _send(self, message: str | bytes) -> None:
        """Send on the connection, if there still is one: if not, the reader takes care of what is lost."""
        with contextlib.suppress(ConnectionClosed):
            await self._websocket.send(message)

    # -- in ---------------------------------------------------------------------------------------------------------

    async def restyle(self, frame: bytes | Pixels) -> Picture:
        """Send one frame and wait for its picture; after a cut it is sent again.

        Raises:
            ValueError: it is no picture.
            RefusedError: the server refused the frame, or dropped it for a newer one.
            ClientError: the stream has ended.
        """
        data = encoded(frame)
        for _ in range(TRIES_OF_A_FRAME):
            answer: asyncio.Future[Picture] = asyncio.get_running_loop().create_future()
            seq = await self._send_frame(data, now_us(), answer)
            try:
                return await answer
            except _CutError:
                continue
            finally:
                self._answers.pop(seq, None)
        raise ConnectionLostError(f"the connection was cut {TRIES_OF_A_FRAME} times while this frame was under way")

    async def pictures(self) -> AsyncGenerator[Picture]:
        """The pictures as they come, over all connections; those of `restyle` are not among them.

        While the loop's body is busy, the newest `keep` pictures wait (see `connect`): older ones are left out and
        counted in `skipped`, so that what is shown is never older than that. Ends when the session is ended.

        Raises:
            ClientError: the stream has ended for another reason.
        """
        while True:
            try:
                await self._until(lambda: bool(self._pictures))
            except SessionEndedError:
                return
            yield self._pictures.popleft()

    async def restyle_all(
        self, frames: Iterable[bytes | Pixels] | AsyncIterable[bytes | Pixels]
    ) -> AsyncGenerator[Picture]:
        """Restyle a live source: the next frame is taken from it when there is credit, so that none waits.

        Pictures are handed out as by `pictures`: older ones are left out where the loop is slow. An iterable, which may
        block as a camera does, is read in a thread.

        Raises:
            ClientError: the stream has ended, or the server has refused a frame.
        """
        source = asyncio.create_task(self._feed(frames))
        try:
            while True:
                await self._until(lambda: bool(self._pictures) or (source.done() and not self._unsettled))
                if not self._pictures:
                    break
                yield self._pictures.popleft()
            await source
        except SessionEndedError:
            return
        finally:
            source.cancel()
            await asyncio.gather(source, return_exceptions=True)

    async def _feed(self, frames: Iterable[bytes | Pixels] | AsyncIterable[bytes | Pixels]) -> None:
        try:
            source = aiter(frames) if isinstance(frames, AsyncIterable) else _in_thread(frames)
            while True:
                await self.credit()
                try:
                    frame = await anext(source)
                except StopAsyncIteration:
                    return
                await self.send(frame)
        finally:
            self._changed.set()

    # -- connections ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read the connection, and those that follow it, until the stream ends. `connect` runs it."""
        try:
            while True:
                end = await self._read()
                self._cut()
                if not end.is_passing or self._patience_s <= 0:
                    raise end
                await self._come_back(end)
        except ClientError as error:
            self._end(error)
        except BaseException:  # cancelled by `connect`, or a mistake of `on_message`
            self._end(ConnectionLostError("this program has closed the stream"))
            raise

    async def _read(self) -> ClientError:
        """Take messages until the connection ends; returns why it did."""
        try:
            while True:
                message = await self._websocket.recv()
                if isinstance(message, bytes):
                    self._on_picture(self._unpacker.unpack(message))
                else:
                    self._on_text(parse(message))
        except ConnectionClosed as error:
            return end_of(error)

    def _on_picture(self, picture: Picture) -> None:
        for seq in [seq for seq in self._unsettled if seq < picture.seq]:
            self._settle(seq, RefusedError("superseded", "the server has answered a newer frame"))
        self._settle(picture.seq, picture)
        self._changed.set()

    def _on_text(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "params", "params": params}:
                self._wishes.hear_params(params)
            case {"type": "model", "dissolve_s": _, "changed": _, **about}:
                self.ready = {name: self.ready[name] for name in self.ready if name not in ABOUT_MODEL} | about
                self.ready["type"] = "ready"
            case {"type": "status", "engine": engine}:
                self.away = str(message.get("reason", "")) if engine == "away" else ""
            case {"type": "safety", "held": is_held}:
                self.held = str(message.get("code", "")) if is_held else ""
            case {"type": "dropped", "seqs": seqs, "reason": reason}:
                for seq in seqs:
                    self._settle(seq, RefusedError(reason, f"the server dropped the frame: {reason}"))
            case {"type": "picture", "seq": seq, "id": reference}:
                self._brought.settle(seq, reference)
            case {"type": "error", "code": code, "message": text, "seq": seq}:
                if not self._brought.settle(seq, RefusedError(code, text)):
                    self._settle(seq, RefusedError(code, text))
            case {"type": "error", "code": code, "message": text}:
                self._wishes.hear_error(code, text, message.get("field"))
            case _:
                pass
        self._changed.set()
        self.on_message(message)

    def _settle(self, seq: int, answer: Picture | ClientError) -> None:
        """Take the answer to a frame: for who waits for it, else a picture for `pictures`."""
        with contextlib.suppress(ValueError):
            self._unsettled.remove(seq)
        waiting = self._answers.pop(seq, None)
        if waiting is None:
            if isinstance(answer, Picture):
                self.skipped += len(self._pictures) == self._pictures.maxlen
                self._pictures.append(answer)
        elif not waiting.done():
            if isinstance(answer, Picture):
                waiting.set_result(answer)
            else:
                waiting.set_exception(answer)

    def _cut(self) -> None:
        """Count what was under way as lost."""
        self._is_open = False
        self.lost += len(self._unsettled)
        for seq in list(self._unsettled):
            self._settle(seq, _CutError())
        self._brought.end(_CutError())
        self._unpacker = Unpacker()
        self._changed.set()

    async def _come_back(self, end: ClientError) -> None:
        """Connect again, and tell the session what it was not told or does not know any more."""
        try:
            self._websocket, self.ready = await persistently(self._dial, self._patience_s)
        except ClientError as error:
            if error.is_passing:
                raise ConnectionLostError(f"{end}; and for {self._patience_s:g} s: {error}") from error
            raise
        self._address = self._address.with_session(self.session, self.ready.get("ticket"))
        self.connections += 1
        self.away = self.held = ""
        for data in self._brought.kept:
            self._seq += 1
            await self._send(pack(self._seq, data, 0, protocol.REFERENCE))
        patches, commands = self._wishes.resumed(self.ready["params"])
        for text in [*map(_patch_text, patches), *map(_command_text, commands)]:
            await self._send(text)
        self._is_open = True
        self._changed.set()

    async def _dial(self) -> tuple[ClientConnection, dict[str, Any]]:
        return await dial(self._address, self.on_message, None)

    def _end(self, error: ClientError) -> None:
        self._ended = error
        self._is_open = False
        for seq in list(self._answers):
            self._settle(seq, error)
        self._brought.end(error)
        self._wishes.end(error)
        self._changed.set()

    async def close(self) -> None:
        """Close the connection."""
        await self._websocket.close()

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until something makes the condition true.

        Raises:
            ClientError: the stream has ended, and it is not true.
        """
        while not condition():
            if self._ended is not None:
                raise self._ended
            self._changed.clear()
            await self._changed.wait()


class _CutError(ClientError):
    """The connection was cut while a frame was under way."""


def _patch_text(message: dict[str, Any]) -> str:
    return _text({"type": "params", **message})


def _command_text(name: str) -> str:
    return _text({"type": "command", "command": name})


def _text(message: dict[str, Any]) -> str:
    """A text message. What would end the stream is refused here, see `Stream.update`."""
    try:
        text = json.dumps(message, allow_nan=False)
    except ValueError:
        raise ValueError(f"a message has finite numbers, and no lists that contain themselves: {message}") from None
    if len(text) > protocol.TEXT_MAX_BYTES:
        most = protocol.TEXT_MAX_BYTES
        raise RefusedError("too_big", f"a message of {len(text)} bytes; a server takes {most}: shorten it")
    return text


async def _in_thread(frames: Iterable[bytes | Pixels]) -> AsyncIterator[bytes | Pixels]:
    """The items of an iterable, each of which is waited for in a thread."""
    source, end = iter(frames), object()
    while (frame := await asyncio.to_thread(next, source, end)) is not end:
        yield frame  # pyright: ignore[reportReturnType]
