"""Large stills: one picture restyled at a multiple of a session's size, tile by tile, beside what is live.

The whole picture is made first in the session's own size, then enlarged, then made finer in tiles of that size: so no
network sees a size that it is not ready for, and memory is that of a live picture. Tiles are frames of a session that
nobody is connected to, so they wait and are charged as any other's. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from ..control import INPUT
from ..errors import FrameError
from ..frame import Format, Frame, Result
from ..media import codec
from ..media.fit import fit
from ..media.mosaic import Mosaic, enlarged, with_detail
from ..params import Matte, OutputFormat, Params
from ..pixels import Pixels
from ..session import Session
from .connection import ring_from_any_thread
from .service import Service
from .snapshot import with_text
from .turns import NotTaken

SCALES = range(2, 9)
STILL_MAX_PIXELS = 4096 * 4096
IN_LINE_MAX = 4
"""Stills that are made or wait for it."""
STEPS = 4
"""Steps of a still, where its session has fewer: nobody waits for it as for a live picture."""
TILE_STRENGTH = 0.3
"""Most that a tile may leave the enlarged picture: with more each has ideas of its own."""
RESTS = 4
"""How long a still rests after a tile, in times of what it took, while anything is live: it has a fifth of the time."""
REST_MAX_S = 5.0
LIVE_NS = 2_000_000_000
"""A session whose newest picture is as young is live."""
PATIENCE_S = 120.0
"""For one tile. An engine that is away may be back by then."""


class Progress(NamedTuple):
    """Parts of a still that are done, and all that there are."""

    done: int
    of: int


class Stills:
    """Makes the stills of one server, one after another. Event loop only."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._making = asyncio.Lock()
        self._progress: dict[Session, Progress] = {}

    def progress(self, session: Session) -> Progress | None:
        """How far the still of a session is; None where none is being made."""
        return self._progress.get(session)

    async def make(self, session: Session, data: bytes, scale: int, steps: int | None = None) -> bytes:
        """Restyle a picture as a session's params say, at a multiple of their size. Cancelling it ends it.

        Args:
            data: the picture: a JPEG, PNG or WebP.
            scale: one of `SCALES`.
            steps: of each part; None: those that look best with this model, or the session's, `STEPS` at least.

        Returns:
            A PNG with the params that made it.

        Raises:
            NotTaken: it is no picture, would be too large, too many are being made, or the engine did not make it.
        """
        running = self._service.running
        params = _params(session.params, steps, running.info.best_steps if running is not None else None)
        if scale not in SCALES:
            raise NotTaken(422, f"scale is {SCALES[0]} to {SCALES[-1]}, and not {scale}")
        if params.width * params.height * scale * scale > STILL_MAX_PIXELS:
            raise NotTaken(
                422,
                f"{params.width * scale} x {params.height * scale} is more than the {STILL_MAX_PIXELS} pixels of a "
                "still: take a smaller scale, or size",
            )
        async with self._turn(session), self._frames(params) as frames:
            try:
                return await self._make(session, frames, data, scale)
            except FrameError as error:
                raise NotTaken(422, str(error)) from None
            except TimeoutError:
                raise NotTaken(503, f"the engine made no part of it in {PATIENCE_S:g} s: try again later") from None

    async def _make(self, session: Session, frames: _Frames, data: bytes, scale: int) -> bytes:
        params = frames.params
        self._progress[session] = Progress(0, 1)
        whole = await frames.restyled(data)
        if session.params.strength:
            frames.limit_strength(TILE_STRENGTH)
        frames.leave_out_pictures()
        mosaic = await asyncio.to_thread(self._begun, session, data, whole, scale)
        for number, tile in enumerate(mosaic.tiles, 1):
            self._progress[session] = Progress(number, len(mosaic.tiles) + 1)
            begun_s = time.monotonic()
            made = await frames.restyled(await asyncio.to_thread(_png, mosaic.ground(tile)))
            await asyncio.to_thread(mosaic.lay, tile, made)
            if self._is_live():
                await asyncio.sleep(min(REST_MAX_S, RESTS * (time.monotonic() - begun_s)))
        recipe = {"model": self._service.model, "params": params.wire(), "seq": 0}
        return await asyncio.to_thread(lambda: with_text(_png(mosaic.picture), json.dumps(recipe)))

    def _begun(self, session: Session, data: bytes, whole: Pixels, scale: int) -> Mosaic:
        """The whole picture enlarged, with as much of the given one's own detail as strength leaves of it. Raises
        FrameError.
        """
        height, width, _ = whole.shape
        kind, most = Format.sniff(data), self._service.config.max_pixels
        size = codec.shown_size(data, kind, most)  # as it is: decoders have no room for more
        source, _ = self._service.decoders.decode(Frame(0, kind, data, 0, 0), *size, most, session.name)
        source = fit(source, width * scale, height * scale)
        large = with_detail(enlarged(whole, scale), source, scale, 1 - session.params.strength)
        return Mosaic(large, width, height)

    def _is_live(self) -> bool:
        since_ns = time.monotonic_ns() - LIVE_NS
        newest = (session.newest for session in self._service.sessions)
        return any(result is not None and result.job.admitted_ns > since_ns for result in newest)

    @contextlib.asynccontextmanager
    async def _turn(self, session: Session) -> AsyncGenerator[None]:
        """Wait for the stills before, and hold the turn while the block runs. Raises NotTaken."""
        if session in self._progress:
            raise NotTaken(409, "a still of this session is being made: wait for it")
        if len(self._progress) >= IN_LINE_MAX:
            raise NotTaken(503, f"{IN_LINE_MAX} stills are being made or wait for it: try again later")
        self._progress[session] = Progress(0, 1)
        try:
            async with self._making:
                yield
        finally:
            del self._progress[session]

    @contextlib.asynccontextmanager
    async def _frames(self, params: Params) -> AsyncGenerator[_Frames]:
        service, running = self._service, self._service.running
        if running is None:
            raise NotTaken(503, "the model is not loaded yet: try again")
        heard = running.info.pictures_heard
        references = service.references if heard.anywhere else None
        limit = running.max_output_pixels
        nets = tuple(running.info.nets)
        name = f"still-{secrets.token_hex(6)}"
        session = Session(name, params, limit, references=references, pictures_heard=heard, nets=nets)
        frames = _Frames(session)
        service.host.add(session)
        try:
            yield frames
        finally:
            service.host.remove(session)
            session.end()


