"""What new params need is made beside the ticks: whose frames wait, for how long, and what they are run with."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

from realtime.frame import Order
from realtime.params import Params
from realtime.scheduling.ahead import GIVEN_UP_NS, PATIENCE_NS, PreparedParams
from realtime.scheduling.scheduler import Scheduler
from tests.fakes.clock import FakeClock
from tests.fakes.engine import ScriptedEngine
from tests.fakes.frames import a_frame
from tests.scheduling.stepping import User, running


class Encoder:
    """The part of an engine that makes things beside: prompts, one at a time, when the test says so."""

    def __init__(self) -> None:
        self.known = {""}
        self.asked: list[tuple[str, Future[int]]] = []

    def is_prepared(self, order: Order) -> bool:
        return str(order.params.prompt) in self.known

    def prepare_beside(self, order: Order) -> Future[int]:
        made = Future[int]()
        self.asked.append((str(order.params.prompt), made))
        return made

    def make_next(self, spent_ns: int = 1, *, is_refused: bool = False) -> None:
        prompt, made = self.asked.pop(0)
        if not is_refused:
            self.known.add(prompt)
        made.set_result(spent_ns)


class OneSession:
    """A session's frames, each with the params of its moment."""

    def __init__(self) -> None:
        self.engine = Encoder()
        self.ahead = PreparedParams()
        self.rung = 0
        self._version = 0

    def params(self, prompt: str) -> Params:
        self._version += 1
        return Params(prompt=prompt, version=self._version)

    def chosen(self, params: Params, now_ns: int = 0) -> str | None:
        """The prompt that a frame is run with; None: it waits."""

        def ring() -> None:
            self.rung += 1

        self.ahead.take_spent_ns(now_ns)
        order = Order(a_frame(1), params, "a", 0)
        chosen = self.ahead.chosen(order, self.engine, now_ns, lambda other: replace(order, params=other), ring)
        return None if chosen is None else str(chosen.params.prompt)


LATE_NS = PATIENCE_NS + 1


def test_first_frame_of_a_session_waits_for_its_prompt_however_long_that_takes() -> None:
    one = OneSession()
    ink = one.params("ink")

    assert one.chosen(ink) is None
    assert one.ahead.waits(100 * LATE_NS)
    one.engine.make_next()

    assert not one.ahead.waits(LATE_NS)
    assert one.chosen(ink) == "ink" and one.rung == 1


def test_frames_wait_a_moment_for_a_new_prompt_and_then_go_on_with_the_last() -> None:
    one = OneSession()
    assert one.chosen(one.params("")) == ""
    ink = one.params("ink")

    assert one.chosen(ink) is None and one.ahead.waits(PATIENCE_NS - 1)
    assert not one.ahead.waits(LATE_NS)
    assert one.chosen(ink, LATE_NS) == "" and len(one.engine.asked) == 1
    one.engine.make_next()

    assert one.chosen(ink, LATE_NS) == "ink"


def test_prompts_that_change_faster_than_they_are_made_are_seen_all_the_same() -> None:
    one = OneSession()
    one.chosen(one.params(""))
    seen: list[str | None] = []

    for number in range(1, 7):
        seen.append(one.chosen(one.params(f"{number}"), number * LATE_NS))
        if number % 2 == 0:
            one.engine.make_next()

    assert seen == [None, "", None, "1", None, "3"], "one at a time, and each time the newest"


def test_what_was_given_up_meanwhile_is_never_seen() -> None:
    one = OneSession()
    one.chosen(one.params(""))
    one.chosen(one.params("a mistake"))
    assert one.chosen(one.params("")) == "", "it is there"
    one.engine.make_next()
    ink = one.params("ink")

    one.chosen(ink)

    assert one.chosen(ink, LATE_NS) == ""


def test_what_can_not_be_made_is_run_so_that_the_tick_says_why() -> None:
    one = OneSession()
    one.chosen(one.params(""))
    bad = one.params("bad")
    one.chosen(bad)
    one.engine.make_next(is_refused=True)

    assert one.chosen(bad) == "bad" and not one.engine.asked


def test_last_params_that_the_engine_has_forgotten_are_not_run() -> None:
    one = OneSession()
    one.chosen(one.params(""))
    one.engine.known.clear()
    ink = one.params("ink")

    one.chosen(ink)

    assert one.chosen(ink, LATE_NS) is None and one.ahead.waits(2 * LATE_NS)


