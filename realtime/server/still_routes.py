"""The HTTP routes of large stills.

Must not know how one is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response

from ..errors import FrameError
from ..frame import Format
from ..media import codec
from .body import read_body
from .routes import ServiceOf, SessionOf
from .stills import Stills
from .turns import NotTaken

router = APIRouter()


async def stills_of(request: Request) -> Stills:
    """The maker of the server's stills."""
    return request.app.state.stills


StillsOf = Annotated[Stills, Depends(stills_of)]

DEFAULT_SCALE = 4
LOOK_EVERY_S = 0.5
"""Interval at which it is looked whether who asked for a still is still there."""


@router.post("/api/sessions/{session}/still", response_class=Response, summary="A picture restyled large")
async def post_still(
    session: SessionOf,
    service: ServiceOf,
    stills: StillsOf,
    request: Request,
    scale: int = DEFAULT_SCALE,
    steps: Annotated[int | None, Query(ge=1, le=8)] = None,
) -> Response:
    """Body: a JPEG, PNG or WebP. Answers a PNG of `scale` times the session's size, made as its params say, with
    `steps` UNet calls for each part. Hanging up ends it.
    """
    data = await read_body(request, service.config.max_message_bytes)
    try:
        if (kind := Format.sniff(data)) is Format.NONE:
            raise NotTaken(422, "this is no picture that this server reads: send a JPEG, PNG or WebP")
        codec.inspect(data, kind, service.config.max_pixels)
        png = await _while_wanted(request, service.host.ended, stills.make(session, data, scale, steps))
    except FrameError as error:
        raise HTTPException(422, str(error)) from None
    except NotTaken as error:
        raise HTTPException(error.status, str(error)) from None
    return Response(png, media_type=Format.PNG.media_type, headers={"cache-control": "no-store"})


@router.get("/api/sessions/{session}/still", summary="How far a still is", response_class=JSONResponse)
async def get_still(session: SessionOf, stills: StillsOf) -> Any:
    """`{"done": …, "of": …}`, parts of the session's still; null where none is being made."""
    progress = stills.progress(session)
    return JSONResponse(None if progress is None else progress._asdict())


async def _while_wanted(request: Request, ended: asyncio.Event, work: Coroutine[Any, Any, bytes]) -> bytes:
    """Wait for some work, and cancel it when the client has left, who then hears no 400, or the server ends."""
    making = asyncio.ensure_future(work)
    try:
        while not making.done():
            await asyncio.wait([making], timeout=LOOK_EVERY_S)
            if not making.done() and await request.is_disconnected():
                raise HTTPException(400, "the client has left")
            if not making.done() and ended.is_set():
                raise NotTaken(503, "the server is going away: try again later")
        return making.result()
    finally:
        making.cancel()
        del making  # it has the error, whose traceback has this frame, and with the next one the picture
