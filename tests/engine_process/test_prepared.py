"""What an engine's process makes beside its ticks: asked for once, and ticks go on meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from realtime.engine_process.engine import EngineProcess
from realtime.engine_process.known import KNOWN_MAX, KnownSubjects
from realtime.frame import Job, Result
from realtime.params import Params
from realtime.prompts import WeightedPrompt
from tests.fakes.faulty import in_a_process, load_encoding
from tests.fakes.frames import a_job
from tests.fakes.servers import a_config
from tests.fakes.waiting import PATIENCE_S

SMALL = Params(width=64, height=64)
PICTURE = "a" * 32


def prompted(prompt: str, number: int = 1) -> Job:
    return a_job(number, SMALL.model_copy(update={"prompt": prompt}))


@pytest.fixture
def engine() -> Iterator[EngineProcess]:
    made = in_a_process(load_encoding)(a_config())
    yield made
    made.close()


def test_ticks_go_on_while_a_prompt_is_made_and_it_is_asked_for_once(engine: EngineProcess) -> None:
    held = prompted("held")
    assert not engine.is_prepared(held)
    prepared = engine.prepare_beside(held)

    for number in range(5):
        (outcome,) = engine.tick([prompted("", number)]).collect()
        assert isinstance(outcome, Result)
    assert not prepared.done(), "it is held until a tick has the prompt `go on`"
    engine.tick([prompted("go on")]).collect()

    assert prepared.result(PATIENCE_S) > 0
    assert engine.is_prepared(held) and engine.is_prepared(replace(held, number=2))


def test_pictures_that_params_name_cross_with_what_is_asked_and_once(engine: EngineProcess) -> None:
    pixels = np.full((8, 8, 3), 7, np.uint8)
    job = replace(prompted("seen"), references={PICTURE: pixels})
    engine.prepare_beside(job).result(PATIENCE_S)

    (outcome,) = engine.tick([job]).collect()

    assert isinstance(outcome, Result)
    assert outcome.picture.max() == 7, "the process shows the picture that it was given before"


def test_change_of_the_weights_has_all_made_anew(engine: EngineProcess) -> None:
    job = prompted("ink")
    engine.prepare_beside(job).result(PATIENCE_S)
    assert engine.is_prepared(job)

    engine.ready_loras(()).put().result(PATIENCE_S)

    assert not engine.is_prepared(job)


def test_nobody_waits_for_a_process_that_is_gone(engine: EngineProcess) -> None:
    prepared = engine.prepare_beside(prompted("held"))

    os.kill(engine.pid, signal.SIGKILL)

    assert prepared.result(PATIENCE_S) == 0
    assert engine.prepare_beside(prompted("more")).result(PATIENCE_S) == 0, "a tick says why"


def test_an_engine_that_makes_nothing_beside_is_always_prepared() -> None:
    made = in_a_process()(a_config())
    try:
        assert made.is_prepared(prompted("ink"))
    finally:
        made.close()


# -- what is known --------------------------------------------------------------------------------------------------


def test_all_parts_of_prompts_and_all_pictures_are_to_be_known() -> None:
    known = KnownSubjects()
    blend = (WeightedPrompt(text="oil"), WeightedPrompt(text="ink", weight=0.0))
    order = a_job(1, SMALL.model_copy(update={"prompt": blend, "negative_prompt": "rain"}))
    for text in ("oil", "ink"):
        known.add(prompted(text), known.epoch)

    assert not known.covers(order)
    known.add(a_job(2, SMALL.model_copy(update={"negative_prompt": "rain"})), known.epoch)

    assert known.covers(order)
    assert not known.covers(replace(order, references={PICTURE: np.zeros((8, 8, 3), np.uint8)}))


def test_frame_that_passes_through_needs_nothing() -> None:
    assert KnownSubjects().covers(a_job(1, SMALL.model_copy(update={"prompt": "ink", "strength": 0.0})))


def test_what_was_asked_for_before_all_was_forgotten_is_not_known() -> None:
    known, order = KnownSubjects(), prompted("ink")
    epoch = known.epoch
    known.forget()

    known.add(order, epoch)

    assert not known.covers(order)


def test_what_was_asked_about_longest_ago_is_given_up() -> None:
    known, kept = KnownSubjects(), prompted("kept")
    known.add(kept, known.epoch)
    for number in range(2 * KNOWN_MAX):
        known.add(prompted(f"{number}"), known.epoch)
        assert known.covers(kept)

    assert not known.covers(prompted("0")) and known.covers(prompted(f"{2 * KNOWN_MAX - 1}"))
