"""Headers of safetensors files: what passes is read alike by the library, and everything else is one clear line."""

from __future__ import annotations

import copy
import json
import math
import random
import re
from pathlib import Path
from typing import Any

from safetensors import safe_open

from realtime.engine.models.header import read_header
from realtime.errors import ModelError
from tests.fuzz.inputs import Tally, mutate, random_sources

BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I64": 8, "U8": 1, "BOOL": 1}
ODD: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2**31, 2**63, 2**64, 10**4000, 1.5, 1e308, "", "F32", "F99", "\n", "\ud800", "\0"),
    *([], {}, [[]], [-1], [2**62, 2**62], [0] * 9, [1] * 3000, [0, "x"], [0, 1, 2], {"a": {}}, [0.0, 4.0], [True]),
)


def a_header(source: random.Random) -> tuple[dict[str, Any], int]:
    """A right header and the bytes of its tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}} if source.random() < 0.3 else {}
    at = 0
    for number in range(source.randint(0, 6)):
        dtype = source.choice(list(BYTES))
        shape = [source.randint(0, 4) for _ in range(source.randint(0, 4))]
        size = BYTES[dtype] * math.prod(shape)
        header[f"blocks.{number}.weight"] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return header, at


def spoil(header: dict[str, Any], source: random.Random) -> None:
    """Put something odd somewhere into a header."""
    name = source.choice([*header, "new", "__metadata__"])
    tensor, odd = header.get(name), copy.deepcopy(source.choice(ODD))
    if isinstance(tensor, dict) and source.random() < 0.8:
        field = source.choice([*tensor, "more"])
        value = tensor.get(field)
        if isinstance(value, list) and value and source.random() < 0.7:
            value[source.randrange(len(value))] = odd
        else:
            tensor[field] = odd
    else:
        header[name] = odd


def a_file(source: random.Random) -> tuple[bytes, bool]:
    """A file, and whether nothing is wrong with it."""
    header, size = a_header(source)
    kind = source.randrange(8)
    if kind == 0:
        return source.randbytes(source.randint(0, 200)), False
    if kind < 4:
        for _ in range(source.randint(1, 3)):
            spoil(header, source)
    raw = json.dumps(header).encode()
    length = len(raw) if kind != 4 else source.choice((0, 1, len(raw) - 1, len(raw) + 1, 2**31, 2**63, 2**64 - 1))
    content = length.to_bytes(8, "little") + raw + bytes(size)
    return (mutate(content, source), False) if kind in (5, 6) else (content, kind == 7)


def test_no_header_raises_anything_else_or_is_read_otherwise_than_by_the_library(tmp_path: Path) -> None:
    path = tmp_path / "fuzzed.safetensors"
    tally = Tally("safetensors headers")
    for source in random_sources("safetensors"):
        content, is_right = a_file(source)
        path.write_bytes(content)
        try:
            with tally.timed():
                header = read_header(path)
        except ModelError as error:
            message = str(error)
            assert not is_right, message
            assert message.isprintable()
            assert len(message) < 400 + len(str(path))
            told = message.removeprefix(f"{path}: ")
            tally.outcomes["refused: " + re.sub(r"'.*'|\".*\"|\d+", "…", told)[:70]] += 1
            continue
        with safe_open(path, "pt") as library:
            assert {name: tuple(library.get_slice(name).get_shape()) for name in library.keys()} == header.shapes  # noqa: SIM118 - it is no dict
        tally.outcomes["taken"] += 1
    print(tally)
    assert 0 < tally.outcomes["taken"] < sum(tally.outcomes.values())
