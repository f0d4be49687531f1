"""The HTTP routes of what is sent on: how it goes, and whether it does.

Where to is the configuration's alone: who could name an address here would have the server connect to any. Must not
know how pictures are sent.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException

from .routes import ServiceOf, outputs_view
from .service import Outgoing

router = APIRouter()


async def output_of(session: str, output: str, service: ServiceOf) -> Outgoing:
    """The output of this session that the path names by its number, or 404."""
    for number, found in enumerate(service.outputs, 1):
        if output == str(number) and found.name == session:
            return found
    raise HTTPException(404, f"session {session[:64]!r} has no output {output[:32]!r}: /api/outputs lists all")


OutputOf = Annotated[Outgoing, Depends(output_of)]


@router.get("/api/outputs", summary="What is sent on")
async def get_outputs(service: ServiceOf) -> dict[str, Any]:
    """The outputs of `--output`, without the keys in their addresses."""
    return {"outputs": outputs_view(service)}


@router.post("/api/sessions/{session}/outputs/{output}/start", summary="Send a session on")
async def start_output(session: str, output: OutputOf, service: ServiceOf) -> dict[str, Any]:
    """One that was stopped, or that no further try was of use to; else nothing changes."""
    output.start()
    return {"outputs": outputs_view(service, session)}


@router.post("/api/sessions/{session}/outputs/{output}/stop", summary="Send a session on no more")
async def stop_output(session: str, output: OutputOf, service: ServiceOf) -> dict[str, Any]:
    """Until it is started, or the server is."""
    output.stop()
    return {"outputs": outputs_view(service, session)}
