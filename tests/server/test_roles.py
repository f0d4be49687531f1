"""Who may do what: each cell of docs/protocol.md's table, asked of a whole server; and that no route is missing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.server.roles import ALLOWED, ROUTES, SOCKET, Action, Grant, Role
from realtime.server.tickets import Tickets
from tests.fakes.servers import RunningServer, a_config, running
from tests.server.peer import Peer, connected, http_client

PROTOCOL = (Path(__file__).parent.parent.parent / "docs" / "protocol.md").read_text()
HEADER = "| route | operator | guest | owner | controller | viewer | nobody |"
TOKEN = "the-operator"
NAME = "mine"
NUMBER = "00000000-numbers"
"""Of all tickets here; those that they gave have it before their own."""


def table() -> list[tuple[str, str, str, str]]:
    """Method, path, role and what is allowed, of each cell."""
    lines = PROTOCOL.partition(HEADER)[2].splitlines()[2:]
    cells: list[tuple[str, str, str, str]] = []
    for line in lines[: lines.index("")]:
        route, *allowed = [cell.strip(" `") for cell in line.strip("|").split("|")]
        method, _, path = route.partition(" ")
        roles = [role.strip() for role in HEADER.strip("|").split("|")[1:]]
        cells += [(method, path, role, what) for role, what in zip(roles, allowed, strict=True)]
    return cells


CELLS = table()


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=50, resume_s=60.0), token=TOKEN) as one:
        yield one


def owned(name: str, owner: str, tickets: Tickets, role: str) -> str:
    return tickets.sign(Grant(Role(role), name, owner, number=NUMBER))


def headers_of(server: RunningServer, role: str, session: str = NAME, owner: str = "") -> dict[str, str]:
    """Credentials of a role."""
    match role:
        case "nobody":
            return {}
        case "operator":
            return {"authorization": f"Bearer {TOKEN}"}
        case "guest":
            return {"authorization": f"Bearer {server.service.tickets.sign(Grant(Role.GUEST, number=NUMBER))}"}
        case _:
            return {"authorization": f"Bearer {owned(session, owner, server.service.tickets, role)}"}


def own_of(server: RunningServer, name: str) -> AbstractAsyncContextManager[Peer]:
    """The operator's client of a session."""
    return connected(server.websocket_url, session=name, additional_headers=headers_of(server, "operator"))


def watching(server: RunningServer, role: str, name: str) -> AbstractAsyncContextManager[Peer]:
    """Somebody beside the session's own client."""
    url = f"{server.websocket_url}?watch={name}"
    return connected(url, size=None, additional_headers=headers_of(server, role, name))


async def is_in(server: RunningServer, role: str, method: str, path: str, session: str) -> bool:
    """Whether a request gets past the door: neither 401 nor 403, nor 1008."""
    headers = headers_of(server, role, session)
    path = path.replace("{session}", session).replace("{peer}", "nobody").replace("…", "nothing")
    path = path.replace("{output}", "1").replace("{ticket}", f"{NUMBER}.00000000-another")
    if path.startswith("/ws"):
        query = path.partition("?")[2] or "session"
        try:
            async with connect(f"{server.websocket_url}?{query}={session}", additional_headers=headers) as websocket:
                return '"ready"' in str(await websocket.recv())
        except ConnectionClosed as error:
            assert error.rcvd is not None
            return error.rcvd.code != 1008
    query = {"session": session} if path in ("/rtc", "/whip", "/whep") else {}
    body = {"role": "owner", "session": session} if path == "/api/tickets" else {"params": {}}
    async with (
        http_client(server.url) as http,
        http.stream(method, path, params=query, headers=headers, json=None if method == "GET" else body) as answer,
    ):
        return answer.status_code not in (401, 403)


@pytest.mark.parametrize(("method", "path", "role", "allowed"), CELLS)
async def test_role_may_what_the_table_says(
    server: RunningServer, method: str, path: str, role: str, allowed: str
) -> None:
    there, free = f"s{secrets.token_hex(8)}", f"s{secrets.token_hex(8)}"
    async with own_of(server, there) as peer:
        await peer.restyle(1)
        may = await is_in(server, role, method, path, there)
    assert may is (allowed == "yes"), "in a session that there is"

    if role == "guest":
        assert await is_in(server, role, method, path, free) is (allowed in ("yes", "new")), "in one that there is not"


OF_ONE_SESSION = [
    (method, path, role)
    for method, path, role, allowed in CELLS
    if allowed == "yes"
    if role in ("owner", "controller", "viewer")
    if "{session}" in path or path.startswith("/ws")
]


