"""Tickets: grants that this server has signed, so that it need not remember them; only those that were taken back.

Must not know what a grant allows.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable

from .roles import Grant, Role

PREFIX = "rt1."
KEY_BYTES = 32
TICKET_MAX_CHARS = 1024
VALID_S, VALID_MIN_S, VALID_MAX_S = 12 * 3600, 10, 90 * 24 * 3600
"""How long a ticket is valid: by default, at least, at most."""
TAKEN_BACK_MAX = 4096
DEPTH_MAX = 8
"""Hands through which a ticket goes: each adds 15 characters to its number."""
NUMBER_BYTES = 5
_NUMBER = re.compile(r"[0-9a-f]{8}-[\w-]{7}(?:\.[0-9a-f]{8}-[\w-]{7}){0,7}")


class TicketError(Exception):
    """A ticket is none of this server's, or no longer valid. The message is for whoever brings it."""


def new_key() -> bytes:
    """A key that nobody can guess."""
    return secrets.token_bytes(KEY_BYTES)


class Tickets:
    """Signs and reads tickets: `rt1.`, the grant, `.`, and its HMAC-SHA256, both in the URL's base64.

    Args:
        key: of the server. Whoever has it can make any ticket; with another one, all that were given are void.
        clock: Unix time in seconds.
        taken_back: numbers of tickets that were, each with the Unix time at which it ends anyway. Kept up to date.

    Attributes:
        changed: an event for the next ticket that is taken back: get it before `why_over`, or one may be missed.
    """

    def __init__(
        self, key: bytes, clock: Callable[[], float] = time.time, taken_back: dict[str, int] | None = None
    ) -> None:
        self.changed = asyncio.Event()
        self._key = key
        self._clock = clock
        self._taken_back = {} if taken_back is None else taken_back

    @staticmethod
    def is_ticket(text: str) -> bool:
        """Whether a credential is meant as a ticket."""
        return text.startswith(PREFIX)

    def sign(self, grant: Grant) -> str:
        """The grant as a ticket, for headers, subprotocols and queries alike."""
        fields = [grant.role, grant.session, grant.owner, grant.expires_s, grant.number]
        signed = PREFIX + _text(json.dumps(fields, separators=(",", ":")).encode())
        return f"{signed}.{self._signature(signed)}"

    def read(self, text: str) -> Grant:
        """The grant of a ticket.

        Raises:
            TicketError: this server did not sign it, or its time is over.
        """
        signed, _, signature = text[:TICKET_MAX_CHARS].rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            raise TicketError("this ticket is none of this server's: ask for another one")
        try:
            fields = json.loads(base64.urlsafe_b64decode(signed.removeprefix(PREFIX) + "=="))
            role, session, owner, expires_s, *number = fields  # those of earlier versions have no number
            grant = Grant(Role(role), session, owner, expires_s, *map(_as_text, number))
        except (ValueError, TypeError):
            raise TicketError("this ticket is of another version of the server: ask for another one") from None
        if (why := self.why_over(grant)) is not None:
            raise TicketError(why)
        return grant

    def why_over(self, grant: Grant) -> str | None:
        """Why a grant is no longer valid; None while it is."""
        if self.left_s(grant) <= 0:
            return "the time of this ticket is over: ask for another one"
        parts = grant.number.split(".")
        if any(".".join(parts[: n + 1]) in self._taken_back for n in range(len(parts))):
            return "this ticket was taken back: ask for another one"
        return None

    def number_below(self, grant: Grant, expires_s: int) -> str:
        """A number for a ticket that a grant gives: the grant's own, `.`, when it ends, and what nobody can guess.

        So whoever takes a ticket back takes back all that was given by it, and a ticket says whose it is to take back.

        Raises:
            TicketError: it went through too many hands.
        """
        number = f"{grant.number}{'.' if grant.number else ''}{expires_s:08x}-{secrets.token_urlsafe(NUMBER_BYTES)}"
        if number.count(".") >= DEPTH_MAX:
            raise TicketError(f"tickets go through {DEPTH_MAX} hands: ask for one that was given less often")
        return number

    def take_back(self, number: str) -> None:
        """Let a ticket be valid no longer, nor those that were given by it.

        Raises:
            TicketError: this is no ticket's number, or as many were taken back as may be.
        """
        if not _NUMBER.fullmatch(number):
            raise TicketError("this is no ticket's number: it stands in the answer to whoever gave the ticket")
        now_s, ends_s = self._clock(), int(number.rpartition(".")[2][:8], 16)
        for over in [each for each, until_s in self._taken_back.items() if until_s <= now_s]:
            del self._taken_back[over]
        if ends_s <= now_s:
            return  # it is over
        if ends_s > now_s + VALID_MAX_S:
            raise TicketError("there is no ticket of this number: it would be valid for too long")
        if len(self._taken_back) >= TAKEN_BACK_MAX:
            raise TicketError(f"{TAKEN_BACK_MAX} tickets were taken back already: take back those that they came of")
        self._taken_back[number] = ends_s
        self.changed.set()
        self.changed = asyncio.Event()

    def left_s(self, grant: Grant) -> float:
        """Seconds for which a grant is still valid."""
        return float("inf") if grant.expires_s is None else grant.expires_s - self._clock()

    def until(self, grant: Grant, valid_s: float) -> int:
        """The end of a grant that is given by another one, which it does not outlast. Unix time in seconds."""
        return int(self._clock() + min(valid_s, self.left_s(grant)))

    def _signature(self, signed: str) -> str:
        return _text(hmac.digest(self._key, signed.encode(), hashlib.sha256))


def _as_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
