"""Which calls are compiled ones, and that they give what eager mode does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from realtime.config import Accelerate, Config
from realtime.engine.diffusion import DiffusionEngine, load_diffusion_engine
from realtime.engine.models import load
from realtime.engine.regions import Kind, Outputs, Regions
from realtime.engine.rungs import compile as compile_rung
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.compile import CompiledBackend, check
from realtime.engine.rungs.graphs import GraphBackend
from realtime.engine.rungs.specialise import Signature
from realtime.engine.state import RungState
from tests.engine.tiny_models import FRAME_KINDS, make_job, make_model, make_params, picture_of, run
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i


def test_calls_of_the_compiled_form_are_compiled_and_others_eager() -> None:
    backend = CompiledBackend(make_model(), "aoti", "compiled")
    engine = DiffusionEngine(make_model(), backend)
    job = make_job(make_params(num_inference_steps=2))
    before = picture_of(run(engine, [job])[0])
    signatures = backend.compiled.demand.so_far()
    assert [signature.call.kind for signature in signatures] == list(FRAME_KINDS)
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
    assert [signature.call.kind for signature in answered] == [Kind.ENCODE, Kind.STEP, Kind.STEP, Kind.DECODE]
    assert backend.rung.name == "aoti"
    assert list(map(str, backend.rung.made_for)) == ["encode 1×64×64", "step 1×64×64", "decode 1×64×64"]
    assert str(backend.rung) == "compiled for encode 1×64×64, step 1×64×64, decode 1×64×64"
    run(engine, [make_job(make_params(width=72, negative_prompt="rain", negative_scale=3.0))])
    assert len(answered) == 4, "another size is eager"
    assert str(backend.rung).endswith("decode 1×64×64; eager for step with a negative prompt")


def test_results_that_differ_or_are_no_numbers_are_refused() -> None:
    region, example = Regions.of_model(make_model()).region(Kind.DECODE), {"x": torch.randn(1, 4, 8, 8)}

    check(region, region, example, torch.float32)

    def slightly_off(x: torch.Tensor) -> Any:
        right = region(x)
        return {**right, "pictures": right["pictures"] // 2}

    with pytest.raises(RuntimeError, match="differ"):
        check(slightly_off, region, example, torch.float32)
    with pytest.raises(RuntimeError, match="differ"):
        check(lambda x: {**region(x), "finite": torch.tensor([torch.nan])}, region, example, torch.float32)


def test_one_frame_is_compiled_for_and_no_larger_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under graphs the warm-up runs all batches; to compile each would take minutes more, before the first frame."""
    model, compiled = make_model(is_shared=True), list[Signature]()

    def note(region: Any, signature: Signature, model: Any) -> Any:
        compiled.append(signature)
        return region

    def under_graphs(backend: Any, *args: Any) -> GraphBackend:
        return GraphBackend(backend, Rerun(), 4, model.device)

    monkeypatch.setattr(compile_rung, "_compiled", note)
    monkeypatch.setattr(compile_rung, "captured", under_graphs)
    start = compile_rung.COMPILE.start(model, 4, lambda *what: None, may_wait=True, avoided=())
    DiffusionEngine(model, start.backend, max_rows=4).warm_up()
    assert start.finish is not None

    start.finish(lambda *what: None)

    assert [(one.call.kind, one.call.batch) for one in compiled] == [(kind, 1) for kind in FRAME_KINDS]


@pytest.mark.slow
@pytest.mark.parametrize("has_nets", [False, True], ids=["plain", "with nets"])
def test_torch_compile_compiles_each_region_once(has_nets: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def note(graph: torch.fx.GraphModule, example: list[torch.Tensor]) -> Any:
        graphs.append(graph)
        return graph.forward

    compile_module = torch.compile
    monkeypatch.setattr(torch, "compile", lambda m, **of_inductor: compile_module(m, backend=note, dynamic=False))
    monkeypatch.setattr(compile_rung, "compiler_obstacle", lambda device, capability: "")
    nets = (a_net(make_controlnet(), "net"), a_net(make_t2i(), "t2i")) if has_nets else ()
    monkeypatch.setattr(load, "load_model", lambda *args: make_model(nets=nets))

    engine = load_diffusion_engine(Config(accelerate=Accelerate.COMPILE), lambda stage, percent: None)
    engine.warm_up()
    engine.close()

    # What looks at two hints, what one net adds in a step, and the steps that hear one, the other and both.
    assert len(graphs) == 3 + (2 + 1 + 3 if has_nets else 0)
