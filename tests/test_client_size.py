"""The page stays small: what a browser loads at first, and what it loads when something more is wanted."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parent.parent / "realtime" / "server" / "static"
FIRST_LOAD_MAX_BYTES = 80_000
PLOT_MAX_BYTES = 25_000
OTHER_CHUNK_MAX_BYTES = 8_000
"""A language, the show: what is loaded when it is chosen."""


def zipped(file: Path) -> int:
    return len(gzip.compress(file.read_bytes(), 9))


@pytest.fixture(scope="module")
def first() -> set[Path]:
    """The page and all that it names: scripts, the modules that they need, styles."""
    page = STATIC / "index.html"
    if not page.is_file():
        pytest.skip("the web client is not built: run scripts/build")
    return {page, *(STATIC / name for name in re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.read_text()))}


def test_the_page_and_the_largest_language_are_below_80_kilobytes(first: set[Path]) -> None:
    languages = [zipped(file) for file in STATIC.glob("assets/??-*.js")]

    assert len(languages) == 2
    assert sum(map(zipped, first)) + max(languages) < FIRST_LOAD_MAX_BYTES


def test_what_is_loaded_later_is_small_too(first: set[Path]) -> None:
    later = [file for file in STATIC.glob("assets/*") if file not in first]

    sizes = {file.name: zipped(file) for file in later}

    limits = {name: PLOT_MAX_BYTES if name.startswith("plot-") else OTHER_CHUNK_MAX_BYTES for name in sizes}
    assert {name: size for name, size in sizes.items() if size > limits[name]} == {}
