"""Host, Origin and token, checked before anything is accepted. The app behind is only reached by those who may."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from realtime.config import Config
from realtime.server import access
from realtime.server.access import REFUSED_S, SECURITY_HEADERS, Access, host_name
from realtime.server.budget import Budgets
from realtime.server.credentials import COOKIE, Credentials
from realtime.server.tickets import Tickets, new_key

TOKEN = "t0ken-of-this-test"
TICKETS = Tickets(new_key())
OWN = "127.0.0.1:8777"


@dataclass
class Answer:
    """What the client saw, and whether the app was reached."""

    messages: list[Message] = field(default_factory=list[Message])
    reached: bool = False

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}


async def ask(
    path: str = "/api/config",
    *,
    method: str = "GET",
    kind: str = "http",
    query: str = "",
    subprotocols: tuple[str, ...] = (),
    token: str | None = None,
    config: dict[str, Any] | None = None,
    client: str | None = None,
    **headers: str | None,
) -> Answer:
    """One request through the middleware. `headers` are names with _ for -; host is the server's own by default."""
    answer = Answer()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer.reached = True
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    given_headers = {"host": OWN, **headers}
    scope: Scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "scheme": "http",
        "server": ("127.0.0.1", 8777),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in given_headers.items() if v is not None],
        "subprotocols": list(subprotocols),
        "client": (client, 50000) if client is not None else None,
    }
    await Access(app, Config(**(config or {})), Credentials(token, TICKETS))(scope, receive, send)
    return answer


async def connect(**options: Any) -> Answer:
    return await ask("/ws", kind="websocket", **options)


# -- Host ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [OWN, "localhost:8777", "LOCALHOST", "[::1]:8777", "192.168.1.5:8777", "localhost."])
async def test_addresses_and_own_names_are_answered(host: str) -> None:
    assert (await ask(host=host)).reached


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:8777", "localhost.evil.example", "", None, "[::1", "a b", "@", "[x]"],
)
async def test_names_that_may_have_been_rebound_get_421(host: str | None) -> None:
    answer = await ask(host=host)

    assert (answer.status, answer.reached) == (421, False)


async def test_websocket_under_a_foreign_name_is_refused_before_accept() -> None:
    answer = await connect(host="evil.example:8777")

    assert answer.messages == [{"type": "websocket.close", "code": 1008}]
    assert not answer.reached


@pytest.mark.parametrize("allowed", ["studio.example", "STUDIO.example", "studio.example:8443"])
async def test_allowed_host_is_answered(allowed: str) -> None:
    config = {"allowed_hosts": (allowed,)}

    assert (await ask(host="studio.example:8443", config=config)).reached
    assert not (await ask(host="other.example", config=config)).reached


async def test_name_that_the_server_listens_on_is_answered() -> None:
    assert (await ask(host="studio.lan:8777", config={"host": "studio.lan"})).reached


@given(st.text(st.characters(codec="latin-1"), max_size=30))
@pytest.mark.slow
def test_any_host_header_is_a_name_or_none(authority: str) -> None:
    assert isinstance(host_name(authority), str)


# -- Origin --------------------------------------------------------------------------------------------------------

FOREIGN_ORIGINS = [
    "null",
    "http://127.0.0.1:9999",
    "http://localhost:8777",
    "http://evil.example",
    "http://127.0.0.1:8777.evil.example",
    "https://evil.example:8777",
    "file://",
    "chrome-extension://abc",
    "ftp://127.0.0.1:8777",
    "",
    "http://[",
    "http://[::1",
    "//127.0.0.1:8777",
]


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
async def test_websocket_of_a_foreign_page_is_refused_before_accept(origin: str) -> None:
    answer = await connect(origin=origin)

    assert answer.messages == [{"type": "websocket.close", "code": 1008}]
    assert not answer.reached


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("method", ["PATCH", "DELETE", "POST", "PUT"])
async def test_changes_by_a_foreign_page_get_403(origin: str, method: str) -> None:
    answer = await ask(method=method, origin=origin)

    assert (answer.status, answer.reached) == (403, False)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8777", "https://127.0.0.1:8777", "HTTP://127.0.0.1:8777", None])
