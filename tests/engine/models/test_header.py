"""Safetensors headers: what passes, and what is refused before a weight is read, by name and at once."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from realtime.engine.models.header import MAX_HEADER_BYTES, MAX_TENSORS, read_header, shown
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


def sparse(path: Path, length: int) -> Path:
    """A file that has room for a header of this length, and takes none on the disk."""
    with path.open("wb") as file:
        file.write(length.to_bytes(8, "little") + b"{")
        file.truncate(length + 100)
    return path


def test_forged_length_is_not_read_into_memory(tmp_path: Path) -> None:
    path = sparse(tmp_path / "huge.safetensors", MAX_HEADER_BYTES + 1)

    tracemalloc.start()
    with pytest.raises(ModelError, match=f"can't be {MAX_HEADER_BYTES + 1} bytes.*save it without metadata"):
        read_header(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 1_000_000


def of_many_tensors(count: int) -> bytes:
    entries = ", ".join(f'"{n}": {{"dtype": "U8", "shape": [], "data_offsets": [{n}, {n + 1}]}}' for n in range(count))
    raw = f"{{{entries}}}".encode()
    return forged(len(raw), raw + bytes(count))


def test_as_many_tensors_as_are_taken_are_read(tmp_path: Path) -> None:
    path = tmp_path / "many.safetensors"
    path.write_bytes(of_many_tensors(MAX_TENSORS))

    assert len(read_header(path).shapes) == MAX_TENSORS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (of_many_tensors(MAX_TENSORS + 1), f"{MAX_TENSORS + 1} tensors, and at most {MAX_TENSORS}"),
        (b'{"a": [' + b"[]," * 900_000 + b"[]]}", "more in it than any model's"),
        (b'{"a": [' + b'"",' * 900_000 + b'""]}', "more in it than any model's"),
        (b'{"a": [' + b'"\\\\",' * 900_000 + b'""]}', "more in it than any model's"),
        (b'{"a": ' + b"1" * 3_000_000 + b"}", "more in it than any model's"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "no JSON"),
        (b'{"a": {"dtype": "F32", "shape": [' + b"9" * 4000 + b'], "data_offsets": [0, 4]}}', "an impossible shape"),
    ],
    ids=["tensors", "arrays", "strings", "escapes", "digits", "number", "side"],
)
def test_a_header_over_a_limit_is_refused_before_it_is_parsed(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "big.safetensors"
    path.write_bytes(content if content[8:9] == b"{" else forged(len(content), content))

    tracemalloc.start()
    with pytest.raises(ModelError, match=message):
        read_header(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2 * len(content) + 5_000_000


def test_metadata_may_be_long(tmp_path: Path) -> None:
    """Trainers keep the tags of all their pictures there, as JSON within JSON."""
    tags = json.dumps({f"tag {n}": n for n in range(200_000)})
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", metadata={"ss_tag_frequency": tags})

    assert read_header(tmp_path / "a.safetensors").metadata == {"ss_tag_frequency": tags}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n", "a Git LFS pointer: .*git lfs pull"),
        (b"<!DOCTYPE html>\n<html><head>", "a web page .*: download the file itself"),
        (b"  \n<html>", "a web page"),
        (b"PK\x03\x04 a checkpoint of PyTorch", "a zip archive, .*: convert it first"),
        (b"\x80\x02}q\x00(X", "pickled data, which can run code"),
        (b"GGUF\x03\0\0\0", "a GGUF file: take the model's .safetensors"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0", "a gzip archive: unpack it first"),
        (b"Entry not found", "text that begins with 'Entry not found'"),
        (b'{"error":"Invalid username or password."}', "text that begins with .*Invalid username"),
        (b"", "nothing .*fetch it again"),
        (bytes(100), "nothing .*fetch it again"),
        (b"\x01\xff" * 20, "something else"),
    ],
)
def test_other_contents_are_told_for_what_they_are(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=f"not a safetensors file but {message}") as error:
        read_header(path)

    assert "\n" not in str(error.value)


def test_a_cut_file_says_how_much_of_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(25)}, path)
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(ModelError, match="cut short: 90 of 100 bytes of its tensors are there: fetch it again"):
        read_header(path)


def test_bytes_behind_the_last_tensor_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(25)}, path)
    path.write_bytes(path.read_bytes() + b"more")

    with pytest.raises(ModelError, match="4 bytes behind the last tensor"):
        read_header(path)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}, "tensor 'a.b' is of an unknown dtype"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, "tensor 'a.b' has 4 bytes, which its shape"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}, "tensors that overlap, or holes"),
        ({"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}, "tensor 'a.b' has an impossible shape"),
        ({"dtype": "F32", "shape": [1] * 9, "data_offsets": [0, 4]}, "tensor 'a.b' has an impossible shape"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "x": 1}, "tensor 'a.b' has no dtype, shape"),
    ],
)
def test_what_is_wrong_with_a_tensor_is_named(tmp_path: Path, entries: object, message: str) -> None:
    raw = json.dumps({"a.b": entries}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(forged(len(raw), raw + bytes(8)))

    with pytest.raises(ModelError, match=message):
        read_header(path)


@pytest.mark.parametrize("raw", [b'{"a": {}, "a": {}}', b'{"__metadata__": {"a": 1}}', b'{"__metadata__": false}'])
def test_what_the_library_would_read_otherwise_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(forged(len(raw), raw))

    with pytest.raises(ModelError, match="broken header"):
        read_header(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()

    for name in ("pipe", "folder"):
        with pytest.raises(ModelError, match="a folder, a pipe or a device"):
            read_header(tmp_path / f"{name}.safetensors")


def test_names_in_messages_are_short_and_of_one_line() -> None:
    assert shown("a.weight") == "'a.weight'"
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown("x" * 5000)) == 102


@pytest.mark.parametrize("name", ["a.ckpt", "a.pt", "a.pth", "a.bin", "a.PKL", "a.gguf", "a"])
def test_other_formats_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="safetensors"):
        read_header(tmp_path / name)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_header(tmp_path / "a.safetensors")
