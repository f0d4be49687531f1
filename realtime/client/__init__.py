"""A client for programs: frames out, pictures in, over the WebSocket of docs/protocol.md. See docs/client.md.

    async with connect("ws://127.0.0.1:8777/ws") as stream:
        await stream.update(prompt="watercolor", strength=0.6)
        picture = await stream.restyle(jpeg)

Must not import the server, the engine or torch.
"""

from __future__ import annotations

from ..errors import (
    AccessError,
    ClientError,
    ConnectionLostError,
    NotReadyError,
    RefusedError,
    ServerFailedError,
    ServerFullError,
    SessionEndedError,
    UnreachableError,
    WireError,
)
from .blocking import BlockingStream, connect_blocking
from .connecting import connect
from .pictures import Picture, now_us
from .stream import Stream

__all__ = [
    "AccessError",
    "BlockingStream",
    "ClientError",
    "ConnectionLostError",
    "NotReadyError",
    "Picture",
    "RefusedError",
    "ServerFailedError",
    "ServerFullError",
    "SessionEndedError",
    "Stream",
    "UnreachableError",
    "WireError",
    "connect",
    "connect_blocking",
    "now_us",
]
