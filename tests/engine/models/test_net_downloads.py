"""Nets by name: complete, each for some model, found in the cache, pulled."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from realtime.control import NET_MAX_CHARS, Hint
from realtime.engine.models import net_downloads
from realtime.engine.models.control_presets import (
    CONTROL_PRESETS,
    DEPTH_ESTIMATOR,
    POSE_ESTIMATOR,
    ControlPreset,
    controls_for,
    find_control,
)
from realtime.engine.models.family import SD, SD2, SDXL
from realtime.engine.models.hub import HubId
from realtime.engine.models.net_downloads import hints_of, models_for, net_files, net_for
from realtime.engine.models.presets import find_preset
from realtime.errors import ModelError
from tests import checkpoints


def silent(stage: str, percent: float | None) -> None:
    pass


def test_listing_nets_imports_neither_torch_nor_the_hub() -> None:
    code = """
import sys
from realtime.engine.models import net_downloads
print(len(net_downloads.CONTROL_PRESETS))
print([name for name in ("torch", "diffusers", "transformers", "huggingface_hub") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)

    assert done.stdout.splitlines()[1] == "[]"


@pytest.mark.parametrize("net", CONTROL_PRESETS, ids=lambda net: f"{net.family.name}-{net.name}")
def test_each_net_says_whose_it_is_and_what_it_is_shown(net: ControlPreset) -> None:
    assert find_control(net.name, net.family) is net, "of a family one of each name"
    assert re.fullmatch(r"[a-z0-9-]+", net.name) and len(net.name) <= NET_MAX_CHARS
    assert net.licence.name and net.licence.note
    assert 0 < net.weight <= 1 and 0 < net.download_gb < 3
    assert hints_of(net) and (net.name == "union" or hints_of(net) == (net.hint,))
    assert models_for(net), "a model that goes by a name is of its family"
    assert net.source.file is None or net.source.file.endswith(".safetensors")


def test_each_model_of_stable_diffusion_has_nets_for_drawing() -> None:
    for family in (SD, SD2, SDXL):
        assert {Hint.CANNY, Hint.LINES, Hint.SCRIBBLE} <= {net.hint for net in controls_for(family)}


def test_the_net_of_a_name_depends_on_the_model(tmp_path: Path) -> None:
    turbo = find_preset("sd-turbo")
    assert turbo is not None

    assert net_for("canny", "sd-turbo").family is turbo.family
    assert net_for("canny", str(checkpoints.build_sdxl(tmp_path / "xl"))).family is SDXL
    assert net_for("union", "").family is SDXL


@pytest.mark.parametrize(
    ("name", "model", "said"),
    [
        ("canny", "", "for several models: say which, with --for and one of lcm-sd15, .*sd-turbo"),
        ("cany", "", "there is no net 'cany'"),
        ("tile", "sd-turbo", "there is no net 'tile' for sd-turbo: take canny, depth"),
        ("canny", "tiny", "there are no nets for models like tiny"),
        ("canny", "org/nothing-here", "can't be told which nets fit"),
    ],
)
def test_a_net_that_is_not_for_a_model_is_refused_with_what_is(name: str, model: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        net_for(name, model)


def test_files_of_a_net_are_its_configuration_and_weights_in_half_precision_where_they_may_be() -> None:
    stem = "diffusion_pytorch_model"
    names = [
        "config.json",
        f"{stem}.bin",
        f"{stem}.fp16.safetensors",
        f"{stem}.safetensors",
        f"{stem}_promax.safetensors",
    ]

    assert net_files(names, prefer_fp16=True) == ("config.json", f"{stem}.fp16.safetensors")
    assert net_files(names, prefer_fp16=False) == ("config.json", f"{stem}.safetensors")
    with pytest.raises(ModelError, match=r"there is no net in it \(no config.json\): name its file"):
        net_files(["a.safetensors"], prefer_fp16=True)


def test_pulling_fetches_what_is_needed_and_then_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    asked: list[str] = []

    def fetch(source: HubId, choose: Callable[[Any], Any], progress: object) -> Path:
        asked.append(str(source))
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        stems = ("diffusion_pytorch_model", "model")
        for name in ("config.json", *(f"{stem}.safetensors" for stem in stems), source.file or "x.safetensors"):
            (folder / name).touch()
        choose([path.name for path in folder.iterdir()])
        return checkpoints.put_in_hub_cache(cache, source.repo, folder)

    monkeypatch.setattr(net_downloads, "fetch", fetch)
    nets = [net_for("canny", "lcm-sd15"), net_for("canny", "sd-turbo")]
    assert not any(map(net_downloads.is_net_cached, nets))

    net_downloads.pull_net("canny", "lcm-sd15", silent, prefer_fp16=True)
    assert [net_downloads.is_net_cached(net) for net in nets] == [True, False]
    net_downloads.pull_net("canny", "sd-turbo", silent, prefer_fp16=True)
    assert all(map(net_downloads.is_net_cached, nets))
    assert asked == [str(net.source) for net in nets]


def test_nets_for_depth_and_poses_come_with_the_network_that_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def fetch(source: HubId, choose: object, progress: object) -> None:
        asked.append(source.repo)

    monkeypatch.setattr(net_downloads, "fetch", fetch)

    for name in ("depth", "canny", "openpose"):
        net_downloads.pull_net(name, "sd-turbo", silent, prefer_fp16=True)

    nets = "thibaud/controlnet-sd21"
    assert asked == [nets, str(DEPTH_ESTIMATOR), nets, nets, str(POSE_ESTIMATOR)]
    source, estimator = net_for("depth", "sd-turbo").source, DEPTH_ESTIMATOR
    assert source.file is not None
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / source.file).touch()
    checkpoints.put_in_hub_cache(tmp_path / "hub", source.repo, tmp_path / "net")
    assert not net_downloads.is_net_cached(net_for("depth", "sd-turbo"))
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "net" / name).touch()
    checkpoints.put_in_hub_cache(tmp_path / "hub", estimator.repo, tmp_path / "net")
    assert net_downloads.is_net_cached(net_for("depth", "sd-turbo"))
