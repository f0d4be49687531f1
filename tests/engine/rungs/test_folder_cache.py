"""What is kept on disk: whole or not at all, bounded, shared by servers."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from realtime.engine.rungs.folder_cache import UNFINISHED, FolderCache, not_kept


def put(cache: FolderCache, key: str, data: bytes = b"code", used_s: float | None = None) -> Path:
    folder = cache.make(key, lambda folder: (folder / "file").write_bytes(data) and None)
    if used_s is not None:
        os.utime(folder, (used_s, used_s))
    return folder


def test_what_was_made_is_found_by_its_key_only(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path / "kind")
    assert cache.find("a") is None

    put(cache, "a", b"code")

    found = FolderCache(tmp_path / "kind").find("a")
    assert found is not None and (found / "file").read_bytes() == b"code"
    assert cache.find("b") is None


def test_folders_are_counted_whatever_for_and_those_that_are_being_filled_are_not(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path / "kind")
    assert len(cache) == 0

    put(cache, "a")
    put(cache, "b")
    (tmp_path / "kind" / f"{UNFINISHED}c").mkdir()

    assert len(cache) == 2


def test_what_is_dropped_is_gone(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path)
    put(cache, "a")

    cache.drop("a")
    cache.drop("never there")

    assert cache.find("a") is None


def test_writing_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "file").write_bytes(b"half")
        raise RuntimeError("no compiler")

    with pytest.raises(RuntimeError, match="no compiler"):
        FolderCache(tmp_path).make("a", fails)

    assert list(tmp_path.iterdir()) == []


def test_of_two_servers_that_make_the_same_the_first_one_counts(tmp_path: Path) -> None:
    ours, theirs = FolderCache(tmp_path), FolderCache(tmp_path)

    def slow(folder: Path) -> None:
        (folder / "file").write_bytes(b"ours")
        put(theirs, "a", b"theirs")

    folder = ours.make("a", slow)

    assert (folder / "file").read_bytes() == b"theirs"
    assert ours.find("a") == folder
    assert [folder.name for folder in tmp_path.iterdir()] == ["a"]


def test_those_not_used_for_the_longest_go_first(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path, max_bytes=350)
    for key, used_s in (("old", 1_000.0), ("older", 500.0)):
        put(cache, key, bytes(100), used_s)
    assert cache.find("older")  # and so it was used just now

    put(cache, "new", bytes(100))
    put(cache, "newest", bytes(100))

    assert cache.find("old") is None
    assert all(cache.find(key) for key in ("older", "new"))
    assert cache.find("newest"), "what was just made stays, whatever its size"


def test_of_more_than_there_may_be_those_not_used_for_the_longest_go(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path, max_count=2)
    for key, used_s in (("old", 1_000.0), ("older", 500.0)):
        put(cache, key, used_s=used_s)

    put(cache, "new")

    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["new", "old"]


def test_what_another_version_left_beside_the_folders_is_let_alone(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{}")
    (tmp_path / "nested" / "folder").mkdir(parents=True)

    put(FolderCache(tmp_path, max_count=2), "a")

    assert {path.name for path in tmp_path.iterdir()} == {"index.json", "nested", "a"}


def test_what_can_not_be_marked_as_used_is_found_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FolderCache(tmp_path)
    put(cache, "a")

    def read_only(path: Path) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "utime", read_only)
    assert cache.find("a") is not None


def test_what_a_killed_process_left_is_removed_later(tmp_path: Path) -> None:
    abandoned, running = tmp_path / f"{UNFINISHED}1", tmp_path / f"{UNFINISHED}2"
    for folder in (abandoned, running):
        folder.mkdir()
    os.utime(abandoned, (1_000.0, 1_000.0))

    put(FolderCache(tmp_path), "a")

    assert running.exists() and not abandoned.exists()


def test_why_nothing_is_kept_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))

    full = not_kept("openvino", OSError(errno.ENOSPC, "No space left on device"))
    unsaid = not_kept("openvino", RuntimeError("Could not open file!"))

    assert full == (
        f"it can't be kept in {tmp_path}/openvino (No space left on device): make room there, or set REALTIME_CACHE to "
        "another folder"
    )
    assert re.search(r"openvino \(\d+ MB are free\): make room there, or set REALTIME_CACHE", unsaid)
