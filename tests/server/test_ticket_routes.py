"""Tickets given and used over real sockets: what guests and owners may pass on, and when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from realtime.server.roles import Grant, Role
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until
from tests.server.peer import connected, dialled, http_client

TOKEN = "the-operator"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=20), token=TOKEN) as one:
        yield one


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(server.url) as one:
        yield one


def by(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


async def give(http: httpx2.AsyncClient, by_whom: str = TOKEN, **order: Any) -> Any:
    return await http.post("/api/tickets", json=order, headers=by(by_whom))


async def given(http: httpx2.AsyncClient, by_whom: str = TOKEN, **order: Any) -> str:
    answer = await give(http, by_whom, **order)
    assert answer.status_code == 201, answer.text
    return answer.json()["ticket"]


async def test_guest_owns_what_it_makes_and_is_told_the_ticket_for_it(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    guest = await given(http, role="guest")
    url = server.websocket_url

    async with connected(url, session="hers", additional_headers=by(guest)) as peer:
        own = peer.texts[0]["ticket"]
        async with dialled(url, session="hers", additional_headers=by(guest)) as again:
            assert await again.closed() == 1008, "not even the guest without its own ticket"
        assert (await http.get("/api/sessions/hers", headers=by(own))).status_code == 200
        viewer = await given(http, own, role="viewer")
        assert (await http.get("/api/sessions/hers", headers=by(viewer))).status_code == 200
        async with connected(url, session="hers", additional_headers=by(own)):
            assert await peer.closed() == 1000, "its owner takes it over"


async def test_guest_has_a_ticket_before_it_has_a_session(server: RunningServer, http: httpx2.AsyncClient) -> None:
    guest = await given(http, role="guest")
    own = await given(http, guest, role="owner", session="planned")

    async with connected(f"{server.websocket_url}?ticket={own}") as peer:
        assert peer.texts[0]["session"] == "planned", "the ticket names it"


async def test_ticket_is_for_the_session_of_whoever_had_the_name(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    first = await given(http, await given(http, role="guest"), role="owner", session="name")
    viewer = await given(http, first, role="viewer")
    second = await given(http, role="guest")

    async with connected(server.websocket_url, session="name", additional_headers=by(second)):
        for ticket in (first, viewer):
            answer = await http.get("/api/sessions/name", headers=by(ticket))
            assert (answer.status_code, "somebody else's has its name" in answer.text) == (403, True)
    await until(lambda: server.service.session("name") is None)
    async with connected(server.websocket_url, session="name", additional_headers=by(first)):
        assert (await http.get("/api/sessions/name", headers=by(viewer))).status_code == 200


async def test_operator_comes_to_every_session(server: RunningServer, http: httpx2.AsyncClient) -> None:
    guest = await given(http, role="guest")
    async with connected(server.websocket_url, session="guests", additional_headers=by(guest)):
        assert (await http.delete("/api/sessions/guests", headers=by(TOKEN))).status_code == 204


async def test_open_connections_end_with_their_ticket(server: RunningServer, http: httpx2.AsyncClient) -> None:
    tickets, soon = server.service.tickets, int(time.time()) + 2
    own = tickets.sign(Grant(Role.OWNER, "short", "", soon))
    viewer = tickets.sign(Grant(Role.VIEWER, "short", "", soon))

    async with connected(server.websocket_url, session="short", additional_headers=by(own)) as peer:
        assert tickets.read(peer.texts[0]["ticket"]).expires_s == soon, "no later than its own"
        async with dialled(f"{server.websocket_url}?watch=short&ticket={viewer}") as watching:
            codes = await asyncio.gather(peer.closed(), watching.closed())
    assert codes == [1008, 1008]
    answer = await http.get("/api/sessions/short", headers=by(viewer))
    assert (answer.status_code, "time of this ticket is over" in answer.text) == (401, True)


@pytest.mark.parametrize(
    ("order", "status", "said"),
    [
        ({"role": "king"}, 422, "role must be one of guest, owner, controller, viewer, not 'king'"),
        ({"role": "operator"}, 422, "role must be one of guest, owner, controller, viewer, not 'operator'"),
        ({}, 422, "role is missing"),
        ({"role": "viewer"}, 422, "name the session that the viewer is for"),
        ({"role": "viewer", "session": "a b"}, 422, "session must be 1 to 64 letters, digits, - and _, not 'a b'"),
        ({"role": "guest", "valid_s": 1}, 422, "valid_s must be at least 10, not 1"),
        ({"role": "guest", "valid_s": 10**9}, 422, "valid_s must be at most 7776000, not 1000000000"),
        ({"role": "guest", "for": "me"}, 422, "for is unknown"),
    ],
)
async def test_order_that_is_none_is_refused(
    http: httpx2.AsyncClient, order: dict[str, Any], status: int, said: str
) -> None:
    answer = await give(http, **order)

    assert (answer.status_code, answer.json()["detail"]) == (status, said)


@pytest.mark.parametrize(
    ("role", "wanted"),
    [
        ("guest", {"role": "guest"}),
        ("guest", {"role": "viewer", "session": "x"}),
        ("owner", {"role": "guest"}),
        ("owner", {"role": "viewer", "session": "y"}),
        ("controller", {"role": "viewer"}),
        ("viewer", {"role": "viewer"}),
    ],
)
async def test_nobody_gives_more_than_he_has(
    server: RunningServer, http: httpx2.AsyncClient, role: str, wanted: dict[str, Any]
) -> None:
    own = server.service.tickets.sign(Grant(Role(role), "" if role == "guest" else "x"))

    assert (await give(http, own, **wanted)).status_code == 403


async def test_without_a_token_everybody_is_operator_but_who_brings_a_ticket() -> None:
    with running() as server:
        async with connected(server.websocket_url, session="mine"), http_client(server.url) as http:
            viewer = (await http.post("/api/tickets", json={"role": "viewer", "session": "mine"})).json()["ticket"]

            statuses = [
                (await http.patch("/api/sessions/mine", json={"params": {}}, headers=headers)).status_code
                for headers in ({}, by("anything"), by(viewer), by(viewer + "x"))
            ]
        assert statuses == [200, 200, 403, 401]


async def test_ticket_in_a_cookie_is_not_read(server: RunningServer, http: httpx2.AsyncClient) -> None:
    guest = await given(http, role="guest")

    assert (await http.get("/api/config", headers={"cookie": f"realtime_token={guest}"})).status_code == 401
    assert (await http.get("/api/config", params={"ticket": guest})).status_code == 200


async def test_ticket_that_is_taken_back_ends_what_came_by_it_and_by_what_it_gave(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    guest = (await give(http, role="guest")).json()
    url = server.websocket_url
    async with connected(url, session="back", additional_headers=by(guest["ticket"])) as peer:
        own = peer.texts[0]["ticket"]
        viewer = (await give(http, own, role="viewer")).json()
        async with dialled(f"{url}?watch=back", additional_headers=by(viewer["ticket"])) as watching:
            await watching.text("ready")
            assert (await http.delete(f"/api/tickets/{viewer['number']}", headers=by(own))).status_code == 204
            assert await watching.closed() == 1008
        assert (await http.get("/api/sessions/back", headers=by(own))).status_code == 200

        assert (await http.delete(f"/api/tickets/{guest['number']}", headers=by(TOKEN))).status_code == 204
        assert await peer.closed() == 1008
    for ticket in (guest["ticket"], own, viewer["ticket"]):
        answer = await http.get("/api/config", headers=by(ticket))
        assert (answer.status_code, "was taken back" in answer.text) == (401, True)


async def test_nobody_takes_back_what_others_gave(server: RunningServer, http: httpx2.AsyncClient) -> None:
    one, other = [(await give(http, role="owner", session=name)).json() for name in ("one", "other")]

    refused = await http.delete(f"/api/tickets/{other['number']}", headers=by(one["ticket"]))
    unknown = await http.delete("/api/tickets/x", headers=by(TOKEN))

    assert (refused.status_code, unknown.status_code) == (403, 422)