def test_what_is_never_made_is_left_to_a_tick() -> None:
    one = OneSession()
    ink = one.params("ink")
    one.chosen(ink)

    assert one.ahead.waits(GIVEN_UP_NS - 1) and not one.ahead.waits(GIVEN_UP_NS)
    assert one.chosen(ink, GIVEN_UP_NS) == "ink"


# -- in the scheduler ----------------------------------------------------------------------------------------------


class EncodingEngine(ScriptedEngine):
    """Encodes prompts beside its ticks, when the test says so."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(synchronous=True, clock=clock)
        self.encoder = Encoder()
        self.refused = ""

    def is_prepared(self, order: Order) -> bool:
        return self.encoder.is_prepared(order)

    def prepare_beside(self, order: Order) -> Future[int]:
        self.note(f"asked for {order.params.prompt}")
        return self.encoder.prepare_beside(order)

    def wait_until_asked(self, prompt: str) -> None:
        self.wait_for(lambda engine: f"asked for {prompt}" in engine.notes)


def prompts_of(engine: ScriptedEngine, session: str) -> list[str]:
    return [str(job.params.prompt) for jobs in engine.ticks for job in jobs if job.session == session]


def test_others_have_pictures_while_a_prompt_is_made_and_the_first_frame_behind_it_shows_it() -> None:
    clock = FakeClock()
    engine = EncodingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    typing, other = (User(scheduler, name, clock=clock) for name in ("typing", "other"))

    with running(scheduler, engine):
        typing.send()
        typing.answer()
        typing.session.update({"prompt": "ink"})
        typing.send()
        engine.wait_until_asked("ink")
        assert [other.send() == other.answer() for _ in range(5)] == [True] * 5
        assert prompts_of(engine, "typing") == [""]
        engine.encoder.make_next()

        assert typing.answer() == 2
    assert prompts_of(engine, "typing") == ["", "ink"]


def test_session_goes_on_with_its_last_prompt_while_a_new_one_takes_long_and_is_told_so() -> None:
    clock = FakeClock()
    engine = EncodingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a", clock=clock)

    with running(scheduler, engine):
        user.send()
        user.answer()
        version = user.session.params.version
        user.session.update({"prompt": "ink"})
        user.send()
        engine.wait_until_asked("ink")
        clock.advance_ms(PATIENCE_NS // 10**6 + 1)
        for _ in range(3):
            user.send()
            user.answer()
        assert user.session.newest is not None and user.session.newest.job.params.version == version
        assert user.session.in_use.version == version
        engine.encoder.make_next()
        user.send()
        user.answer()

    assert prompts_of(engine, "a") == ["", "", "", "", "ink"]
    assert user.session.newest.job.params.version == version + 1


def test_frame_that_is_shown_as_it_is_waits_for_no_prompt_and_leaves_the_last_as_it_was() -> None:
    engine = EncodingEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a", params=Params(prompt="ink"))

    with running(scheduler, engine):
        user.session.offer(user.channel, replace(a_frame(1), is_as_is=True))
        assert user.answer() == 1
        user.skip_to(1)
        user.send()
        engine.wait_until_asked("ink")
        engine.encoder.make_next()
        assert user.answer() == 2

    assert [job.params.strength > 0 for jobs in engine.ticks for job in jobs] == [False, True]


def test_time_of_what_is_made_beside_is_charged_to_whose_it_is() -> None:
    clock = FakeClock()
    engine = EncodingEngine(clock)
    scheduler = Scheduler(engine, clock=clock)
    user = User(scheduler, "a", clock=clock)
    spent: list[int] = []
    spend = scheduler._seats._on_opened
    scheduler._seats._on_opened = lambda seat, ns: (spent.append(ns), spend(seat, ns))[1]  # type: ignore[method-assign]

    with running(scheduler, engine):
        user.session.update({"prompt": "ink"})
        user.send()
        engine.wait_until_asked("ink")
        engine.encoder.make_next(30_000_000)
        user.answer()

    assert spent.count(30_000_000) == 1


def test_session_that_is_gone_while_its_prompt_is_made_is_forgotten() -> None:
    engine = EncodingEngine()
    scheduler = Scheduler(engine)
    user = User(scheduler, "a", params=Params(prompt="ink"))

    with running(scheduler, engine):
        user.send()
        engine.wait_until_asked("ink")
        scheduler.remove(user.session)
        engine.wait_for(lambda engine: "forget a" in engine.notes)
        engine.encoder.make_next()

    assert engine.ticks == []
