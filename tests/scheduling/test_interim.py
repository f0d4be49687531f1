"""What is shown while there is no engine, of sessions whose frames take long to open too."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.frame import Result
from realtime.params import Fallback, Params
from realtime.scheduling.interim import Interim
from realtime.session import Session
from tests.fakes.frames import a_frame
from tests.fakes.waiting import PATIENCE_S
from tests.scheduling.test_aside import SlowPipeline


class Watched:
    """A session whose viewers see the input, and one of them."""

    def __init__(self, name: str, interim: Interim) -> None:
        params = Params(width=64, height=64, fallback=Fallback.INPUT)
        self.rung = threading.Semaphore(0)  # as often as a frame has come into its inbox

        def ring() -> None:
            interim.ring()
            self.rung.release()

        self.session = Session(name, params, 2**20)
        self.channel = self.session.attach(lambda: None)
        self._changed = threading.Event()
        self._viewer = self.session.watch(self._changed.set)
        interim.add(self.session)
        self.session.served_by(ring)
        self.rung.acquire()  # as it was rung for being served

    def send(self, seq: int, data: bytes | None = None) -> None:
        self.session.offer(self.channel, a_frame(seq, data))

    def seen(self) -> int:
        """The seq of the next picture that is shown."""
        assert self._changed.wait(PATIENCE_S)
        self._changed.clear()
        shown = self._viewer.take()
        assert isinstance(shown, Result)
        return shown.job.frame.seq

    def waiting(self) -> int | None:
        """The seq of the frame that waits for the next engine."""
        frame = self.channel.inbox.take()
        return None if frame is None else frame.seq


@contextmanager
def serving() -> Iterator[tuple[Interim, SlowPipeline, Watched, Watched]]:
    """The sessions "heavy", whose frames are opened when the test lets them, and "quick"."""
    pipeline = SlowPipeline(opens=True)
    interim = Interim(pipeline)
    heavy, quick = (Watched(name, interim) for name in ("heavy", "quick"))
    try:
        yield interim, pipeline, heavy, quick
    finally:
        interim.stop()
        pipeline.may_end.release(10)


def test_frames_that_take_long_to_open_hold_nobody_else_up() -> None:
    with serving() as (_, pipeline, heavy, quick):
        heavy.send(1)
        assert pipeline.begun.acquire(timeout=PATIENCE_S)

        for seq in range(1, 6):
            quick.send(seq)
            assert quick.seen() == seq
        pipeline.may_end.release()
        assert heavy.seen() == 1


def test_session_has_one_frame_opened_aside_and_the_newest_of_the_others_next() -> None:
    with serving() as (_, pipeline, heavy, _quick):
        heavy.send(1)
        assert pipeline.begun.acquire(timeout=PATIENCE_S)
        for seq in (2, 3, 4):
            heavy.send(seq)
        assert not pipeline.begun.acquire(blocking=False)

        for seq in (1, 4):
            pipeline.may_end.release()
            assert heavy.seen() == seq


def test_frame_that_is_still_being_opened_waits_for_the_next_engine_as_all_do() -> None:
    with serving() as (interim, pipeline, heavy, quick):
        heavy.send(1)
        quick.send(1)
        assert pipeline.begun.acquire(timeout=PATIENCE_S)
        assert quick.seen() == 1

        interim.stop()

        for watched in (heavy, quick):
            for _ in ("sent", "given back"):
                assert watched.rung.acquire(timeout=PATIENCE_S)
        assert (heavy.waiting(), quick.waiting()) == (1, 1)
