"""CUDA graphs: exact, never mixing rows, whole again after what fails. Twin of tests/engine/rungs/test_graphs."""

from __future__ import annotations

import contextlib
import gc
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from realtime.engine.backend import FRAME
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.regions import Outputs
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.graphs import EAGER_CALLS
from tests.gpu.places import (
    ROWS,
    CountedCapture,
    Place,
    all_at_once,
    in_flight,
    is_result,
    jobs,
    pictures,
    settle,
    wait_for_graphs,
)

pytestmark = pytest.mark.slow

Made = tuple[DiffusionEngine, CountedCapture]


@pytest.fixture(params=["at-once", "in-their-thread"])
def graphs(place: Place, request: pytest.FixtureRequest) -> Iterator[Callable[..., Made]]:
    """Makes engines whose graphs are captured at once, or by a thread beside the ticks, as a server has it."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> Made:
            maker = None if request.param == "at-once" else stack.enter_context(ThreadPoolExecutor(1, "graphs"))
            return place.graphs(maker=maker, **options)

        yield make


@pytest.mark.parametrize("count", [1, 3, 4])
def test_replays_are_what_eager_mode_makes_and_the_same_twice(
    place: Place, graphs: Callable[..., Made], count: int
) -> None:
    wanted = jobs(count)
    engine, capture = graphs()
    settle(engine, capture, wanted)
    captured = capture.captures

    first, second = pictures(engine, wanted), pictures(engine, wanted)

    assert captured == capture.captures >= 1, "all were captured before"
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    place.assert_alike(first, pictures(place.eager(), wanted))


@pytest.mark.parametrize("count", [1, 3, 4])
def test_one_graph_for_all_of_a_frame_makes_what_three_make(
    place: Place, graphs: Callable[..., Made], count: int
) -> None:
    wanted = jobs(count, num_inference_steps=1)
    (one, capture), (three, captures) = graphs(), graphs(frame_graphs=False)
    by_three = settle(three, captures, wanted)

    by_one = settle(one, capture, wanted)

    assert any(key.kind == FRAME for key in one.backend._sizes.called(64, 64).graphs)  # type: ignore[attr-defined]
    place.assert_alike(by_one, by_three)
    place.assert_alike(by_one, pictures(place.eager(), wanted))


def test_sizes_batches_prompts_and_steps_that_mix_make_each_their_own_picture(
    place: Place, graphs: Callable[..., Made]
) -> None:
    """Two ticks in flight over some hundred ticks; a size that comes later is captured among them."""
    rng = random.Random(1)
    known = [*jobs(12), *jobs(4, 12, width=72), *jobs(4, 16, height=72)]
    alone = {job.number: pictures(place.eager(), [job])[0] for job in known}
    engine, capture = graphs()
    for turn in range(3):
        pool = known[: 16 if turn < 2 else None]
        batches = [rng.sample(pool, rng.choice((1, 2, 3, ROWS))) for _ in range(14)]

        for batch in batches:  # a number is in flight once
            found = in_flight(engine, [batch[:1], batch[1:2], batch[2:]])

            place.assert_alike([found[job.number] for job in batch], [alone[job.number] for job in batch])
    wait_for_graphs(engine)
    assert capture.captures > 6


def test_picture_that_somebody_holds_is_never_written_again(place: Place) -> None:
    engine, _ = place.graphs()
    engine.warm_up()
    held = pictures(engine, jobs(ROWS))
    copies = [picture.copy() for picture in held]

    for first in range(4, 40, 4):
        pictures(engine, jobs(ROWS, first))

    for picture, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(picture, copy)


def test_broken_row_leaves_nothing_behind_in_its_place(place: Place) -> None:
    engine, _ = place.graphs()
    (broken,) = jobs(1, 0, prompt="broken")
    others = [*jobs(2, 1, num_inference_steps=1), *jobs(1, 3, num_inference_steps=1)]
    with torch.inference_mode():
        recipe = engine.recipes.get(broken.params)
        assert recipe is not None
        recipe.prompt.prompt_embeds.fill_(float("nan"))
    expected = pictures(place.eager(), others)

    for _ in range(EAGER_CALLS + 3):
        outcomes = all_at_once(engine, [broken, *others])

        assert [is_result(outcome) for outcome in outcomes] == [False, True, True, True]
        place.assert_alike([outcome.picture for outcome in outcomes[1:]], expected)
    place.assert_alike(pictures(engine, others), expected)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("not permitted")])
def test_capture_that_fails_costs_speed_and_no_picture_nor_a_later_capture(
    place: Place, graphs: Callable[..., Made], error: Exception
) -> None:
    wanted = jobs(2, num_inference_steps=1, guidance_scale=1.0)
    expected = pictures(place.eager(), wanted)
    engine, capture = graphs()
    capture.error = error
    failed = [pictures(engine, wanted) for _ in range(EAGER_CALLS + 2)]
    wait_for_graphs(engine)
    capture.error = None

    later = jobs(2, num_inference_steps=1, guidance_scale=1.0, width=72)
    after = settle(engine, capture, later)

    for made in failed:
        place.assert_alike(made, expected)
    assert capture.captures >= 3
    place.assert_alike(after, pictures(place.eager(), later))
    place.assert_alike(pictures(engine, wanted), expected)


def test_what_is_compiled_meanwhile_takes_the_graphs_place(place: Place, graphs: Callable[..., Made]) -> None:
    under = CompiledBackend(place.model, "aoti", "compiled")
    engine, capture = graphs(under=under)
    wanted = jobs(1, num_inference_steps=1)
    before = settle(engine, capture, wanted)
    captures, answered = capture.captures, set[str]()
    for signature in under.compiled.demand.so_far():
        module = under.compiled.module(signature)

        def call(module: Any = module, kind: str = signature.call.kind, **inputs: torch.Tensor) -> Outputs:
            answered.add(kind)
            return module(**inputs)

        under.compiled.put(signature, call)

    after = settle(engine, capture, wanted)

    assert capture.captures > captures and answered == {"encode", "step", "decode"}
    place.assert_alike(after, before)


def test_recording_what_waits_for_the_device_fails_and_spoils_nothing(gpu: Place) -> None:
    capture, x = gpu.capture(), torch.ones(4, device=gpu.device)
    before = capture.capture(lambda: {"x": x * 2})

    with pytest.raises(RuntimeError):
        capture.capture(lambda: {"x": x * float(x.sum().item())})
    after = capture.capture(lambda: {"x": x * 3})

    assert [replay()["x"].tolist() for replay in (before, after)] == [[2.0] * 4, [3.0] * 4]


def test_engine_that_is_closed_gives_the_devices_memory_back(gpu: Place) -> None:
    assert gpu.model.device.type == "cuda"
    gc.collect()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        engine, _ = gpu.graphs()
        engine.warm_up()
        engine.close()
        del engine
    gc.collect()
    torch.cuda.synchronize()

    assert torch.cuda.memory_allocated() - before < 8 * 2**20
