"""Processes that run engines end with the server, whatever becomes of either."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

import psutil
import pytest

from scripts.endurance.census import shared_files
from tests.fakes.servers import ServerProcess, serving
from tests.fakes.starts import SPAWNED
from tests.fakes.waiting import PATIENCE_S

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="forkserver is used on Linux")]
FLAGS = ("--engine-process",)
FORKED = ("-m", "realtime")


def below(server: ServerProcess) -> list[psutil.Process]:
    """The processes that a server has started, once its engine is ready."""
    for _ in range(int(PATIENCE_S / 0.1)):
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(server.url + "readyz").close()
            return psutil.Process(server.process.pid).children(recursive=True)
        time.sleep(0.1)
    raise AssertionError("the server is not ready")


def all_gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, PATIENCE_S)
    return not alive


@pytest.mark.parametrize(
    ("program", "is_stopped"),
    [(FORKED, False), (FORKED, True), (SPAWNED, False)],
    ids=["forked", "with an engine and a decoder that hang", "spawned"],
)
def test_server_that_is_killed_leaves_no_process_and_no_memory(program: Sequence[str], is_stopped: bool) -> None:
    before = shared_files()
    with serving(*FLAGS, program=program) as server:
        processes = below(server)
        if is_stopped:
            for started in [grandchild for child in processes for grandchild in child.children()]:
                started.suspend()
        server.process.kill()

        assert len(processes) >= 2
        assert all_gone(processes)
    assert shared_files() <= before


@pytest.mark.parametrize("program", [FORKED, SPAWNED], ids=["forked", "spawned"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_server_whose_process_group_gets_the_signal_ends_in_order(how: int, program: Sequence[str]) -> None:
    with serving(*FLAGS, program=program) as server:
        processes = below(server)
        for process in processes:
            process.send_signal(how)

        assert server.stop(how) == 0
        assert all_gone(processes)
        assert "engine's process" not in server.errors()


@pytest.mark.parametrize("program", [FORKED, SPAWNED], ids=["forked", "spawned"])
def test_server_that_ends_in_order_leaves_no_temporary_file(
    monkeypatch: pytest.MonkeyPatch, program: Sequence[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # a short path: there is a socket in it
        monkeypatch.setenv("TMPDIR", folder)
        with serving(*FLAGS, program=program) as server:
            below(server)
            server.stop()

            assert os.listdir(folder) == []


@pytest.mark.parametrize("module", ["preload", "preload_models"])
def test_what_is_preloaded_starts_no_threads_and_leaves_the_drivers_alone(module: str) -> None:
    program = (
        f"import os, sys; import realtime.engine_process.{module}\n"
        "torch = sys.modules.get('torch')\n"
        "print(len(os.listdir('/proc/self/task')), torch is not None and torch.cuda.is_initialized(),"
        " 'libcuda.so' in open('/proc/self/maps').read(), 'PYTORCH_NVML_BASED_CUDA_CHECK' in os.environ,"
        " torch is not None)"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)

    assert done.stdout.split() == ["1", "False", "False", "False", str(module == "preload_models")]
