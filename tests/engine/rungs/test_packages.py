"""Compiled packages on disk: found by their key, and only as they were written."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from realtime.engine.rungs.packages import DIGEST, PACKAGE, PackageCache


def put(cache: PackageCache, key: str) -> None:
    cache.make(key, lambda path: path.write_bytes(b"code") and None)


def test_what_was_written_is_found_by_its_key_only(tmp_path: Path) -> None:
    cache = PackageCache(tmp_path / "aoti")
    assert cache.find("a") is None

    put(cache, "a")

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
