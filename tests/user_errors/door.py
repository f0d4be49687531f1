"""Tokens and tickets: what is said to those who may not do what they ask for."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from realtime.config import Config
from realtime.server import connection, ticket_routes, tls
from realtime.server.access import Access
from realtime.server.connection import end_with_grant
from realtime.server.credentials import Credentials
from realtime.server.inbound import VideoConnection
from realtime.server.lobby import Addresses
from realtime.server.roles import OPERATOR, Grant, Role
from realtime.server.tickets import Tickets
from realtime.server.webrtc import udp_ports
from realtime.server.webrtc.peers import Peers
from realtime.server.webrtc.sdp import Purpose
from tests.server.test_lobby import House

from .case import Case
from .command_line import option
from .http import request
from .texts import a_session

TICKETS = Tickets(bytes(32), lambda: 1000.0)
VIEWER = Grant(Role.VIEWER, "show")


def asked(ticket: str, method: str = "GET", path: str = "/api/sessions/show", **owners: str) -> Callable[[], object]:
    """What is said to whoever brings a ticket."""

    async def run() -> str:
        send = mock.AsyncMock()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": f"ticket={ticket}".encode(),
            "headers": [(b"host", b"localhost")],
        }
        access = Access(mock.AsyncMock(), Config(), Credentials(None, TICKETS), lambda: owners)
        with mock.patch("realtime.server.access.asyncio.sleep"):
            await access(scope, mock.AsyncMock(), send)
        return send.call_args.args[0]["body"].decode()

    return run


def taken_back(number: str, already: int = 0) -> Callable[[], object]:
    """What is said to whoever takes a ticket back."""

    def run() -> object:
        here = Tickets(bytes(32), lambda: 1000.0, {f"000007d0-{each:07}": 2000 for each in range(already)})
        return here.take_back(number)

    return run


def handed_on() -> object:
    return TICKETS.number_below(Grant(Role.OWNER, "show", "", 2000, ".".join(["000007d0-another"] * 8)), 2000)


def taken_from(grant: Grant) -> Callable[[], object]:
    async def run() -> object:
        asking: Any = request(b"")
        asking.scope["realtime.grant"] = grant
        asking.app = mock.Mock()
        return await ticket_routes.delete_ticket(asking, "000007d0-another")

    return run


def ordered(grant: Grant, **order: object) -> Callable[[], object]:
    """What is said to whoever asks for a ticket."""

    async def run() -> object:
        asking: Any = request(json.dumps(order).encode())
        asking.scope["realtime.grant"] = grant
        asking.app = mock.Mock()
        asking.app.state.service = mock.Mock(owners={}, tickets=TICKETS)
        return await ticket_routes.post_ticket(asking)

    return run


async def asked_too_often() -> str:
    send = mock.AsyncMock()
    scope = {"type": "http", "method": "GET", "path": "/healthz", "headers": [], "client": ("192.0.2.1", 1)}
    with (
        mock.patch("realtime.server.access.asyncio.sleep"),
        mock.patch("realtime.server.access.Budgets.spend", return_value=1.0),
    ):
        await Access(mock.AsyncMock(), Config(), Credentials(None, TICKETS))(scope, mock.AsyncMock(), send)
    return send.call_args.args[0]["body"].decode()


async def taken_meanwhile() -> object:
    house = House()
    await house.lobby.enter("show", lambda place, size: None, "she")
    return await house.lobby.enter("show", lambda place, size: None, "he")


async def over() -> object:
    return await end_with_grant(mock.Mock(tickets=TICKETS), Grant(Role.VIEWER, "show", "", 999))


def over_its_time(**limits: float) -> Callable[[], object]:
    """What the client of a session is told that has been there, or unused, for too long."""

    async def run() -> object:
        here: Any = mock.Mock(service=mock.Mock(config=Config(**limits)))
        with mock.patch.object(connection, "LIMITS_EVERY_S", 0.001):
            return await VideoConnection._until_over(here, a_session())

    return run


async def from_one_address() -> None:
    addresses = Addresses(1)
    with addresses.seat("192.0.2.1"), addresses.seat("192.0.2.1"):
        pass


async def without_ports() -> object:
    service: Any = mock.MagicMock(config=Config(udp_ports="40000-40001"))
    peers = Peers(service, [])
    answer = mock.Mock(answer=mock.AsyncMock(return_value="v=0"), close=mock.AsyncMock())
    with mock.patch.object(Peers, "_admission", create=True), mock.patch("realtime.server.webrtc.peers.Peer") as made:
        peers._admission = mock.Mock()
        made.return_value = answer
        return await peers.open(Purpose.PUBLISH, "v=0", None, OPERATOR, "")


def with_a_port_of_anothers() -> None:
    with mock.patch.object(udp_ports, "bound", side_effect=OSError(errno.EADDRINUSE, "")):
        udp_ports.OnePort(40000).check(["127.0.0.1"])


def certificates(key: str) -> Callable[[], object]:
    """A certificate `own.pem` with this file for its key."""

    def run() -> object:
        made, other = (tls.own(Path(name), ["localhost"], []) for name in ("own", "other"))
        made.certificate.rename("own.pem")
        other.key.rename("other.pem")
        Path("text.pem").write_text("hello")
        return tls.given(Path("own.pem"), Path(key))

    return run


def no_folder() -> object:
    Path("file").write_text("")
    return tls.own(Path("file"), ["localhost"], [])


CASES = [
    Case("an address may send 200 requests a second: send fewer", "send fewer", asked_too_often),
    Case(
        "udp_ports: '40100-40000' are no ports: write one from 1024 to 65535 or two, as 40000-40100",
        "udp_ports",
        option(udp_ports="40100-40000"),
    ),
    Case("give --state or --no-state, not both", "--no-state", option(state=Path("mine.json"), no_state=True)),
    Case("--state . is a folder: name a file in it", "--state .", option(state=Path(), no_state=False)),
    Case("give --tls-cert and --tls-key together", "--tls-key", option(tls_cert=Path("own.pem"))),
    Case(
        "give --tls self, or --tls-cert and --tls-key, not both",
        "--tls self",
        option(tls="self", tls_cert=Path("own.pem"), tls_key=Path("key.pem")),
    ),
    Case("root_path: 'studio' is no path: write one as /studio", "root_path", option(root_path="studio")),
    Case(
        "missing.pem can't be read: No such file or directory: check --tls-cert and --tls-key",
        "missing.pem",
        certificates("missing.pem"),
    ),
    Case("other.pem is the key of another certificate than own.pem", "other.pem", certificates("other.pem")),
    Case(
        "own.pem and text.pem are no certificate and its key in PEM, or the key has a password: give others with "
        "--tls-cert and --tls-key",
        "text.pem",
        certificates("text.pem"),
    ),
    Case("file can't be written to: File exists: --tls self keeps its key there", "file", no_folder),
    Case("a session may last 1e-06 s here", "session", over_its_time(session_s=1e-6)),
    Case("nothing has happened in this session for 1e-06 s", "session", over_its_time(idle_s=1e-6)),
    Case(
        "1 sessions may come from one address, and yours has as many; end one, or try again later",
        "address",
        from_one_address,
    ),
    Case(
        "can't use UDP port 40000 at 127.0.0.1: another program has it; end it, or choose another with --udp-ports",
        "--udp-ports",
        with_a_port_of_anothers,
    ),
    Case("all UDP ports of this server (--udp-ports) are in use; try again later", "--udp-ports", without_ports),
    Case("this ticket is none of this server's: ask for another one", "ticket", asked("rt1.x.y")),
    Case(
        "the time of this ticket is over: ask for another one",
        "ticket",
        asked(TICKETS.sign(Grant(Role.VIEWER, "show", "", 999))),
    ),
    Case("the time of this ticket is over: ask for another one", "time", over),
    Case(
        "this ticket is of another version of the server: ask for another one",
        "version",
        asked(TICKETS.sign(Grant("king", "show"))),  # type: ignore[arg-type]
    ),
    Case(
        "a ticket for a viewer does not allow this: ask whoever gave it for another",
        "viewer",
        asked(TICKETS.sign(VIEWER), "DELETE"),
    ),
    Case(
        "this session is somebody else's: choose another name",
        "session",
        asked(TICKETS.sign(Grant(Role.GUEST)) + "&session=show", "POST", "/whip", show="she"),
    ),
    Case("this session is somebody else's: choose another name", "name", taken_meanwhile),
    Case(
        "this ticket is for the session 'show' alone",
        "'show'",
        asked(TICKETS.sign(VIEWER), path="/api/sessions/other"),
    ),
    Case(
        "the session of this ticket has ended, and somebody else's has its name: ask for another ticket",
        "session",
        asked(TICKETS.sign(VIEWER), show="she"),
    ),
    Case(
        "a ticket for a guest does not allow to give one for a viewer",
        "viewer",
        ordered(Grant(Role.GUEST), role="viewer", session="show"),
    ),
    Case(
        "role must be one of guest, owner, controller, viewer, not 'king'",
        "'king'",
        ordered(Grant(Role.OWNER, "show"), role="king"),
    ),
    Case(
        "session must be 1 to 64 letters, digits, - and _, not 'a b'",
        "'a b'",
        ordered(Grant(Role.OWNER, "show"), role="viewer", session="a b"),
    ),
    Case(
        "you can take back what you gave, and what was given by those: this ticket is neither",
        "this ticket",
        taken_from(Grant(Role.OWNER, "show")),
    ),
    Case(
        "this is no ticket's number: it stands in the answer to whoever gave the ticket",
        "number",
        taken_back("x"),
    ),
    Case(
        "there is no ticket of this number: it would be valid for too long",
        "number",
        taken_back("7fffffff-another"),
    ),
    Case(
        "4096 tickets were taken back already: take back those that they came of",
        "4096 tickets",
        taken_back("000007d0-another", 4096),
    ),
    Case("tickets go through 8 hands: ask for one that was given less often", "8 hands", handed_on),
    Case("name the session that the viewer is for", "session", ordered(Grant(Role.OPERATOR), role="viewer")),
]
