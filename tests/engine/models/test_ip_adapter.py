"""IP-Adapters as they are loaded: found by name, checked against the model, on its device, with their image encoder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from realtime.config import Accelerate, Config, Device
from realtime.engine.diffusion import DiffusionEngine, load_diffusion_engine
from realtime.engine.models import load as loading
from realtime.engine.models.family import SD, SDXL
from realtime.engine.models.ip_adapter import load as adapters
from realtime.engine.models.ip_adapter import names
from realtime.engine.models.ip_adapter.names import ADAPTERS, VIT_G, VIT_H, is_cached, names_for, pull_adapter
from realtime.engine.models.load import VISITING, load_model
from realtime.engine.models.visiting import Visit
from realtime.prompts import Layers
from tests import checkpoints
from tests.engine.tiny_adapters import SIDE, TOKENS, AdapterKind, save_adapter
from tests.engine.tiny_models import make_job, make_params, make_picture, picture_of, run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def silent(stage: str, percent: float | None) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of SD's layout, with adapters and their image encoder beside it."""
    made = tmp_path_factory.mktemp("adapters")
    model = checkpoints.build_sd(made / "sd")
    unet = UNet2DConditionModel.from_pretrained(model / "unet")
    kinds: tuple[AdapterKind, ...] = ("plain", "plus")
    for kind in kinds:
        save_adapter(made, unet, kind)
    return made


def config(folder: Path, kind: str = "plain", **more: Any) -> Config:
    reference = str(folder / f"ip-adapter_{kind}.safetensors")
    fields: dict[str, Any] = {"model": str(folder / "sd"), "vae": "full", "device": Device.CPU, "reference": reference}
    return Config(**{**fields, "accelerate": Accelerate.OFF, **more})


def test_engine_hears_references_and_says_which(folder: Path) -> None:
    engine = load_diffusion_engine(config(folder), silent)
    plain = load_diffusion_engine(config(folder, reference=None), silent)
    name = "a" * 32

    def picture(engine: DiffusionEngine, **fields: Any) -> Any:
        job = make_job(make_params(prompt="fox", num_inference_steps=2, **fields))
        (made,) = run(engine, [replace(job, references={name: make_picture(5, SIDE, SIDE)})])
        return picture_of(made).astype(int)

    without, alike = picture(plain), picture(engine)
    near = picture(engine, references=[{"picture": name, "weight": 1.5}])

    assert (engine.info.reference_layers, engine.info.hears_negative) == ((Layers.ALL, Layers.COMPOSITION), True)
    assert (plain.info.reference_layers, plain.info.hears_negative) == ((), True)
    assert (without == alike).all() and abs(near - alike).mean() > 1


@pytest.mark.parametrize("kind", ["plain", "plus"])
def test_adapter_is_of_the_model_s_dtype_with_its_image_encoder(folder: Path, kind: AdapterKind) -> None:
    adapter = load_model(config(folder, kind, dtype="bfloat16")).ip_adapter

    assert adapter is not None and adapter.tokens == TOKENS[kind]
    networks = [adapter.encoder, *adapter.networks]
    assert {one.dtype for network in networks for one in network.parameters()} == {torch.bfloat16}
    assert not any(one.requires_grad for network in networks for one in network.parameters())
    assert adapter.nothing.tokens.dtype is torch.bfloat16


def test_a_model_that_encodes_nothing_needs_no_adapter(folder: Path) -> None:
    """A builder's: the image encoder alone takes more memory than a small model."""
    assert load_model(config(folder), hears=False).ip_adapter is None


def test_image_encoder_visits_where_the_gpu_s_memory_is_short(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visits: list[Any] = []

    def visit(network: torch.nn.Module, device: torch.device) -> Visit:
        visits.append(network)
        return Visit(network, device)

    monkeypatch.setattr(loading, "Visit", visit)
    monkeypatch.setattr(loading, "must_visit", lambda device, networks: True)
    model = load_model(config(folder, "plus"))
    adapter = model.ip_adapter
    assert adapter is not None

    adapter.look({"a" * 32: make_picture(1, SIDE, SIDE)})

    assert visits[-1] is adapter.encoder and VISITING in model.notes
    weights = sum(one.numel() * one.itemsize for one in adapter.encoder.parameters())
    assert model.visiting_bytes >= weights > 0


def test_layers_are_those_that_a_unet_has() -> None:
    sdxl = ["down_blocks.2.attentions.1.x", "mid_block.x", "up_blocks.0.attentions.0.x", "up_blocks.0.attentions.1.x"]
    sd = ["down_blocks.0.x", "down_blocks.2.x", "up_blocks.1.attentions.0.x", "mid_block.x"]

    assert adapters._layers(SDXL, sdxl) == {
        Layers.ALL: (1, 1, 1, 1),
        Layers.STYLE: (0, 0, 0, 1),
        Layers.COMPOSITION: (1, 0, 0, 0),
    }
    assert adapters._layers(SD, sd)[Layers.STYLE] == (0, 0, 1, 0)
    assert adapters._layers(SD, sd)[Layers.COMPOSITION] == (0, 1, 0, 1)
    assert adapters._layers(SDXL, sdxl[1:3]).keys() == {Layers.ALL}


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Stands for the hub: a folder in the layout of the authors' repository, and what was fetched of it."""
    for preset in ADAPTERS.values():
        (tmp_path / preset.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "ip-adapter_plain.safetensors", tmp_path / preset.file)
    for encoder in (VIT_H, VIT_G):
        shutil.copytree(folder / "image_encoder", tmp_path / encoder)
    everything = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    fetched: list[tuple[str, ...]] = []

    def fetch(hub_id: names.HubId, choose: Callable[[list[str]], tuple[str, ...]], progress: Any) -> Path:
        assert hub_id == names.REPOSITORY
        fetched.append(choose(everything))
        return tmp_path

    monkeypatch.setattr(adapters, "fetch", fetch)
    monkeypatch.setattr(names, "fetch", fetch)
    return fetched


def test_preset_is_fetched_with_its_own_image_encoder(folder: Path, hub: list[tuple[str, ...]]) -> None:
    model = load_model(config(folder, reference="ip-adapter-sd15"))
    pull_adapter(ADAPTERS["ip-adapter-sd15"], silent)

    assert model.ip_adapter is not None
    assert (
        hub[0]
        == hub[1]
        == (
            "models/ip-adapter_sd15.safetensors",
            "models/image_encoder/config.json",
            "models/image_encoder/model.safetensors",
        )
    )


@pytest.mark.parametrize(("width", "encoder"), [(1024, VIT_H), (1280, VIT_G)])
def test_file_without_an_encoder_beside_it_has_the_authors_own(
    folder: Path, tmp_path: Path, hub: list[tuple[str, ...]], width: int, encoder: str
) -> None:
    alone = tmp_path / "alone" / "mine.safetensors"
    alone.parent.mkdir()
    weights = {**load_file(folder / "ip-adapter_plain.safetensors")}
    weights["image_proj.proj.weight"] = torch.zeros(len(weights["image_proj.proj.weight"]), width)
    save_file(weights, alone)

    load_model(config(folder, reference=str(alone)))

    assert hub == [(f"{encoder}/config.json", f"{encoder}/model.safetensors")]


def test_every_preset_is_for_a_family_that_takes_one() -> None:
    assert names_for(SD) == "ip-adapter-sd15 or ip-adapter-plus-sd15"
    assert names_for(SDXL) == "ip-adapter-sdxl or ip-adapter-plus-sdxl"
    assert not any(map(is_cached, ADAPTERS.values()))
