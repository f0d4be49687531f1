"""Whoever sits before the page: all that they do is counted by the pages themselves, as trusted events.

Must not know what it is done for.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext

REPORT = """(() => {
    const name = (one) => one.getAttribute?.("aria-label") || one.textContent?.trim() || one.tagName;
    const tell = (event, what) => event.isTrusted && realtimeActed(what);
    const control = ({ target }) => target.closest("button, a, label") ?? target;
    addEventListener("pointerdown", (event) => tell(event, `press ${name(control(event))}`), true);
    addEventListener("keydown", (event) => tell(event, `key ${event.key}`), true);
})()"""


class Hand:
    """Counts what a person does on all pages that are opened by it.

    Attributes:
        actions: each press of a pointer or finger and each key that a page has seen, and each address that was opened
            by hand, in words; none while `unseen`.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._is_seen = True
        self.actions: list[str] = []

    def context(self, **options: Any) -> BrowserContext:
        """A browser of its own: another machine, or another program on this one."""
        context = self._browser.new_context(permissions=["camera", "clipboard-read", "clipboard-write"], **options)
        context.expose_function("realtimeActed", self.did)
        context.add_init_script(REPORT)
        return context

    def did(self, what: str) -> None:
        """Count an action."""
        if self._is_seen:
            self.actions.append(" ".join(what.split())[:60])

    @contextmanager
    def unseen(self) -> Generator[None]:
        """What is done here comes before the walk, and is not of it."""
        self._is_seen = False
        yield
        self._is_seen = True
