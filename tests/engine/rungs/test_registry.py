"""Which rung a model starts on, and that a new one is one value: here comes one that nothing else knows."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from realtime.config import Accelerate, Config
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import load_diffusion_engine
from realtime.engine.models import load
from realtime.engine.models.load import Model
from realtime.engine.regions import Outputs
from realtime.engine.rungs import compile as compile_rung
from realtime.engine.rungs import graphs, packages, registry, upgrade
from realtime.engine.rungs.builder import Task
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.registry import RUNGS
from realtime.engine.rungs.rung import Rung, Start, no_obstacle
from realtime.engine.rungs.specialise import Demand, Signature, made, specialise
from realtime.errors import ConfigError
from tests.engine.tiny_models import FRAME_KINDS, make_job, make_model, make_params, picture_of, run
from tests.fakes.waiting import PATIENCE_S


def quiet(stage: str, percent: float | None) -> None:
    pass


def start(accelerate: Accelerate, model: Model | None = None, **options: Any) -> Start:
    return registry.start(accelerate, model or make_model(), quiet, **options)


def test_every_rung_can_be_asked_for_by_its_name() -> None:
    assert sorted(rung.name for rung in RUNGS) == sorted(set(Accelerate) - {Accelerate.AUTO, Accelerate.OFF})


def test_without_openvino_the_log_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert "pip install 'realtime-img2img[openvino]'" in start(Accelerate.AUTO).backend.rung.why
    with pytest.raises(ConfigError, match="not installed"):
        start(Accelerate.OPENVINO)


def test_off_is_eager_and_needs_no_reason() -> None:
    started = start(Accelerate.OFF)

    assert (started.backend.rung.name, started.backend.rung.why) == ("eager", "")
    assert started.finish is started.upgrade is None


@pytest.mark.slow
def test_graphs_without_cuda_are_refused_and_never_chosen() -> None:
    with pytest.raises(ConfigError, match="accelerate graphs: it runs on cuda, the model is on cpu"):
        start(Accelerate.GRAPHS)
    assert start(Accelerate.AUTO).backend.rung.name != "graphs"


@pytest.mark.parametrize("accelerate", [Accelerate.COMPILE, Accelerate.AOTI])
def test_without_a_compiler_the_error_says_what_to_do(accelerate: Accelerate, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, obstacle in ((compile_rung, "compiler_obstacle"), (packages, "packages_obstacle")):
        monkeypatch.setattr(module, obstacle, lambda device, capability: "there is no C++ compiler: install g++")

    with pytest.raises(ConfigError, match=f"accelerate {accelerate}: there is no C\\+\\+ compiler: install g\\+\\+"):
        start(accelerate)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"dtype": torch.bfloat16}, "float32"), ({"device": torch.device("meta")}, "runs on cpu")],
)
def test_openvino_that_does_not_fit_the_model_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        start(Accelerate.OPENVINO, replace(make_model(), **change))


def rung(name: str, *devices: str, obstacle: str = "", error: str = "", told: list[str] | None = None) -> Rung:
    """A rung on which eager mode runs."""

    def begin(model: Model, max_rows: int, progress: Any, *, may_wait: bool, avoided: Collection[str]) -> Start:
        if error:
            raise RuntimeError(error)
        if told is not None:
            told.append(f"{name}, {max_rows} rows, {may_wait=}")
        return Start(EagerBackend(model, name))

    return Rung(name, devices, devices, begin, lambda model: obstacle)


def test_auto_takes_the_first_rung_of_the_models_device_that_can_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    rungs = (
        rung("of another device", "cuda"),
        rung("compile", "cpu", obstacle="too old"),
        rung("aoti", "cpu", error="a foreign graph"),
        rung("openvino", "cuda", "cpu", told=told),
        rung("graphs", "cpu"),
    )
    monkeypatch.setattr(registry, "RUNGS", rungs)

    assert start(Accelerate.AUTO, max_rows=6).backend.rung.why == "openvino"
    assert start(Accelerate.OPENVINO).backend.rung.why == "openvino"
    assert told == ["openvino, 6 rows, may_wait=False", "openvino, 8 rows, may_wait=True"]
    with pytest.raises(ConfigError, match=r"accelerate aoti: aoti can't run this model \(the log says why\)"):
        start(Accelerate.AOTI)


def test_where_no_rung_can_run_a_model_eager_mode_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    rungs = rung("compile", "cpu", obstacle="too old"), rung("aoti", "cpu", error="a foreign graph")
    monkeypatch.setattr(registry, "RUNGS", rungs)

    assert start(Accelerate.AUTO).backend.rung.why == "too old"


def test_rung_that_is_avoided_does_not_run_also_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RUNGS", (rung("openvino", "cpu"), rung("compile", "cpu")))

    for accelerate in (Accelerate.AUTO, Accelerate.OPENVINO):
        assert start(accelerate, avoided=[Accelerate.OPENVINO]).backend.rung.why == "compile"
    assert start(Accelerate.AUTO, avoided=[Accelerate.OPENVINO, Accelerate.COMPILE]).backend.rung.why == ""


def test_engine_says_which_rungs_it_was_loaded_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RUNGS", (rung("openvino", "cpu"),))
    monkeypatch.setattr(load, "load_model", lambda *args: make_model())

    engine = load_diffusion_engine(Config(avoid_rungs=(Accelerate.OPENVINO,)), quiet)

    assert engine.info.rung.avoided == ("openvino",)
    assert engine.info.rung.wire()["avoided"] == ("openvino",)
    engine.close()


def test_graphs_that_are_avoided_are_not_put_over_another_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "GraphBackend", lambda backend, *others: "captured")
    monkeypatch.setattr(graphs, "CudaCapture", lambda device: None)
    monkeypatch.setattr(graphs, "sizes_with_graphs", lambda device, most: most)
    model = replace(make_model(), device=torch.device("cuda"))
    backend = EagerBackend(make_model())

    assert graphs.captured(backend, model, 8, []) == "captured"
    assert graphs.captured(backend, model, 8, ["graphs"]) is backend


def test_frames_are_warmed_up_again_on_what_was_made_before_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the first user would wait while torch.compile compiles once more."""
    model, order = make_model(), list[str]()
    backend = EagerBackend(model)
    run = backend.run
    monkeypatch.setattr(backend, "run", lambda call: order.append(call.kind) or run(call))
    started = Start(backend, lambda progress: order.append("made"))
    monkeypatch.setattr(registry, "start", lambda *args, **options: started)
    monkeypatch.setattr(load, "load_model", lambda *args: model)

    load_diffusion_engine(Config(), quiet).close()

    assert order == ["encode", "step", "decode", "made", "encode", "step", "decode"]


