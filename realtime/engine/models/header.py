"""Reads and checks the header of a safetensors file, within limits, before anything else touches the file.

Must not know torch, or what the tensors are for.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ...errors import ModelError

MAX_HEADER_BYTES = 32 * 2**20
"""The biggest real ones are a few megabytes, most of it a LoRA trainer's metadata; safetensors itself takes 100 MB."""
MAX_TENSORS = 20_000
"""SDXL in one file has 2,600, a LoKr with DoRA for all of its layers 9,000."""
PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")

_MAX_QUOTES = 12 * MAX_TENSORS
"""A tensor has five strings, thus ten quotation marks; the rest is for metadata."""
_MAX_SKELETON_BYTES = 128 * MAX_TENSORS
"""Of the header without its strings: braces and numbers, at most 90 bytes a tensor."""
_MAX_SIDES = 8
_MAX_SIDE = 2**40

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)

_BITS = {
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}
"""Bits of an element by dtype. Source: `Dtype` in safetensors/src/tensor.rs of safetensors 0.8."""

_OTHER_FORMATS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the weights that it stands for with `git lfs pull`"),
    (b"<", "a web page (a login's or an error's?): download the file itself"),
    (b"PK\x03\x04", "a zip archive, as PyTorch's pickled checkpoints are, which can run code: convert it first"),
    (b"\x80\x02", "pickled data, which can run code: convert it first"),
    (b"\x80\x03", "pickled data, which can run code: convert it first"),
    (b"\x80\x04", "pickled data, which can run code: convert it first"),
    (b"GGUF", "a GGUF file: take the model's .safetensors"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
)
"""What people have under a name that ends in `.safetensors`, by its first bytes."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a safetensors file.

    Attributes:
        shapes: the tensors' shapes by name.
        dtypes: their dtypes by name, in safetensors' words.
        metadata: the `__metadata__` entries, free text.
    """

    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """Read and check the header of a safetensors file, without its tensors.

    What passes is a file that the safetensors library reads: known dtypes, and tensors that fill the file exactly.

    Raises:
        ModelError: the file is missing, is not safetensors, is forged, cut short or over a limit; the message says
            what it is instead, and what to do.
    """
    refuse_pickle(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path}: not a safetensors file but a folder, a pipe or a device: give the file itself")
        with path.open("rb") as file:
            length = _header_length(path, file.read(64), status.st_size)
            file.seek(8)
            raw = file.read(length)
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror or error}): check its path and rights") from None
    try:
        return _parse_header(raw, status.st_size - 8 - length)
    except _CutShortError as error:
        raise ModelError(f"{path}: cut short: {error}: fetch it again") from None
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _BrokenError) else "no JSON"
        raise ModelError(f"{path}: not a safetensors file (broken header: {reason}): fetch it again") from None


def refuse_pickle(path: Path) -> None:
    """Check that a file is named `.safetensors`: pickled formats can run code when they are read.

    Raises:
        ModelError: it is not.
    """
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise ModelError(
            f"{path}: {path.suffix} files can run code when they are read: convert it to .safetensors first"
        )
    if path.suffix.lower() != ".safetensors":
        raise ModelError(f"{path}: not a .safetensors file: give one, or a folder of them")


def shown(name: str) -> str:
    """A tensor's name as it stands in a message: quoted, of one line, at most 100 characters."""
    return repr(name if len(name) <= 100 else f"{name[:60]}…{name[-39:]}")


class _BrokenError(ValueError):
    """The header contradicts itself or the format."""


class _CutShortError(ValueError):
    """The file ends before its last tensor."""


def _header_length(path: Path, head: bytes, size: int) -> int:
    if head[8:9] != b"{":  # the format's own rule, and it distinguishes a length from another format's first bytes
        raise ModelError(f"{path}: not a safetensors file but {_what_else(head)}")
    length = int.from_bytes(head[:8], "little")
    if length > size - 8:
        raise ModelError(
            f"{path}: not a safetensors file, or cut short (its header can't be {length} bytes long): fetch it again"
        )
    if length > MAX_HEADER_BYTES:
        raise ModelError(
            f"{path}: its header can't be {length} bytes long (at most {MAX_HEADER_BYTES}): save it without metadata"
        )
    return length


