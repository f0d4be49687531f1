"""`POST /api/tickets`: a ticket for somebody else, or for another device; `DELETE /api/tickets/{ticket}`: it is over.

Must not know how tickets are signed.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .. import protocol
from ..config import SESSION_NAME
from ..errors import ProtocolError
from ..refusals import in_words
from .access import grant_of
from .body import read_body
from .roles import Grant, Role, may_give, may_take_back, owner_of_new
from .service import Service
from .tickets import VALID_MAX_S, VALID_MIN_S, VALID_S, TicketError

router = APIRouter()

GIVEN = (Role.GUEST, Role.OWNER, Role.CONTROLLER, Role.VIEWER)


class TicketOrder(BaseModel):
    """The body of the request."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: str
    session: str | None = None
    valid_s: Annotated[int, Field(ge=VALID_MIN_S, le=VALID_MAX_S)] = VALID_S

    @field_validator("role")
    @classmethod
    def _check_role(cls, role: str) -> str:
        if role not in GIVEN:
            raise ValueError(f"must be one of {', '.join(GIVEN)}, not {role[:32]!r}")
        return role

    @field_validator("session")
    @classmethod
    def _check_session(cls, session: str | None) -> str | None:
        if session is not None and not SESSION_NAME.fullmatch(session):
            raise ValueError(f"must be 1 to 64 letters, digits, - and _, not {session[:32]!r}")
        return session


@router.post("/api/tickets", summary="Give a ticket", status_code=201)
async def post_ticket(request: Request) -> dict[str, Any]:
    """Body: `{"role": …, "session": …, "valid_s": …}`. A ticket for no more, and for no longer, than one's own."""
    service: Service = request.app.state.service
    order = _order(await read_body(request, protocol.TEXT_MAX_BYTES))
    grant, role = grant_of(request), Role(order.role)
    session = "" if role is Role.GUEST else order.session or grant.session
    if not session and role is not Role.GUEST:
        raise HTTPException(422, f"name the session that the {role} is for")
    if (why := may_give(grant, Grant(role, session), service.owners)) is not None:
        raise HTTPException(403, why)
    owner = owner_of_new(grant)
    if owner is None:
        owner = service.owners.get(session, "")
    expires_s = service.tickets.until(grant, order.valid_s)
    try:
        number = service.tickets.number_below(grant, expires_s)
    except TicketError as error:
        raise HTTPException(403, str(error)) from None
    wanted = Grant(role, session, owner, expires_s, number)
    return {
        "ticket": service.tickets.sign(wanted),
        "number": number,
        "role": role,
        "session": session or None,
        "expires": wanted.expires_s,
    }


@router.delete("/api/tickets/{ticket}", summary="Take a ticket back", status_code=204)
async def delete_ticket(request: Request, ticket: str) -> None:
    """By its number. It is valid no longer, nor are those that were given by it; connections that came by them end."""
    service: Service = request.app.state.service
    if (why := may_take_back(grant_of(request), ticket)) is not None:
        raise HTTPException(403, why)
    try:
        service.tickets.take_back(ticket)
    except TicketError as error:
        raise HTTPException(422, str(error)) from None


def _order(body: bytes) -> TicketOrder:
    try:
        return TicketOrder.model_validate(protocol.parse_object(body))
    except ProtocolError as error:
        raise HTTPException(400, str(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "body"
        raise HTTPException(422, f"{field[:64]} {in_words(first)}") from None
