"""Names of models, their folders and files, and the hub."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub import errors as hub_errors

from realtime.config import Config
from realtime.engine.load import check_engine
from realtime.engine.models import hub, presets
from realtime.engine.models.files import autoencoder_files, needed_files, read_json
from realtime.engine.models.header import MAX_HEADER_BYTES, MAX_TENSORS, read_header
from realtime.engine.models.hub import HubId
from realtime.engine.rungs import folder_cache

from .case import Case

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 1067316\n"


def silent(stage: str, percent: float | None) -> None:
    pass


def name(text: str) -> Callable[[], object]:
    """What `--model` names."""
    return lambda: check_engine(Config(model=text))


def folder_as_file() -> object:
    Path("folder.safetensors").mkdir()
    return read_header(Path("folder.safetensors"))


def content(data: bytes) -> Callable[[], object]:
    """What is in a file `a.safetensors`."""

    def read() -> object:
        Path("a.safetensors").write_bytes(data)
        return read_header(Path("a.safetensors"))

    return read


def header(text: bytes, data_bytes: int = 0) -> Callable[[], object]:
    """The header of a file, and how many bytes of tensors follow."""
    return content(len(text).to_bytes(8, "little") + text + bytes(data_bytes))


def tensor(data_bytes: int = 0, **fields: Any) -> Callable[[], object]:
    return header(json.dumps({"unet.weight": fields}).encode(), data_bytes)


def long_header() -> object:
    with Path("a.safetensors").open("wb") as file:
        file.write((MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{")
        file.truncate(MAX_HEADER_BYTES + 100)
    return read_header(Path("a.safetensors"))


def read(text: str) -> Callable[[], object]:
    def read() -> object:
        Path("config.json").write_text(text)
        return read_json(Path("config.json"))

    return read


def without(*missing: str, but: tuple[str, ...] = ()) -> Callable[[], object]:
    """A diffusers folder without some of its files."""
    networks = ("unet", "vae", "text_encoder")
    weights = [
        f"{part}/{'model' if part == 'text_encoder' else 'diffusion_pytorch_model'}.safetensors" for part in networks
    ]
    configs = ["model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json"]
    names = {*weights, *configs, *(f"{part}/config.json" for part in networks)} - set(missing)
    return lambda: needed_files({*names, *but}, prefer_fp16=False, with_vae=True)


def fetch(error: Exception | None = None, is_offline: bool = False, of: str = "org/name") -> Callable[[], object]:
    """A download that fails so."""

    def run() -> object:
        api = SimpleNamespace(model_info=mock.Mock(side_effect=error))
        with (
            mock.patch.object(constants, "HF_HUB_CACHE", "my-cache"),
            mock.patch.object(constants, "HF_HUB_OFFLINE", is_offline),
            mock.patch.object(huggingface_hub, "HfApi", lambda: api),
        ):
            return hub.fetch(HubId(of, None, "v1"), lambda names: (), silent)

    return run


def answer(kind: type[Exception], status: int) -> Exception:
    request = SimpleNamespace(url="https://example.org", method="GET")
    response: Any = SimpleNamespace(status_code=status, headers={}, request=request)
    return kind("several\nlines", response=response)  # type: ignore[call-arg]


def no_embedded_model() -> object:
    with mock.patch.object(presets, "files", lambda package: "nowhere"):
        return presets.embedded_folder()


def not_kept(error: Exception | None, free_bytes: int = 5 * 10**6, is_writable: bool = True) -> Callable[[], str]:
    def run() -> str:
        with (
            mock.patch.dict(os.environ, {"REALTIME_CACHE": "my-cache"}),
            mock.patch.object(folder_cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=free_bytes)),
            mock.patch.object(folder_cache.os, "access", lambda *_: is_writable),
        ):
            return folder_cache.not_kept("openvino", error)

    return run


NAMES = [
    Case(
        "there is no model 'nonsense': give a preset (tiny, sd-turbo, sdxl-turbo, lcm-sd15, "
        "lcm-dreamshaper, lcm-sdxl), a hub id (org/name), a diffusers folder or a .safetensors file",
        "'nonsense'",
        name("nonsense"),
    ),
    Case("there is no file nowhere.safetensors: check the path", "nowhere.safetensors", name("nowhere.safetensors")),
    Case(
        "weights.ckpt: .ckpt files can run code when they are read: convert it to .safetensors first",
        "weights.ckpt",
        name("weights.ckpt"),
    ),
    Case(".: not a diffusers folder (no model_index.json): give the folder that has it", ".", name(".")),
    Case(
        "the embedded model is not in this checkout (realtime/engine/models/tiny is missing): fetch it "
        "again, or take another one with --model",
        "realtime/engine/models/tiny",
        no_embedded_model,
    ),
    Case(
        "a LoRA is one .safetensors file, and there are 2 of them: name one, as org/name/FILE.safetensors",
        "LoRA",
        lambda: presets.lora_file(["a.safetensors", "b.safetensors"]),
    ),
    Case(
        "a LoRA is one .safetensors file, and there are none: name another",
        "LoRA",
        lambda: presets.lora_file(["README.md"]),
    ),
    Case(
        "there is no file b.safetensors in it: check the name",
        "b.safetensors",
        lambda: presets.one_file("b.safetensors", ["a.safetensors"]),
    ),
]

FILES = [
    Case(
        "a.safetensors: can't be read (No such file or directory): check its path and rights",
        "a.safetensors",
        lambda: read_header(Path("a.safetensors")),
    ),
    Case(
        "a.gguf: not a .safetensors file: give one, or a folder of them", "a.gguf", lambda: read_header(Path("a.gguf"))
    ),
    Case(
        "folder.safetensors: not a safetensors file but a folder, a pipe or a device: give the file itself",
        "folder.safetensors",
        folder_as_file,
    ),
    Case(
        "a.safetensors: not a safetensors file but a Git LFS pointer: fetch the weights that it stands "
        "for with `git lfs pull`",
        "a.safetensors",
        content(LFS),
    ),
    Case(
        "a.safetensors: not a safetensors file but a web page (a login's or an error's?): download the file itself",
        "a.safetensors",
        content(b"<!DOCTYPE html>\n<html>"),
    ),
    Case(
        "a.safetensors: not a safetensors file but a zip archive, as PyTorch's pickled checkpoints are, "
        "which can run code: convert it first",
        "a.safetensors",
        content(b"PK\x03\x04 a checkpoint of PyTorch"),
    ),
    Case(
        "a.safetensors: not a safetensors file but pickled data, which can run code: convert it first",
        "a.safetensors",
        content(b"\x80\x02}q\x00(X"),
    ),
    Case(
        "a.safetensors: not a safetensors file but a GGUF file: take the model's .safetensors",
        "a.safetensors",
        content(b"GGUF\x03\0\0\0"),
    ),
    Case(
        "a.safetensors: not a safetensors file but a gzip archive: unpack it first",
        "a.safetensors",
        content(b"\x1f\x8b\x08\0\0\0\0\0\0"),
    ),
    Case(
        "a.safetensors: not a safetensors file but a 7z archive: unpack it first",
        "a.safetensors",
        content(b"7z\xbc\xaf\x27\x1c"),
    ),
    Case(
        "a.safetensors: not a safetensors file but a RAR archive: unpack it first",
        "a.safetensors",
        content(b"Rar!\x1a\x07"),
    ),
    Case(
        "a.safetensors: not a safetensors file but text that begins with 'Entry not found': download the file itself",
        "a.safetensors",
        content(b"Entry not found"),
    ),
    Case(
        "a.safetensors: not a safetensors file but nothing (it is empty or filled with zeros): fetch it again",
        "a.safetensors",
        content(b""),
    ),
    Case(
        "a.safetensors: not a safetensors file but something else (its header can't be read): fetch it again",
        "a.safetensors",
        content(b"\x01\xff" * 20),
    ),
    Case(
        "a.safetensors: not a safetensors file, or cut short (its header can't be 1000000000 bytes "
        "long): fetch it again",
        "a.safetensors",
        content((10**9).to_bytes(8, "little") + b"{}"),
    ),
    Case(
        "a.safetensors: its header can't be 33554433 bytes long (at most 33554432): save it without metadata",
        "a.safetensors",
        long_header,
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: no JSON): fetch it again",
        "a.safetensors",
        header(b'{"a"}'),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: a name twice): fetch it again",
        "a.safetensors",
        header(b'{"a": {}, "a": {}}'),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: metadata that isn't text): fetch it again",
        "a.safetensors",
        header(b'{"__metadata__": {"a": 1}}'),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: half a character): fetch it again",
        "a.safetensors",
        header(b'{"__metadata__": {"a": "\\ud800"}}'),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: more in it than any model's has): fetch it again",
        "a.safetensors",
        header(b'{"a": [' + b"[]," * 900_000 + b"[]]}"),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: 20001 tensors, and at most 20000 are "
        "taken): fetch it again",
        "20001",
        header(b'{"a": "' + b'"data_offsets"' * (MAX_TENSORS + 1) + b'"}'),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: tensor 'unet.weight' has no dtype, shape "
        "and data_offsets): fetch it again",
        "unet.weight",
        tensor(dtype="F32"),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: tensor 'unet.weight' is of an unknown "
        "dtype): fetch it again",
        "unet.weight",
        tensor(dtype="F99", shape=[1], data_offsets=[0, 4]),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: tensor 'unet.weight' has an impossible "
        "shape or place): fetch it again",
        "unet.weight",
        tensor(dtype="F32", shape=["x"], data_offsets=[0, 4]),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: tensor 'unet.weight' has 4 bytes, which "
        "its shape contradicts): fetch it again",
        "unet.weight",
        tensor(dtype="F32", shape=[2], data_offsets=[0, 4]),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: tensors that overlap, or holes between "
        "them): fetch it again",
        "a.safetensors",
        tensor(dtype="F32", shape=[1], data_offsets=[4, 8]),
    ),
    Case(
        "a.safetensors: cut short: 3 of 4 bytes of its tensors are there: fetch it again",
        "a.safetensors",
        tensor(3, dtype="F32", shape=[1], data_offsets=[0, 4]),
    ),
    Case(
        "a.safetensors: not a safetensors file (broken header: 1 bytes behind the last tensor): fetch it again",
        "a.safetensors",
        tensor(5, dtype="F32", shape=[1], data_offsets=[0, 4]),
    ),
]

FOLDERS = [
    Case(
        "not a diffusers folder (no model_index.json): give the folder that has it",
        "model_index.json",
        without("model_index.json"),
    ),
    Case(
        "it has no text_encoder: this server runs SD 1.x, SD 2.x and SDXL models",
        "text_encoder",
        without("text_encoder/config.json"),
    ),
    Case(
        "it has no first text encoder (an SDXL refiner?): use the base model",
        "first text encoder",
        without("text_encoder/config.json", but=("text_encoder_2/config.json",)),
    ),
    Case("tokenizer is missing: fetch the model again", "tokenizer", without("tokenizer/vocab.json")),
    Case(
        "scheduler/scheduler_config.json is missing: fetch the model again",
        "scheduler/scheduler_config.json",
        without("scheduler/scheduler_config.json"),
    ),
    Case(
        "unet has no weights (no unet/diffusion_pytorch_model.safetensors): fetch the model again",
        "unet",
        without("unet/diffusion_pytorch_model.safetensors"),
    ),
    Case(
        "unet has only pickled weights, and only .safetensors is taken: convert it first",
        "unet",
        without("unet/diffusion_pytorch_model.safetensors", but=("unet/diffusion_pytorch_model.bin",)),
    ),
    Case(
        "there is no autoencoder in it (no config.json): give one's folder or a whole model's",
        "config.json",
        lambda: autoencoder_files(["README.md"], prefer_fp16=False),
    ),
    Case(
        "config.json: can't be read (No such file or directory): fetch the model again",
        "config.json",
        lambda: read_json(Path("config.json")),
    ),
    Case("config.json: not JSON: fetch it again", "config.json", read("{")),
    Case("config.json: not a JSON object: fetch it again", "config.json", read("[]")),
]

HUB = [
    Case(
        "org/name@v1 is not in the local cache and HF_HUB_OFFLINE is set: unset it to download it",
        "org/name",
        fetch(is_offline=True),
    ),
    Case(
        "org/name is gated: accept its terms on its page of the hub, then set HF_TOKEN to your access token",
        "org/name",
        fetch(answer(hub_errors.GatedRepoError, 403)),
    ),
    Case(
        "there is no org/name on the hub, or it is private and HF_TOKEN is not set",
        "org/name",
        fetch(answer(hub_errors.RepositoryNotFoundError, 404)),
    ),
    Case(
        "org/name has no revision 'v1': check what is behind its @",
        "v1",
        fetch(answer(hub_errors.RevisionNotFoundError, 404)),
    ),
    Case(
        "org/name: the hub answered 503: try again later, or check HF_TOKEN",
        "org/name",
        fetch(answer(hub_errors.HfHubHTTPError, 503)),
    ),
    Case(
        "org/name@v1 is not in the local cache and the hub can't be reached: check the network",
        "org/name",
        fetch(TimeoutError("late")),
    ),
    Case(
        "no room for org/name in my-cache: free some, or set HF_HUB_CACHE to another disk",
        "my-cache",
        fetch(OSError(errno.ENOSPC, "No space left on device")),
    ),
    Case(
        "org/name: can't be stored in my-cache (Permission denied): set HF_HUB_CACHE to another folder",
        "my-cache",
        fetch(PermissionError(errno.EACCES, "Permission denied")),
    ),
    Case(
        "the hub has no models of such names as org/na--me@v1: check it",
        "org/na--me",
        fetch(hub_errors.HFValidationError("Cannot have -- or .. in repo_id"), of="org/na--me"),
    ),
]

CACHE = [
    Case(
        "it can't be kept in my-cache/openvino (No space left on device): make room there, or set "
        "REALTIME_CACHE to another folder",
        "my-cache",
        not_kept(OSError(errno.ENOSPC, "No space left on device")),
    ),
    Case(
        "it can't be kept in my-cache/openvino (5 MB are free): make room there, or set REALTIME_CACHE "
        "to another folder",
        "my-cache",
        not_kept(None),
    ),
    Case(
        "it can't be kept in my-cache/openvino (it can't be written to): make room there, or set "
        "REALTIME_CACHE to another folder",
        "my-cache",
        not_kept(None, is_writable=False),
    ),
]

CASES = [*NAMES, *FILES, *FOLDERS, *HUB, *CACHE]
