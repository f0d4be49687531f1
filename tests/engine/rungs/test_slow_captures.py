"""Captures that take 300 ms beside sessions that are served: none of them has a gap of more than two ticks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.regions import Outputs
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.frame import Job
from realtime.scheduling.scheduler import Scheduler
from tests.engine.tiny_models import RecordingBackend, make_model, make_params
from tests.fakes.waiting import PATIENCE_S
from tests.scheduling.stepping import User

CAPTURE_S = 0.3


class SlowRerun(Rerun):
    """A capture takes 300 ms, in which the interpreter is free."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = 0
        self.captures = 0

    def capture(self, call: Callable[[], Outputs]) -> Callable[[], Outputs]:
        self.under_way += 1
        time.sleep(CAPTURE_S)
        replay = super().capture(call)
        self.under_way -= 1
        self.captures += 1
        return replay


class Noted(DiffusionEngine):
    """Notes whose frames each tick admits, and whether a graph was being made then."""

    ticks: list[tuple[set[str], bool]]
    capture: SlowRerun

    def tick(self, admitted: list[Job]):  # type: ignore[no-untyped-def, override]
        is_making = self.capture.under_way > 0
        pending = super().tick(admitted)
        self.ticks.append(({job.session for job in admitted}, is_making and self.capture.under_way > 0))
        return pending


@pytest.mark.slow
def test_new_sizes_and_batches_give_no_other_session_a_gap_of_more_than_two_ticks() -> None:
    model, capture = make_model(is_shared=True), SlowRerun()
    with ThreadPoolExecutor(1) as maker:
        backend = GraphBackend(RecordingBackend(model), capture, 4, model.device, maker)
        engine = Noted(model, backend, max_rows=4)
        engine.ticks, engine.capture = [], capture
        scheduler = Scheduler(engine)
        thread = threading.Thread(target=scheduler.run)
        thread.start()
        params = make_params(skip_unchanged=False, num_inference_steps=1)
        steady, restless = (User(scheduler, name, params=params) for name in ("steady", "restless"))
        gaps_s: list[float] = []
        try:
            for turn in range(3 * 30):
                if turn % 30 == 0:
                    restless.session.update({"width": 64 + 8 * (turn // 30)})
                restless.send()
                begun_s = time.monotonic()
                steady.send()
                steady.answer()
                gaps_s.append(time.monotonic() - begun_s)
                while restless.channel.outbox.take() is not None:
                    pass
            end_s = time.monotonic() + PATIENCE_S
            while capture.captures < 8 and time.monotonic() < end_s:
                for user in (steady, restless):
                    user.send()
                steady.answer()
        finally:
            scheduler.stop()
            thread.join(PATIENCE_S)
        assert not thread.is_alive()

    first = next(i for i, (whose, _) in enumerate(engine.ticks) if "steady" in whose)
    gaps, gap = [], 0
    for whose, _ in engine.ticks[first:]:
        gap = 0 if "steady" in whose else gap + 1
        gaps.append(gap)
    beside = sum(is_making for _, is_making in engine.ticks)
    assert capture.captures >= 8 and beside > 8 * EAGER_CALLS, "captures were under way beside ticks"
    assert sorted(gaps)[int(0.99 * len(gaps))] <= 2
    assert sorted(gaps_s)[len(gaps_s) // 2] < CAPTURE_S, "in time too: none waits for a capture"
