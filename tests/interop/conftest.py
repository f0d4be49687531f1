"""A server on loopback for foreign clients, what they publish, and the table of what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.servers import RunningServer, a_config, running

from .driver import FIGURES, LONG, write_h264


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=50, ice_addresses=("127.0.0.1",))) as one:
        yield one


@pytest.fixture(scope="session")
def h264_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_h264(tmp_path_factory.mktemp("h264") / "frames.bin")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LONG and FIGURES.rows:
        terminalreporter.write_line("")
        terminalreporter.write_line(FIGURES.table())