@pytest.mark.parametrize(("method", "path", "role"), OF_ONE_SESSION)
async def test_ticket_of_another_session_is_of_no_use(server: RunningServer, method: str, path: str, role: str) -> None:
    headers = headers_of(server, role, session="another")
    async with own_of(server, "here"):
        if path.startswith("/ws"):
            query = path.partition("?")[2] or "session"
            async with connect(f"{server.websocket_url}?{query}=here", additional_headers=headers) as websocket:
                with pytest.raises(ConnectionClosed) as caught:
                    await websocket.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, "for the session 'another'" in caught.value.rcvd.reason) == (1008, True)
            return
        async with http_client(server.url) as http:
            # A session in the query does not stand for the one in the path.
            answer = await http.request(
                method, path.replace("{session}", "here"), headers=headers, params={"session": "another"}
            )
        assert answer.status_code == 403


def test_every_route_of_the_server_has_its_rule_and_its_line() -> None:
    with running(a_config()) as server:
        found: set[tuple[str, str]] = set()
        for route in _flat(server.app.routes):
            if isinstance(route, Mount):
                found.add(("GET", f"{route.path}/{{path:path}}"))
            elif isinstance(route, WebSocketRoute):
                found.add((SOCKET, route.path))
            elif isinstance(route, Route):
                found |= {(method, route.path) for method in route.methods or ()}
    found = {(method, path) for method, path in found if method not in ("HEAD", "OPTIONS")}

    assert found == {(method, path) for path, rules in ROUTES.items() for method in rules}
    lines = {(method, re.sub("…$", "{path:path}", path)) for method, path, _, _ in CELLS}
    assert lines - {("GET", "/ws?watch"), ("GET", "/ws")} == found - {(SOCKET, "/ws")}


def _flat(routes: object) -> list[object]:
    """All routes, whether or not they stand in routers."""
    flat: list[object] = []
    for route in routes:  # type: ignore[attr-defined]
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        flat += _flat(inner) if inner is not None else [route]
    return flat


def test_every_action_is_somebodys() -> None:
    assert ALLOWED[Role.OPERATOR] == frozenset(Action)
    assert all(ALLOWED[role] <= ALLOWED[Role.OPERATOR] for role in Role)
    assert ALLOWED[Role.VIEWER] < ALLOWED[Role.CONTROLLER] < ALLOWED[Role.OWNER]


# -- what those who only watch don't get ---------------------------------------------------------------------------


@pytest.fixture
async def shown(server: RunningServer) -> str:
    """The name of a session with a prompt and a picture, whose client has gone."""
    name = f"s{secrets.token_hex(8)}"
    async with own_of(server, name) as peer:
        await peer.say(type="params", params={"prompt": "a secret wish", "negative_prompt": "a secret fear"})
        await peer.text("params")
        await peer.restyle(1)
    return name


@pytest.mark.parametrize(
    ("role", "sees"), [("operator", True), ("owner", True), ("controller", True), ("viewer", False)]
)
async def test_prompts_are_for_those_who_may_change_them(
    server: RunningServer, shown: str, role: str, sees: bool
) -> None:
    headers = headers_of(server, role, shown)
    async with http_client(server.url, headers=headers) as http:
        session = await http.get(f"/api/sessions/{shown}")
        snapshot = await http.get(f"/api/sessions/{shown}/snapshot")
    async with connect(f"{server.websocket_url}?watch={shown}", additional_headers=headers) as websocket:
        ready = str(await websocket.recv())

    assert [b"secret" in data for data in (session.content, snapshot.content, ready.encode())] == [sees] * 3
    assert session.json()["params"]["width"] == 64, "the shape is no secret"


async def test_viewer_hears_of_changes_but_not_of_prompts(server: RunningServer, shown: str) -> None:
    async with own_of(server, shown) as own, watching(server, "viewer", shown) as viewer:
        await own.say(type="params", params={"prompt": "another secret", "strength": 0.25})
        heard = await viewer.text("params")

    assert heard["params"]["strength"] == 0.25
    assert "secret" not in str(viewer.texts)


# -- control beside the session's own client -----------------------------------------------------------------------


async def test_controller_changes_params_and_commands_by_the_socket_that_watches(
    server: RunningServer, shown: str
) -> None:
    async with own_of(server, shown) as own, watching(server, "controller", shown) as remote:
        await remote.say(type="params", params={"strength": 0.75})
        assert (await own.text("params"))["params"]["strength"] == 0.75
        await remote.say(type="params", params={"strength": 7})
        assert (await remote.text("error"))["code"] == "invalid_params"
        await remote.say(type="command", command="reset")
        assert (await own.text("params"))["params"]["prompt"] == ""


async def test_a_viewers_texts_change_nothing(server: RunningServer, shown: str) -> None:
    async with own_of(server, shown), watching(server, "viewer", shown) as viewer:
        await viewer.say(type="params", params={"strength": 0.75})
        await viewer.say(type="command", command="reset")
        await viewer.text("stats")

    session = server.service.session(shown)
    assert session is not None
    assert (session.params.prompt, session.params.strength) == ("a secret wish", 0.5)