def _what_else(head: bytes) -> str:
    text = head.strip()
    if not text.strip(b"\0"):
        return "nothing (it is empty or filled with zeros): fetch it again"
    for magic, what in _OTHER_FORMATS:
        if text.startswith(magic):
            return what
    if text.isascii() and text.decode("ascii").replace("\n", " ").isprintable():
        return f"text that begins with {shown(text.decode('ascii')[:40])}: download the file itself"
    return "something else (its header can't be read): fetch it again"


def _parse_header(raw: bytes, data_bytes: int) -> Header:
    _check_size(raw)
    header = json.loads(raw.decode(), object_pairs_hook=_object)
    if not isinstance(header, dict):
        raise _BrokenError("not an object")
    tensors = cast("dict[str, Any]", header)
    metadata = tensors.pop("__metadata__", None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise _BrokenError("metadata that isn't text")
    _check_texts((*tensors, *metadata, *metadata.values()))
    shapes: dict[str, tuple[int, ...]] = {}
    spans: list[tuple[int, int]] = []
    for name, tensor in tensors.items():
        shapes[name], span = _parse_tensor(name, tensor)
        spans.append(span)
    _check_spans(sorted(spans), data_bytes)
    dtypes = {name: tensor["dtype"] for name, tensor in tensors.items()}
    return Header(shapes, dtypes, cast("dict[str, str]", metadata))


def _check_size(raw: bytes) -> None:
    """Bounds the work of parsing: 500,000 tensors would take 22 s and 1 GB until something else refused them."""
    if (count := raw.count(b'"data_offsets"')) > MAX_TENSORS:
        raise _BrokenError(f"{count} tensors, and at most {MAX_TENSORS} are taken")
    quotes = raw.count(b'"') - raw.count(b'\\"')
    if quotes > _MAX_QUOTES or len(_STRING.sub(b"", raw)) > _MAX_SKELETON_BYTES:
        raise _BrokenError("more in it than any model's has")


def _check_texts(texts: Iterable[str]) -> None:
    """JSON has escapes for halves of characters; Python takes them and the library doesn't."""
    try:
        for text in texts:
            text.encode()
    except UnicodeEncodeError:
        raise _BrokenError("half a character") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _BrokenError("a name twice")
    return found


def _parse_tensor(name: str, tensor: Any) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Shape, and first and last byte + 1 of a tensor's entry. Raises _BrokenError."""
    what = f"tensor {shown(name)}"
    if not isinstance(tensor, dict) or set(cast("dict[str, Any]", tensor)) != {"dtype", "shape", "data_offsets"}:
        raise _BrokenError(f"{what} has no dtype, shape and data_offsets")
    dtype, shape, span = (cast("Any", tensor[key]) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise _BrokenError(f"{what} is of an unknown dtype")
    if not _are_sizes(shape) or len(shape) > _MAX_SIDES or not _are_sizes(span) or len(span) != 2:
        raise _BrokenError(f"{what} has an impossible shape or place")
    begin, end = span
    if math.prod(shape) * _BITS[dtype] != 8 * (end - begin):
        raise _BrokenError(f"{what} has {end - begin} bytes, which its shape contradicts")
    return tuple(shape), (begin, end)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(side) is int and 0 <= side <= _MAX_SIDE for side in cast("list[Any]", value)
    )


def _check_spans(spans: list[tuple[int, int]], data_bytes: int) -> None:
    """The format wants the tensors one behind the other, without holes, up to the file's end."""
    at = 0
    for begin, end in spans:
        if begin != at:
            raise _BrokenError("tensors that overlap, or holes between them")
        at = end
    if at > data_bytes:
        raise _CutShortError(f"{data_bytes} of {at} bytes of its tensors are there")
    if at < data_bytes:
        raise _BrokenError(f"{data_bytes - at} bytes behind the last tensor")
