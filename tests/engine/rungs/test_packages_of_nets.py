"""Packages of nets: one file for nets of one form, each net's own weights, and right by row, beside contexts too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from realtime.config import Config, Device, ModelConfig
from realtime.control import INPUT, Hint, HintKey
from realtime.engine import rows
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model, load_model
from realtime.engine.regions import Kind
from realtime.engine.rungs import aoti, builder, packages
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.compile import CompiledBackend
from realtime.engine.rungs.folder_cache import cache_folder
from realtime.engine.rungs.graphs import GraphBackend
from realtime.engine.rungs.packages import Packages
from realtime.engine.rungs.specialise import Signature
from realtime.frame import Job
from tests.checkpoints import build_sd
from tests.engine.models.test_control import a_controlnet, saved
from tests.engine.rungs.test_packages import BUILDER, CPU, OPTIONS, needs_compiler
from tests.engine.tiny_adapters import SIDE, make_adapter
from tests.engine.tiny_models import make_job, make_model, make_params, make_picture, run
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i, make_union_network

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # two builds of half a minute each: on a machine that has others to serve, minutes
    needs_compiler,
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning"),  # Inductor's first import
]

SEEN = {"a" * 32: make_picture(7, SIDE, SIDE)}
NAMES = ("edges", "lines", "union", "colours")
"""Two ControlNets of one form, a union of the same blocks, and an adapter."""
VARIETY: tuple[dict[str, Any], ...] = (
    {"control": [{"net": "edges", "weight": 0.7}], "negative_prompt": "rain", "negative_scale": 4.0},
    {"control": [{"net": "edges"}, {"net": "colours", "weight": 0.6}]},
    {"control": [{"net": "lines", "weight": 1.3}, {"net": "union/canny"}], "references": [{"picture": "a" * 32}]},
    {"control": [{"net": "lines"}, {"net": "union/depth", "weight": 0.5}, {"net": "colours"}]},
    {},
)
FILES = 2
"""For the ControlNets, and the union. What looks at hints stays eager here, and the step but in one test."""


def some_jobs() -> list[Job]:
    """Of one step, so that they stay together."""
    return [
        replace(
            make_job(make_params(prompt=f"{i}", seed=i, strength=0.6, num_inference_steps=1, **fields), i),
            references=SEEN,
            hints={HintKey(Hint.PICTURE, INPUT): make_picture(50 + i)},
        )
        for i, fields in enumerate(VARIETY)
    ]


class Packed:
    """A model and the packages of its calls of several rows, built once for all tests.

    Args:
        kind: how the regions begin that have packages.
    """

    def __init__(self, folder: Path, kind: Kind = Kind.CONTROL) -> None:
        edges, lines = (a_net(make_controlnet(seed=seed), NAMES[seed]) for seed in range(2))
        nets = (edges, lines, a_net(make_union_network("sd"), "union"), a_net(make_t2i(), "colours"))
        plain = make_model(nets=nets)
        self.model: Model = replace(plain, ip_adapter=make_adapter(folder, plain.unet, "sd"))
        self.backend = CompiledBackend(self.model, "aoti", "aoti on cpu")
        run(DiffusionEngine(self.model, self.backend), some_jobs())
        noted = self.backend.compiled.demand.so_far()
        self.wanted = [one for one in noted if one.call.kind.startswith(kind)]
        self.packages = Packages(self.backend.compiled, CPU, torch.float32)
        self.before = str(self.backend.rung)
        self.made = list(packages.build(self.model, [one.wire() for one in self.wanted]))
        self.taken = [self.packages.take(one) for one in self.wanted]
        self.files = len(list(cache_folder("aoti").glob("*/package.pt2")))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    with built(tmp_path_factory.mktemp("nets"), Kind.CONTROL) as packed:
        yield packed


@contextmanager
def built(folder: Path, kind: Kind) -> Iterator[Packed]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALTIME_CACHE", str(folder / "cache"))
        patch.setitem(aoti.OPTIONS, "cpu", OPTIONS)
        yield Packed(folder, kind)


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    """With a package of the step that hears everything."""
    with built(tmp_path_factory.mktemp("contexts"), Kind.STEP) as packed:
        yield packed


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> dict[int, torch.Tensor]:
    """The latents of what leaves, by number of the frame."""
    found: dict[int, torch.Tensor] = {}
    decode = rows.decode_latents

    def recorded(group: Any, backend: Any, **options: Any) -> Any:
        found.update({row.job.frame.seq: row.x.clone() for row in group})
        return decode(group, backend, **options)

    monkeypatch.setattr(rows, "decode_latents", recorded)
    return found


def test_nets_of_one_form_have_one_file_and_each_its_own_weights(packed: Packed, tmp_path: Path) -> None:
    kinds = {one.call.kind: one for one in packed.wanted}

    assert {f"control/{name}" for name in NAMES[:3]} == set(kinds)
    assert all(packed.taken) and len(packed.made) == len(packed.wanted)
    keys = {kind: packed.packages._key(one) for kind, one in kinds.items()}
    assert keys["control/edges"] == keys["control/lines"] != keys["control/union"]
    assert len(set(keys.values())) == packed.files == FILES

    regions = packed.backend.compiled
    example = kinds["control/edges"].example(CPU)
    with torch.inference_mode():
        ours = {name: regions._calls[kinds[f"control/{name}"]](**example)["residual"] for name in NAMES[:2]}
        theirs = {name: regions.module(kinds[f"control/{name}"])(**example)["residual"] for name in NAMES[:2]}
    for name in NAMES[:2]:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-4, rtol=0)
    assert (ours["edges"] - ours["lines"]).abs().max() > 0.1


@pytest.mark.parametrize("is_captured", [False, True], ids=["packages", "captured packages"])
def test_rows_of_a_mixed_batch_are_what_each_is_alone_in_eager_mode(
    packed: Packed, is_captured: bool, left: dict[int, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = DiffusionEngine(packed.model, EagerBackend(packed.model))
    for job in some_jobs():
        run(eager, [job])
    alone = dict(left)
    backend: Any = packed.backend
    if is_captured:
        backend = GraphBackend(backend, Rerun(), len(VARIETY), CPU)
        backend.prepare(64, 64)  # captured at the first call
    engine = DiffusionEngine(packed.model, backend)
    noted: list[Signature] = []
    monkeypatch.setattr(packed.backend.compiled.demand, "note", noted.append)
    jobs = some_jobs()

    for shift in range(2):
        left.clear()
        run(engine, [*jobs[shift:], *jobs[:shift]])
        assert left.keys() == alone.keys()
        for number, latents in left.items():
            torch.testing.assert_close(latents, alone[number], atol=1e-4, rtol=0)

    hints = {f"embed/{name}" for name in NAMES}
    assert {one.call.kind for one in noted} == {Kind.ENCODE, *hints, Kind.STEP, Kind.DECODE}, (
        "nets are answered by packages"
    )
    plain = alone[len(VARIETY) - 1]
    assert all((plain - one).abs().max() > 0.1 for number, one in alone.items() if number < len(VARIETY) - 1)


@pytest.mark.parametrize("is_captured", [False, True], ids=["packages", "captured packages"])
def test_step_that_hears_nets_negatives_and_pictures_has_a_package_that_is_right_by_row(
    hearing: Packed, is_captured: bool, left: dict[int, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = DiffusionEngine(hearing.model, EagerBackend(hearing.model))
    for job in some_jobs():
        run(eager, [job])
    alone = dict(left)
    (wanted,) = hearing.wanted
    backend: Any = hearing.backend
    if is_captured:
        backend = GraphBackend(backend, Rerun(), len(VARIETY), CPU)
        backend.prepare(64, 64)
    noted: list[Signature] = []
    monkeypatch.setattr(hearing.backend.compiled.demand, "note", noted.append)
    engine, jobs = DiffusionEngine(hearing.model, backend), some_jobs()

    assert set(wanted.call.names) >= {"control", "features", "negative_keys_values", "picture_keys_values"}
    assert wanted.call.batch == len(VARIETY) and hearing.taken == [True]
    for shift in range(2):
        left.clear()
        run(engine, [*jobs[shift:], *jobs[:shift]])
        for number, latents in alone.items():
            torch.testing.assert_close(left[number], latents, atol=1e-4, rtol=0)
    assert Kind.STEP not in {one.call.kind for one in noted}, "the package has answered, not eager mode"


def test_packages_go_on_with_weights_that_change(packed: Packed, left: dict[int, torch.Tensor]) -> None:
    """As LoRAs change the UNet's, in place, and a net's may."""
    unet: Any = packed.model.unet
    net: Any = packed.model.nets[0].network
    changed = [unet.conv_in.weight, unet.mid_block.resnets[0].conv1.weight, net.conv_in.weight]
    before = [weight.clone() for weight in changed]
    engine = DiffusionEngine(packed.model, packed.backend)
    eager = DiffusionEngine(packed.model, EagerBackend(packed.model))
    run(engine, some_jobs())
    old = dict(left)
    try:
        for weight in changed:
            weight.mul_(1.3)
        run(engine, some_jobs())
        ours = dict(left)
        for job in some_jobs():
            run(eager, [job])
    finally:
        for weight, values in zip(changed, before, strict=True):
            weight.copy_(values)

    for number, latents in left.items():
        torch.testing.assert_close(ours[number], latents, atol=1e-4, rtol=0)
        assert (old[number] - latents).abs().max() > 0.01


def test_what_has_no_package_is_told(packed: Packed) -> None:
    assert "aoti" not in packed.before
    backend, some = CompiledBackend(packed.model, "aoti", "aoti on cpu"), packed.wanted[0]
    run(DiffusionEngine(packed.model, backend), some_jobs())
    backend.compiled.put(some, backend.compiled.module(some))

    told = str(backend.rung)
    assert str(some) in told and "; eager for encode, " in told
    without = told.partition("; eager for ")[2].split(", ")
    assert "control/union" in without and some.call.kind not in without
    assert "step with nets and adapters and a negative prompt and reference pictures" in without
    whole = str(packed.backend.rung)
    assert "control/union" in whole and "control/" not in whole.partition("; eager for ")[2]


def test_builder_loads_the_nets_and_finds_the_keys_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build_sd(tmp_path / "model")
    net = saved(a_controlnet(UNet2DConditionModel.from_pretrained(folder / "unet")), tmp_path / "net")
    config = ModelConfig(model=str(folder), vae="full", device=Device.CPU, control=(f"canny={net}",))
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(builder, "NICENESS", 0)
    monkeypatch.setitem(aoti.OPTIONS, "cpu", OPTIONS)
    model = load_model(Config(**config.model_dump()))
    backend = CompiledBackend(model, "aoti", "aoti")
    hints = {HintKey(Hint.CANNY, INPUT): make_picture(1)}
    params = make_params(control=[{"net": "canny"}], num_inference_steps=1)
    run(DiffusionEngine(model, backend), [replace(make_job(params), hints=hints)])
    embed = next(one for one in backend.compiled.demand.so_far() if one.call.kind == "embed/canny")
    ours = Packages(backend.compiled, CPU, torch.float32)

    child = builder.Builder(config, ours.task([embed]), (sys.executable, "-c", BUILDER))
    try:
        made = [Signature.parse(message["made"]) for message in child.messages()]
        assert (made, child.outcome()) == ([embed], "")
    finally:
        child.dispose()

    assert ours.has(embed) and ours.take(embed)
    assert len(list(cache_folder("aoti").glob("*/package.pt2"))) == 1
