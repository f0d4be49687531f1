"""What is refused before a weight is read, and which files are chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from realtime.engine.models.files import find_component, needed_files, read_header, read_json
from realtime.errors import ModelError


def forged(length: int, rest: bytes = b"{}") -> bytes:
    return length.to_bytes(8, "little") + rest


def header(**tensor: object) -> bytes:
    raw = json.dumps({"a": tensor}).encode()
    return forged(len(raw), raw)


def test_header_of_a_real_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros(())}, path, metadata={"who": "me"})

    found = read_header(path)

    assert found.shapes == {"a": (2, 3), "b": ()}
    assert found.metadata == {"who": "me"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 7,
        forged(2**63),
        forged(10**9),
        forged(101),
        forged(2, b"[]"),
        forged(4, b"\xff\xfe{}"),
        forged(9, b'{"a": 12}'),
        header(dtype="F32", shape=[2], data_offsets=[0, 8]),
        header(dtype="F32", shape=[2], data_offsets=[8, 0]),
        header(dtype="F32", shape=[2], data_offsets=[-8, 0]),
        header(dtype="F32", shape=["x"], data_offsets=[0, 0]),
        header(dtype="F32", shape=[2]),
        forged(40_000, b"[" * 40_000),
        b"PK\x03\x04 a zip that calls itself safetensors",
    ],
)
def test_forged_and_broken_headers_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)

    with pytest.raises(ModelError, match="not a safetensors file") as error:
        read_header(path)

    assert "\n" not in str(error.value)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random.safetensors"
    path.write_bytes(content)

    with pytest.raises(ModelError):
        read_header(path)


def test_forged_length_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write((101 * 10**6).to_bytes(8, "little"))
        file.truncate(200 * 10**6)  # sparse: the length would fit into the file

    with pytest.raises(ModelError, match="can't be 101000000 bytes"):
        read_header(path)


@pytest.mark.parametrize("name", ["a.ckpt", "a.pt", "a.pth", "a.bin", "a.PKL", "a.gguf", "a"])
def test_other_formats_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="safetensors"):
        read_header(tmp_path / name)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_header(tmp_path / "a.safetensors")


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
