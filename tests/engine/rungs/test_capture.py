"""Captures and their pools of memory, with stand-ins for CUDA."""

from __future__ import annotations

import itertools
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from realtime.engine.regions import Outputs
from realtime.engine.rungs.capture import CudaCapture
from tests.engine.rungs.cuda_pools import CPU, Pools


def test_a_capture_that_failed_spoils_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = Pools(monkeypatch)
    capture = CudaCapture(CPU)
    before = capture.capture(lambda: {"x": torch.ones(1)})
    pools.error = RuntimeError("operation failed due to a previous error during capture")
    with pytest.raises(RuntimeError, match="previous error"):
        capture.capture(lambda: {"x": torch.ones(1)})
    pools.error = None

    replays = [before, *(capture.capture(lambda: {"x": torch.ones(1)}) for _ in range(2))]

    assert [replay()["x"].item() for replay in replays] == [1, 1, 1] and len(pools.graphs) == 2


def test_capture_without_memory_is_undone_and_the_pool_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = Pools(monkeypatch)
    capture = CudaCapture(CPU)
    before = capture.capture(lambda: {"x": torch.ones(1)})
    calls = itertools.count()

    def too_much() -> Outputs:
        if next(calls):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {}

    with pytest.raises(torch.OutOfMemoryError):
        capture.capture(too_much)
    after = capture.capture(lambda: {"x": torch.ones(1)})

    assert len(pools.graphs) == 1 and not capture._failed, "nothing is kept for it, and no second pool is begun"
    assert pools.emptied == 1, "it is tried again with what other streams have left"
    assert [replay()["x"].item() for replay in (before, after)] == [1, 1]


@pytest.mark.parametrize("fails_at", [0, 1])
def test_what_was_calculated_until_memory_ran_out_is_free_when_it_is_tried_again_and_behind_that(
    fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback has the frames, and these all that was calculated: nearly what the second try needs."""
    Pools(monkeypatch)
    calls = itertools.count()
    taken: list[weakref.ref[torch.Tensor]] = []
    there: list[int] = []

    def too_much() -> Outputs:
        there.append(sum(one() is not None for one in taken))
        activations = torch.ones(1000)
        taken.append(weakref.ref(activations))
        if next(calls) >= fails_at:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {}

    with ThreadPoolExecutor(1) as maker:
        error = maker.submit(CudaCapture(CPU).capture, too_much).exception()

    assert isinstance(error, torch.OutOfMemoryError) and len(taken) > 1
    assert there == [0] * len(there)
    assert not any(one() is not None for one in taken), "though whoever asked has the error"


def test_what_runs_before_a_capture_is_on_another_stream_than_graphs_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuBLAS has a workspace for each stream, in which graphs write when they are replayed: at any time."""
    pools = Pools(monkeypatch)
    capture = CudaCapture(CPU)
    ran: list[str] = []

    def call() -> Outputs:
        ran.append(pools.streams[-1])
        return {}

    for _ in range(2):
        capture.capture(call)

    assert ran[0] != ran[1] and ran[:2] == ran[2:]


def test_graphs_share_a_pool_as_long_as_one_of_them_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = Pools(monkeypatch)
    capture = CudaCapture(CPU)
    replays = [capture.capture(lambda: {"x": torch.ones(1)}) for _ in range(3)]
    assert len(pools.graphs) == 1

    replays.clear()
    capture.capture(lambda: {"x": torch.ones(1)})

    assert len(pools.graphs) == 2
