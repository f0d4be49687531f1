"""`/api/models` and `/api/model`: which models there are, and changing to another while the server runs.

Must not know how that is done.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request

from .. import protocol
from ..errors import ProtocolError
from .body import read_body
from .swaps import DISSOLVE_MAX_S, DISSOLVE_S, NoSwap, Swaps

router = APIRouter()

BODY_MAX_BYTES = 4096
FIELDS = {"name", "dissolve_s", "free_first"}


async def swaps_of(request: Request) -> Swaps:
    """The server's changes of model."""
    return request.app.state.swaps


SwapsOf = Annotated[Swaps, Depends(swaps_of)]


@router.get("/api/models", summary="The models that there are")
async def get_models(swaps: SwapsOf) -> dict[str, Any]:
    """`model` serves; the model can be changed to each of `models`; `swap` is the newest change, or null."""
    models = [
        {
            "name": one.name,
            "title": one.title,
            "licence": one.licence,
            "here": one.is_here,
            "download_gb": one.download_gb,
        }
        for one in await swaps.models()
    ]
    return {"model": swaps.model, "models": models, "swap": swaps.change and swaps.change.wire()}


@router.post("/api/model", status_code=202, summary="Change the model")
async def post_model(swaps: SwapsOf, request: Request) -> dict[str, Any]:
    """Body: `{"name", "dissolve_s", "free_first"}`. Answered at once: `swap` of `GET /api/models` tells how it goes."""
    try:
        body = protocol.parse_object(await read_body(request, BODY_MAX_BYTES))
    except ProtocolError as error:
        raise HTTPException(400, str(error)) from None
    name, dissolve_s, frees_first = body.get("name"), body.get("dissolve_s", DISSOLVE_S), body.get("free_first", False)
    if unknown := body.keys() - FIELDS:
        raise HTTPException(422, f"there is no field {min(unknown)[:64]!r}: there are {', '.join(sorted(FIELDS))}")
    if not isinstance(name, str):
        raise HTTPException(422, 'the body must be {"name": …}: GET /api/models lists all')
    if isinstance(dissolve_s, bool) or not isinstance(dissolve_s, int | float) or not 0 <= dissolve_s <= DISSOLVE_MAX_S:
        raise HTTPException(422, f"dissolve_s is a number of seconds from 0 to {DISSOLVE_MAX_S:g}")
    if not isinstance(frees_first, bool):
        raise HTTPException(422, "free_first is true or false")
    try:
        change = await swaps.begin(name, float(dissolve_s), frees_first=frees_first)
    except NoSwap as error:
        raise HTTPException(error.status, str(error)) from None
    return {"swap": change.wire()}


@router.delete("/api/model", status_code=202, summary="Call a change of the model off")
async def delete_model(swaps: SwapsOf) -> dict[str, Any]:
    """The model stays as it is, and what was loaded of the next is closed: `swap` of `GET /api/models` says
    `cancelled` when it is.
    """
    try:
        return {"swap": (await swaps.cancel()).wire()}
    except NoSwap as error:
        raise HTTPException(error.status, str(error)) from None
