"""Which calls are compiled ones, and which are worth compiling."""

from __future__ import annotations

import json
from typing import Any

import torch

from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.regions import Kind, Outputs
from realtime.engine.rungs.compile import PAUSE_NS, SETTLED_NS, CompiledBackend, Demand, Signature
from realtime.engine.state import CallShape, RungState
from tests.engine.tiny_models import make_job, make_model, make_params, picture_of, run
from tests.fakes import FakeClock

DECODE = Signature(Kind.DECODE, 0, (("x", (1, 4, 8, 8), "float32"),))
ENCODE = Signature(
    Kind.ENCODE,
    0,
    (("noise", (1, 4, 8, 8), "float32"), ("pictures", (1, 64, 64, 3), "uint8"), ("start", (1, 2), "float32")),
)


def test_a_signature_survives_json_and_makes_its_example() -> None:
    signature = Signature.parse(json.loads(json.dumps(ENCODE.wire())))

    assert signature == ENCODE
    example = signature.example(torch.device("cpu"))
    assert Signature.of(Kind.ENCODE, 0, dict(reversed(example.items()))) == ENCODE, "the names decide, not their order"
    assert str(ENCODE) == "encode 1×64×64×3"


def test_a_signature_gives_the_form_of_its_call_in_pixels_of_the_picture() -> None:
    step = Signature(Kind.STEP, 2, (("steps", (3, 6), "float32"), ("x", (3, 4, 8, 12), "float32")))

    assert ENCODE.call_shape(8) == CallShape("encode", 1, 0, 64, 64)
    assert step.call_shape(8) == CallShape("step", 3, 2, 96, 64)


def in_use(demand: Demand, clock: FakeClock, signature: Signature, nanoseconds: int) -> None:
    for _ in range(nanoseconds // 100_000_000):
        demand.note(signature)
        clock.advance_ms(100)
    demand.note(signature)


def test_only_what_is_in_use_for_some_seconds_is_worth_compiling() -> None:
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


def test_what_can_not_be_compiled_is_not_asked_for_again() -> None:
    clock = FakeClock()
    demand = Demand(clock)
    in_use(demand, clock, DECODE, SETTLED_NS)

    demand.refuse(DECODE)

    assert demand.settled() == []


def test_calls_of_the_compiled_form_are_compiled_and_others_eager() -> None:
    backend = CompiledBackend(make_model(), "aoti", "compiled")
    engine = DiffusionEngine(make_model(), backend)
    job = make_job(make_params(num_inference_steps=2))
    before = picture_of(run(engine, [job])[0])
    signatures = backend.compiled.demand.so_far()
    assert [signature.kind for signature in signatures] == list(Kind)
    assert backend.rung == RungState("eager", "eager: torch on cpu", "float32")
    answered: list[Signature] = []

    def put(signature: Signature) -> None:
        region = backend.compiled.module(signature)

        def call(**inputs: torch.Tensor) -> Outputs:
            answered.append(signature)
            assert all(tensor.is_contiguous() for tensor in inputs.values())
            outputs: Any = region(**inputs)
            return outputs

        backend.compiled.put(signature, call)

    for signature in signatures:
        put(signature)

    assert (picture_of(run(engine, [job])[0]) == before).all()
    assert [signature.kind for signature in answered] == [Kind.ENCODE, Kind.STEP, Kind.STEP, Kind.DECODE]
    assert backend.rung.name == "aoti"
    assert backend.rung.made_for == tuple(CallShape(kind, 1, 0, 64, 64) for kind in Kind)
    assert str(backend.rung) == "compiled for encode 1×64×64×3, step 1×4×8×8, decode 1×4×8×8"
    run(engine, [make_job(make_params(width=72))])
    assert len(answered) == 4, "another size is eager"
