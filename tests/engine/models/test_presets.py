"""Presets: complete, known without torch, found in the cache, pulled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from realtime.config import Config
from realtime.engine.models import presets
from realtime.engine.models.family import PAINTER, TAESD
from realtime.engine.models.hub import HubId, parse_hub_id
from realtime.errors import ModelError
from realtime.params import Params
from tests import checkpoints


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def silent(stage: str, percent: float | None) -> None:
    pass


def test_listing_presets_imports_neither_torch_nor_the_hub() -> None:
    code = """
import sys
from realtime.engine.models.presets import list_presets
print([preset.name for preset in list_presets()])
print([name for name in ("torch", "diffusers", "transformers", "huggingface_hub", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)

    names, imported = done.stdout.splitlines()
    assert "sd-turbo" in names
    assert imported == "[]"


def test_the_default_model_is_the_first_preset() -> None:
    assert presets.list_presets()[0].name == Config.model_fields["model"].default


@pytest.mark.parametrize("preset", presets.list_presets(), ids=lambda preset: preset.name)
def test_presets_are_complete(preset: presets.Preset) -> None:
    assert presets.find_preset(preset.name) is preset
    assert preset.licence.name
    assert preset.licence.note
    assert "\n" not in preset.title
    assert (preset.source is None) == (preset.name == "tiny")
    assert (preset.vae is None) == (preset.family is PAINTER)
    assert (preset.download_gb > 0) == (preset.source is not None)
    assert Params().patched(preset.defaults, Params()).width == preset.defaults["width"]
    for lora in preset.loras:
        assert parse_hub_id(presets.LORAS[lora]) is not None


def test_names_are_unique_and_no_hub_ids() -> None:
    names = [preset.name for preset in presets.list_presets()]

    assert len(set(names)) == len(names)
    assert not any("/" in name for name in names)


def test_stability_terms_are_told() -> None:
    for name in ("sd-turbo", "sdxl-turbo"):
        preset = presets.find_preset(name)
        assert preset is not None
        assert "commercial use needs" in preset.licence.note


def test_missing_embedded_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(presets, "files", lambda package: tmp_path)

    with pytest.raises(ModelError, match="the embedded model is not in this checkout"):
        presets.embedded_folder()
    assert not presets.is_cached(presets.list_presets()[0])


def test_embedded_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checkpoints.build_tiny(tmp_path / "tiny")
    monkeypatch.setattr(presets, "files", lambda package: tmp_path)

    assert presets.embedded_folder() == tmp_path / "tiny"
    assert presets.is_cached(presets.list_presets()[0])
    presets.pull("tiny", silent)


def test_a_preset_is_cached_when_all_its_parts_are(cache: Path, tmp_path: Path) -> None:
    preset = presets.find_preset("lcm-sd15")
    assert preset is not None
    assert preset.source is not None

    assert not presets.is_cached(preset)
    checkpoints.put_in_hub_cache(cache, preset.source.repo, checkpoints.build_sd(tmp_path / "sd", variant="fp16"))
    assert not presets.is_cached(preset)
    checkpoints.put_in_hub_cache(cache, TAESD.repo, checkpoints.build_taesd(tmp_path / "taesd"))
    assert not presets.is_cached(preset)
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "pytorch_lora_weights.safetensors").touch()
    checkpoints.put_in_hub_cache(cache, "latent-consistency/lcm-lora-sdv1-5", tmp_path / "lora")
    assert presets.is_cached(preset)


def test_pull_fetches_model_autoencoder_and_loras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkpoints.build_sdxl(tmp_path / "sdxl")
    fetched: list[str] = []

    def fetch(hub_id: HubId, choose: Callable[[Any], Any], progress: object) -> Path:
        fetched.append(str(hub_id))
        return folder

    monkeypatch.setattr(presets, "fetch", fetch)

    presets.pull("lcm-sdxl", silent, prefer_fp16=True)
    presets.pull("org/name@v1", silent, prefer_fp16=False)

    assert fetched == [
        "stabilityai/stable-diffusion-xl-base-1.0",
        "madebyollin/taesdxl",
        "latent-consistency/lcm-lora-sdxl",
        "org/name@v1",
        "madebyollin/taesdxl",
    ]


@pytest.mark.parametrize("name", ["nonsense", "org/name/file.safetensors", ""])
def test_pulling_nonsense_names_the_presets(name: str) -> None:
    with pytest.raises(ModelError, match="neither a preset \\(tiny, sd-turbo"):
        presets.pull(name, silent)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["README.md", "pytorch_lora_weights.safetensors", "other.safetensors"], "pytorch_lora_weights.safetensors"),
        (["style.safetensors", "sub/other.safetensors"], "style.safetensors"),
    ],
)
def test_the_lora_of_a_repository_is_found(names: list[str], expected: str) -> None:
    assert presets.lora_file(names) == (expected,)


@pytest.mark.parametrize("names", [[], ["a.bin"], ["a.safetensors", "b.safetensors"]])
def test_a_repository_with_no_or_many_loras_asks_for_a_name(names: list[str]) -> None:
    with pytest.raises(ModelError, match="a LoRA is one"):
        presets.lora_file(names)
