"""Fixtures for all tests: nothing of the user's environment may reach them. And which tests share a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Threads of OpenMP wait for each other spinning: with two of them and any other load, seconds become minutes.
# Before anything imports torch; the servers that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Under nohup all that is started here would ignore the end of its terminal, which tests send to it.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Neither a deadline nor "data generation is slow": both are the machine's affair.
settings.register_profile("default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

HERE = Path(__file__).parent
PLAYED = ("browser", "interop")
"""Folders whose tests play video as time goes by, for much of it waiting: each in a worker of its own, one test after
the other, as two of a kind at once would take from each other the time that they play in.
"""
SLOW = (*PLAYED, "bench", "benchmarks")
"""Folders whose tests all take a second or more; the longest first, so that none of them is left for the end."""


def folder_of(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow folders' tests, and begin with them."""
    for item in items:
        if folder_of(item) in SLOW:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: SLOW.index(folder) if (folder := folder_of(item)) in SLOW else len(SLOW))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Don't import what would all be left out."""
    is_slow = collection_path.parent == HERE and collection_path.name in SLOW
    return True if is_slow and config.option.markexpr == "not slow" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each module's tests to one worker, for they share servers and models; and so each folder that plays."""
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return next((folder for folder in PLAYED if folder in Path(module).parts), module)

    return ByModule(config, log)


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session", autouse=True)
def _state_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers that are there for a module or longer leave nothing in the user's folder of state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _no_settings_of_the_users(monkeypatch: pytest.MonkeyPatch, cache_folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("REALTIME_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REALTIME_CACHE", str(cache_folder))
    monkeypatch.setenv("REALTIME_NO_STATE", "true")
