"""What a session's next frame is made from: its own last picture, behind no failure, no other's, no older connection's.

The engine gives pictures back as they are, so a feedback of a half halves what was before with each frame, and what
calm changes is the frame itself.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from realtime.engine.echo import EchoEngine
from realtime.errors import FrameError
from realtime.frame import Job, Repeat, Result
from realtime.media import codec
from realtime.media.pipeline import Pipeline
from realtime.params import Params
from realtime.scheduling.scheduler import Scheduler
from realtime.session import Session
from tests.fakes.frames import a_frame
from tests.fakes.pictures import a_plain_jpeg
from tests.fakes.waiting import PATIENCE_S

BLACK, WHITE = 0, 255
FAILS = 77
"""Level of pictures on which the engine fails."""


def fail(job: Job) -> None:
    if abs(int(job.input.mean()) - FAILS) <= 1:
        raise FrameError("the test says so")


class Mirror:
    """A user who shows plain pictures and looks at what comes back."""

    def __init__(self, scheduler: Scheduler, name: str = "a", **params: object) -> None:
        self.session = Session(name, Params.model_validate({"width": 64, "height": 64, **params}), 2**22)
        self.arrived = threading.Event()
        self._seq = 0
        self.connect()
        scheduler.add(self.session)

    def connect(self, *, takes_encoded: bool = True) -> None:
        self.channel = self.session.attach(self.arrived.set, takes_encoded)

    def show(self, level: int) -> None:
        self._seq += 1
        self.session.offer(self.channel, a_frame(self._seq, a_plain_jpeg(level)))

    def outcome(self) -> Result | Repeat:
        while (outcome := self.channel.outbox.take()) is None:
            assert self.arrived.wait(PATIENCE_S), "no picture came"
            self.arrived.clear()
        return outcome

    def result(self) -> Result:
        outcome = self.outcome()
        assert isinstance(outcome, Result)
        return outcome

    def sees(self, level: int) -> int:
        """Show it and wait for its picture, which is plain: its level."""
        self.show(level)
        picture = self.result().picture
        assert np.ptp(picture) <= 2
        return round(float(picture.mean()))

    def fails_at(self, level: int) -> None:
        """Show what the engine fails on, and wait until it has."""
        self.show(level)
        while not any('"error"' in text for text in self.channel.take_texts()):
            assert self.arrived.wait(PATIENCE_S), "no error came"
            self.arrived.clear()


@contextmanager
def served(threads: int | None = None) -> Iterator[Scheduler]:
    scheduler = Scheduler(EchoEngine(fault=fail), pipeline=Pipeline(threads=threads))
    thread = threading.Thread(target=scheduler.run, name="engine")
    thread.start()
    try:
        yield scheduler
    finally:
        scheduler.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_still_camera_with_feedback_goes_on_changing() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, feedback=0.5)

        assert [user.sees(level) for level in (WHITE, BLACK, BLACK, BLACK)] == [255, 128, 64, 32]


def test_without_feedback_pictures_are_those_of_the_frame_alone() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, feedback=0, feedback_zoom=1.1, feedback_turn=10, skip_unchanged=False)

        assert [user.sees(level) for level in (WHITE, BLACK, BLACK)] == [255, 0, 0]
        user.show(100)
        job = user.result().job
        assert job.original is None
        assert job.input is job.picture


def test_who_watches_the_input_sees_it_without_what_was_mixed_in() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, feedback=0.5)
        user.sees(WHITE)
        user.show(BLACK)
        result = user.result()

    user.session.command("bypass")
    assert round(float(result.picture.mean())) == 128
    assert not result.on_air(user.session.air).picture.any()


def test_frame_that_failed_begins_anew() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, feedback=0.5)
        user.sees(WHITE)
        user.fails_at(FAILS)

        assert [user.sees(level) for level in (BLACK, WHITE)] == [0, 128]


def test_connection_begins_anew() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, feedback=0.5)
        user.sees(WHITE)
        user.connect()

        assert user.sees(BLACK) == 0


def test_frame_under_way_at_a_takeover_leaves_nothing_behind() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, feedback=0.8, calm=1, skip_unchanged=False)
        for _ in range(20):
            user.sees(WHITE)
            user.show(WHITE)
            user.connect()

            assert user.sees(100) == 100


def test_feedback_goes_on_in_another_size_and_begins_anew_in_another_shape() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, feedback=0.5)
        user.sees(WHITE)

        user.session.update({"width": 128, "height": 120})
        assert user.sees(BLACK) == 128
        user.session.update({"width": 64})
        assert user.sees(BLACK) == 0


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_a_picture_is_made_from_the_last_one_of_its_connection(seed: int) -> None:
    chance = random.Random(seed)
    with served() as scheduler:
        user, last, shape = Mirror(scheduler, feedback=0.5), -1, 1
        for _ in range(60):
            match chance.choice(["show", "show", "resume", "fail", "size", "shape", "freeze", "no feedback", "reset"]):
                case "resume":
                    user.connect()
                    last = -1
                case "fail":
                    user.fails_at(FAILS)
                    last = -1
                case "size":
                    side = chance.choice([64, 96, 128])
                    user.session.update({"width": side * shape, "height": side})
                case "shape":
                    shape, last = 3 - shape, -1
                    user.session.update({"width": 64 * shape, "height": 64})
                case "freeze":
                    user.session.command("freeze")
                    user.show(200)
                    user.session.command("unfreeze")
                case "no feedback":
                    user.session.update({"feedback": 0, "skip_unchanged": False})
                    last = user.sees(chance.choice([BLACK, WHITE]))
                    user.session.update({"feedback": None})
                case "reset":
                    user.session.command("reset")
                    last, shape = (last, 1) if shape == 1 else (-1, 1)
                case _:
                    level = chance.choice([BLACK, 120, WHITE])
                    expected = level if last < 0 else (level + last) / 2
                    last = user.sees(level)
                    assert last == pytest.approx(expected, abs=1.5)


def test_sessions_see_their_own_past_alone_in_one_pool() -> None:
    levels = [WHITE, BLACK, 40, 200, BLACK, 120, WHITE, 10]
    with served() as scheduler:
        alone = Mirror(scheduler, "alone", feedback=0.5)
        expected = {0.5: [alone.sees(level) for level in levels], 0.0: levels}

    with served(threads=3) as scheduler:
        shares = [0.5, 0.0, 0.5, 0.0]
        users = [Mirror(scheduler, str(i), feedback=share, skip_unchanged=False) for i, share in enumerate(shares)]
        seen: list[list[int]] = []
        for level in levels:
            for user in users:
                user.show(level)
            seen.append([round(float(user.result().picture.mean())) for user in users])

    for share, levels_seen in zip(shares, zip(*seen, strict=True), strict=True):
        np.testing.assert_allclose(levels_seen, expected[share], atol=1)


# -- calm ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("takes_encoded", [True, False])
def test_calm_picture_is_what_every_transport_gets(takes_encoded: bool) -> None:
    with served() as scheduler:
        user = Mirror(scheduler, calm=1)
        user.connect(takes_encoded=takes_encoded)
        viewer = user.session.watch(lambda: None)
        assert user.sees(100) == 100
        user.show(104)
        result = user.result()

    level = result.picture.mean()
    assert 101 <= level <= 103
    assert result.job.picture.mean() == pytest.approx(104, abs=0.1)
    watched = viewer.take()
    assert watched is not None
    assert watched.picture is result.picture
    if takes_encoded:
        assert codec.decode(result.data, result.format, 64, 64, 64 * 64).mean() == pytest.approx(level, abs=1)
    else:
        assert result.data == b""


def test_without_calm_pictures_are_the_engines_own() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, skip_unchanged=False)
        user.sees(100)
        user.show(106)
        result = user.result()

    assert result.picture is result.job.picture


def test_cut_begins_anew() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, calm=1)

        assert [user.sees(level) for level in (10, 240, 10)] == [10, 240, 10]


def test_calm_begins_anew_behind_a_failure_and_where_the_size_changes() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, calm=1)
        user.sees(100)
        user.fails_at(FAILS)
        assert user.sees(104) == 104

        user.session.update({"width": 96})
        assert user.sees(100) == 100


def test_still_camera_with_calm_comes_to_rest_at_its_picture_and_is_then_repeated() -> None:
    with served() as scheduler:
        user = Mirror(scheduler, calm=0.5)
        user.sees(100)
        levels: list[int] = []
        for _ in range(user.session.params.frames_to_rest + 1):
            levels.append(user.sees(104))
        user.show(104)
        outcome = user.outcome()

    assert levels == sorted(levels)
    assert levels[0] < 104
    assert levels[-1] == 104
    assert isinstance(outcome, Repeat)
