"""What a server may change its model to: presets, the hub's cache, folders; and how many weights each has."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors import safe_open

from realtime.engine.models import shelf
from realtime.engine.models.presets import list_presets
from realtime.engine.models.shelf import Shelved, list_shelved, weights
from tests.checkpoints import build_sd, build_taesd, build_tiny, put_in_hub_cache
from tests.ldm import folder_to_single_file, save_kohya_lora


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def named(name: str, *folders: Path) -> Shelved | None:
    return next((one for one in list_shelved(folders) if one.name == name), None)


def counted(folder: Path) -> int:
    """Weights of all safetensors files below a folder, as the library reads them."""
    total = 0
    for file in folder.glob("**/*.safetensors"):
        with safe_open(file, "pt") as opened:
            total += sum(math.prod(opened.get_slice(key).get_shape()) for key in opened.keys())  # noqa: SIM118
    return total


def test_presets_come_first_and_say_whether_they_are_here() -> None:
    found = list_shelved()

    assert [one.name for one in found] == [preset.name for preset in list_presets()]
    assert (found[0].name, found[0].is_here, found[0].download_gb) == ("tiny", True, 0.0)
    assert (found[1].name, found[1].is_here, found[1].download_gb) == ("sd-turbo", False, 2.5)
    assert "Stability" in found[1].licence


def test_folders_offer_whole_models_by_their_own_names_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    model = build_sd(folder / "ink")
    folder_to_single_file(model, folder / "neon.safetensors", "sd")
    save_kohya_lora(folder / "lora.safetensors", {}, 1.0)
    (folder / "broken.safetensors").write_bytes(b"none")
    (folder / "notes").mkdir()

    found = [one for one in list_shelved([folder, tmp_path / "gone"]) if one.model.startswith(str(tmp_path))]

    assert [(one.name, one.model, one.is_here) for one in found] == [
        ("ink", str(folder / "ink"), True),
        ("neon.safetensors", str(folder / "neon.safetensors"), True),
    ]


def test_a_name_that_a_preset_has_is_the_presets(tmp_path: Path) -> None:
    build_tiny(tmp_path / "mine" / "tiny")

    found = named("tiny", tmp_path / "mine")

    assert found is not None
    assert found.model == "tiny"


def test_whole_models_of_the_cache_are_offered_by_their_ids(tmp_path: Path, cache: Path) -> None:
    put_in_hub_cache(cache, "somebody/ink--2", build_sd(tmp_path / "ink"))
    put_in_hub_cache(cache, "somebody/vae", build_taesd(tmp_path / "vae"))
    put_in_hub_cache(cache, "stabilityai/sd-turbo", build_sd(tmp_path / "turbo"))

    names = [one.name for one in list_shelved()]

    assert "somebody/ink--2" in names
    assert "somebody/vae" not in names
    assert "stabilityai/sd-turbo" not in names, "it is the preset's"


def test_no_more_are_listed_than_a_listing_should_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "FOUND_MAX", 2)
    for name in "abc":
        build_sd(tmp_path / "mine" / name)

    assert [one.name for one in list_shelved([tmp_path / "mine"])][-2:] == ["a", "b"]


def test_weights_of_a_folder_and_of_a_file_are_counted_without_reading_them(tmp_path: Path) -> None:
    folder = build_sd(tmp_path / "mine" / "ink")
    file = folder_to_single_file(folder, tmp_path / "mine" / "neon.safetensors", "sd")
    ink, neon = named("ink", file.parent), named("neon.safetensors", file.parent)
    assert ink is not None
    assert neon is not None

    assert weights(ink, prefer_fp16=False) == counted(folder) - counted(folder / "vae")  # a tiny one is loaded instead
    assert (weights(neon, prefer_fp16=False) or 0) > counted(folder / "unet")


def test_weights_of_what_is_not_here_are_not_known() -> None:
    assert weights(Shelved("sd-turbo", "sd-turbo", is_here=False), prefer_fp16=True) is None
    assert weights(Shelved("gone", "/nowhere/at/all"), prefer_fp16=True) is None
