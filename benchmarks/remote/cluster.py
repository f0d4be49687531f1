"""A Ray cluster on this machine, with workers and a server, each in a process of its own: for benches and tests.

Must not know what is done with them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

STORE_BYTES = 80 * 2**20
"""Of Ray's object store; it takes no less than 75 MiB."""
SMALL = (f"--object-store-memory={STORE_BYTES}", "--num-cpus=1", "--disable-usage-stats")
START_S = 120.0
STOP_S = 20.0
RAY = (sys.executable, "-c", "from ray.scripts.scripts import main; main()")
ACTOR = "ray::RayWorkerActor"


def has_ray() -> bool:
    """Whether Ray is installed here."""
    return importlib.util.find_spec("ray") is not None


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass
class Node:
    """A part of the cluster: an address, and a network namespace where it has one of its own.

    Attributes:
        address: of it.
        namespace: of its processes; empty: that of this process.
    """

    address: str = "127.0.0.1"
    namespace: str = ""

    @property
    def within(self) -> Sequence[str]:
        """What runs a command there."""
        return ("ip", "netns", "exec", self.namespace) if self.namespace else ()


@dataclass
class ClusterUnderTest:
    """Processes of a cluster that runs. Use it with `running_cluster`.

    Attributes:
        address: of the cluster, for `--ray`.
        environment: of every process of it.
    """

    address: str
    environment: Mapping[str, str]
    _processes: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    def run(self, *command: str, until: str, node: Node | None = None) -> tuple[psutil.Process, str]:
        """Run a command, until it says something.

        Args:
            until: a regular expression of a line of its output.

        Returns:
            Its process, and what it has said.

        Raises:
            RuntimeError: it has ended, or did not say so in time.
        """
        within = node.within if node is not None else ()
        process = subprocess.Popen(
            [*within, *command],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._processes.append(process)
        said = _read_until(process, until)
        if re.search(until, said) is None:
            raise RuntimeError(f"{' '.join(command)} has ended: {said[-2000:]}")
        return psutil.Process(process.pid), said

    def node(self, node: Node) -> None:
        """Start a further node of the cluster."""
        place = (f"--address={self.address}", f"--node-ip-address={node.address}", *SMALL, "--block")
        self.run(*RAY, "start", *place, until="Ray runtime started", node=node)

    def worker(self, name: str, devices: str = "cpu", node: Node | None = None) -> psutil.Process:
        """Start `realtime worker`."""
        command = (sys.executable, "-m", "realtime", "worker", "--ray", self.address, "--devices", devices)
        place = ("--node", node.address) if node is not None else ()
        return self.run(*command, "--name", name, *place, until=r"Workers for ", node=node)[0]

    def server(self, *options: str, node: Node | None = None) -> str:
        """Start `realtime serve`; its URL, with a slash at the end."""
        command = (sys.executable, "-m", "realtime", "serve", "--ray", self.address, "--port", "0", "--no-state")
        _, said = self.run(*command, *options, until=r"http://\S+", node=node)
        found = re.search(r"http://\S+", said)
        assert found is not None
        return found[0]

    def actors(self) -> list[psutil.Process]:
        """The processes of engines, oldest first."""
        found: list[psutil.Process] = []
        for process in self._processes:
            with contextlib.suppress(psutil.Error):
                found += [each for each in psutil.Process(process.pid).children(recursive=True) if ACTOR in _name(each)]
        return sorted(found, key=lambda each: each.create_time())

    def stop(self) -> None:
        """End all of it."""
        left: list[psutil.Process] = []
        for process in reversed(self._processes):
            with contextlib.suppress(psutil.Error):
                left += psutil.Process(process.pid).children(recursive=True)
            process.terminate()
        for process in reversed(self._processes):
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.send_signal(signal.SIGKILL)
        psutil.wait_procs(left, STOP_S)


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _read_until(process: subprocess.Popen[str], until: str) -> str:
    """What a process says up to a line; the rest is read, so that it never waits for it, and dropped."""
    assert process.stdout is not None
    stream, said, found = process.stdout, list[str](), threading.Event()

    def read() -> None:
        for line in stream:
            if not found.is_set():
                said.append(line)
            if re.search(until, line):
                found.set()
        found.set()
        stream.close()

    threading.Thread(target=read, daemon=True).start()
    found.wait(START_S)
    return "".join(said)


@contextmanager
def running_cluster(head: Node | None = None) -> Generator[ClusterUnderTest]:
    """A cluster of one node, without a dashboard, with a token of its own, while the block runs."""
    head = head or Node()
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # the paths of its sockets are to be short
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REALTIME_", "RAY_"))}
    environment |= {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUNBUFFERED": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(folder),
    }
    cluster = ClusterUnderTest(f"{head.address}:{port}", environment)
    try:
        options = (f"--port={port}", f"--node-ip-address={head.address}")
        place = ("--include-dashboard=false", f"--temp-dir={folder}", "--block")
        cluster.run(*RAY, "start", "--head", *options, *SMALL, *place, until="Ray runtime started", node=head)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
