"""The HTTP routes of docs/protocol.md, and the WebSocket's door.

Knows sessions through the service. Must not know the engine's insides; everything that takes over a millisecond runs
in a thread.
"""

from __future__ import annotations

import asyncio
import html
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, WebSocket
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from .. import protocol
from ..config import IceServer
from ..errors import ParamsError, ProtocolError
from ..params import Params, params_schema
from ..session import Session
from ..version import __version__
from .access import grant_of
from .body import read_body
from .engine_state import State
from .roles import ALLOWED, Action, Grant, seen_by
from .service import Service
from .snapshot import snapshot
from .swaps import name_of
from .tls import on_network
from .viewers import MJPEG_BOUNDARY, mjpeg, serve_viewer
from .websocket import serve_websocket

router = APIRouter()

BODY_MAX_BYTES = protocol.TEXT_MAX_BYTES


async def service_of(request: Request) -> Service:
    """The server's state. Async, as all of these: what is not runs in another thread."""
    return request.app.state.service


ServiceOf = Annotated[Service, Depends(service_of)]


async def grant_of_request(request: Request) -> Grant:
    """See `grant_of`."""
    return grant_of(request)


GrantOf = Annotated[Grant, Depends(grant_of_request)]


async def session_of(session: str, service: ServiceOf) -> Session:
    """The session that the path names, or 404."""
    found = service.session(session)
    if found is None:
        raise HTTPException(404, f"there is no session {session[:64]!r}: /api/sessions lists all")
    return found


SessionOf = Annotated[Session, Depends(session_of)]


@router.websocket("/ws")
async def ws(websocket: WebSocket) -> None:
    """Frames in, pictures out; with `?watch=S` only the pictures of session S."""
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(subprotocol=protocol.SUBPROTOCOL if protocol.SUBPROTOCOL in offered else None)
    service, query = websocket.app.state.service, websocket.query_params
    if watched := query.get("watch"):
        await serve_viewer(websocket, service, watched, grant_of(websocket))
    else:
        await serve_websocket(websocket, service, query.get("session") or None, grant_of(websocket))


@router.get("/api/config", summary="What a client needs to start")
async def get_config(service: ServiceOf) -> dict[str, Any]:
    """Model, limits, ICE servers, protocol and version."""
    running, life = service.running, service.host.life
    info = running.info if running is not None else None
    limit = (running if running is not None else service.config).max_output_pixels
    now = life.engine.info if life is not None else None
    checker = service.config.frame_checker
    return {
        "version": __version__,
        "protocol": protocol.VERSION,
        "model": service.model,
        "ready": now is not None,
        "workers": [{"device": worker.device, "state": worker.state} for worker in service.host.workers],
        "rung": str(now.rung) if now else None,
        "rung_state": now.rung.wire() if now else None,
        "notes": _notes(service),
        "styles": info.styles if info else {},
        "guidance": info.guidance if info else None,
        "mattes": list(info.mattes) if info else None,
        "negative_scale": info.hears_negative if info else None,
        "pictures": info.hears_pictures if info else None,
        "controls": [one.wire() for one in info.controls] if info else None,
        "references": list(info.reference_layers) if info else None,
        "best_steps": info.best_steps if info else None,
        "frame_checker": checker and name_of(checker),
        "limits": {**service.limits(), "max_output_pixels": limit},
        "window": protocol.WINDOW,
        "asks_for_token": service.asks_for_token,
        "network": [str(each) for each in on_network(service.config)],
        "webrtc": service.config.webrtc,
        "ice_servers": [IceServer.parse(server).wire() for server in service.config.ice_servers],
    }


def _notes(service: Service) -> list[str]:
    """What the user should know of how the engines were loaded, each once."""
    lives = [worker.open_life for worker in service.host.workers]
    return list(dict.fromkeys(note for life in lives if life is not None for note in life.engine.info.notes))


@router.get("/api/params/schema", summary="JSON schema of the params", response_class=JSONResponse)
async def get_params_schema(service: ServiceOf) -> Response:
    """Titles, descriptions, bounds and this server's defaults."""
    defaults = service.running.defaults if service.running is not None else Params()
    return JSONResponse(params_schema(defaults))  # at once: to be looked through by FastAPI takes eight times as long


def session_view(session: Session, service: Service, grant: Grant) -> dict[str, Any]:
    """What is told of a session to whoever has this grant."""
    worker = service.host.worker_of(session)
    return {
        "session": session.name,
        "worker": worker.number if worker is not None else None,
        "connected": session.channel is not None,
        "frozen": session.frozen,
        "air": session.air.value,
        "pad": session.pad,
        "tempo": session.tempo_wire,
        "crossfade": session.crossfade and session.crossfade.wire(),
        "watching": service.viewers.of(session.name),
        "outputs": outputs_view(service, session.name) if Action.CONTROL in ALLOWED[grant.role] else [],
        "params": seen_by(grant, session.params.wire()),
        "gliding_s": round(session.gliding_s, 3),
        "heard": session.heard if Action.PROMPTS in ALLOWED[grant.role] else {},
        "stats": service.stats(session),
    }


