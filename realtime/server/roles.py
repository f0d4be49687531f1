"""Who may do what: the one table of roles and actions, and which action each route is.

Must not know how a grant is proven, or what routes do.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any

from starlette.datastructures import QueryParams
from starlette.routing import compile_path
from starlette.types import Scope

OPERATORS = ""
"""The owner of sessions that the operator has made."""
OWNER_BYTES = 9
PROMPTS = ("prompt", "negative_prompt", "references")
"""Fields of params that those who only watch don't get."""


class Role(StrEnum):
    """What somebody is to the server, or to one session."""

    OPERATOR = "operator"
    """Brings the server's token, or needs none: may do everything, in all sessions."""
    GUEST = "guest"
    """May make sessions, and owns those that it has made."""
    OWNER = "owner"
    CONTROLLER = "controller"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Grant:
    """What the sender of a request is allowed.

    Attributes:
        session: the session's name; empty for an operator and a guest.
        owner: who made the session: another one of the same name is none of this grant's; `OPERATORS` for the operator.
        expires_s: Unix time at which it ends; None: never.
        number: of its ticket, see `tickets.number_below`; empty for an operator.
    """

    role: Role
    session: str = ""
    owner: str = OPERATORS
    expires_s: int | None = None
    number: str = ""


OPERATOR = Grant(Role.OPERATOR)


class Action(Enum):
    """What a request does."""

    OPEN = auto()
    """Nothing that needs a grant: pages, which hold nothing secret and say in words that a token is missing; health."""
    ABOUT = auto()
    """Reads what the server is."""
    OPERATE = auto()
    """Reads what concerns all sessions, or changes what serves them."""
    GIVE = auto()
    """Gives a ticket, or takes one back that came of its own; `may_give`, `may_take_back` say which."""
    TAKE = auto()
    """Makes a session, comes back to it or takes it over."""
    CONTROL = auto()
    """Changes params, commands."""
    END = auto()
    SEND = auto()
    """Starts and stops what the configuration sends of a session."""
    WATCH = auto()
    PROMPTS = auto()
    """Reads the prompts of a session."""
    SHOW = auto()
    """Brings a picture that params may name, or looks at one whose id it knows."""
    PEER = auto()
    """Does something to a WebRTC peer under its address, which only the one who made it knows."""


