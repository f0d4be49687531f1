"""Who is in, who stands in line, who may still come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime.channel import Channel
from realtime.errors import CloseCode, ProtocolError, SessionLimitError
from realtime.params import Params
from realtime.scheduling.scheduler import Scheduler
from realtime.server import lobby
from realtime.server.lobby import Lobby
from realtime.session import Session
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame
from tests.fakes.waiting import until

Seat = tuple[Session, Channel]


def nothing(*args: Any) -> None:
    pass


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is refused is refused soon."""
    monkeypatch.setattr(lobby, "GRACE_S", 0.1)


class House:
    """A lobby and what it told."""

    def __init__(self, *, seats: int = 1, line: int = 0, resume_s: float = 3600.0, min_fps: float = 0.0) -> None:
        self.ended: list[str] = []
        self.fps_for_one = 1000.0
        self.lobby = Lobby(
            max_sessions=seats,
            max_waiting=line,
            resume_s=resume_s,
            defaults=Params(),
            max_output_pixels=2**22,
            on_end=lambda session: self.ended.append(session.name),
            rate_with=lambda newcomers: self.fps_for_one / (self.lobby.connected + newcomers),
            min_fps=min_fps,
        )
        self.lobby.serve_by(Scheduler(ScriptedEngine()))

    async def enter(self, name: str | None = None) -> Seat:
        session = await self.lobby.enter(name, nothing)
        return session, session.attach(nothing)


class Visitor:
    """Somebody who may have to stand in line."""

    def __init__(self, house: House, name: str) -> None:
        self.positions: list[tuple[int, int]] = []
        self.task = asyncio.create_task(self._enter(house, name))

    async def _enter(self, house: House, name: str) -> Seat:
        session = await house.lobby.enter(name, lambda place, size: self.positions.append((place, size)))
        return session, session.attach(nothing)

    @property
    def is_in(self) -> bool:
        return self.task.done() and not self.task.cancelled()

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def until_none_waits(house: House) -> None:
    """Wait until every session that is left has a connection."""
    await until(lambda: all(session.channel is not None for session in house.lobby.sessions))


# -- names and limits ----------------------------------------------------------------------------------------------


async def test_new_connection_gets_a_session_of_its_own_with_a_name() -> None:
    house = House(seats=2)

    first, _ = await house.enter()
    second, _ = await house.enter()

    assert first is not second
    assert {s.name for s in house.lobby.sessions} == {first.name, second.name}
    assert house.lobby.get(first.name) is first
    assert house.lobby.connected == 2


@pytest.mark.parametrize("name", ["", " ", "a b", "ä", "a" * 65, "a/b", "../a", "a\n", "a\0", "%41"])
async def test_name_that_is_none_is_a_protocol_error_and_takes_no_seat(name: str) -> None:
    house = House()

    with pytest.raises(ProtocolError) as caught:
        await house.enter(name)

    assert caught.value.close_code == CloseCode.PROTOCOL_ERROR
    assert house.lobby.connected == 0


@pytest.mark.parametrize("name", ["a", "A-b_9", "-", "x" * 64])
async def test_name_of_the_clients_choice_is_taken(name: str) -> None:
    session, _ = await House().enter(name)

    assert session.name == name


async def test_full_server_refuses_with_1013() -> None:
    house = House(seats=1)
    await house.enter()

    with pytest.raises(SessionLimitError) as caught:
        await house.enter()

    assert caught.value.close_code == CloseCode.TRY_LATER
    assert house.lobby.connected == 1


async def test_seat_that_was_left_is_free_again() -> None:
    house = House(seats=1)
    for _ in range(5):
        seat = await house.enter()
        house.lobby.leave(*seat)

    assert house.lobby.connected == 0


async def test_newcomer_waits_a_moment_for_a_seat_that_is_being_left() -> None:
    house = House(seats=1)
    seat = await house.enter("a")
    b = Visitor(house, "b")
    await settle()
    assert not b.is_in

    house.lobby.leave(*seat)
    await settle()

    assert b.is_in
    assert b.positions == []


async def test_few_wait_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "GRACE_S", 60.0)
    house = House(seats=1)
    await house.enter("a")
    visitors = [Visitor(house, f"n{number}") for number in range(lobby.GRACE_MAX)]
    await settle()

    with pytest.raises(SessionLimitError):
        await house.enter("one-more")
    for visitor in visitors:
        await visitor.leave()


