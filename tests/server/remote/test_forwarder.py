"""What a server sends to a worker, and how it hands answers over: a worker that answers as the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from realtime.channel import Channel
from realtime.engine import RowCost
from realtime.frame import Format, Repeat, Result
from realtime.params import Params
from realtime.references import References
from realtime.scheduling.capacity import MOST_FPS, Capacity
from realtime.scheduling.suspects import Suspects
from realtime.server.remote.forwarder import Forwarder
from realtime.server.remote.messages import (
    HandedBack,
    Offering,
    Overtaken,
    PictureMade,
    PictureRefused,
    RemoteAnswer,
    Reply,
    ShownBefore,
)
from realtime.session import Session
from tests.fakes.clock import FakeClock
from tests.fakes.frames import a_frame
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.waiting import PATIENCE_S

MADE = PictureMade(Format.JPEG, a_plain_jpeg(9), False, None, {"queue": 1, "denoise": 5}, 6)


def cost(params: Params) -> RowCost:
    return RowCost((1,))


class Worker:
    """Takes what is sent, and answers when the test says so."""

    def __init__(self) -> None:
        self.offers: list[tuple[Offering, Future[Any]]] = []
        self.others: list[tuple[object, ...]] = []
        self._changed = threading.Condition()

    def call(self, method: str, *arguments: object) -> Future[Any]:
        future: Future[Any] = Future()
        with self._changed:
            if method == "offer":
                (offering,) = arguments
                assert isinstance(offering, Offering)
                self.offers.append((offering, future))
            else:
                self.others.append((method, *arguments))
                future.set_result(None)
            self._changed.notify_all()
        return future

    def offer(self, index: int) -> Offering:
        """The offering of this number; waits for it."""
        self.until(lambda: len(self.offers) > index)
        return self.offers[index][0]

    def until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE_S)

    def answer(self, index: int, number: int, answer: RemoteAnswer) -> None:
        self.offer(index)
        self.offers[index][1].set_result(Reply(number, answer))


class House:
    """A forwarder with one session."""

    def __init__(self, rows_per_session: int = 1, references: References | None = None) -> None:
        self.worker, self.clock, self.troubled = Worker(), FakeClock(), threading.Event()
        self.suspects = Suspects(self.clock)
        self.forwarder = Forwarder(
            self.worker, 7, rows_per_session, cost, 2**22, self.troubled.set, self.suspects, self.clock
        )
        self.session = Session("s", Params(width=64, height=64), 2**22, clock=self.clock, references=references)
        self.channel = self.connect()
        self.forwarder.add(self.session)

    def connect(self) -> Channel:
        return self.session.attach(lambda: None)

    def send(self, seq: int) -> None:
        self.session.offer(self.channel, a_frame(seq))

    def taken(self) -> Result | Repeat:
        """The next answer to the client."""
        return until(self.channel.outbox.take)

    def dropped(self) -> dict[str, int]:
        return {reason.value: count for reason, count in self.session.stats.dropped.items()}

    def end(self) -> None:
        if not self.forwarder._thread.is_alive():
            return
        ended = threading.Event()
        self.forwarder.give_up(ended.set, blames_until_ns=None)
        assert ended.wait(PATIENCE_S)


def until(take: Callable[[], Any]) -> Any:
    """What comes of it, once something does."""
    end_s = time.monotonic() + PATIENCE_S
    while not (found := take()):
        assert time.monotonic() < end_s
        time.sleep(0.002)
    return found


@pytest.fixture
def house() -> Any:
    house = House()
    yield house
    house.end()


def test_frame_crosses_as_it_came_with_the_params_of_the_moment(house: House) -> None:
    house.session.update({"strength": 0.25})
    house.send(5)
    offering = house.worker.offer(0)
    house.worker.answer(0, 0, MADE)
    result = house.taken()

    assert (offering.epoch, offering.session, offering.format) == (7, "s", Format.JPEG)
    assert offering.data == a_frame(5).data
    assert offering.params.strength == 0.25
    assert isinstance(result, Result)
    assert (result.data, result.job.frame.seq) == (MADE.data, 5)


def test_answers_that_overtake_each_other_are_handed_over_in_their_order(house: House) -> None:
    for seq in (1, 2, 3):
        house.send(seq)
        house.worker.offer(seq - 1)
    house.worker.answer(2, 2, ShownBefore())
    house.worker.answer(1, 1, Overtaken())
    early = house.channel.outbox.take()
    house.worker.answer(0, 0, MADE)
    until(lambda: house.session.stats.repeated)

    assert early is None
    assert house.channel.last_delivered == 3
    assert house.dropped() == {"superseded": 2}, "the second, and the first, whose unsent picture answers the third"


def test_no_more_is_sent_than_has_room_there_and_the_newest_waits_here(house: House) -> None:
    for seq in (1, 2, 3):
        house.send(seq)
        house.worker.offer(seq - 1)
    house.send(4)
    house.send(5)
    house.worker.answer(0, 0, MADE)
    newest = house.worker.offer(3)

    assert newest.data == a_frame(5).data
    assert len(house.worker.offers) == 4
    assert house.dropped() == {"superseded": 1}


def test_frame_that_is_refused_there_is_refused_here_in_the_same_words(house: House) -> None:
    house.send(1)
    house.worker.answer(0, 0, PictureRefused("the JPEG can't be decoded", "invalid_frame"))
    (text,) = until(house.channel.take_texts)

    assert "the JPEG can't be decoded" in text
    assert house.dropped() == {"invalid": 1}


def test_frame_that_is_handed_back_waits_until_the_worker_goes_on_and_begins_anew_there(house: House) -> None:
    house.send(1)
    first = house.worker.offer(0)
    house.worker.answer(0, 0, HandedBack(is_suspect=False))
    assert house.troubled.wait(PATIENCE_S)
    until(lambda: house.channel.inbox.full)
    house.forwarder.resume()
    second = house.worker.offer(1)
    house.worker.answer(1, 0, MADE)
    result = house.taken()

    assert second.connection > first.connection
    assert (second.data, result.order.frame.seq) == (first.data, 1)
    assert house.dropped() == {}


def test_call_that_fails_gives_its_frame_back_and_holds_no_other_answer_up(house: House) -> None:
    house.send(1)
    house.worker.offer(0)
    house.send(2)
    house.worker.answer(1, 1, MADE)
    house.worker.offers[0][1].set_exception(ConnectionError("it is gone"))
    assert house.troubled.wait(PATIENCE_S)

    assert house.taken().order.frame.seq == 2


def test_worker_that_is_given_up_gives_the_newest_frame_back_and_drops_the_others(house: House) -> None:
    for seq in (1, 2, 3):
        house.send(seq)
        house.worker.offer(seq - 1)
    house.end()
    waiting = house.channel.inbox.take()

    assert waiting is not None
    assert waiting.seq == 3
    assert house.dropped() == {"engine_restarted": 2}


def test_frames_that_a_lost_worker_had_are_run_alone_at_the_next() -> None:
    first, second = House(), House()
    first.forwarder._suspects = second.forwarder._suspects = second.suspects
    first.send(1)
    first.worker.offer(0)
    ended = threading.Event()
    first.forwarder.give_up(ended.set, blames_until_ns=first.clock.now_ns)
    assert ended.wait(PATIENCE_S)
    first.session.name = "suspect"
    second.suspects.broke([_order("suspect")])
    second.forwarder.add(first.session)
    other_is_held = second.worker.offer(0).session
    second.send(1)
    second.worker.answer(0, 0, MADE)
    then = second.worker.offer(1).session
    second.end()

    assert (other_is_held, then) == ("suspect", "s")


@pytest.mark.parametrize("is_earlier", [True, False])
def test_frame_that_was_sent_to_a_worker_that_was_silent_already_is_not_suspected(is_earlier: bool) -> None:
    house = House()
    house.send(1)
    house.worker.offer(0)
    ended = threading.Event()
    house.forwarder.give_up(ended.set, blames_until_ns=house.clock.now_ns - (0 if is_earlier else 1))

    assert ended.wait(PATIENCE_S)
    assert ("s" in house.suspects) is is_earlier


def _order(session: str) -> Any:
    from realtime.frame import Order

    return Order(a_frame(), Params(width=64, height=64), session, 0)


def test_session_leaves_behind_its_frames_and_the_worker_forgets_it(house: House) -> None:
    gone = threading.Event()
    house.send(1)
    offering = house.worker.offer(0)
    house.forwarder.remove(house.session, gone.set)
    house.send(2)
    still = gone.is_set()
    house.worker.answer(0, 0, MADE)

    assert gone.wait(PATIENCE_S)
    assert not still
    assert house.worker.others == [("forget", 7, "s", offering.connection)]
    assert (len(house.worker.offers), house.channel.inbox.full) == (1, True)


def test_pictures_that_params_name_cross_once() -> None:
    references = References()
    name = references.add(np.full((8, 8, 3), 7, np.uint8))
    house = House(references=references)
    house.session.update({"prompt": [{"picture": name, "weight": 1}]})
    for seq in (1, 2):
        house.send(seq)
        house.worker.answer(seq - 1, seq - 1, MADE)
        house.taken()
    house.end()

    assert [(call[0], call[1]) for call in house.worker.others if call[0] == "keep"] == [("keep", name)]


def test_rate_is_calculated_from_what_the_worker_has_measured(house: House) -> None:
    unknown = house.forwarder.rate_with([Params()])
    house.forwarder.capacity = Capacity((0.0, 10e6), 8)  # 10 ms each
    alone, with_one = house.forwarder.rate_with([]), house.forwarder.rate_with([Params()])

    assert unknown == MOST_FPS
    assert (alone, with_one) == (pytest.approx(90, abs=0.1), pytest.approx(45, abs=0.1))


def test_times_of_stages_are_those_of_the_worker_between_the_ways(house: House) -> None:
    house.send(1)
    house.worker.offer(0)
    house.clock.advance_ms(20)
    marks = {"queue": 1_000_000, "decode": 3_000_000, "denoise": 9_000_000, "encode": 10_000_000}
    house.worker.answer(0, 0, MADE._replace(marks_ns=marks, spent_ns=10_000_000))
    result = house.taken()
    assert isinstance(result, Result)
    stages = result.stamps.durations_ms()

    assert (stages["decode"], stages["denoise"], stages["encode"]) == (2.0, 6.0, 1.0)
    assert house.clock.now_ns - result.stamps.encode == 5_000_000


def test_frame_that_is_set_aside_is_refused_before_it_is_sent(house: House) -> None:
    house.suspects.broke([_order("s")])
    house.suspects.broke([_order("s")])
    house.send(1)
    (text,) = until(house.channel.take_texts)

    assert "set_aside" in text
    assert house.worker.offers == []
