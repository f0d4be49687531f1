"""The page stays small: what a browser loads at first, and what it loads when something more is wanted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parent.parent / "realtime" / "server" / "static"
PAGE_MAX_BYTES = 130_000
"""With every part opened, in the largest language: nets, LoRAs and other models among them."""
FIRST_LOAD_MAX_BYTES = 88_000
"""With the largest language: one is loaded, and the page shows nothing without it."""
LATER_CHUNK_MAX_BYTES = 10_000
"""The show, the decks, the sheets, the measurements, the stock picture: what is loaded when it is wanted."""
DRAWING_MAX_BYTES = 19_000
"""The paper, what makes marks on it and what lies around it, which are wanted together."""
LANGUAGE_MAX_BYTES = 11_000
"""Whole: it has words for all of the parts."""


def sent(file: Path, ending: str = "gz") -> int:
    """Bytes on the wire: of the compressed copy, where there is one; of gzip, which browsers take at any address."""
    copy = file.with_name(f"{file.name}.{ending}")
    return (copy if copy.is_file() else file).stat().st_size


@pytest.fixture(scope="module")
def first() -> set[Path]:
    """The page and all that it names: scripts, the modules that they need, styles."""
    page = STATIC / "index.html"
    if not page.is_file():
        pytest.skip("the web client is not built: run scripts/build")
    return {page, *(STATIC / name for name in re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.read_text()))}


@pytest.fixture(scope="module")
def later(first: set[Path]) -> set[Path]:
    """What the page loads when something more is opened. Overlay and remote are pages of their own."""
    assets = {file for file in STATIC.glob("assets/*") if file.suffix not in (".gz", ".br")}
    return {file for file in assets - first if not file.name.startswith(("overlay-", "remote-"))}


def test_every_script_and_style_has_compressed_copies(first: set[Path], later: set[Path]) -> None:
    plain = [file for file in first | later if file.suffix in (".js", ".css") and file.stat().st_size > 200]

    assert len(plain) > 5
    assert [file.name for file in plain if not sent(file, "br") < sent(file) < file.stat().st_size] == []


def is_language(file: Path) -> bool:
    return re.match(r"[a-z]{2}-", file.name) is not None


def most(file: Path) -> int:
    """Bytes that a file may have that is loaded later."""
    if is_language(file):
        return LANGUAGE_MAX_BYTES
    return DRAWING_MAX_BYTES if file.name.startswith("drawing-") else LATER_CHUNK_MAX_BYTES


def test_the_page_is_small_with_everything_opened(first: set[Path], later: set[Path]) -> None:
    languages = [sent(file) for file in later if is_language(file)]
    parts = [sent(file) for file in later if not is_language(file)]

    assert len(languages) == 3
    assert len(parts) >= 3, "show, plot, encoder"
    assert sum(map(sent, first)) + sum(parts) + max(languages) < PAGE_MAX_BYTES


def test_what_is_not_needed_at_first_comes_later(first: set[Path], later: set[Path]) -> None:
    language = max(sent(file) for file in later if is_language(file))

    assert sum(map(sent, first)) + language < FIRST_LOAD_MAX_BYTES
    assert {file.name: sent(file) for file in later if sent(file) > most(file)} == {}
