"""The ten minutes on stage of benchmarks/page in their short form: all is played once, and nothing goes wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from benchmarks.page.browser import DESKTOP, opened, wait_until_ready
from benchmarks.page.stage import PROBE, deeds, perform

from .driver import ServerProcess, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo:20") as server:
        yield server


@pytest.mark.slow
def test_everything_is_played_and_the_console_stays_empty(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser.new_context(permissions=["camera"], **DESKTOP), "about:blank", PROBE) as studio:
        page = studio.page
        page.goto(echo.url)
        wait_until_ready(page)
        everything = list(dict.fromkeys(name for name, _ in itertools.islice(deeds(page), 20)))
        watched = perform(page, deeds_max=20, every_s=0.1, look_every_s=2.0)

    assert studio.said == []
    assert list(watched.played) == everything
    assert {"pad", "panic", "rewind", "draw", "camera"} <= set(everything)
    assert len(watched.held_mb) == len(watched.gap_ms) == len(watched.fps) >= 1
    assert min(watched.held_mb) > 1
    assert max(watched.fps) > 0
    assert max(watched.gap_ms) > 0