# -- a rung of one's own: this is all there is to it -------------------------------------------------------------------


class Plans:
    """A `Specialiser` as a run time with a plan for each size is one; its plans are the regions themselves."""

    name = "dummy"

    def __init__(self, backend: CompiledBackend) -> None:
        self.regions = backend.compiled
        self.kept: set[Signature] = set()

    @property
    def demand(self) -> Demand:
        return self.regions.demand

    def has(self, signature: Signature) -> bool:
        return signature in self.kept

    def task(self, signatures: Sequence[Signature]) -> Task:
        return Task(plan, {"signatures": [signature.wire() for signature in signatures]})

    def keep(self, signature: Signature) -> None:
        self.kept.add(signature)

    def take(self, signature: Signature) -> bool:
        region = self.regions.module(signature)

        def call(**inputs: torch.Tensor) -> Outputs:
            outputs: Any = region(**inputs)
            return outputs

        self.regions.put(signature, call)
        return True


def plan(model: Model, signatures: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """The task of a child process."""
    assert model.name
    return (made(Signature.parse(wire)) for wire in signatures)


def begin(model: Model, max_rows: int, progress: Any, *, may_wait: bool, avoided: Collection[str]) -> Start:
    backend = CompiledBackend(model, "dummy", "dummy plans")
    return Start(backend, upgrade=partial(specialise, Plans(backend)))


DUMMY = Rung("dummy", devices=("cpu",), auto_on=("cpu",), start=begin, obstacle=no_obstacle)

# ----------------------------------------------------------------------------------------------------------------------


class InThisProcess:
    """Stands for `Builder`: finds the task's function by its name, as a child process does, and runs it here."""

    def __init__(self, config: Config, task: Task) -> None:
        module, _, function = task.name.partition(":")
        assert module == __name__ and getattr(importlib.import_module(module), function).__name__ == function
        arguments = json.loads(json.dumps(task.arguments))
        self._said = task.function(make_model(), **arguments)

    def messages(self) -> Iterator[dict[str, Any]]:
        return (json.loads(json.dumps(message)) for message in self._said)

    def outcome(self) -> str:
        return ""

    def close(self) -> None:
        pass

    def dispose(self) -> None:
        pass


def test_a_rung_that_is_put_into_the_table_serves_and_is_upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "RUNGS", (DUMMY, *RUNGS))
    monkeypatch.setattr(load, "load_model", lambda *args: make_model())
    looked = threading.Event()

    class OneLook(upgrade.Upgrade):
        def __init__(self, config: Config, adopt: Any, **options: Any) -> None:
            super().__init__(config, adopt, InThisProcess, **options)

            class Closing(threading.Event):
                def wait(self, timeout: float | None = None) -> bool:
                    looked.set()
                    return super().wait(PATIENCE_S)

            self.closing = Closing()

    monkeypatch.setattr("realtime.engine.diffusion.Upgrade", OneLook)

    engine = load_diffusion_engine(Config(), quiet)
    assert looked.wait(PATIENCE_S)
    outcomes = run(engine, [make_job(make_params())])

    assert engine.info.rung.name == "dummy" and engine.info.rung.climbs
    assert [shape.kind for shape in engine.info.rung.made_for] == list(FRAME_KINDS)
    assert str(engine.info.rung) == "dummy plans for encode 1×64×64, step 1×64×64, decode 1×64×64"
    assert picture_of(outcomes[0]).shape == (64, 64, 3)
    engine.close()