class _Frames:
    """A session's connection that gives one frame at a time, and waits for its picture."""

    def __init__(self, session: Session) -> None:
        self._rung = asyncio.Event()
        self._session = session
        self._channel = session.attach(ring_from_any_thread(self._rung), takes_encoded=False)
        self._seq = 0

    @property
    def params(self) -> Params:
        return self._session.params

    def limit_strength(self, most: float) -> None:
        self._session.update({"strength": min(most, self.params.strength)}, 0)

    def leave_out_pictures(self) -> None:
        """Control by pictures, which show the whole, is none of a tile's business."""
        control = [one.model_dump() for one in self.params.control if one.source == INPUT]
        if len(control) < len(self.params.control):
            self._session.update({"control": control}, 0)

    async def restyled(self, data: bytes) -> Pixels:
        """A picture of the params' size. Raises FrameError, TimeoutError."""
        self._seq += 1
        frame = Frame(self._seq, Format.sniff(data), data, 0, time.monotonic_ns())
        self._session.offer(self._channel, frame)
        async with asyncio.timeout(PATIENCE_S):
            while not isinstance(result := self._channel.outbox.take(), Result):
                for text in self._channel.take_texts():
                    self._check(json.loads(text))
                await self._rung.wait()
                self._rung.clear()
        return result.picture

    def _check(self, message: dict[str, Any]) -> None:
        if message["type"] == "error":
            raise FrameError(message["message"])


def _params(params: Params, steps: int | None, best_steps: int | None) -> Params:
    """Those of a still: nothing in it comes from the picture before, and no target makes it coarser."""
    if steps is None:
        steps = best_steps or max(STEPS, params.num_inference_steps)
    still = {"feedback": 0.0, "calm": 0.0, "matte": Matte.OFF, "skip_unchanged": False, "seed_travel": 0.0}
    return params.model_copy(update={**still, "latency_ms": None, "min_fps": None, "num_inference_steps": steps})


def _png(picture: Pixels) -> bytes:
    return codec.encode(picture, OutputFormat.PNG, 100)[1]
