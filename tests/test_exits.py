"""How processes end, in words."""

from __future__ import annotations

import asyncio
import signal

import pytest

from realtime.exits import how_ended, is_stopped_by_signal
from tests.fakes.waiting import until


@pytest.mark.parametrize(
    ("code", "was_memory_short", "words", "is_own_doing"),
    [
        (3, False, "has ended with 3", True),
        (None, False, "has ended with None", True),
        (-signal.SIGABRT, False, "crashed: SIGABRT", True),
        (-signal.SIGTERM, False, "crashed: SIGTERM", True),
        (0xC0000005, False, "crashed: 0xc0000005", True),  # Windows: reading where nothing is
        (-signal.SIGKILL, False, "was killed by somebody", False),
        (-signal.SIGKILL, True, "was killed: by the system, as memory was short, or by somebody", True),
        (255, False, "has ended with the process that it was forked from", False),
    ],
)
def test_end_is_told_in_words_and_whose_doing_it_was(
    code: int | None, was_memory_short: bool, words: str, is_own_doing: bool
) -> None:
    assert how_ended(code, was_memory_short=was_memory_short) == (words, is_own_doing)


async def test_stopped_process_is_seen_to_be_that() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        assert not is_stopped_by_signal(process.pid)
        process.send_signal(signal.SIGSTOP)
        await until(lambda: is_stopped_by_signal(process.pid))
    finally:
        process.kill()
        await process.wait()
    assert not is_stopped_by_signal(process.pid)
