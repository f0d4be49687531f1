"""OpenVINO gives PyTorch's pictures, for any size; what it converts and compiles is kept, and is right or not used."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from realtime.config import Accelerate, Config, Device
from realtime.engine import Guidance
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model, load_model
from realtime.engine.recipe import Recipes
from realtime.engine.regions import Call, Kind, Outputs
from realtime.engine.rungs import exactness
from realtime.engine.rungs.builder import Builder
from realtime.engine.rungs.registry import start
from realtime.engine.rungs.specialise import Demand, Signature, made, specialise
from realtime.engine.rungs.upgrade import Upgrade
from realtime.engine.sampler import T
from realtime.engine.state import CallShape
from realtime.errors import ConfigError
from realtime.frame import Result
from tests import checkpoints
from tests.engine.tiny_checkers import a_checker, save_checker
from tests.engine.tiny_models import FRAME_KINDS, make_job, make_model, make_params, picture_of, run
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i
from tests.fakes.clock import FakeClock

# Ours first: it keeps OpenVINO from telling its makers of every conversion, in a process that takes 10 s to fail.
pytest.importorskip("realtime.engine.rungs.openvino.conversion", exc_type=ImportError)

from openvino import opset13

from realtime.engine.rungs.openvino import conversion
from realtime.engine.rungs.openvino.backend import prove
from realtime.engine.rungs.openvino.conversion import CONVERSIONS_KEPT, Traced, ov
from realtime.engine.rungs.openvino.known import Known
from realtime.engine.rungs.openvino.network import SHAPES_KEPT, UNUSED_NS, Network

pytestmark = pytest.mark.slow

EMBEDDED: dict[str, Any] = {"concat_source": True, "latent_channels": 8}
SDXL_LCM: dict[str, Any] = {"family": "sdxl", "guidance": Guidance.EMBEDDED}


def quiet(stage: str, percent: float | None) -> None:
    pass


def openvino(model: Model, progress: Any = quiet) -> Any:
    """The model on OpenVINO, converted where it is not yet."""
    return start(Accelerate.OPENVINO, model, progress).backend


class Conversions:
    """Counts networks that are converted, as the progress of a start tells."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, stage: str, percent: float | None) -> None:
        self.count += percent is not None


class Fresh(NamedTuple):
    """One model's conversion, for all tests: making it takes as long as five starts.

    Attributes:
        model: wants float32; in bfloat16 a conversion that was read rounds otherwise than a fresh one.
        backend: made when the networks were converted.
        cache: holds the conversion, and that it is right in float32 and in half precision. Only to be copied.
        converted: how many networks were.
    """

    model: Model
    backend: Any
    cache: Path
    converted: int


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    model, cache, conversions = replace(make_model(**EMBEDDED), exact=True), tmp_path_factory.mktemp("c"), Conversions()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALTIME_CACHE", str(cache))
        backend = openvino(model, conversions)
        half_precision(patch)
        openvino(replace(model, exact=False), conversions)
    return Fresh(model, backend, cache, conversions.count)


