"""Tickets: what is signed comes back, and nothing else does."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.server.roles import Grant, Role, may_take_back
from realtime.server.tickets import (
    DEPTH_MAX,
    KEY_BYTES,
    PREFIX,
    TICKET_MAX_CHARS,
    VALID_MAX_S,
    TicketError,
    Tickets,
    new_key,
)

NOW_S = 1_700_000_000
KEY = bytes(KEY_BYTES)


def tickets(now_s: float = NOW_S, key: bytes = KEY) -> Tickets:
    return Tickets(key, lambda: now_s)


GRANTS = st.builds(
    Grant, st.sampled_from(Role), st.from_regex(r"[\w-]{0,64}", fullmatch=True), st.text(max_size=12),
    st.none() | st.integers(NOW_S + 1, 2**40), st.from_regex(r"[\w.-]{0,64}", fullmatch=True),
)  # fmt: skip


@given(GRANTS)
def test_what_is_signed_comes_back(grant: Grant) -> None:
    assert tickets().read(tickets().sign(grant)) == grant


@given(st.text(max_size=300))
def test_nothing_else_does(text: str) -> None:
    for each in (text, PREFIX + text):
        with pytest.raises(TicketError, match="none of this server's"):
            tickets().read(each)


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_ticket_that_was_changed_is_none(at: int) -> None:
    ticket = tickets().sign(Grant(Role.VIEWER, "show", "", NOW_S + 60))
    at %= len(ticket) - 1  # the last character has bits that are not read
    other = "A" if ticket[at] != "A" else "B"

    with pytest.raises(TicketError):
        tickets().read(ticket[:at] + other + ticket[at + 1 :])


def test_viewer_who_writes_owner_is_found_out() -> None:
    _, _, signature = tickets().sign(Grant(Role.VIEWER, "show")).rpartition(".")
    written = base64.urlsafe_b64encode(json.dumps(["owner", "show", "", None]).encode()).rstrip(b"=").decode()

    with pytest.raises(TicketError):
        tickets().read(f"{PREFIX}{written}.{signature}")


def test_ticket_of_another_key_is_none() -> None:
    with pytest.raises(TicketError):
        tickets(key=new_key()).read(tickets().sign(Grant(Role.VIEWER, "show")))


def test_ticket_ends_with_its_time() -> None:
    ticket = tickets().sign(Grant(Role.VIEWER, "show", "", NOW_S + 60))

    assert tickets(NOW_S + 59.9).read(ticket).session == "show"
    with pytest.raises(TicketError, match="the time of this ticket is over"):
        tickets(NOW_S + 60).read(ticket)


@pytest.mark.parametrize(
    "fields", [[], ["viewer"], ["king", "show", "", None], {}, "x", 3, ["viewer", "s", "", None, 1]]
)
def test_signed_ticket_of_another_version_is_refused(fields: object) -> None:
    here = tickets()
    signed = PREFIX + base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()

    with pytest.raises(TicketError, match="another version"):
        here.read(f"{signed}.{here._signature(signed)}")


def test_what_a_ticket_gives_does_not_outlast_it() -> None:
    here = tickets()

    assert here.until(Grant(Role.OWNER, "show", "", NOW_S + 60), 3600) == NOW_S + 60
    assert here.until(Grant(Role.OWNER, "show", "", NOW_S + 7200), 3600) == NOW_S + 3600
    assert here.until(Grant(Role.OPERATOR), 3600) == NOW_S + 3600


def test_ticket_can_stand_in_headers_subprotocols_and_queries() -> None:
    ticket = tickets().sign(Grant(Role.GUEST, "", "", NOW_S))

    assert set(ticket) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(ticket) < 200


def test_ticket_of_an_earlier_version_is_read() -> None:
    signed = PREFIX + base64.urlsafe_b64encode(json.dumps(["viewer", "show", "", NOW_S + 60]).encode()).decode()

    grant = tickets().read(f"{signed}.{tickets()._signature(signed)}")

    assert grant == Grant(Role.VIEWER, "show", "", NOW_S + 60)


OWNER = Grant(Role.OWNER, "show", "", NOW_S + 60)


def numbered(here: Tickets, giver: Grant = Grant(Role.OPERATOR)) -> Grant:  # noqa: B008  it is frozen
    """An owner's grant that another one gave."""
    return replace(OWNER, number=here.number_below(giver, NOW_S + 60))


def test_ticket_that_is_taken_back_is_over_with_those_that_it_gave_and_no_other() -> None:
    here = tickets()
    other, given = numbered(here), numbered(here)
    passed_on = numbered(here, given)

    changed = here.changed
    here.take_back(given.number)

    assert changed.is_set() and not here.changed.is_set()
    for grant in (given, passed_on):
        assert here.why_over(grant) == "this ticket was taken back: ask for another one"
        with pytest.raises(TicketError, match="was taken back"):
            here.read(here.sign(grant))
    assert here.read(here.sign(other)) == other


def test_given_ticket_that_is_taken_back_leaves_its_giver() -> None:
    here = tickets()
    given = numbered(here)
    passed_on = numbered(here, given)

    here.take_back(passed_on.number)

    assert here.why_over(given) is None
    assert may_take_back(given, passed_on.number) is None
    assert may_take_back(given, given.number) is not None
    assert may_take_back(passed_on, given.number) is not None
    assert may_take_back(OWNER, given.number) is not None, "one without a number has given none"


def test_what_was_taken_back_is_kept_until_it_would_have_ended() -> None:
    kept: dict[str, int] = {}
    here = Tickets(KEY, lambda: NOW_S, kept)
    given = numbered(here)
    here.take_back(given.number)
    assert kept == {given.number: NOW_S + 60}

    later = Tickets(KEY, lambda: NOW_S + 61, kept)
    later.take_back(later.number_below(Grant(Role.OPERATOR), NOW_S + 90))
    later.take_back(given.number)

    assert list(kept.values()) == [NOW_S + 90]


@pytest.mark.parametrize("number", ["", "x", "../x", f"{NOW_S + VALID_MAX_S + 9:08x}-aaaaaaa", "7fffffff-aaaaaaa"])
def test_what_is_no_ticket_is_not_taken_back(number: str) -> None:
    with pytest.raises(TicketError, match="number"):
        tickets().take_back(number)


def test_no_more_are_taken_back_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.server.tickets.TAKEN_BACK_MAX", 2)
    here = tickets()
    for _ in range(2):
        here.take_back(numbered(here).number)

    with pytest.raises(TicketError, match="2 tickets were taken back already"):
        here.take_back(numbered(here).number)


def test_ticket_goes_through_so_many_hands_and_stays_short() -> None:
    here = tickets()
    grant = Grant(Role.OWNER, "s" * 64, "o" * 12, NOW_S + 60)
    for _ in range(DEPTH_MAX):
        grant = replace(grant, number=here.number_below(grant, NOW_S + 60))

    assert len(here.sign(grant)) <= TICKET_MAX_CHARS and here.read(here.sign(grant)) == grant
    here.take_back(grant.number)
    with pytest.raises(TicketError, match="8 hands"):
        here.number_below(grant, NOW_S + 60)
