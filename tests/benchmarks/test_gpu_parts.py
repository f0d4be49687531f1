"""benchmarks.gpu: what its parts find, with tiny shapes on a CPU, and of a device without memory."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.engine import arms
from benchmarks.engine import bench as engine_bench
from benchmarks.engine.models import SHAPES
from benchmarks.gpu import building, checks, contexts, goals, hazards, nets, rungs, serving, sizes, variants, working
from benchmarks.gpu.working import Setting, Shared
from realtime.engine.backend import EagerBackend
from realtime.engine.models.components import UNet2DConditionModel
from realtime.engine.models.flops import flops
from realtime.engine.rungs.capture import Rerun
from realtime.errors import EngineError


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shared, Path]:
    return Shared(dry=True), tmp_path_factory.mktemp("gpu")


@pytest.fixture
def setting(shared: tuple[Shared, Path], tmp_path: Path) -> Setting:
    """A part's, whose tiny engines are loaded once for this module."""
    return Setting("part", shared[1], tmp_path, tmp_path / "cache", True, 240.0, shared[0])


TAESD_FLOPS = 263e9
"""Of both halves, for 512×512."""


def kept(setting: Setting) -> Any:
    return json.loads(working.part_file(setting.output, setting.name).read_text())


def test_each_rung_is_measured_beside_the_others_and_region_by_region(setting: Setting) -> None:
    found: dict[str, Any] = {}

    rungs.engine(setting, found)
    rungs.regions(setting, found)

    measured = found["scenarios"][goals.SD_TURBO]
    assert {f"ours {rung}, batch {batch}" for rung in ("off", "graphs") for batch in (1, 2)} <= measured.keys()
    assert {"diffusers", "diffusers, TAESD"} <= measured.keys()
    assert {"graphs, batch 1", "graphs, batch 3", "graphs, batch 2"} <= found["exactness"].keys()
    assert goals.goals({"engine": found})["B8 replays bit for bit"]["ok"] is True
    for rung in ("off", "graphs"):
        regions = found["regions"][rung]["batch_2"]
        assert all(regions[name] > 0 for name in ("opening_ms", "step_ms", "closing_ms", "tick_ms"))
    assert kept(setting) == json.loads(json.dumps(found))


