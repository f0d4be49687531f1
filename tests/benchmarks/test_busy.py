"""benchmarks.server.busy: other work beside what is measured."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from benchmarks.server import busy


def test_other_work_runs_on_every_core_and_ends_with_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(busy.subprocess, "Popen", start)
    monkeypatch.setattr(busy.os, "cpu_count", lambda: 2)

    with busy.busy_cores() as cores:
        assert cores == 2
        assert [process.poll() for process in started] == [None, None]

    assert all(process.returncode is not None for process in started)
