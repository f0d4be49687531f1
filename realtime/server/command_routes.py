"""The HTTP routes by which a session is played: commands, pads, and the code that brings a phone to it.

Must not know how a look is made.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from .. import protocol
from ..errors import ParamsError, ProtocolError
from ..pads import Pad, pads_from
from ..qr import qr_svg
from .body import read_body
from .connection import unknown_command
from .routes import GrantOf, ServiceOf, SessionOf, session_view

router = APIRouter()

PADS_MAX_BYTES = 2 * 2**20
PADS_MAX_VALUES = 8192
CODE_MAX_BYTES = 1024
"""Of a text for a code: more would make one that no phone reads from a screen."""


@router.post("/api/sessions/{session}/command", summary="Command a session")
async def post_command(session: SessionOf, service: ServiceOf, grant: GrantOf, request: Request) -> Any:
    """Body: a `command` message of the WebSocket, without its type: `{"command": "pad", "pad": "night"}`."""
    body = _object(await read_body(request, protocol.TEXT_MAX_BYTES), protocol.VALUES_MAX)
    name = body.get("command")
    if not isinstance(name, str):
        raise HTTPException(422, 'the body must be {"command": …}')
    try:
        if not session.perform(name, body):
            return JSONResponse({"detail": unknown_command(name), "code": "unknown_command"}, 422)
    except ParamsError as error:
        return _refused(error)
    return session_view(session, service, grant)


@router.get("/api/sessions/{session}/pads", summary="A session's pads")
async def get_pads(session: SessionOf) -> dict[str, Any]:
    """In the order of their keys; `pad` is the number of the one that was called last."""
    return {"pads": [pad.as_wire() for pad in session.pads.all], "pad": session.pad, "version": session.pads.version}


@router.put("/api/sessions/{session}/pads", summary="Give a session its pads")
async def put_pads(session: SessionOf, request: Request) -> Any:
    """Body: `{"pads": [{"name", "look", "transition_s", "picture"}, …]}`: all of them, in the order of their keys."""
    body = await read_body(request, PADS_MAX_BYTES)
    try:
        pads = await asyncio.to_thread(_pads, body)  # a hundred take ten milliseconds
        session.pads.replace(pads, session.params)
    except ParamsError as error:
        return _refused(error)
    return await get_pads(session)


@router.post("/api/qr", response_class=Response, summary="A QR code")
async def post_code(request: Request) -> Response:
    """Body: a text, as an address. Answers a picture of it, SVG."""
    text = (await read_body(request, CODE_MAX_BYTES)).decode(errors="replace")
    if not text:
        raise HTTPException(422, "the body must be the text of the code")
    return Response(await asyncio.to_thread(qr_svg, text), media_type="image/svg+xml")


def _pads(body: bytes) -> tuple[Pad, ...]:
    return pads_from(_object(body, PADS_MAX_VALUES).get("pads"))


def _object(body: bytes, most_values: int) -> dict[str, Any]:
    try:
        return protocol.parse_object(body, most_values)
    except ProtocolError as error:
        raise HTTPException(400, str(error)) from None


def _refused(error: ParamsError) -> JSONResponse:
    return JSONResponse({"detail": str(error), "code": "invalid_params", "field": error.field}, 422)
