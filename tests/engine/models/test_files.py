"""Which files are chosen, and what JSON is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.engine.models.files import find_component, needed_files, read_json
from realtime.errors import ModelError

# Which files

UNET = "unet/diffusion_pytorch_model"


@pytest.mark.parametrize(
    ("names", "prefer_fp16", "variant", "files"),
    [
        ([f"{UNET}.safetensors", f"{UNET}.fp16.safetensors"], True, "fp16", [f"{UNET}.fp16.safetensors"]),
        ([f"{UNET}.safetensors", f"{UNET}.fp16.safetensors"], False, None, [f"{UNET}.safetensors"]),
        ([f"{UNET}.fp16.safetensors"], False, "fp16", [f"{UNET}.fp16.safetensors"]),
        ([f"{UNET}.safetensors", f"{UNET}.bin"], True, None, [f"{UNET}.safetensors"]),
        ([f"{UNET}.safetensors", f"{UNET}.non_ema.safetensors"], True, None, [f"{UNET}.safetensors"]),
        (
            [
                f"{UNET}-00001-of-00002.safetensors",
                f"{UNET}-00002-of-00002.safetensors",
                f"{UNET}.safetensors.index.json",
            ],
            False,
            None,
            [
                f"{UNET}.safetensors.index.json",
                f"{UNET}-00001-of-00002.safetensors",
                f"{UNET}-00002-of-00002.safetensors",
            ],
        ),
    ],
)
def test_one_variant_is_chosen(names: list[str], prefer_fp16: bool, variant: str | None, files: list[str]) -> None:
    found = find_component(names, "unet", prefer_fp16)

    assert found.variant == variant
    assert list(found.files) == files


def test_pickled_weights_are_named_as_such() -> None:
    with pytest.raises(ModelError, match="pickled"):
        find_component([f"{UNET}.bin"], "unet", False)


REPO = [
    "model_index.json",
    "README.md",
    "sd_xl_base_1.0.safetensors",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/pytorch_model.bin",
    "text_encoder/flax_model.msgpack",
    "tokenizer/merges.txt",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    f"{UNET}.safetensors",
    f"{UNET}.fp16.safetensors",
    f"{UNET}.bin",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "safety_checker/model.safetensors",
]


def test_only_what_is_read_is_fetched() -> None:
    assert sorted(needed_files(REPO, prefer_fp16=True, with_vae=False)) == [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "unet/config.json",
        f"{UNET}.fp16.safetensors",
        "vae/config.json",
    ]
    assert "vae/diffusion_pytorch_model.safetensors" in needed_files(REPO, prefer_fp16=True, with_vae=True)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model_index.json", "not a diffusers folder"),
        ("unet/config.json", "unet/config.json is missing"),
        ("scheduler/scheduler_config.json", "scheduler_config.json is missing"),
        ("text_encoder/config.json", "no text_encoder"),
        ("tokenizer/vocab.json", "tokenizer is missing"),
        ("vae/diffusion_pytorch_model.safetensors", "vae has no weights"),
    ],
)
def test_a_missing_file_is_named(missing: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        needed_files([name for name in REPO if name != missing], prefer_fp16=False, with_vae=True)


def test_a_refiner_is_told_apart() -> None:
    names = [name.replace("text_encoder/", "text_encoder_2/").replace("tokenizer/", "tokenizer_2/") for name in REPO]

    with pytest.raises(ModelError, match="refiner"):
        needed_files(names, prefer_fp16=False, with_vae=False)


@pytest.mark.parametrize("content", ["", "[1]", "{", "nul", "\ufeff{}"])
def test_json_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ModelError, match="JSON"):
        read_json(path)