@pytest.fixture
def kept(fresh: Fresh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own, with the conversion."""
    shutil.copytree(fresh.cache, tmp_path / "cache")
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def any_conversion(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are converted by reading what became of them before."""

    def convert(traced: Traced) -> ov.Model:
        return ov.Core().read_model(next(fresh.cache.rglob(f"{traced.kind}.xml")))

    monkeypatch.setattr(conversion, "_convert", convert)


def check_any_batch_and_size(model: Model, fast: Any, prompts: tuple[str, str] = ("a", "a BREAK b")) -> None:
    # 9 latents high: no multiple of what the UNet halves.
    sizes = [(64, 64), (64, 64), (96, 64), (64, 72)]
    fields: dict[str, Any] = {"guidance_scale": 2.0, "num_inference_steps": 2}
    jobs = [
        make_job(make_params(width=width, height=height, seed=i, prompt=prompts[i % 2], **fields), i)
        for i, (width, height) in enumerate(sizes)
    ]

    theirs, ours = (run(DiffusionEngine(model, backend), jobs) for backend in (EagerBackend(model), fast))

    assert (fast.rung.name, fast.rung.precision) == ("openvino", "float32")
    assert str(fast.rung).startswith("openvino 20") and str(fast.rung).endswith("float32 as asked for")
    for mine, eager in zip(ours, theirs, strict=True):
        # 1 of 255 where a value lies on the border of two.
        np.testing.assert_allclose(picture_of(mine).astype(int), picture_of(eager), atol=1)


def test_openvino_gives_the_same_pictures_for_any_batch_and_size(fresh: Fresh) -> None:
    check_any_batch_and_size(fresh.model, fresh.backend)


def test_sdxl_with_embedded_guidance_gives_the_same_pictures_too() -> None:
    model = replace(make_model(**SDXL_LCM), exact=True)

    check_any_batch_and_size(model, openvino(model))


def test_the_painter_gives_the_same_pictures_too(tmp_path: Path) -> None:
    folder = checkpoints.build_painter(tmp_path / "painter")
    model = replace(load_model(Config(model=str(folder), device=Device.CPU)), exact=True)

    check_any_batch_and_size(model, openvino(model), ("oil painting", "ink"))


@pytest.mark.usefixtures("kept", "any_conversion")
def test_a_conversion_is_kept_and_never_taken_for_other_weights(fresh: Fresh, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    conversions = Conversions()
    assert fresh.converted == 4, "those of the first start; the second read them"

    again = openvino(fresh.model, conversions)

    assert conversions.count == 0, "read, not converted"
    for ours, theirs in zip(restyle(again, fresh.model), restyle(fresh.backend, fresh.model), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1)

    trained = replace(make_model(**EMBEDDED), exact=True)
    with torch.no_grad():
        next(trained.unet.parameters()).mul_(1 + 1e-6)
    openvino(trained, conversions)
    assert conversions.count == 4, "other weights, another conversion"
    assert "none of the 1 openvino conversions" in caplog.text


@pytest.mark.usefixtures("any_conversion")
def test_a_damaged_conversion_is_made_anew(fresh: Fresh, kept: Path) -> None:
    (file,) = kept.rglob("step.xml")
    file.write_text("no network")
    conversions = Conversions()

    backend = openvino(fresh.model, conversions)

    assert backend.rung.name == "openvino" and conversions.count == 4
    assert file.read_text() != "no network"


def set_limits(monkeypatch: pytest.MonkeyPatch, half: float, single: float) -> None:
    """How far from PyTorch's results may be; below 0 nothing is near enough."""
    monkeypatch.setattr(exactness, "LIMITS", {"float32": single, "bfloat16": half, "float16": half})
    monkeypatch.setattr(exactness, "ROUNDING", min(half, single, exactness.ROUNDING))


def half_precision(monkeypatch: pytest.MonkeyPatch, limit: float = 0.05) -> None:
    """OpenVINO calculates bfloat16 on every CPU that has AVX-512; elsewhere it takes float32, which is as good here."""
    monkeypatch.setattr("realtime.engine.rungs.openvino.backend.native_precision", lambda core: "bf16")
    set_limits(monkeypatch, half=limit, single=exactness.ROUNDING)


@pytest.fixture
def half(fresh: Fresh, kept: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Model]:
    """A backend that calculates in half precision, whatever this CPU has, and its model; with a cache of its own."""
    half_precision(monkeypatch)
    model = replace(fresh.model, exact=False)
    return openvino(model), model


def restyle(backend: Any, model: Model, width: int = 64, count: int = 1) -> list[Any]:
    jobs = [make_job(make_params(width=width, height=64, num_inference_steps=2, seed=i), i) for i in range(count)]
    return [picture_of(outcome).astype(int) for outcome in run(DiffusionEngine(model, backend), jobs)]


def test_half_precision_gives_nearly_the_same_pictures_and_says_so(half: Any) -> None:
    fast, model = half

    assert fast.rung.precision == "bfloat16"
    assert "bfloat16, which this CPU has" in str(fast.rung)
    np.testing.assert_allclose(restyle(fast, model, count=3), restyle(EagerBackend(model), model, count=3), atol=12)


def test_a_network_that_half_precision_harms_stays_in_float32(
    fresh: Fresh, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half_precision(monkeypatch, limit=-1.0)
    for file in kept.rglob("checked.json"):
        file.unlink()

    backend = openvino(replace(fresh.model, exact=False))

    assert backend.rung.precision == "float32"
    assert str(backend.rung).endswith("float32: bfloat16 would change the pictures")


def test_results_are_compared_once_for_a_conversion_and_a_precision(
    fresh: Fresh, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(monkeypatch, half=-1.0, single=-1.0)

    assert openvino(fresh.model).rung.name == "openvino"

    for file in kept.rglob("checked.json"):
        file.write_text("[]")
    with pytest.raises(ConfigError, match="can't run this model") as refused:
        openvino(fresh.model)
    assert "differ" in str(refused.value.__cause__)


@pytest.mark.usefixtures("kept")
def test_a_cpu_without_half_precision_runs_float32_and_says_so(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.engine.rungs.openvino.backend.native_precision", lambda core: "f32")

    rung = openvino(replace(fresh.model, exact=False)).rung

    assert rung.precision == "float32"
    assert str(rung).endswith("this CPU has no half precision")


def test_openvino_whose_results_differ_is_not_used(fresh: Fresh, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in kept.rglob("checked.json"):
        file.unlink()
    set_limits(monkeypatch, half=-1.0, single=-1.0)

    backend = start(Accelerate.AUTO, fresh.model, quiet).backend

    assert backend.rung.name == "eager" and "openvino can't run this model" in backend.rung.why
    with pytest.raises(ConfigError, match="can't run this model") as refused:
        openvino(fresh.model)
    assert "differ" in str(refused.value.__cause__)


def test_auto_serves_in_eager_mode_until_there_is_a_conversion(
    fresh: Fresh, kept: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("REALTIME_CACHE", str(tmp_path / "empty"))
        before = start(Accelerate.AUTO, fresh.model, quiet)
    after = start(Accelerate.AUTO, fresh.model, quiet)

    assert (before.backend.rung.name, before.backend.rung.why) == ("eager", "until openvino is ready")
    assert after.backend.rung.name == "openvino"
    assert before.upgrade is not None and after.upgrade is not None


OF_ANOTHER_VERSION = '{"a CPU": {"precisions": {"opening": "f32"}, "proven": [["unet", [[1, 4, 8, 8], [1]]]]}}'


@pytest.mark.parametrize("written", ["[]", "no json", OF_ANOTHER_VERSION])
def test_what_another_version_found_out_counts_for_nothing_and_the_log_says_so(
    written: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "checked.json").write_text(written)

    known = Known(tmp_path, "a CPU")

    assert (known.precisions, known.proven) == ({}, frozenset())
    assert "damaged, or of another version: results are compared anew" in caplog.text


def test_what_is_damaged_of_what_was_found_out_is_found_out_anew(half: Any, kept: Path) -> None:
    backend, model = half
    (file,) = kept.rglob("checked.json")
    found = json.loads(file.read_text())
    (in_half,) = [machine for machine in found if machine.endswith("bf16")]
    file.write_text(OF_ANOTHER_VERSION.replace("a CPU", in_half))

    again = openvino(model)

    assert again.rung.precision == backend.rung.precision
    assert json.loads(file.read_text()) == {in_half: found[in_half]}


@pytest.mark.usefixtures("any_conversion")
def test_the_conversions_of_the_last_models_are_kept(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    for old in range(CONVERSIONS_KEPT + 1):
        folder = tmp_path / "openvino" / f"of another version {old}"
        folder.mkdir(parents=True)
        os.utime(folder, (old, old))

    openvino(fresh.model)

    kept = [folder.name for folder in (tmp_path / "openvino").iterdir()]
    assert len(kept) == CONVERSIONS_KEPT and "of another version 0" not in kept


@pytest.mark.usefixtures("kept")
def test_a_form_that_was_not_converted_is_answered_by_pytorch_and_the_rung_says_so(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = openvino(fresh.model)
    x = [torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))]
    plain = backend.run(Call(Kind.DECODE, 64, 64, 1, 0, {"x": x}))
    assert "PyTorch" not in str(backend.rung)

    def tinted(x: torch.Tensor, tint: torch.Tensor) -> Outputs:
        return {"pictures": decode(x=x)["pictures"] // tint}

    decode = backend.regions.region(Kind.DECODE)
    monkeypatch.setattr(backend.regions, "region_for", lambda call: {("tint", "x"): tinted}[call.names])
    tinted_one = backend.run(Call(Kind.DECODE, 64, 64, 1, 0, {"x": x, "tint": [torch.full((1, 1, 1, 1), 2)]}))

    half = tinted_one["pictures"].int()
    torch.testing.assert_close(half, plain["pictures"].int() // 2, atol=1, rtol=0)
    assert str(backend.rung).endswith(", decode with tint in PyTorch")


@pytest.mark.usefixtures("kept")
def test_a_unet_that_is_told_more_than_was_converted_is_pytorch_s(fresh: Fresh) -> None:
    backend = openvino(fresh.model)
    recipe = Recipes(fresh.model).get(make_params())
    assert recipe is not None
    sample, timestep = recipe.noise[0], recipe.steps[0][:, T]
    told = {**backend.regions.denoiser.conditions(recipe, 0, False), "source": sample}
    converted = backend.regions.denoiser(sample, timestep, told)
    before = str(backend.rung)

    answered = backend.regions.denoiser(sample, timestep, {**told, "hint": sample})

    torch.testing.assert_close(answered, converted, atol=1e-3, rtol=0)
    assert "PyTorch" not in before and str(backend.rung) == f"{before}, step with hint in PyTorch"


@pytest.mark.usefixtures("kept")
def test_contexts_are_answered_by_pytorch_and_the_rung_says_so(fresh: Fresh) -> None:
    backend = openvino(fresh.model)
    fields: dict[str, Any] = {"prompt": "fox", "negative_prompt": "rain", "num_inference_steps": 2}
    jobs = [make_job(make_params(**fields, negative_scale=scale), i) for i, scale in enumerate((1.0, 4.0))]
    fast, eager = (DiffusionEngine(fresh.model, one) for one in (backend, EagerBackend(fresh.model)))

    plain = picture_of(run(fast, jobs[:1])[0]).astype(int)
    before = str(backend.rung)
    ours = [picture_of(one).astype(int) for one in run(fast, jobs)]
    theirs = [picture_of(one).astype(int) for one in run(eager, jobs)]

    assert max(np.abs(mine - other).max() for mine, other in zip(ours, theirs, strict=True)) <= 1
    assert np.abs(ours[0] - plain).max() <= 1 < np.abs(ours[0] - ours[1]).max()
    assert "PyTorch" not in before and str(backend.rung) == f"{before}, step with a negative prompt in PyTorch"


@pytest.mark.usefixtures("kept")
def test_rows_that_nets_steer_are_answered_by_pytorch_beside_others(fresh: Fresh) -> None:
    nets = (a_net(make_controlnet(in_channels=8)), a_net(make_t2i(), "t2i"))
    model = replace(fresh.model, nets=nets)
    backend = openvino(model)
    controls: list[list[dict[str, Any]]] = [[{"net": "canny"}], [], [{"net": "t2i"}, {"net": "canny", "weight": 0.5}]]
    jobs = [make_job(make_params(control=control), seed) for seed, control in enumerate(controls)]

    ours = [picture_of(one) for one in run(DiffusionEngine(model, backend), jobs)]
    theirs = [picture_of(one) for one in run(DiffusionEngine(model, EagerBackend(model)), jobs)]

    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.astype(int), other.astype(int), atol=2)
    assert "control/canny" in str(backend.rung) and "step with control and features" in str(backend.rung)


@pytest.mark.usefixtures("kept")
def test_pictures_are_checked_by_pytorch_and_the_rung_says_so(fresh: Fresh, tmp_path: Path) -> None:
    model = replace(fresh.model, checker=a_checker(save_checker(tmp_path / "checker")))
    backend = openvino(model)
    jobs = [make_job(make_params(seed=seed), seed) for seed in range(3)]

    ours, theirs = (run(DiffusionEngine(model, one), jobs) for one in (backend, EagerBackend(model)))

    scores = [[outcome.score for outcome in outcomes if isinstance(outcome, Result)] for outcomes in (ours, theirs)]
    assert len(scores[0]) == 3 and scores[0] == pytest.approx(scores[1], abs=0.02)
    assert "check in PyTorch" in str(backend.rung)


# -- compilations for the shapes in use --------------------------------------------------------------------------------


def test_shapes_in_use_get_a_compilation_that_gives_the_same_pictures(half: Any) -> None:
    backend, model = half
    before = restyle(backend, model)
    in_use = backend.demand.so_far()

    for signature in in_use:
        backend.prove(signature)
        assert backend.take(signature)

    assert [signature.call.kind for signature in in_use] == list(FRAME_KINDS)
    assert list(map(str, backend.rung.made_for)) == ["encode 1×64×64", "step 1×64×64", "decode 1×64×64"]
    assert str(backend.rung).endswith(", made for 64×64")
    np.testing.assert_allclose(restyle(backend, model), before, atol=12)
    assert backend.demand.so_far() == in_use, "nobody asked for anything more"
    wide = restyle(backend, model, width=96, count=2)
    np.testing.assert_allclose(wide, restyle(EagerBackend(model), model, width=96, count=2), atol=24)


@pytest.mark.usefixtures("kept")
def test_shapes_in_use_are_compiled_for_in_float32_too(fresh: Fresh) -> None:
    backend = openvino(fresh.model)
    before = restyle(backend, fresh.model)

    for signature in backend.demand.so_far():
        backend.prove(signature)
        assert backend.take(signature)

    assert list(map(str, backend.rung.made_for)) == ["encode 1×64×64", "step 1×64×64", "decode 1×64×64"]
    np.testing.assert_allclose(restyle(backend, fresh.model), before, atol=1)


def test_what_is_proven_stays_so_for_the_next_start(half: Any) -> None:
    backend, model = half
    restyle(backend, model)
    first, *others = backend.demand.so_far()

    backend.keep(first)

    again: Any = openvino(model)
    assert again.has(first)
    assert not any(again.has(signature) for signature in others)


def test_compilation_whose_results_differ_is_no_proof(half: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, model = half
    restyle(backend, model)
    set_limits(monkeypatch, half=-1.0, single=-1.0)

    for signature in backend.demand.so_far():
        with pytest.raises(RuntimeError, match=f"results of the {signature} differ"):
            backend.prove(signature)


def test_the_child_tells_what_it_has_proven(half: Any) -> None:
    backend, model = half
    restyle(backend, model)
    signatures = backend.demand.so_far()

    said = list(prove(model, json.loads(json.dumps(backend.task(signatures).arguments))["signatures"]))

    assert said == [made(signature) for signature in signatures]


PROVES_ALL = """
import json, sys
for signature in json.loads(sys.stdin.readline())["arguments"]["signatures"]:
    print(json.dumps({"made": signature}))
"""
CRASHES_AT_THE_SECOND = """
import json, os, signal, sys
print(json.dumps({"made": json.loads(sys.stdin.readline())["arguments"]["signatures"][0]}), flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""


class OneRound(threading.Event):
    """Ends an upgrade when it has looked once."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


@pytest.mark.parametrize(("program", "taken"), [(PROVES_ALL, 3), (CRASHES_AT_THE_SECOND, 1)])
def test_what_a_child_has_proven_is_taken_and_a_crash_of_it_costs_only_speed(
    half: Any, program: str, taken: int
) -> None:
    backend, model = half
    restyle(backend, model)
    upgrade = Upgrade(
        Config(), lambda backend: None, lambda config, task: Builder(config, task, (sys.executable, "-c", program))
    )
    upgrade.closing = OneRound()

    specialise(backend, upgrade)

    assert sum(len(network.fixed) for network in backend._networks.values()) == taken
    assert ("SIGSEGV" in upgrade.beside(backend.rung).failed) == (taken < 3)
    restyle(backend, model)


def test_size_for_which_there_is_no_room_stays_slower_and_the_log_says_so(
    half: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backend, model = half
    restyle(backend, model)
    for signature in backend.demand.so_far():
        backend.keep(signature)
    monkeypatch.setattr(Network, "take", lambda network, signature: False)
    upgrade = Upgrade(Config(), lambda backend: None)
    upgrade.closing = OneRound()

    with caplog.at_level("INFO", "realtime.engine.rungs.openvino.backend"):
        specialise(backend, upgrade)

    assert caplog.text.count("too many sizes are in use") == 3
    assert backend.rung.made_for == ()


# -- one network -------------------------------------------------------------------------------------------------------


def doubling(clock: FakeClock, demand: Demand | None = None) -> Network:
    opset: Any = opset13
    parameter = opset.parameter([-1, 1, -1, -1], np.float32)
    doubled = opset.multiply(parameter, np.float32(2))
    for node, name in ((parameter, "x"), (doubled, "doubled")):
        node.output(0).get_tensor().set_names({name})
    converted = ov.Model([doubled], [parameter])
    return Network(ov.Core(), converted, Kind.DECODE, 8, demand or Demand(), "bf16", clock)


def latents(batch: int, side: int) -> torch.Tensor:
    return torch.ones(batch, 1, 1, side)


def signature_of(batch: int, side: int) -> Signature:
    return Signature(CallShape("decode", batch, 0, 8 * side, 8, ("x",)), (((batch, 1, 1, side), "float32"),))


def test_network_answers_all_shapes_and_keeps_those_in_use() -> None:
    clock = FakeClock()
    network = doubling(clock)
    for side in range(1, SHAPES_KEPT + 1):
        assert network.take(signature_of(1, side))

    assert not network.take(signature_of(1, 99)), "all are in use"
    assert network.take(signature_of(1, 2)), "it is there"
    clock.advance_ms(UNUSED_NS / 1e6)
    for side in (1, 3, 4, 50):
        np.testing.assert_array_equal(network(x=latents(1, side))["doubled"], 2 * latents(1, side))
    assert network.take(signature_of(1, 99))

    assert network.fixed == [signature_of(1, side) for side in (1, 3, 4, 99)]


def test_network_that_is_asked_what_it_is_compiled_for_tells_of_nothing_else() -> None:
    demand = Demand()
    network = doubling(FakeClock(), demand)
    network.take(signature_of(1, 4))

    network(x=latents(1, 4))
    network(x=latents(2, 4))
    network.any(x=latents(3, 4))

    assert demand.so_far() == [signature_of(2, 4)]