async def test_own_page_and_programs_without_an_origin_may_connect(origin: str | None) -> None:
    assert (await connect(origin=origin)).reached
    assert (await ask(method="PATCH", origin=origin)).reached


@pytest.mark.parametrize("allowed", ["https://studio.example", "https://STUDIO.example/"])
async def test_allowed_origin_may_connect(allowed: str) -> None:
    config = {"allowed_origins": (allowed,)}

    assert (await connect(origin="https://studio.example", config=config)).reached
    assert not (await connect(origin="http://studio.example", config=config)).reached


async def test_right_token_does_not_make_a_foreign_origin_right() -> None:
    answer = await connect(origin="http://evil.example", token=TOKEN, authorization=f"Bearer {TOKEN}")

    assert not answer.reached


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that answers were put off by."""
    made: list[float] = []

    async def wait(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(access.asyncio, "sleep", wait)
    return made


# -- token ---------------------------------------------------------------------------------------------------------

CREDENTIALS = [
    pytest.param({"authorization": f"Bearer {TOKEN}"}, id="bearer"),
    pytest.param({"authorization": f"bearer  {TOKEN} "}, id="bearer, written otherwise"),
    pytest.param({"subprotocols": ("realtime.v1", f"token.{TOKEN}")}, id="subprotocol"),
    pytest.param({"cookie": f"{COOKIE}={TOKEN}"}, id="cookie"),
    pytest.param({"cookie": f'other={{"a": [1, 2]}}; {COOKIE}={TOKEN}; b=c'}, id="cookie beside odd ones"),
]
WRONG_CREDENTIALS = [
    pytest.param({}, id="none"),
    pytest.param({"authorization": "Bearer wrong"}, id="wrong bearer"),
    pytest.param({"authorization": f"Basic {TOKEN}"}, id="not bearer"),
    pytest.param({"authorization": TOKEN}, id="no scheme"),
    pytest.param({"authorization": f"Bearer {TOKEN}x"}, id="more than the token"),
    pytest.param({"authorization": f"Bearer {TOKEN[:-1]}"}, id="less than the token"),
    pytest.param({"authorization": "Bearer "}, id="empty"),
    pytest.param({"subprotocols": ("realtime.v1", "token.wrong")}, id="wrong subprotocol"),
    pytest.param({"subprotocols": (TOKEN,)}, id="subprotocol without its prefix"),
    pytest.param({"cookie": f"{COOKIE}=wrong"}, id="wrong cookie"),
    pytest.param({"cookie": ";;=;\x00"}, id="broken cookie"),
    pytest.param({"query": f"token={TOKEN}"}, id="in the query"),
]


@pytest.mark.parametrize("credentials", CREDENTIALS)
async def test_token_opens(credentials: dict[str, Any]) -> None:
    assert (await connect(token=TOKEN, **credentials)).reached
    assert (await ask(token=TOKEN, **credentials)).reached


@pytest.mark.parametrize("credentials", WRONG_CREDENTIALS)
async def test_request_without_the_token_gets_401(credentials: dict[str, Any]) -> None:
    answer = await ask(token=TOKEN, **credentials)

    assert (answer.status, answer.reached) == (401, False)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("credentials", WRONG_CREDENTIALS)
async def test_websocket_without_the_token_is_accepted_and_closed_with_1008(credentials: dict[str, Any]) -> None:
    answer = await connect(token=TOKEN, **credentials)

    assert [message["type"] for message in answer.messages] == ["websocket.accept", "websocket.close"]
    assert answer.messages[1]["code"] == 1008
    assert not answer.reached


async def test_whoever_brings_a_wrong_token_waits_for_the_answer_and_nobody_else_does(
    waits: list[float],
) -> None:
    await ask(token=TOKEN, authorization="Bearer wrong")
    await connect(token=TOKEN, subprotocols=("realtime.v1", "token.wrong"))
    assert waits == [REFUSED_S] * 2

    await ask(token=TOKEN)
    await ask(token=TOKEN, authorization=f"Bearer {TOKEN}")
    assert waits == [REFUSED_S] * 2


async def test_browser_that_offers_a_wrong_token_gets_its_subprotocol_so_that_it_reads_the_code() -> None:
    answer = await connect(token=TOKEN, subprotocols=("realtime.v1", "token.wrong"))

    assert answer.messages[0]["subprotocol"] == "realtime.v1"


@pytest.mark.parametrize("path", ["/", "/overlay", "/healthz", "/readyz", "/assets/index.js"])
async def test_open_paths_need_no_token(path: str) -> None:
    assert (await ask(path, token=TOKEN)).reached


@pytest.mark.parametrize(
    "path",
    [
        "/api/config",
        "/api/sessions",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/healthz/",
        "/assets",
        "//",
        "/x/../assets",
    ],
)
async def test_all_other_paths_need_it(path: str) -> None:
    assert not (await ask(path, token=TOKEN)).reached


@pytest.mark.parametrize("path", ["/", "/overlay"])
async def test_page_opened_with_the_token_sets_a_cookie_and_loses_it_from_its_address(path: str) -> None:
    answer = await ask(path, token=TOKEN, query=f"session=a%20b&token={TOKEN}&x=")

    assert answer.status == 303
    assert answer.headers["location"] == f"{path}?session=a+b&x="
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}={TOKEN};")
    assert {"httponly", "samesite=strict"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize("query", ["token=wrong", "token=", "", "TOKEN=x", "%"])
async def test_page_opened_without_the_right_token_sets_no_cookie(query: str) -> None:
    answer = await ask("/", token=TOKEN, query=query)

    assert answer.reached
    assert "set-cookie" not in answer.headers


async def test_without_a_token_nobody_needs_one() -> None:
    assert (await ask()).reached
    assert (await connect()).reached


async def test_refusal_does_not_repeat_the_token() -> None:
    answer = await ask(token=TOKEN, authorization="Bearer guess-of-somebody")

    assert "guess-of-somebody" not in str(answer.messages)
    assert TOKEN not in str(answer.messages)


# -- headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"host": "evil.example"}, {"token": TOKEN}, {"method": "PATCH", "origin": "null"}]
)
async def test_security_headers_are_on_every_answer(options: dict[str, Any]) -> None:
    answer = await ask(**options)

    assert answer.headers.items() >= SECURITY_HEADERS.items()


def test_nothing_inline_and_nothing_from_elsewhere_may_run() -> None:
    policy = SECURITY_HEADERS["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "https:" not in policy


async def test_lifespan_passes() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def nothing() -> Message:
        return {}

    async def nowhere(message: Message) -> None:
        pass

    await Access(app, Config(), Credentials(TOKEN, TICKETS))({"type": "lifespan"}, nothing, nowhere)

    assert seen == [{"type": "lifespan"}]


# -- floods --------------------------------------------------------------------------------------------------------


async def test_address_that_asks_too_often_is_refused_and_another_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Budgets(0.001, 2 / 0.001, access.ADDRESSES_MAX)
    monkeypatch.setattr(access, "Budgets", lambda *limits: shared)
    monkeypatch.setattr(access, "REFUSED_S", 0.0)

    statuses = [
        (await ask(client=client)).status
        for client in ("198.51.100.1", "198.51.100.1", "198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2")
    ]
    refused = await ask(client="198.51.100.1")
    socket = await connect(client="2001:db8::3", subprotocols=())
    unknown = [(await ask()).status for _ in range(5)]

    assert statuses == [200, 200, 429, 200, 200, 200]
    assert (refused.reached, refused.headers["retry-after"]) == (False, "1")
    assert [message["type"] for message in socket.messages] == ["websocket.accept", "websocket.close"]
    assert (socket.messages[1]["code"], socket.reached) == (1013, False)
    assert set(unknown) == {200}
