"""`/rtc`, `/whip` and `/whep` over HTTP: RFC 9725, and draft-ietf-wish-whep-03 for the way out.

Must not know peer connections: a request becomes a call of `Peers`, and an error a status.
"""

from __future__ import annotations

from aiortc import RTCIceServer
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from ...errors import ProtocolError, SessionLimitError
from ..access import grant_of
from ..body import read_body
from ..prefix import outside
from ..websocket import address_of
from .admission import Conflict, NotReady, Resource
from .peers import Peers
from .sdp import SDP_MAX_BYTES, OfferError, Purpose

SDP_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
RETRY_AFTER_S = 5
PATHS = {"rtc": Purpose.DUPLEX, "whip": Purpose.PUBLISH, "whep": Purpose.PLAY}
SUMMARIES = {
    "rtc": "WebRTC, video both ways and a control channel",
    "whip": "WHIP: video in (RFC 9725)",
    "whep": "WHEP: video out",
}
PREFLIGHT = {
    "Accept-Post": SDP_TYPE,
    "Accept-Patch": FRAGMENT_TYPE,
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "600",
}


def make_router(peers: Peers, ice_servers: list[RTCIceServer]) -> APIRouter:
    """The routes of all three endpoints. They differ in the purpose of their peers only."""
    router = APIRouter()
    links = [link_of(server) for server in ice_servers]
    for path, purpose in PATHS.items():
        _add_endpoint(router, peers, path, purpose, links)
        _add_resource(router, peers, path, purpose)
    return router


def link_of(server: RTCIceServer) -> str:
    """An ICE server as a `Link` header. Source: RFC 9725 section 4.6."""
    link = f'<{server.urls}>; rel="ice-server"'
    if server.username is not None:
        credential = f'username="{server.username}"; credential="{server.credential}"'
        link += f'; {credential}; credential-type="password"'
    return link


def _add_endpoint(router: APIRouter, peers: Peers, path: str, purpose: Purpose, links: list[str]) -> None:
    async def post(request: Request, session: str | None = None) -> Response:
        offer, grant = await _body(request, SDP_TYPE), grant_of(request)
        try:
            resource, answer = await peers.open(
                purpose, offer, session or grant.session or None, grant, address_of(request)
            )
        except OfferError as error:
            raise HTTPException(error.status, str(error)) from None
        except NotReady:
            raise HTTPException(
                503, "the model is being loaded: try again in a few seconds", {"Retry-After": str(RETRY_AFTER_S)}
            ) from None
        except SessionLimitError:
            raise  # the app answers 503
        except ProtocolError as error:
            raise HTTPException(400, str(error)) from None
        except Conflict:
            raise HTTPException(409, f"somebody publishes to the session {session!r} already: choose another") from None
        except LookupError:
            what = (
                f"there is no session {session[:64]!r}: /api/sessions lists all"
                if session
                else "name the session to watch: ?session=S"
            )
            raise HTTPException(404 if session else 400, what) from None
        headers = {"Location": outside(request, f"/{path}/{resource.name}"), "ETag": f'"{resource.tag}"'}
        response = Response(answer, 201, headers, SDP_TYPE)
        for link in links:
            response.headers.append("Link", link)
        return response

    async def options() -> Response:
        return Response(status_code=200, headers=PREFLIGHT)

    async def get() -> Response:
        return Response(status_code=204)

    summary = SUMMARIES[path]
    router.add_api_route(
        f"/{path}",
        post,
        methods=["POST"],
        status_code=201,
        response_class=Response,
        summary=summary,
        description="Body: an SDP offer (`application/sdp`). Answer: 201, SDP, `Location` of the peer, `ETag`, `Link`.",
    )
    router.add_api_route(f"/{path}", options, methods=["OPTIONS"], include_in_schema=False)
    router.add_api_route(f"/{path}", get, methods=["GET", "HEAD"], include_in_schema=False)


def _add_resource(router: APIRouter, peers: Peers, path: str, purpose: Purpose) -> None:
    def find(name: str) -> Resource:
        resource = peers.get(purpose, name)
        if resource is None:
            raise HTTPException(404, "there is no such peer; it may have ended: send an offer by POST")
        return resource

    async def patch(peer: str, request: Request) -> Response:
        resource = find(peer)
        fragment = await _body(request, FRAGMENT_TYPE)
        match = request.headers.get("if-match")
        if match is None:
            raise HTTPException(428, "If-Match must name the ETag of the answer")
        if match == "*":
            raise HTTPException(422, "ICE restarts are not supported: send a new offer by POST")
        if match.removeprefix("W/").strip('"') != resource.tag:
            raise HTTPException(412, "If-Match names another ETag than this peer's: send that of the answer")
        try:
            await peers.trickle(resource, fragment)
        except OfferError as error:
            raise HTTPException(error.status, str(error)) from None
        return Response(status_code=204)

    async def delete(peer: str) -> Response:
        await peers.close(find(peer))
        return Response(status_code=200)  # OBS takes 200 and nothing else

    async def options(peer: str) -> Response:
        return Response(status_code=200, headers=PREFLIGHT)

    async def get(peer: str) -> Response:
        find(peer)
        return Response(status_code=204)

    address = f"/{path}/{{peer}}"
    router.add_api_route(
        address,
        patch,
        methods=["PATCH"],
        status_code=204,
        response_class=Response,
        summary="Trickle candidates",
        description="Body: `application/trickle-ice-sdpfrag`; `If-Match` names the ETag.",
    )
    router.add_api_route(
        address, delete, methods=["DELETE"], status_code=200, response_class=Response, summary="End the peer"
    )
    router.add_api_route(address, options, methods=["OPTIONS"], include_in_schema=False)
    router.add_api_route(address, get, methods=["GET", "HEAD"], include_in_schema=False)


async def _body(request: Request, wanted: str) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        raise HTTPException(415, f"the body must be {wanted}, not {kind[:64] or 'nothing'}")
    body = await read_body(request, SDP_MAX_BYTES)
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise HTTPException(400, "the body must be UTF-8") from None