def test_batches_that_the_device_lacks_memory_for_are_named_and_the_rest_is_measured(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = setting.engines()
    for ours in engines.by_rung.values():
        frames, made = ours.frames, ours.made

        def limited(batch: int, *rest: Any, frames: Any = frames) -> Any:
            if batch > 1:
                raise EngineError("a frame of the trial failed (the device has too little memory)")
            return frames(batch, *rest)

        def short(batch: int, steps: int, made: Any = made) -> Any:
            if batch > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return made(batch, steps)

        monkeypatch.setattr(ours, "frames", limited)
        monkeypatch.setattr(ours, "made", short)
    found: dict[str, Any] = {}

    rungs.more_steps(setting, found)
    rungs.engine(setting, found)

    assert {"exactness at 2", "exactness at 3", "ours graphs, batch 2", "ours off, batch 2"} <= found["notes"].keys()
    assert "ours graphs, batch 1" in found["scenarios"][goals.SD_TURBO]
    assert "ours graphs, batch 2" not in found["scenarios"][goals.SD_TURBO]


def test_another_that_does_not_run_here_is_named_and_costs_no_arm_of_ours(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise AttributeError("this version has no such thing")

    def others(*_: Any) -> dict[str, Any]:
        return {"StreamDiffusion": broken, "diffusers": lambda: {"ms_per_frame": 1.0}}

    found: dict[str, Any] = {}
    monkeypatch.setattr(arms, "baselines", others)
    assert rungs._others(setting, found, 1).keys() == {"diffusers"}
    monkeypatch.setattr(arms, "baselines", broken)
    assert rungs._others(setting, found, 2) == {}

    assert found["notes"] == {
        "StreamDiffusion, 1 steps": "AttributeError: this version has no such thing",
        "others, 2 steps": "AttributeError: this version has no such thing",
    }


def test_model_that_several_want_is_made_once(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    making, most = 0, 0

    def make(shape: str, machine: Any, models: Path) -> Path:
        nonlocal making, most
        making += 1
        most = max(most, making)
        time.sleep(0.05)
        making -= 1
        return models / shape

    monkeypatch.setattr(engine_bench, "make_model", make)
    threads = [threading.Thread(target=setting.model, args=("sd-turbo",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1


def test_no_picture_is_another_ones_under_everything_at_once(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hazards, "TICKS_DRY", 24)
    found: dict[str, Any] = {}

    hazards.hazards(setting, found)

    told = found["hazards"]
    assert told["is_whole"] and told["pictures"] >= 24
    assert (told["wrong"], told["failures"]) == (0, 0) and told["largest"] < hazards.MIXED_UP
    assert kept(setting)["hazards"]["ticks"] == 20, "it is kept as it goes on"


def test_pictures_that_are_mixed_up_are_found(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    collected = hazards._collected

    def mixed_up(pending: Any) -> Any:
        made = collected(pending)
        return [(number, made[place - 1][1]) for place, (number, _) in enumerate(made)]

    monkeypatch.setattr(hazards, "TICKS_DRY", 12)
    monkeypatch.setattr(hazards, "_collected", mixed_up)
    found: dict[str, Any] = {}

    hazards.hazards(setting, found)

    assert found["hazards"]["wrong"] > 0


def test_variants_make_what_is_served_and_say_where_there_is_none(setting: Setting) -> None:
    found: dict[str, Any] = {}

    variants.variants(setting, found)

    told = found["variants"]
    assert told.keys() == variants.VARIANTS.keys()
    assert told["cuDNN's attention"] == {"note": "not on cpu"}
    assert told.pop("fp16-sums") == {"note": "RuntimeError: not here: for products in float16 on NVIDIA's GPUs"}
    for name in told:
        variant = variants.VARIANTS[name]
        for kind in variant.kinds if variant.on_cpu else ():
            assert told[name]["batch_1"][f"{kind}_ms"] > 0
            assert told[name]["batch_1"][f"{kind}_difference"] < 1e-3


def test_first_calls_of_a_size_and_memory_are_told(setting: Setting) -> None:
    found: dict[str, Any] = {}

    sizes.sizes(setting, found)

    assert all(len(times) == sizes.CALLS and min(times) > 0 for times in found["first_calls"].values())
    assert found["memory"]["with both engines"]["held_mb"] > 0


def test_ticks_with_contexts_are_told_beside_plain_ones(setting: Setting) -> None:
    found: dict[str, Any] = {}

    contexts.contexts(setting, found)

    wanted = {f"{kind}, {count} of 2" for kind in contexts.KINDS for count in (1, 2)}
    assert found["contexts_tick_ms"].keys() == {"plain", *wanted}
    assert found["contexts_to_plain"].keys() == wanted and not found["notes"]
    assert min(found["contexts_tick_ms"].values()) > 0 and kept(setting) == json.loads(json.dumps(found))


def test_ticks_that_nets_steer_are_told_beside_plain_ones(setting: Setting) -> None:
    found: dict[str, Any] = {}

    nets.nets(setting, found)

    wanted = {f"{kind}, {count} of 2" for kind in nets.KINDS for count in (1, 2)}
    assert found["nets_tick_ms"].keys() == {"plain", *wanted} and found["nets_to_plain"].keys() == wanted
    assert min(found["nets_tick_ms"].values()) > 0 and found["nets_ready_s"] > 0 and not found["notes"]
    assert found["shares"].keys() == set(nets.KINDS) and min(found["shares"].values()) > 0
    assert kept(setting) == json.loads(json.dumps(found))
    goal = goals.goals({"nets": {"nets_to_plain": {"controlnet, 8 of 8": 1.2}}})
    assert nets.arm_of("controlnet", 8, goals.ROWS) == "controlnet, 8 of 8"
    assert goal["D1 tick with a ControlNet on 8 of 8 rows, to plain"]["measured"] == 1.2


def test_nets_of_sdxls_shape_are_told_likewise(setting: Setting) -> None:
    found: dict[str, Any] = {}

    nets.sdxl_nets(setting, found)

    assert {"plain", "controlnet, 2 of 2", "union, 1 of 2", "adapter, 2 of 2"} <= found["nets_tick_ms"].keys()
    assert not found["notes"]


def test_ticks_that_the_device_lacks_memory_for_are_named_and_the_rest_is_told(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = EagerBackend.run

    def short(backend: EagerBackend, call: Any) -> Any:
        if call.kind == "control/union":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(backend, call)

    monkeypatch.setattr(EagerBackend, "run", short)
    monkeypatch.setattr(Rerun, "capture", lambda *_: (_ for _ in ()).throw(RuntimeError("no graphs here")))
    found: dict[str, Any] = {}

    nets.nets(setting, found)

    assert found["notes"].keys() == {"union, 1 of 2", "union, 2 of 2"}
    assert all("too little memory" in note for note in found["notes"].values())
    assert {"plain", "controlnet, 2 of 2", "adapter, 1 of 2"} <= found["nets_tick_ms"].keys()


@pytest.mark.parametrize(("part", "shape"), [("nets", "sd-turbo"), ("sdxl_nets", "sdxl-turbo")])
def test_what_was_computed_of_nets_is_their_arithmetic(part: str, shape: str) -> None:
    """Counted on networks of the real shapes, without weights: a frame with one step and TAESD is the whole."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SHAPES[shape].unet)
        made = {kind: make(**settings) for kind, (make, settings) in nets.shapes_beside(unet).items()}
    whole = flops(unet) + TAESD_FLOPS

    for kind, network in made.items():
        assert flops(network) / whole == pytest.approx(goals.COMPUTED_SHARES[part, kind], rel=0.05, abs=0.005)


def test_batches_count_as_built_when_all_their_packages_are_there(setting: Setting) -> None:
    for name, kinds in {"build_1": ("step", "encode", "decode"), "build_8": ("step",)}.items():
        setting.name = name
        setting.keep({"batch": building.batch_of(name, False), "packages": {kind: {"seconds": 1} for kind in kinds}})

    assert building.built_batches(setting) == [1]


def test_stages_of_the_compiler_are_told_with_exporting() -> None:
    with building.stages() as took_s:
        torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),))

    assert took_s["export"] >= 0 and torch.export.export.__module__.startswith("torch")


def test_each_test_on_the_device_is_put_down_as_soon_as_it_is_known() -> None:
    kept: list[dict[str, Any]] = []
    found: dict[str, Any] = {}
    told = checks._Told(lambda: kept.append(json.loads(json.dumps(found))), found)

    def report(name: str, when: str, failed: bool = False, skipped: bool = False, longrepr: Any = None) -> Any:
        return SimpleNamespace(
            nodeid=f"tests/gpu/test_gpu_graphs.py::{name}", when=when, failed=failed, skipped=skipped, longrepr=longrepr
        )

    told.pytest_runtest_logreport(report("test_a", "setup"))
    told.pytest_runtest_logreport(report("test_a", "call"))
    told.pytest_runtest_logreport(report("test_b", "call", failed=True, longrepr="def test\nE   assert 1 == 2\nmore"))
    told.pytest_runtest_logreport(report("test_c", "setup", skipped=True, longrepr=("file", 1, "Skipped: no GPU")))

    assert found == kept[-1]
    assert found["passed"] == 1
    assert found["failed"] == {"test_gpu_graphs.py::test_b": "E   assert 1 == 2"}
    assert found["skipped"] == {"test_gpu_graphs.py::test_c": "Skipped: no GPU"}


def test_clocks_and_power_are_as_the_driver_tells_them_or_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 580.65, P0, 1980 MHz, 2619 MHz'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    facts = checks.smi_facts()

    tool.write_text("#!/bin/sh\nexit 6\n")

    assert (facts["name"], facts["driver_version"], facts["clocks.sm"]) == ("NVIDIA H200", "580.65", "1980 MHz")
    assert checks.smi_facts() == {}


def test_streams_run_on_packages_only_where_none_would_have_to_be_built(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str] = []
    monkeypatch.setattr(serving, "_streams", lambda setting, found, rung: served.append(rung))
    on_cuda = SimpleNamespace(device=SimpleNamespace(type="cuda"))
    monkeypatch.setattr(setting, "machine", lambda: on_cuda)
    setting.dry = False
    found: dict[str, Any] = {}

    for built in ([1, 8], [1, 2, 4, 8]):
        monkeypatch.setattr(serving, "built_batches", lambda setting, built=built: built)
        serving.on_packages(setting, found)

    assert served == ["aoti"]
    assert found["note"] == "left out: there are no packages for batches of 2, 4"
