"""Which calls get something made for them alone, and how that is had, taken or refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from realtime.config import Config
from realtime.engine.models.load import Model
from realtime.engine.regions import Kind
from realtime.engine.rungs.builder import Task
from realtime.engine.rungs.specialise import PAUSE_NS, SETTLED_NS, Demand, Signature, made, specialise
from realtime.engine.rungs.upgrade import Upgrade
from realtime.engine.state import CallShape, RungState, listed
from tests.fakes.clock import FakeClock

DECODE = Signature(CallShape(Kind.DECODE.value, 1, 0, 64, 64, ("x",)), (((1, 4, 8, 8), "float32"),))
ENCODE = Signature(
    CallShape(Kind.ENCODE.value, 1, 0, 64, 64, ("noise", "pictures", "start")),
    (((1, 4, 8, 8), "float32"), ((1, 64, 64, 3), "uint8"), ((1, 2), "float32")),
)


def test_a_signature_survives_json_and_makes_its_example() -> None:
    signature = Signature.parse(json.loads(json.dumps(ENCODE.wire())))

    assert signature == ENCODE
    example = signature.example(torch.device("cpu"))
    assert Signature.of(ENCODE.call, dict(reversed(example.items()))) == ENCODE, "the names decide, not their order"


def test_a_signature_tells_people_the_pixels_of_the_picture() -> None:
    assert str(ENCODE) == "encode 1×64×64"
    assert str(CallShape("step", 3, 2, 96, 64)) == "step 3×96×64 (2 guided)"


def test_what_nets_and_contexts_add_to_a_call_is_told() -> None:
    plain = CallShape("step", 1, 0, 64, 64, ("noise", "source", "steps", "x"))
    steered = replace(plain, names=(*plain.names, "control", "picture_keys_values"))

    assert str(steered) == "step 1×64×64 with nets and reference pictures"
    assert plain.is_plain and not steered.is_plain and not replace(plain, kind="control/canny").is_plain


def test_calls_that_differ_by_their_batches_are_told_together() -> None:
    step, decode = CallShape("step", 1, 0, 64, 64), DECODE.call
    calls = [decode, step, *(replace(step, batch=batch) for batch in (6, 2, 3)), replace(step, width=72)]

    assert listed(calls) == "decode 1×64×64, step 1–3 and 6×64×64, step 1×72×64"


NAMELESS = {**DECODE.wire(), "call": {"kind": "decode", "batch": 1, "guided": 0, "width": 64, "height": 64}}


@pytest.mark.parametrize(
    "wire",
    [
        ["decode", [[1, 4, 8, 8]]],
        {},
        {"call": {"kind": "decode"}, "inputs": []},
        NAMELESS,
        {**DECODE.wire(), "inputs": []},
        None,
    ],
)
def test_what_another_version_wrote_is_no_signature(wire: Any) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        Signature.parse(wire)


# -- demand ------------------------------------------------------------------------------------------------------------


def in_use(demand: Demand, clock: FakeClock, signature: Signature, nanoseconds: int) -> None:
    for _ in range(nanoseconds // 100_000_000):
        demand.note(signature)
        clock.advance_ms(100)
    demand.note(signature)


def test_only_what_is_in_use_for_some_seconds_is_worth_it() -> None:
    clock = FakeClock()
    demand = Demand(clock)

    in_use(demand, clock, DECODE, SETTLED_NS - 200_000_000)
    assert demand.settled() == []
    in_use(demand, clock, DECODE, 400_000_000)

    assert demand.settled() == [DECODE]
    assert demand.so_far() == [DECODE]


def test_a_size_that_was_left_asks_for_nothing() -> None:
    clock = FakeClock()
    demand = Demand(clock)
    in_use(demand, clock, DECODE, SETTLED_NS)

    clock.advance_ms(PAUSE_NS / 1e6 + 1)

    assert demand.settled() == []
    in_use(demand, clock, DECODE, 200_000_000)
    assert demand.settled() == [], "a pause begins it anew"


def test_what_is_refused_is_not_asked_for_again() -> None:
    clock = FakeClock()
    demand = Demand(clock)
    in_use(demand, clock, DECODE, SETTLED_NS)

    demand.refuse(DECODE)

    assert demand.settled() == []


# -- the loop ----------------------------------------------------------------------------------------------------------


class Scripted:
    """A `Specialiser`; `Upgrade.make` is scripted with it."""

    name = "scripted"

    def __init__(self, *wanted: Signature) -> None:
        self.demand = Demand(FakeClock())
        for signature in wanted:
            self.demand.note(signature)
        self.there: set[Signature] = set()
        self.wrong: set[Signature] = set()
        self.taken: list[Signature] = []
        self.asked: list[list[Signature]] = []

    def has(self, signature: Signature) -> bool:
        return signature in self.there

    def task(self, signatures: Sequence[Signature]) -> Task:
        self.asked.append(list(signatures))
        return Task(nothing)

    def keep(self, signature: Signature) -> None:
        self.there.add(signature)

    def take(self, signature: Signature) -> bool:
        if signature in self.wrong:
            self.there.discard(signature)
            self.wrong.remove(signature)
            return False
        self.taken.append(signature)
        return True


def nothing(model: Model) -> list[Any]:
    return []


class OneLook(threading.Event):
    """Ends an upgrade when it has looked once."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


