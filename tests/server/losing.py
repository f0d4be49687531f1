"""A server whose engine is lost at a prompt, under a client and somebody who watches it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from realtime.engine.echo import EchoEngine
from realtime.frame import Failure, Job, Result
from realtime.server.engine_host import Load
from tests.fakes.frames import a_message
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S
from tests.server.peer import Peer, Picture, connected, dialled


class Inverting(EchoEngine):
    """Gives negatives, so that an output can be told from an input."""

    def _admit(self, job: Job) -> Result | Failure:
        result = super()._admit(job)
        return replace(result, picture=255 - result.picture) if isinstance(result, Result) else result


def grey(picture: Picture) -> int:
    return round(float(np.asarray(Image.open(io.BytesIO(picture.data))).mean()))


async def see(viewer: Peer, value: int) -> None:
    """Wait for a picture of this brightness."""
    async with asyncio.timeout(PATIENCE_S):
        while abs(grey(await viewer.picture()) - value) > 3:
            pass


@contextlib.asynccontextmanager
async def losing(
    load: Load, gate: threading.Event, *, prompt: str, fallback: str, **fields: Any
) -> AsyncGenerator[tuple[RunningServer, Peer, Peer]]:
    """A server, a client and a viewer. The first frame was answered: a grey of 200, by one of 55.

    Args:
        load: loads an `Inverting` engine that is lost at the prompt, which the second frame has just come with.
        gate: what the engine waits for to be back; open at the end in any case.
        prompt, fallback: of the session, since the second frame and from the beginning.
        fields: of the configuration.
    """
    with running(a_config(**fields), load) as server:
        try:
            async with (
                connected(server.websocket_url, session="s") as peer,
                dialled(f"{server.websocket_url}?watch=s") as viewer,
            ):
                await viewer.text("ready")
                await peer.patch(fallback=fallback, skip_unchanged=False)
                await peer.restyle(1, a_plain_jpeg(200))
                await see(viewer, 55)
                await peer.patch(prompt=prompt)
                await peer.websocket.send(a_message(2, a_plain_jpeg(200)))
                yield server, peer, viewer
        finally:
            gate.set()
