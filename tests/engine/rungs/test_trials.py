"""Trials of variants: what is clearly faster and right is kept, the rest left out with a word; and it is tried once."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from realtime import doctor
from realtime.config import Accelerate, Config
from realtime.doctor import Verdict
from realtime.engine.backend import EagerBackend
from realtime.engine.models.load import Model
from realtime.engine.regions import Regions
from realtime.engine.rungs import registry, trials
from realtime.engine.rungs.folder_cache import cache_folder
from realtime.engine.rungs.packages import Packages
from realtime.engine.rungs.trial import BEGUN, BROKE, LEAST_TURNS, LONGEST_S, Sample, Timing, VariantTrial
from realtime.engine.rungs.tried import KIND, TrialCache, Tried
from realtime.engine.state import RungState, VariantState
from realtime.engine.variants import table
from realtime.engine.variants.attention import JoinedAttention
from realtime.engine.variants.convolutions import ConvRelu
from realtime.engine.variants.norms import NormSilu
from realtime.errors import ConfigError
from tests.engine.tiny_models import make_model
from tests.fakes.waiting import PATIENCE_S

MARKS: dict[str, type] = {"conv-relu": ConvRelu, "group-norm": NormSilu, "qkv": JoinedAttention}


@pytest.fixture(autouse=True)
def _nothing_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))


def quiet(stage: str, percent: float | None) -> None:
    pass


class Script:
    """A clock that a region's call moves by what its variants cost.

    Args:
        costs: by variant, the factor of a call's time with it.
        call_s: of a call without any.
    """

    def __init__(self, costs: Mapping[str, float], call_s: float = 0.01) -> None:
        self.costs, self.call_s = costs, call_s
        self.now_s = 0.0
        self.calls = 0

    @property
    def timing(self) -> Timing:
        return Timing(lambda: self.now_s, lambda: None, None)

    def cost_of(self, region: torch.nn.Module) -> float:
        parts = [*region.modules(), *(getattr(module, "processor", None) for module in region.modules())]
        on = [name for name, mark in MARKS.items() if any(isinstance(part, mark) for part in parts)]
        cost = self.call_s
        for name in on:
            cost *= self.costs.get(name, 1.0)
        return cost

    def call(self, regions: Regions, sample: Sample) -> Callable[[], Any]:
        cost = self.cost_of(regions.region_for(sample.call))

        def call() -> None:
            self.now_s += cost
            self.calls += 1

        return call


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Script]]:
    def make(costs: Mapping[str, float] | None = None, **options: Any) -> Script:
        made = Script(costs or {}, **options)
        monkeypatch.setattr(VariantTrial, "_call", lambda self, regions, sample: made.call(regions, sample))
        return made

    yield make


def choose(model: Model, script: Script, asked: str = "auto", **options: Any) -> dict[str, VariantState]:
    found = trials.with_variants(model, asked, quiet, 8, in_graphs=False, timing=script.timing, **options)
    return {state.name: state for state in found.variants}


def test_what_is_clearly_faster_is_kept_and_says_how_much(script: Any) -> None:
    found = choose(make_model(), script({"conv-relu": 0.8, "qkv": 0.97, "group-norm": 0.99}))

    assert [name for name, state in found.items() if state.is_on] == ["conv-relu", "qkv"]
    assert (found["conv-relu"].ratio, found["qkv"].ratio) == (0.8, 0.97)
    assert found["group-norm"] == VariantState("group-norm", False, 0.99, "not faster here")
    assert found["fp16-sums"].why == "for products in float16 on NVIDIA's GPUs"


def test_each_is_tried_over_those_that_were_kept(script: Any) -> None:
    found = choose(make_model(), script({"conv-relu": 0.5, "qkv": 0.5, "group-norm": 0.5}))

    assert [state.ratio for state in found.values() if state.is_on] == [0.5, 0.5, 0.5], "never the product of them"


def test_a_slower_one_is_left_out(script: Any) -> None:
    found = choose(make_model(), script({"qkv": 17.0}))

    assert not any(state.is_on for state in found.values())
    assert found["qkv"].ratio == 17.0


def test_one_that_wins_alone_and_loses_in_batches_is_left_out(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, made = make_model(), script()
    samples = VariantTrial(model, (1,), made.timing).samples(2)
    assert {sample.call.batch for sample in samples} == {2} and samples[0].inputs["pictures"].shape[0] == 2

    def cost_of(self: VariantTrial, regions: Regions, sample: Sample) -> Callable[[], Any]:
        is_changed = any(isinstance(part, ConvRelu) for part in regions.region_for(sample.call).modules())
        cost = 0.01 * (1.0 if not is_changed else 0.7 if sample.call.batch == 1 else 1.05)
        return lambda: setattr(made, "now_s", made.now_s + cost)

    monkeypatch.setattr(VariantTrial, "_call", cost_of)
    (conv_relu,) = table.named(["conv-relu"])

    (found,) = VariantTrial(model, (1, 2), made.timing).run([conv_relu], (), lambda states: None)

    assert not found.is_on and found.ratio == pytest.approx(0.875)


def test_one_that_gives_something_else_is_never_on(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = ConvRelu.forward
    monkeypatch.setattr(ConvRelu, "forward", lambda self, x, residual=None: 1.01 * forward(self, x, residual))

    found = choose(make_model(), script({"conv-relu": 0.1}))["conv-relu"]

    assert not found.is_on and "its results differ from PyTorch's by" in found.why


def test_a_broken_one_is_left_out_with_a_word_and_tried_at_the_next_start(
    script: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, made = make_model(), script({"conv-relu": 0.5, "qkv": 0.5})
    with monkeypatch.context() as patch:

        def broken(self: ConvRelu, x: torch.Tensor, residual: Any = None) -> torch.Tensor:
            raise RuntimeError("no engine found\nand much more")

        patch.setattr(ConvRelu, "forward", broken)
        found = choose(model, made)

    assert found["conv-relu"] == VariantState("conv-relu", False, None, "RuntimeError: no engine found")
    assert found["qkv"].is_on, "the others are tried"
    assert "conv-relu is left out: RuntimeError: no engine found" in caplog.text
    calls = made.calls
    assert choose(model, made)["conv-relu"].is_on, "and it alone"
    assert 0 < made.calls - calls <= 2 * 2 * (LEAST_TURNS + 60)


def test_what_was_found_is_kept_for_this_model_on_this_device(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = choose(make_model(), script({"qkv": 0.5}))
    again = script({"qkv": 2.0})
    assert choose(make_model(), again) == first and again.calls == 0

    for another in (
        lambda: replace(make_model(), defaults={"width": 128, "height": 64}),
        lambda: make_model(latent_channels=8),
        lambda: make_model("sdxl"),
    ):
        assert not choose(another(), script({"qkv": 2.0}))["qkv"].is_on, "another is tried"
    monkeypatch.setattr(trials, "machine_of", lambda device: "another machine")
    assert not choose(make_model(), script({"qkv": 2.0}))["qkv"].is_on


def test_a_damaged_entry_is_tried_again(script: Any, caplog: pytest.LogCaptureFixture) -> None:
    choose(make_model(), script({"qkv": 0.5}))
    (file,) = cache_folder(KIND).glob("*/tried.json")
    file.write_text('{"about": 1, "variants": [{"name": "qkv"}]}')

    assert not choose(make_model(), script({"qkv": 2.0}))["qkv"].is_on
    assert "damaged" in caplog.text


class Died(BaseException):
    """The process was killed."""


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], None]:
    """Starts that end where `qkv` is tried: all that is kept of them is what was on disk before."""
    keep = TrialCache.keep

    def dying(self: TrialCache, key: str, tried: Tried) -> None:
        keep(self, key, tried)
        if tried.variants and tried.variants[-1].name == "qkv":
            raise Died

    def die(made: Script) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(TrialCache, "keep", dying)
            with pytest.raises(Died):
                choose(make_model(), made)

    return die


def on_disk(name: str) -> VariantState:
    (tried,) = TrialCache().all()
    return next(one for one in tried.variants if one.name == name)


def test_a_trial_that_was_killed_is_made_once_more(
    script: Any, dies: Callable[[Script], None], caplog: pytest.LogCaptureFixture
) -> None:
    dies(script())
    assert on_disk("qkv") == VariantState("qkv", False, None, BEGUN)
    assert choose(make_model(), script(), "known")["qkv"] == VariantState("qkv", False, None, BEGUN), "and says so"

    found = choose(make_model(), script({"qkv": 0.5}))

    assert found["qkv"].is_on and on_disk("qkv") == found["qkv"]
    assert "qkv is tried once more: the engine ended while it was tried before" in caplog.text


def test_what_ended_the_process_twice_is_left_out_and_each_start_says_so(
    script: Any, dies: Callable[[Script], None], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        dies(script())
    assert on_disk("qkv") == VariantState("qkv", False, None, BROKE)

    for _ in range(2):
        caplog.clear()
        found = choose(make_model(), script({"qkv": 0.5, "group-norm": 0.5}))

        assert found["qkv"].why == BROKE and not found["qkv"].is_on
        assert found["group-norm"].is_on
        assert "qkv is left out: the engine ended twice while it was tried; --variants qkv" in caplog.text
    assert doctor.variants()[0].verdict is Verdict.NOTE and BROKE in doctor.variants()[0].text


def test_being_ended_by_somebody_is_no_fault_of_a_variant(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:

        def interrupted(self: VariantTrial, *arguments: Any) -> VariantState:
            raise KeyboardInterrupt

        patch.setattr(VariantTrial, "_tried", interrupted)
        with pytest.raises(KeyboardInterrupt):
            choose(make_model(), script())

    assert choose(make_model(), script({"conv-relu": 0.5}))["conv-relu"].is_on


def test_what_a_trial_took_of_a_gpus_memory_is_given_back(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[torch.device] = []
    monkeypatch.setattr(trials, "give_back", given.append)
    model = make_model()

    choose(model, script())
    assert given == [model.device]
    choose(model, script())
    assert given == [model.device], "nothing was tried, and nothing taken"


def test_frames_that_take_long_are_not_tried(script: Any) -> None:
    made = script({"qkv": 0.5}, call_s=LONGEST_S + 0.1)

    found = choose(make_model(), made)

    assert found["qkv"].why == f"not tried: a frame takes over {LONGEST_S:g} s"
    assert made.calls < 20


def test_off_tries_nothing_and_known_takes_what_was_found(script: Any) -> None:
    made = script({"qkv": 0.5})

    assert choose(make_model(), made, "off") == {}
    assert not any(state.is_on for state in choose(make_model(), made, "known").values()) and made.calls == 0
    choose(make_model(), made)
    calls = made.calls
    assert choose(make_model(), made, "known")["qkv"].is_on and made.calls == calls


def test_those_that_are_asked_for_run_without_being_timed(script: Any) -> None:
    made = script({"qkv": 17.0})

    found = choose(make_model(), made, "group-norm,qkv")

    assert [(state.name, state.is_on, state.why) for state in found.values()] == [
        ("qkv", True, "asked for"),
        ("group-norm", True, "asked for"),
    ]
    assert made.calls == 0


def test_one_that_is_asked_for_and_can_not_be_used_is_refused_with_the_reason(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="fp16-sums can't be used here: for products in float16"):
        choose(make_model(), script(), "fp16-sums")
    monkeypatch.setattr(ConvRelu, "forward", lambda self, x, residual=None: self.convolution(x))
    with pytest.raises(ConfigError, match="results of conv-relu differ from PyTorch's by"):
        choose(make_model(), script(), "conv-relu")


def test_an_unknown_name_is_refused_by_the_configuration() -> None:
    with pytest.raises(ValueError, match="'tensorrt' is no variant: write auto, known, off or names of"):
        Config(variants="qkv,tensorrt")


def test_eager_mode_and_graphs_are_varied_openvino_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def with_variants(model: Model, names: str, *arguments: Any, **options: Any) -> Model:
        asked.append(names)
        return replace(model, variants=(VariantState("qkv", True, 0.9),))

    monkeypatch.setattr(registry, "with_variants", with_variants)
    monkeypatch.setattr(registry, "RUNGS", ())

    started = registry.start(Accelerate.AUTO, make_model(), quiet, variants="auto")

    assert started.backend.rung.variants == (VariantState("qkv", True, 0.9),)
    assert "with qkv (0.90 of the time)" in str(started.backend.rung)
    assert asked == ["auto"]
    registry.start(Accelerate.OFF, make_model(), quiet, variants="auto")
    assert asked == ["auto"], "off is PyTorch as it is"
    registry.start(Accelerate.OFF, make_model(), quiet, variants="qkv")
    assert asked == ["auto", "qkv"]
    takes = {rung.name for rung in (*registry.RUNGS, registry.GRAPHS) if rung.takes_variants}
    assert takes == {"graphs"} and not registry.OPENVINO.takes_variants and registry.AOTI.takes_variants


def test_the_builder_of_packages_is_told_of_them() -> None:
    model = make_model()
    regions: Any = EagerBackend(model)

    task = Packages(regions, model.device, model.dtype, variants=["qkv"]).task([])

    assert task.arguments == {"signatures": [], "variants": ["qkv"]}
    assert json.dumps(task.arguments)


def test_a_state_survives_json_and_that_of_earlier_versions_is_read() -> None:
    tried = VariantState("qkv", True, 0.9), VariantState("x", False, None, "no")
    state = RungState("graphs", "graphs", variants=tried)

    assert RungState.parse(json.loads(json.dumps(state.wire()))) == state
    before = {name: value for name, value in state.wire().items() if name != "variants"}
    assert RungState.parse(before).variants == ()


def test_a_folder_that_can_not_be_written_costs_no_start(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, key: str, write: Any) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("realtime.engine.rungs.folder_cache.FolderCache.make", full)

    assert choose(make_model(), script({"qkv": 0.5}))["qkv"].is_on


@pytest.mark.slow
def test_a_real_trial_of_a_tiny_model_says_something_of_each() -> None:
    stages: list[str] = []

    found = trials.with_variants(make_model(), "auto", lambda stage, percent: stages.append(stage), 8, in_graphs=True)

    timed = {state.name: state for state in found.variants}
    assert stages == ["trying variants"]
    assert all(timed[name].ratio is not None for name in ("conv-relu", "qkv", "group-norm"))


@pytest.mark.skipif(sys.platform == "win32", reason="there all try at once")
def test_engines_of_several_gpus_try_one_after_the_other(tmp_path: Path) -> None:
    """Else what one is trying is what has ended it, to the others."""
    waited, said = threading.Event(), list[str]()

    def second() -> None:
        with TrialCache(tmp_path).alone(waited.set):
            said.append("second")

    other = threading.Thread(target=second)
    with TrialCache(tmp_path).alone(lambda: None):
        other.start()
        assert waited.wait(PATIENCE_S)
        said.append("first")
    other.join(PATIENCE_S)

    assert said == ["first", "second"]


def test_what_can_not_be_kept_is_tried_all_the_same(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()

    with TrialCache(file / "trials").alone(lambda: None):
        pass
