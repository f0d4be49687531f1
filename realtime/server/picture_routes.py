"""The HTTP routes for pictures that are not frames: they are brought, and params name them by id.

Must not know sessions, or what a picture is for.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from ..frame import Format
from ..media import codec
from ..params import OutputFormat
from .body import read_body
from .bringing import PICTURE_MAX_BYTES, bring, check_heard
from .routes import ServiceOf
from .turns import NotTaken
from .websocket import address_of

router = APIRouter()

SHOWN_QUALITY = 85


@router.put("/api/pictures", summary="Bring a picture that prompts may name")
async def put_picture(service: ServiceOf, request: Request) -> dict[str, Any]:
    """Body: a JPEG, PNG or WebP. Answers its `id` for `{"picture": id}` in a prompt, and its size as it is kept."""
    try:
        check_heard(service)
        address = address_of(request)
        sender = f"address {address}"  # as no session can be called
        return (await bring(service, await read_body(request, PICTURE_MAX_BYTES), sender, address))._asdict()
    except NotTaken as error:
        raise HTTPException(error.status, str(error)) from None


@router.get("/api/pictures/{picture}", response_class=Response, summary="A picture that was brought")
async def get_picture(picture: str, service: ServiceOf) -> Response:
    """JPEG, as large as it is kept."""
    if (pixels := service.references.get(picture)) is None:
        raise HTTPException(404, f"there is no picture {picture[:64]!r}: bring it to /api/pictures again")
    async with service.aside:
        _, data = await asyncio.to_thread(codec.encode, pixels, OutputFormat.JPEG, SHOWN_QUALITY)
    return Response(data, media_type=Format.JPEG.media_type, headers={"cache-control": "private, max-age=31536000"})