def outputs_view(service: Service, session: str | None = None) -> list[dict[str, Any]]:
    """How what is sent on goes, of all sessions or of one."""
    return [
        {"output": number, "session": output.name, **output.status.wire()}
        for number, output in enumerate(service.outputs, 1)
        if session in (None, output.name)
    ]


@router.get("/api/sessions", summary="Who is on")
async def get_sessions(service: ServiceOf, grant: GrantOf) -> dict[str, Any]:
    """All sessions, those that wait for their client among them."""
    return {"sessions": [session_view(session, service, grant) for session in service.sessions]}


@router.get("/api/sessions/{session}", summary="One session")
async def get_session(session: SessionOf, service: ServiceOf, grant: GrantOf) -> dict[str, Any]:
    """Params in force, prompts only for those who may change them, and numbers of the last seconds."""
    return session_view(session, service, grant)


@router.patch("/api/sessions/{session}", summary="Change a session's params")
async def patch_session(session: SessionOf, service: ServiceOf, grant: GrantOf, request: Request) -> Any:
    """Body: `{"params": {…}}`, a JSON merge patch, and `transition_s` where this change has its own. The connected
    client is told.
    """
    body = await _json_object(request)
    patch = body.get("params")
    if not isinstance(patch, dict):
        raise HTTPException(422, 'the body must be {"params": {…}}')
    try:
        session.update(patch, body.get("transition_s"))
    except ParamsError as error:
        return JSONResponse({"detail": str(error), "code": "invalid_params", "field": error.field}, 422)
    return session_view(session, service, grant)


async def _json_object(request: Request) -> dict[str, Any]:
    body = await read_body(request, BODY_MAX_BYTES)
    try:
        return protocol.parse_object(body)
    except ProtocolError as error:
        raise HTTPException(400, str(error)) from None


@router.delete("/api/sessions/{session}", status_code=204, summary="End a session")
async def delete_session(session: SessionOf, service: ServiceOf) -> None:
    """Its connection is closed with 1000."""
    service.dismiss(session)


@router.get("/api/sessions/{session}/snapshot", response_class=Response, summary="The newest picture")
async def get_snapshot(session: SessionOf, service: ServiceOf, grant: GrantOf) -> Response:
    """PNG; its iTXt chunk `realtime` holds the recipe as JSON."""
    result = session.newest
    if result is None:
        raise HTTPException(404, "this session has no picture yet: try again once it has")
    async with service.aside:
        png = await asyncio.to_thread(snapshot, result, service.model, seen_by(grant, result.job.params.wire()))
    return Response(png, media_type="image/png", headers={"cache-control": "no-store"})


@router.get("/api/sessions/{session}/stream.mjpg", response_class=Response, summary="The output as MJPEG")
async def get_stream(session: SessionOf, service: ServiceOf, grant: GrantOf) -> StreamingResponse:
    """For anything that can show nothing else."""
    service.viewers.check()
    return StreamingResponse(
        mjpeg(session, service, grant),
        media_type=f"multipart/x-mixed-replace; boundary={MJPEG_BOUNDARY}",
        headers={"cache-control": "no-store"},
    )


@router.get("/healthz", response_class=Response, summary="Alive")
async def healthz() -> Response:
    """200 as long as the event loop answers."""
    return Response("ok\n", media_type="text/plain")


@router.get("/readyz", response_class=Response, summary="Ready for frames")
async def readyz(service: ServiceOf) -> Response:
    """200 where frames are welcome, 503 with what is going on where they are not."""
    host = service.host
    if host.state is State.READY:
        ready = sum(worker.open_life is not None for worker in host.workers)
        of_all = f": {ready} of {len(host.workers)} engines" if len(host.workers) > 1 else ""
        return Response(f"ready{of_all}\n", media_type="text/plain")
    return Response(f"{host.state.name.lower()}: {host.stage.name}\n", 503, media_type="text/plain")


@router.get("/metrics", response_class=Response, summary="Prometheus")
async def metrics(service: ServiceOf) -> Response:
    """Counters of all sessions together."""
    return Response(service.metrics.exposition(), media_type="text/plain; version=0.0.4")


@router.get("/docs", response_class=HTMLResponse, include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """The OpenAPI document as a page, without anything from elsewhere."""
    rows = [
        f"<tr><td><code>{method.upper()} {html.escape(path)}</code><td>{html.escape(operation.get('summary', ''))}"
        f"<td>{html.escape(operation.get('description', ''))}"
        for path, operations in request.app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>realtime: HTTP routes</title><h1>HTTP routes</h1>"
        "<p>As JSON: <a href=/openapi.json>/openapi.json</a>. The WebSocket <code>/ws</code> is described in "
        f"docs/protocol.md.</p><table><tr><th>Route<th>What<th>More{''.join(rows)}</table></html>"
    )
