"""A good client beside attacks on what pictures are to look like: tiny random checkpoints with a net and an adapter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel  # pyright: ignore[reportPrivateImportUsage]
from safetensors.torch import save_file

from realtime.engine.models.family import TAESD
from scripts.endurance.siege import SiegePlan, siege
from tests import checkpoints, ldm
from tests.engine.models.test_control import a_controlnet, saved
from tests.engine.models.test_lora import TO_Q
from tests.engine.tiny_adapters import save_adapter

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc and sets limits of processes"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def a_wardrobe(folder: Path) -> Path:
    """LoRAs for the tiny models, and files that are none or damaged."""
    folder.mkdir()
    for seed, name in enumerate(("ink", "wash")):
        ldm.save_diffusers_lora(folder / f"{name}.safetensors", ldm.lora_layers({f"unet.{TO_Q}": (64, 64)}, seed=seed))
    ldm.save_diffusers_lora(folder / "foreign.safetensors", ldm.lora_layers({f"unet.{TO_Q}": (640, 640)}))
    whole = (folder / "ink.safetensors").read_bytes()
    damaged = {
        "cut": whole[: len(whole) // 2],
        "nothing": b"",
        "claims": (2**40).to_bytes(8, "little") + whole[8:],
        "nested": (60_000).to_bytes(8, "little") + b"[" * 60_000,
        "shifted": whole[:8] + whole[8:].replace(b'"data_offsets":[0,', b'"data_offsets":[9,'),
        "noise": bytes(range(256)) * 400,
    }
    for name, data in damaged.items():
        (folder / f"{name}.safetensors").write_bytes(data)
    (folder / "folder.safetensors").mkdir()
    (folder / "nowhere.safetensors").symlink_to(folder / "gone")
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, tuple[str, ...]]:
    """A tiny model with a net, an adapter and a learned word, and another to change to; and what serve is given."""
    models = tmp_path / "models"
    for seed, name in enumerate(("ink", "neon")):
        checkpoints.build_sd(models / name, seed=seed)
    (models / "broken.safetensors").write_bytes(b"no model")
    unet = UNet2DConditionModel.from_pretrained(models / "ink" / "unet")
    net = saved(a_controlnet(unet), tmp_path / "canny")
    adapter = save_adapter(tmp_path, unet, "plain")
    save_file({"emb_params": torch.randn(3, checkpoints.WIDTH)}, tmp_path / "mycat.safetensors")
    cache = tmp_path / "hub"
    checkpoints.put_in_hub_cache(cache, TAESD.repo, checkpoints.build_taesd(tmp_path / "taesd"))
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    options = (
        *("--model-folder", str(models), "--control", f"canny={net}", "--reference", str(adapter)),
        *("--embedding", str(tmp_path / "mycat.safetensors"), "--lora-folder", str(a_wardrobe(tmp_path / "loras"))),
        *("--accelerate", "off", "--device", "cpu"),
    )
    return str(models / "ink"), options


async def test_good_client_loses_nothing_beside_attacks_on_what_pictures_are_to_look_like(
    checkpoint: tuple[str, tuple[str, ...]],
) -> None:
    model, options = checkpoint
    attacks = ("pictures", "sockets", "hints", "looks", "loras", "models")

    report = await siege(SiegePlan(1, 8, attacks, model, (*options, "--engine-process"), fps=5))

    answers = report.facts["answers"]
    assert report.problems == []
    assert set(report.facts["fates"]) <= {"picture", "repeat", "superseded"}
    assert not [answer for answer in answers if answer.endswith(" 500")]
    assert {answer.partition(" ")[0] for answer in answers} == {*attacks}
    assert answers["pictures 200"] and answers["looks 200"], "on a busy machine few are answered"
