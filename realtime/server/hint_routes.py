"""The HTTP route of hints: what a net is shown.

Must not know how a hint is made.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from ..control import INPUT, HintKey
from ..frame import Format
from .hint_views import HintViews
from .routes import ServiceOf, SessionOf
from .turns import NotTaken

router = APIRouter()


async def hint_views_of(request: Request) -> HintViews:
    """The server's views of hints."""
    return request.app.state.hint_views


HintViewsOf = Annotated[HintViews, Depends(hint_views_of)]


@router.get("/api/sessions/{session}/hint", response_class=Response, summary="What a net is shown")
async def get_hint(
    session: SessionOf, service: ServiceOf, views: HintViewsOf, net: str, source: str = INPUT
) -> Response:
    """A small JPEG of the newest frame's hint for the net `net`, or of that of the picture `source`; nothing before the
    session's first picture, and of a hint that a network makes, before the net has acted.
    """
    nets = service.running.info.nets if service.running is not None else {}
    if (hint := nets.get(net)) is None:
        raise HTTPException(404, f"there is no net {net[:64]!r}: `controls` of /api/config lists all")
    reference = service.references.get(source) if source != INPUT else None
    if reference is None and source != INPUT:
        raise HTTPException(404, f"there is no picture {source[:64]!r}: bring it to /api/pictures again")
    try:
        jpeg = await views.of(session, HintKey(hint, source), reference)
    except NotTaken as error:
        raise HTTPException(error.status, str(error)) from None
    if jpeg is None:
        return Response(status_code=204)
    return Response(jpeg, media_type=Format.JPEG.media_type, headers={"cache-control": "no-store"})