class Child:
    """Stands for `Builder`."""

    def __init__(self, said: Sequence[Mapping[str, Any]], outcome: str) -> None:
        self._said, self._outcome = said, outcome

    def messages(self) -> Iterator[Any]:
        return iter(json.loads(json.dumps(list(self._said))))

    def outcome(self) -> str:
        return self._outcome

    def close(self) -> None:
        pass

    def dispose(self) -> None:
        pass


def look(rung: Scripted, *said: Signature, outcome: str = "") -> Upgrade:
    """One look, with a child that says these."""
    start: Callable[..., Any] = lambda config, task: Child([made(one) for one in said], outcome)  # noqa: E731
    upgrade = Upgrade(Config(), lambda backend: None, start)
    upgrade.closing = OneLook()
    specialise(rung, upgrade)
    return upgrade


def test_nothing_is_made_where_a_child_has_no_room() -> None:
    rung = Scripted(DECODE)
    start: Callable[..., Any] = lambda config, task: pytest.fail("a child was started")  # noqa: E731
    upgrade = Upgrade(Config(), lambda backend: None, start, obstacle=lambda: "there is no room")
    upgrade.closing = OneLook()

    specialise(rung, upgrade)

    assert refused(rung) == {DECODE}
    state = RungState("eager", "torch")
    assert upgrade.beside(state).failed == "no scripted for decode 1×64×64: there is no room"


def refused(rung: Scripted) -> set[Signature]:
    return rung.demand._refused


def test_what_is_there_is_taken_and_nothing_is_made() -> None:
    rung = Scripted(ENCODE, DECODE)
    rung.there = {ENCODE, DECODE}

    look(rung)

    assert (rung.taken, rung.asked, refused(rung)) == ([ENCODE, DECODE], [], set())


def test_what_is_missing_is_made_kept_and_taken() -> None:
    rung = Scripted(ENCODE, DECODE)
    rung.there = {ENCODE}

    look(rung, DECODE)

    assert rung.asked == [[DECODE]]
    assert rung.there == {ENCODE, DECODE}
    assert (rung.taken, refused(rung)) == ([ENCODE, DECODE], set())


def test_batches_of_powers_of_two_are_made_first() -> None:
    def of(batch: int) -> Signature:
        return DECODE._replace(call=replace(DECODE.call, batch=batch))

    rung = Scripted(*map(of, (1, 8, 7, 6, 5, 4, 3, 2)))

    look(rung)

    assert [[signature.call.batch for signature in asked] for asked in rung.asked] == [[1, 2, 4, 8, 3, 5, 6, 7]]


def test_what_every_frame_needs_is_made_before_what_nets_add() -> None:
    def of(kind: str, batch: int, *names: str) -> Signature:
        inputs = {name: torch.zeros(batch, 4) for name in ("x", *names)}
        return Signature.of(CallShape(kind, batch, 0, 64, 64, tuple(sorted(inputs))), inputs)

    rung = Scripted(of("control/canny", 1), of("step", 1, "control"), of("step", 3), of("step", 1), of("step", 2))

    look(rung)

    told = [str(one) for one in rung.asked[0]]
    assert told[:3] == ["step 1×64×64", "step 2×64×64", "step 3×64×64"]
    assert told[3:] == ["control/canny 1×64×64", "step 1×64×64 with nets"]


def test_what_a_child_did_not_make_is_refused_and_the_rest_is_taken() -> None:
    rung = Scripted(ENCODE, DECODE)

    upgrade = look(rung, ENCODE, outcome="it crashed")

    assert (rung.taken, refused(rung)) == ([ENCODE], {DECODE})
    assert (
        upgrade.beside(RungState("eager", "torch")).failed
        == "no scripted for encode 1×64×64, decode 1×64×64: it crashed"
    )


def test_what_is_there_and_wrong_is_made_anew() -> None:
    rung = Scripted(DECODE)
    rung.there, rung.wrong = {DECODE}, {DECODE}

    look(rung, DECODE)

    assert rung.asked == [[DECODE]]
    assert (rung.taken, refused(rung)) == ([DECODE], set())


def test_what_there_is_no_room_for_is_refused_and_not_made_again() -> None:
    rung = Scripted(DECODE)
    rung.there = {DECODE}
    rung.take = lambda signature: False  # type: ignore[method-assign]

    look(rung)

    assert (rung.asked, refused(rung)) == ([], {DECODE})
