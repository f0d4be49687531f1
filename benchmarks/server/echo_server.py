"""A WebSocket that sends back what it gets, on the server's settings or on uvicorn's as it ships.

`python -m benchmarks.server.echo_server ours|stock` prints its address and serves until it is ended: what a frame's way
in and out costs without anything in between. No limits: not for use.
"""

from __future__ import annotations

import math
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime.config import Config
from realtime.server.http import http_settings


async def echo(websocket: WebSocket) -> None:
    """Send every picture back."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_bytes(await websocket.receive_bytes())
    except WebSocketDisconnect:
        pass


def _ours(app: Starlette) -> uvicorn.Config:
    settings = http_settings(app, Config())
    settings.frames_per_second = math.inf  # the budget is for clients, this is to see how many there can be
    return settings


def main() -> None:
    """Serve on a free port of this machine."""
    app = Starlette(routes=[WebSocketRoute("/ws", echo)])
    settings = _ours(app) if sys.argv[1] == "ours" else uvicorn.Config(app, log_level="warning")
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    uvicorn.Server(settings).run(sockets=[listener])


if __name__ == "__main__":
    main()