# -- the line ------------------------------------------------------------------------------------------------------


async def test_line_tells_positions_and_moves_up() -> None:
    house = House(seats=1, line=2)
    seat = await house.enter("a")
    b, c = Visitor(house, "b"), Visitor(house, "c")
    await settle()
    assert (b.positions[-1], c.positions[-1]) == ((1, 2), (2, 2))

    house.lobby.leave(*seat)
    await settle()

    assert (b.is_in, c.is_in) == (True, False)
    assert c.positions[-1] == (1, 1)
    await c.leave()


async def test_line_that_is_full_refuses_with_1013() -> None:
    house = House(seats=1, line=1)
    await house.enter("a")
    b = Visitor(house, "b")
    await settle()

    with pytest.raises(SessionLimitError):
        await house.enter("c")
    await b.leave()


async def test_who_leaves_the_line_is_forgotten_and_the_next_move_up() -> None:
    house = House(seats=1, line=3)
    await house.enter("a")
    visitors = [Visitor(house, name) for name in "bcd"]
    await settle()

    await visitors[0].leave()
    await settle()

    assert visitors[1].positions[-1] == (1, 2)
    assert visitors[2].positions[-1] == (2, 2)
    for visitor in visitors:
        await visitor.leave()


async def test_seat_of_one_who_left_while_being_let_in_goes_to_the_next() -> None:
    house = House(seats=1, line=2)
    seat = await house.enter("a")
    b, c = Visitor(house, "b"), Visitor(house, "c")
    await settle()

    house.lobby.leave(*seat)
    b.task.cancel()
    await settle()

    assert b.task.cancelled()
    assert c.is_in
    assert house.lobby.connected == 1


async def test_two_who_leave_at_once_let_two_in_and_not_more() -> None:
    house = House(seats=2, line=4)
    seats = [await house.enter(name) for name in "ab"]
    visitors = [Visitor(house, name) for name in "cdef"]
    await settle()

    for seat in seats:
        house.lobby.leave(*seat)
    await settle()

    assert [visitor.is_in for visitor in visitors] == [True, True, False, False]
    assert house.lobby.connected == 2
    for visitor in visitors[2:]:
        await visitor.leave()


async def test_newcomer_does_not_overtake_the_line_nor_wait_where_seats_are_free() -> None:
    house = House(seats=2, line=4)
    seats = [await house.enter(name) for name in "ab"]
    c = Visitor(house, "c")
    await settle()

    for seat in seats:
        house.lobby.leave(*seat)
    d = Visitor(house, "d")
    await settle()

    assert (c.is_in, d.is_in) == (True, True)
    assert house.lobby.connected == 2


async def test_line_never_lets_in_more_than_there_are_seats() -> None:
    house = House(seats=2, line=50)
    seats = [await house.enter(), await house.enter()]
    visitors = [Visitor(house, f"v{number}") for number in range(12)]
    most = 0
    for turn, visitor in enumerate(visitors):
        await settle()
        most = max(most, house.lobby.connected)
        if turn % 3 == 0:
            await visitor.leave()
        inside = [seat for seat in seats if seat[0].channel is seat[1]]
        inside += [v.task.result() for v in visitors if v.is_in and v.task.result()[0].channel is v.task.result()[1]]
        for seat in inside:
            house.lobby.leave(*seat)
    await settle()

    assert most == 2
    assert all(visitor.task.done() for visitor in visitors)


# -- what the engine can do ----------------------------------------------------------------------------------------


async def test_first_session_enters_however_slow_the_engine_is() -> None:
    house = House(seats=8, min_fps=5)
    house.fps_for_one = 0.5

    await house.enter()

    assert house.lobby.connected == 1


async def test_session_that_would_make_all_too_slow_is_refused_and_told_the_rate() -> None:
    house = House(seats=8, min_fps=5)
    house.fps_for_one = 14.0
    await house.enter()
    await house.enter()

    with pytest.raises(SessionLimitError, match=r"busy: .* 4\.7 pictures a second, and 5 are the least") as caught:
        await house.enter()

    assert caught.value.close_code == CloseCode.TRY_LATER
    with pytest.raises(SessionLimitError):
        house.lobby.check_room(None, may_wait=False)
    assert house.lobby.connected == 2