_ALL = frozenset({Action.OPEN, Action.ABOUT})
_VIEWER = _ALL | {Action.WATCH, Action.PEER}
_CONTROLLER = _VIEWER | {Action.CONTROL, Action.PROMPTS, Action.SHOW}
_OWNER = _CONTROLLER | {Action.TAKE, Action.END, Action.SEND, Action.GIVE}
ALLOWED: dict[Role, frozenset[Action]] = {
    Role.OPERATOR: frozenset(Action),
    Role.GUEST: _ALL | {Action.TAKE, Action.GIVE, Action.SHOW, Action.PEER},
    Role.OWNER: _OWNER,
    Role.CONTROLLER: _CONTROLLER,
    Role.VIEWER: _VIEWER,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route does.

    Attributes:
        action: what it is allowed by.
        session: the path's or query's field that names the session; None where it concerns none, or its body says so.
    """

    action: Action
    session: str | None = None


_OPEN, _ABOUT = Rule(Action.OPEN), Rule(Action.ABOUT)
_TAKE, _WATCH = Rule(Action.TAKE, "session"), Rule(Action.WATCH, "session")
_PEER = {"GET": Rule(Action.PEER), "PATCH": Rule(Action.PEER), "DELETE": Rule(Action.PEER)}
SOCKET = "WEBSOCKET"
"""Stands for a method."""
WATCHING = Rule(Action.WATCH, "watch")
"""Of a WebSocket that says `watch`."""

ROUTES: dict[str, dict[str, Rule]] = {
    "/": {"GET": _OPEN},
    "/overlay": {"GET": _OPEN},
    "/remote": {"GET": _OPEN},
    "/assets/{path:path}": {"GET": _OPEN},
    "/healthz": {"GET": _OPEN},
    "/readyz": {"GET": _OPEN},
    "/ws": {SOCKET: _TAKE},
    "/api/config": {"GET": _ABOUT},
    "/api/params/schema": {"GET": _ABOUT},
    "/api/qr": {"POST": _ABOUT},
    "/api/pictures": {"PUT": Rule(Action.SHOW)},
    "/api/pictures/{picture}": {"GET": Rule(Action.SHOW)},
    "/api/tickets": {"POST": Rule(Action.GIVE)},
    "/api/tickets/{ticket}": {"DELETE": Rule(Action.GIVE)},
    "/api/sessions": {"GET": Rule(Action.OPERATE)},
    "/api/sessions/{session}": {
        "GET": _WATCH,
        "PATCH": Rule(Action.CONTROL, "session"),
        "DELETE": Rule(Action.END, "session"),
    },
    "/api/sessions/{session}/command": {"POST": Rule(Action.CONTROL, "session")},
    "/api/sessions/{session}/pads": {"GET": Rule(Action.CONTROL, "session"), "PUT": Rule(Action.CONTROL, "session")},
    "/api/sessions/{session}/hint": {"GET": Rule(Action.CONTROL, "session")},
    "/api/sessions/{session}/snapshot": {"GET": _WATCH},
    "/api/sessions/{session}/stream.mjpg": {"GET": _WATCH},
    "/api/outputs": {"GET": Rule(Action.OPERATE)},
    "/api/sessions/{session}/outputs/{output}/start": {"POST": Rule(Action.SEND, "session")},
    "/api/sessions/{session}/outputs/{output}/stop": {"POST": Rule(Action.SEND, "session")},
    "/api/sessions/{session}/still": {"GET": _WATCH, "POST": Rule(Action.CONTROL, "session")},
    "/api/loras": {"GET": Rule(Action.OPERATE), "PATCH": Rule(Action.OPERATE)},
    "/api/models": {"GET": Rule(Action.OPERATE)},
    "/api/model": {"POST": Rule(Action.OPERATE), "DELETE": Rule(Action.OPERATE)},
    "/api/workers": {"GET": Rule(Action.OPERATE)},
    "/api/workers/{worker}/drain": {"POST": Rule(Action.OPERATE)},
    "/api/workers/{worker}/start": {"POST": Rule(Action.OPERATE)},
    "/rtc": {"GET": _ABOUT, "POST": _TAKE},
    "/whip": {"GET": _ABOUT, "POST": _TAKE},
    "/whep": {"GET": _ABOUT, "POST": _WATCH},
    "/rtc/{peer}": _PEER,
    "/whip/{peer}": _PEER,
    "/whep/{peer}": _PEER,
    "/metrics": {"GET": Rule(Action.OPERATE)},
    "/docs": {"GET": _ABOUT},
    "/openapi.json": {"GET": _ABOUT},
}
"""Every route by its path and method. One that is missing is for the operator alone."""

_PATTERNS = [(compile_path(path)[0], rules) for path, rules in ROUTES.items()]


def asked(scope: Scope, path: str) -> tuple[Rule, str | None]:
    """What a request is, and the session that it names; None where it names none.

    Args:
        scope: an HTTP request's, or a WebSocket's.
        path: below the prefix that the server is served under.
    """
    query = QueryParams(scope["query_string"])
    method = SOCKET if scope["type"] == "websocket" else scope["method"]
    if method == "OPTIONS":
        return _OPEN, None  # a CORS preflight, which never carries a token
    for pattern, rules in _PATTERNS:
        if (found := pattern.match(path)) is not None:
            rule = rules.get("GET" if method == "HEAD" else method, Rule(Action.OPERATE))
            if method == SOCKET and query.get("watch"):
                rule = WATCHING
            return rule, (dict(query) | found.groupdict()).get(rule.session or "") or None
    return Rule(Action.OPERATE), None


def refusal(grant: Grant, rule: Rule, named: str | None, owners: Mapping[str, str]) -> str | None:
    """Why a request is refused; None where it is allowed.

    Args:
        named: the session that it names.
        owners: who owns each session that there is, by its name.
    """
    if grant.role is Role.OPERATOR:
        return None
    if rule.action not in ALLOWED[grant.role]:
        return f"a ticket for a {grant.role} does not allow this: ask whoever gave it for another"
    if rule.session is None:
        return None
    if grant.role is Role.GUEST:
        is_taken = named is not None and named in owners
        return "this session is somebody else's: choose another name" if is_taken else None
    if (named or grant.session) != grant.session:
        return f"this ticket is for the session {grant.session!r} alone"
    if owners.get(grant.session, grant.owner) != grant.owner:
        return "the session of this ticket has ended, and somebody else's has its name: ask for another ticket"
    return None


def may_give(grant: Grant, wanted: Grant, owners: Mapping[str, str]) -> str | None:
    """Why somebody may not give a ticket; None where it is allowed. See `refusal`."""
    match grant.role:
        case Role.OPERATOR:
            return None
        case Role.GUEST if wanted.role is Role.OWNER:
            return refusal(grant, _TAKE, wanted.session, owners)
        case Role.OWNER if wanted.role is not Role.GUEST:
            return refusal(grant, _TAKE, wanted.session, owners)
        case _:
            return f"a ticket for a {grant.role} does not allow to give one for a {wanted.role}"


def may_take_back(grant: Grant, number: str) -> str | None:
    """Why somebody may not take the ticket of this number back; None where it is allowed."""
    if grant.role is Role.OPERATOR or (grant.number and number.startswith(f"{grant.number}.")):
        return None
    return "you can take back what you gave, and what was given by those: this ticket is neither"


def owner_of_new(grant: Grant) -> str | None:
    """The owner of what a grant makes, and may come back to; None for an operator, who may come to any session."""
    match grant.role:
        case Role.OPERATOR:
            return None
        case Role.GUEST:
            return secrets.token_urlsafe(OWNER_BYTES)
        case _:
            return grant.owner


def seen_by(grant: Grant, params: dict[str, Any]) -> dict[str, Any]:
    """Params on the wire as somebody may see them: without prompts for those who only watch."""
    if Action.PROMPTS in ALLOWED[grant.role]:
        return params
    return {name: value for name, value in params.items() if name not in PROMPTS}
