"""What a run says while it works."""

from __future__ import annotations

import io

import pytest

from realtime.run.progress import LineProgress, TerminalProgress, in_time, progress_on


def test_a_line_is_said_every_ten_seconds() -> None:
    now_s = 0.0
    said: list[str] = []
    progress = LineProgress(said.append, lambda: now_s)

    progress.stage("loading")
    progress.stage("loading", 50.0)
    progress.begin(100, 1000)
    for _ in range(50):
        now_s += 0.5
        progress.frame()

    assert said == [
        "loading",
        "120 of 1000 frames, 2.0 a second, 7:20 min left",
        "140 of 1000 frames, 2.0 a second, 7:10 min left",
    ]


def test_how_many_there_are_may_be_unknown() -> None:
    now_s = 0.0
    said: list[str] = []
    progress = LineProgress(said.append, lambda: now_s)

    progress.begin(0, None)
    now_s = 20.0
    progress.frame()

    assert said == ["1 frames, 0.1 a second"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_has_a_bar() -> None:
    terminal = Terminal()

    with progress_on(terminal) as progress:
        assert isinstance(progress, TerminalProgress)
        progress.stage("loading", 20.0)
        progress.begin(0, 3)
        progress.frame()
        progress.begin(0, None)
        progress.frame()

    assert "restyling" in terminal.getvalue()
    assert isinstance(progress_on(io.StringIO()), LineProgress)


@pytest.mark.parametrize(("seconds", "said"), [(5.4, "5 s"), (125, "2:05 min"), (3725, "1:02:05 h")])
def test_durations_are_for_people(seconds: float, said: str) -> None:
    assert in_time(seconds) == said