async def test_seats_are_all_that_counts_where_no_rate_is_asked_for() -> None:
    house = House(seats=2)
    house.fps_for_one = 0.0

    await house.enter()
    await house.enter()

    assert house.lobby.connected == 2


async def test_line_moves_when_the_engine_has_less_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.server.lobby.LOOK_AGAIN_S", 0.001)
    house = House(seats=8, line=4, min_fps=5)
    house.fps_for_one = 9.0
    await house.enter()
    b, c = Visitor(house, "b"), Visitor(house, "c")
    await settle()
    assert (b.positions[-1], c.positions[-1]) == ((1, 2), (2, 2))

    house.fps_for_one = 14.0
    await until(lambda: b.is_in)
    await settle()

    assert not c.is_in
    assert c.positions[-1] == (1, 1)
    await c.leave()


async def test_those_on_their_way_from_the_line_are_counted() -> None:
    house = House(seats=8, line=4, min_fps=5)
    house.fps_for_one = 9.0
    seat = await house.enter()
    visitors = [Visitor(house, name) for name in "bcd"]
    await settle()

    house.lobby.leave(*seat)
    await settle()

    assert [visitor.is_in for visitor in visitors] == [True, False, False]
    for visitor in visitors[1:]:
        await visitor.leave()


# -- coming back ---------------------------------------------------------------------------------------------------


async def test_client_that_comes_back_finds_its_params() -> None:
    house = House()
    session, channel = await house.enter("a")
    session.update({"prompt": "ink"})
    house.lobby.leave(session, channel)

    again, _ = await house.enter("a")

    assert again is session
    assert again.params.prompt == "ink"
    assert house.ended == []


async def test_session_that_nobody_comes_back_to_ends_after_resume_s() -> None:
    house = House(resume_s=0.01)
    session, channel = await house.enter("a")
    house.lobby.leave(session, channel)
    assert len(house.lobby.sessions) == 1

    await until_none_waits(house)

    assert house.ended == ["a"]
    assert session.ended.is_set()
    assert (await house.enter("a"))[0].params.version == 0


async def test_session_that_was_come_back_to_does_not_end() -> None:
    house = House(seats=2, resume_s=0.01)
    session, channel = await house.enter("a")
    house.lobby.leave(session, channel)
    await house.enter("a")
    house.lobby.leave(*await house.enter("ends-later-than-a-would-have"))

    await until_none_waits(house)

    assert house.lobby.sessions == [session]


async def test_second_connection_takes_the_session_over_without_a_second_seat() -> None:
    house = House(seats=1)
    session, first = await house.enter("a")

    again, second = await house.enter("a")
    house.lobby.leave(session, first)

    assert again is session
    assert session.channel is second
    assert house.lobby.connected == 1


async def test_sessions_that_wait_for_their_clients_are_bounded_and_of_those_used_alike_the_oldest_go_first() -> None:
    house = House(seats=3)
    for number in range(20):
        house.lobby.leave(*await house.enter(f"n{number}"))

    assert [session.name for session in house.lobby.sessions] == ["n17", "n18", "n19"]
    assert house.ended == [f"n{number}" for number in range(17)]


async def test_session_that_was_used_is_kept_before_those_that_were_not() -> None:
    house = House(seats=3)
    drawn, channel = await house.enter("drawn")
    drawn.offer(channel, a_frame())
    house.lobby.leave(drawn, channel)
    told, channel = await house.enter("told")
    told.update({"prompt": "mine"})
    house.lobby.leave(told, channel)
    for number in range(20):
        house.lobby.leave(*await house.enter(f"n{number}"))

    assert [session.name for session in house.lobby.sessions] == ["drawn", "told", "n19"]


async def test_dismissed_session_is_gone_at_once_and_its_seat_is_free() -> None:
    house = House(seats=1, line=1)
    session, channel = await house.enter("a")
    b = Visitor(house, "b")
    await settle()

    house.lobby.dismiss(session)
    await settle()
    assert channel.lost.is_set() and session.ended.is_set()
    house.lobby.leave(session, channel)  # its connection notices later

    assert session.channel is None
    assert house.lobby.get("a") is None
    assert b.is_in
    assert house.lobby.connected == 1


async def test_dismissed_session_without_a_connection_is_gone_too() -> None:
    house = House()
    session, channel = await house.enter("a")
    house.lobby.leave(session, channel)

    house.lobby.dismiss(session)

    assert house.lobby.sessions == []
    assert house.ended == ["a"]
