"""`connect`: the stream's life as a block of a program.

Must not know messages or frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from .. import protocol
from ..errors import ServerFullError
from .dialling import DELAY_MIN_S, Address, Dialled, dial, persistently
from .stream import OnMessage, Stream

PATIENCE_S = 60.0
"""Default time for which a server that is full or away is tried again."""


@asynccontextmanager
async def connect(
    url: str,
    *,
    session: str | None = None,
    token: str | None = None,
    ticket: str | None = None,
    trust: str | os.PathLike[str] | None = None,
    ready_timeout_s: float | None = None,
    patience_s: float = PATIENCE_S,
    keep: int | None = protocol.WINDOW,
    on_message: OnMessage = lambda message: None,
) -> AsyncGenerator[Stream]:
    """Connect, wait until the server is ready for frames, and close at the end of the block.

    Args:
        url: `ws://HOST:PORT/ws`, or the page's address as the server prints it.
        session: name of a session, to come back to it or to share it with a page; None makes a new one.
        token: access token, where the server needs one.
        ticket: of a guest or of the session's owner, in place of the token; the one that a guest is told for its
            session is used from then on.
        trust: file with the certificate of a server that has one of its own (`--tls self`), in PEM.
        ready_timeout_s: how long a model may take to load; None waits.
        patience_s: for how long a server that is full or away is tried again, now and after every cut; one that is not
            there now is an error at once. 0: never.
        keep: number of pictures that wait for a slow loop over `Stream.pictures`; None keeps all.
        on_message: `Stream.on_message` from the beginning, with what is said before the server is ready.

    Raises:
        ClientError: there is no such server, or it refuses; the subclasses say which and what to do.
    """
    address = Address.parse(url, session=session, token=token, ticket=ticket, trust=trust)

    async def attempt() -> Dialled:
        return await dial(address, on_message, ready_timeout_s)

    try:
        websocket, ready = await attempt()
    except ServerFullError:
        if patience_s <= 0:
            raise
        websocket, ready = await persistently(attempt, patience_s, DELAY_MIN_S)
    stream = Stream(address, websocket, ready, on_message=on_message, patience_s=patience_s, keep=keep)
    reader = asyncio.create_task(stream.run())
    try:
        yield stream
    finally:
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader
        await stream.close()
