"""The walks of benchmarks/page in their short form: how many actions each takes, and that it comes to its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from benchmarks.page.browser import DESKTOP, chromium, opened, wait_until_ready
from benchmarks.page.hand import Hand
from benchmarks.page.walks import WALKS, Walk, take
from realtime.bench.errors import BenchError

from .conftest import browser_path
from .driver import ServerProcess, serving

pytestmark = pytest.mark.browser

SERVER = ("--host", "0.0.0.0", "--min-session-fps", "0")
ON_ECHO = {"a drawing saved at 2048 px"}
"""Of which a model's pictures take minutes on a busy machine."""


@pytest.fixture(scope="module")
def browser(launching: object) -> Iterator[Browser]:
    """One whose camera shows a face that hardly moves; there is a browser, as `launching` has found one."""
    assert browser_path() is not None
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def tiny() -> Iterator[ServerProcess]:
    with serving("--model", "tiny", "--accelerate", "off", *SERVER) as server:
        yield server


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    with serving("--model", "echo", *SERVER) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.name)
def test_walk_takes_no_more_actions_than_it_may(browser: Browser, walk: Walk, request: pytest.FixtureRequest) -> None:
    server: ServerProcess = request.getfixturevalue("echo" if walk.name in ON_ECHO else "tiny")

    taken = take(walk, browser, server.url)

    assert 0 < len(taken["actions"]) <= walk.most
    assert "levels" in taken["proof"]


def test_what_a_person_does_is_counted_by_the_page_itself(browser: Browser, echo: ServerProcess) -> None:
    hand = Hand(browser)
    with opened(hand.context(**DESKTOP), echo.url) as studio:
        page = studio.page
        wait_until_ready(page)
        page.get_by_role("button", name="Options").click()
        page.keyboard.press("Escape")
        page.evaluate("document.querySelector('button').click()")  # by nobody
        with hand.unseen():
            page.keyboard.press("h")
        page.wait_for_timeout(200)

    assert hand.actions == ["press Options", "key Escape"]


def test_a_walk_that_does_not_come_to_its_end_is_none(
    browser: Browser, echo: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.page.looking.PATIENCE_S", 2.0)
    monkeypatch.setattr("benchmarks.page.walks._is_back", lambda saved, now: False)
    monkeypatch.setattr("benchmarks.page.walks._in_another_look", lambda page, saved: saved)
    walk = next(walk for walk in WALKS if "pad" in walk.name)

    with pytest.raises(BenchError, match="the look is back: not so within 2 s"):
        take(walk, browser, echo.url)
