"""The cache of compiled packages: whole or not at all, bounded, shared by servers."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from realtime.engine.rungs.packages import DIGEST, PACKAGE, UNFINISHED, PackageCache


def put(cache: PackageCache, key: str, data: bytes = b"code", used_s: float | None = None) -> Path:
    path = cache.make(key, lambda path: path.write_bytes(data) and None)
    if used_s is not None:
        os.utime(path.parent, (used_s, used_s))
    return path


def test_what_was_made_is_found_by_its_key_only(tmp_path: Path) -> None:
    cache = PackageCache(tmp_path / "aoti")
    assert cache.find("a") is None

    put(cache, "a", b"code")

    found = PackageCache(tmp_path / "aoti").find("a")
    assert found is not None and found.read_bytes() == b"code"
    assert cache.find("b") is None


@pytest.mark.parametrize("damage", [PACKAGE, DIGEST])
def test_a_damaged_package_is_thrown_away_and_the_log_says_so(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = PackageCache(tmp_path)
    put(cache, "a")
    (tmp_path / "a" / damage).write_bytes(b"something else")

    with caplog.at_level(logging.WARNING):
        assert cache.find("a") is None

    assert "damaged" in caplog.text
    assert not (tmp_path / "a").exists()


def test_an_incomplete_package_is_thrown_away(tmp_path: Path) -> None:
    cache = PackageCache(tmp_path)
    put(cache, "a")
    (tmp_path / "a" / DIGEST).unlink()

    assert cache.find("a") is None
    assert not (tmp_path / "a").exists()


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fails(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("no compiler")

    with pytest.raises(RuntimeError, match="no compiler"):
        PackageCache(tmp_path).make("a", fails)

    assert list(tmp_path.iterdir()) == []


def test_of_two_servers_that_build_the_same_the_first_one_counts(tmp_path: Path) -> None:
    ours, theirs = PackageCache(tmp_path), PackageCache(tmp_path)

    def slow(path: Path) -> None:
        path.write_bytes(b"ours")
        put(theirs, "a", b"theirs")

    path = ours.make("a", slow)

    assert path.read_bytes() == b"theirs"
    assert ours.find("a") == path
    assert [folder.name for folder in tmp_path.iterdir()] == ["a"]


def test_those_not_used_for_the_longest_go_first(tmp_path: Path) -> None:
    cache = PackageCache(tmp_path, max_bytes=400)
    for key, used_s in (("old", 1_000.0), ("older", 500.0)):
        put(cache, key, bytes(100), used_s)
    assert cache.find("older")  # and so it was used just now

    put(cache, "new", bytes(100))
    put(cache, "newest", bytes(100))

    assert cache.find("old") is None
    assert all(cache.find(key) for key in ("older", "new"))
    assert cache.find("newest"), "what was just made stays, whatever its size"


def test_what_a_killed_builder_left_is_removed_later(tmp_path: Path) -> None:
    abandoned, running = tmp_path / f"{UNFINISHED}1", tmp_path / f"{UNFINISHED}2"
    for folder in (abandoned, running):
        folder.mkdir()
    os.utime(abandoned, (1_000.0, 1_000.0))

    put(PackageCache(tmp_path), "a")

    assert running.exists() and not abandoned.exists()
