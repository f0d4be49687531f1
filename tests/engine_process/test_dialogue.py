"""What is said about an engine's process that ends, whatever it has just answered. The process is a stand-in."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from realtime.engine.hearing import Heard
from realtime.engine_process import dialogue
from realtime.engine_process.dialogue import Dialogue
from realtime.engine_process.messages import Answer, Ask, LorasReady, ReadyLoras, ToChild
from realtime.errors import EngineError
from realtime.params import Params
from tests.fakes.faulty import QUICK


class AnswersAndEnds:
    """Answers what it is asked and ends at once, before whoever asked can look at the answer."""

    def __init__(self, order: Any, slots: Any, owner: Dialogue) -> None:
        self._owner = owner

    def send(self, message: ToChild) -> None:
        match message:
            case Ask(number):
                self._owner.hear(Answer(number, Heard("ink")))
            case ReadyLoras(number):
                self._owner.hear(LorasReady(number))
            case _:
                return
        self._owner.ended("it was killed", blames_frames=False)


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Dialogue:
    monkeypatch.setattr(dialogue, "ChildProcess", AnswersAndEnds)
    nothing: Any = None
    return Dialogue(nothing, nothing, lambda name, percent: None, QUICK)


def test_process_that_ends_behind_an_answer_is_broken_and_its_answer_is_heard(ending: Dialogue) -> None:
    is_broken = threading.Event()
    ending.when_broken(is_broken.set)

    heard = ending.ask(Params())

    assert heard == Heard("ink")
    assert is_broken.is_set()
    with pytest.raises(EngineError, match="it was killed"):
        ending.ask(Params())


def test_process_that_ends_behind_reading_loras_puts_none_on(ending: Dialogue) -> None:
    is_broken = threading.Event()
    ending.when_broken(is_broken.set)

    change = ending.ready_loras(["a"])

    assert isinstance(change.put().exception(0), EngineError)
    assert is_broken.is_set()
