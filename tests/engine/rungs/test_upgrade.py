"""Faster rungs while frames flow: made by a child process, taken between two ticks, done without where it fails."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from realtime.config import Config
from realtime.engine.load import load_engine
from realtime.engine.models.load import Model
from realtime.engine.rungs import builder
from realtime.engine.rungs.builder import Builder, Task
from realtime.engine.rungs.upgrade import Upgrade, abandon_upgrades
from realtime.engine.state import RungState
from realtime.frame import Result
from tests.checkpoints import build_tiny
from tests.engine.tiny_models import make_job, make_params, run
from tests.fakes.waiting import PATIENCE_S

pytestmark = pytest.mark.slow

BELOW = RungState("eager", "eager: torch on cpu")
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


def child(program: str) -> Any:
    """Starts Python children that run a program instead of the builder's."""
    return lambda config, task: Builder(config, task, (sys.executable, "-c", program))


def nothing(model: Model) -> list[Any]:
    """A task for children that never get to it."""
    return []


NOTHING = Task(nothing)


def upgrading(program: str) -> tuple[Upgrade, list[Any], threading.Event]:
    """An upgrade that has one thing made, and what the child said."""
    upgrade = Upgrade(Config(), lambda backend: None, child(program))
    heard: list[Any] = []
    ended = threading.Event()

    def work(upgrade: Upgrade) -> None:
        heard.append(upgrade.make("a rung", NOTHING, heard.append))
        ended.set()

    upgrade.start(work)
    return upgrade, heard, ended


def test_what_the_child_says_is_heard_and_other_prints_are_not() -> None:
    upgrade, heard, ended = upgrading("""print("torch says hello"); print('{"built": 1}')""")

    assert ended.wait(PATIENCE_S)
    upgrade.close()

    assert heard == [{"built": 1}, True]
    assert upgrade.beside(BELOW) == BELOW


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise SystemExit('no compiler here')", "no compiler here"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL"),
        ("import sys; sys.exit(3)", "ended with 3"),
    ],
)
def test_a_builder_that_fails_leaves_the_rung_and_says_why(
    program: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade, heard, ended = upgrading(program)

    assert ended.wait(PATIENCE_S)
    upgrade.close()

    assert heard == [False]
    assert upgrade.beside(BELOW).doing is None
    assert reason in upgrade.beside(BELOW).failed
    assert reason in caplog.text


class LateBuilder(Builder):
    """Sends its order when the child has ended."""

    def _send(self, line: str) -> None:
        self._process.wait()
        super()._send(line)


def test_a_child_that_ended_before_its_order_came_is_put_away() -> None:
    builder = LateBuilder(Config(), NOTHING, (sys.executable, "-c", "raise SystemExit('no compiler here')"))

    assert list(builder.messages()) == []
    assert builder.outcome() == "no compiler here"
    builder.dispose()


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended: nobody may be there to ask an orphan how."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_closing_ends_the_builder_and_its_own_children() -> None:
    program = """
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print('{"pid": %d}' % grandchild.pid, flush=True)
grandchild.wait()
"""
    upgrade = Upgrade(Config(), lambda backend: None, child(program))
    spoke = threading.Event()
    pids: list[int] = []

    def hear(message: Mapping[str, Any]) -> None:
        pids.append(message["pid"])
        spoke.set()

    upgrade.start(lambda upgrade: upgrade.make("a rung", NOTHING, hear) and None)
    assert spoke.wait(PATIENCE_S)
    assert upgrade.beside(BELOW) == replace(BELOW, doing="a rung", climbs=True)

    upgrade.close()

    end_s = time.monotonic() + PATIENCE_S
    while runs(pids[0]):
        assert time.monotonic() < end_s
        time.sleep(0.01)
    assert upgrade.beside(BELOW).failed == "", "it was ended, it did not fail"


def test_process_that_leaves_ends_builders_that_run_and_removes_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spoke, ended = threading.Event(), threading.Event()

    def work(upgrade: Upgrade) -> None:
        upgrade.make("a rung", NOTHING, lambda message: spoke.set())
        ended.set()

    upgrade = Upgrade(Config(), lambda backend: None, child("print('{}', flush=True); import time; time.sleep(600)"))
    upgrade.start(work)
    assert spoke.wait(PATIENCE_S)
    assert len(list(tmp_path.iterdir())) == 1

    abandon_upgrades()

    assert list(tmp_path.iterdir()) == []
    assert ended.wait(PATIENCE_S)
    assert upgrade.beside(BELOW).failed == "", "it was ended, it did not fail"


@pytest.mark.skipif(os.name == "nt", reason="ends with a process group")
def test_builder_whose_parent_is_gone_removes_its_files_and_ends(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    (scratch / "half a file").mkdir(parents=True)
    program = "from realtime.engine.rungs import builder; builder._end_with_parent()"
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(scratch)}

    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, env=environment, process_group=0
    ) as orphan:
        assert orphan.stdin is not None
        orphan.stdin.close()

        assert orphan.wait(PATIENCE_S) == -signal.SIGKILL
    assert not scratch.exists()


def test_an_error_of_the_upgrade_itself_leaves_the_rung(caplog: pytest.LogCaptureFixture) -> None:
    upgrade = Upgrade(Config(), lambda backend: None)
    tried = threading.Event()

    def work(upgrade: Upgrade) -> None:
        tried.set()
        raise ValueError("a foreign graph")

    upgrade.start(work)
    assert tried.wait(PATIENCE_S)
    upgrade.close()

    assert "ValueError: a foreign graph" in upgrade.beside(BELOW).failed
    assert "a foreign graph" in caplog.text


@needs_openvino
@pytest.mark.timeout(300)
def test_a_server_serves_in_eager_mode_until_openvino_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(builder, "NICENESS", 0)  # beside other work, a child that gives way may take minutes
    config = Config(model=str(build_tiny(tmp_path / "model")), device="cpu")
    engine: Any = load_engine(config)
    assert engine.info.rung.name == "eager"
    params = make_params(num_inference_steps=2)
    rungs: list[RungState] = []

    deadline = time.monotonic() + 240
    while not (rungs and rungs[-1].name == "openvino") and time.monotonic() < deadline:
        outcomes = run(engine, [make_job(params, len(rungs))])
        assert all(isinstance(outcome, Result) for outcome in outcomes), outcomes
        rungs.append(engine.info.rung)
        engine.upgrade.closing.wait(0.2)

    assert rungs[-1].name == "openvino" and rungs[-1].climbs
    assert any(rung.doing == "openvino's conversion" for rung in rungs)
    engine.close()

    again = load_engine(config)
    assert again.info.rung.name == "openvino", "the conversion is kept"
    again.close()
