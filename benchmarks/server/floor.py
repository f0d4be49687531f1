"""The least that a server of this protocol can be: receive, sleep, send back. What the real one is compared with.

`python -m benchmarks.server.floor MS [--codec]` prints its address and serves until it is ended. One frame at a time,
no sessions, no limits: not for use.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from realtime import protocol
from realtime.frame import Format
from realtime.media import codec
from realtime.params import OutputFormat, Params


async def serve(tick_ms: float, with_codec: bool) -> None:
    """Listen on a free port of this machine.

    Args:
        tick_ms: how long each frame is slept over, on the event loop: exact, and there is one client.
        with_codec: decode and encode it as well.
    """
    params = Params()

    def echo(message: bytes, received_ns: int) -> bytes:
        head = protocol.HEADER.unpack_from(message)
        picture = message[protocol.HEADER.size :]
        pixels = codec.decode(picture, Format.JPEG, params.width, params.height, 2**22) if with_codec else None
        time.sleep(tick_ms / 1000)
        if pixels is not None:
            _, picture = codec.encode(pixels, OutputFormat.JPEG, params.output_quality)
        engine_us = (time.monotonic_ns() - received_ns) // 1000
        return protocol.HEADER.pack(*head[:5], params.version, engine_us) + picture

    async def answer(websocket: ServerConnection) -> None:
        await websocket.send(
            protocol.ready_message(session="floor", about=protocol.AboutModel("floor"), params=params.wire(), limits={})
        )
        patches = 0
        async for message in websocket:
            if isinstance(message, bytes):
                await websocket.send(echo(message, time.monotonic_ns()))
            elif json.loads(message)["type"] == "params":
                patches += 1  # the version, by which a client knows the answer
                await websocket.send(protocol.params_message({**params.wire(), "version": patches}))

    async with serve_websocket(answer, "127.0.0.1", 0, compression=None, max_size=2**23) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(float(sys.argv[1]), "--codec" in sys.argv))
