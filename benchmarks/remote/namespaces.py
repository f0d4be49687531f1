"""Network namespaces of Linux as machines: each has its own address, and all are on one bridge. As root.

Must not know what runs in them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager

import psutil

from realtime.bench.errors import BenchError

from .cluster import Node

PREFIX = "realtime"
SUBNET = "10.77.0"


@contextmanager
def machines(count: int) -> Generator[tuple[Node, list[Node]]]:
    """So many machines, while the block runs.

    Returns:
        This process's place beside them, and them.

    Raises:
        BenchError: they can't be made here.
    """
    nodes = [Node(f"{SUBNET}.{2 + index}", f"{PREFIX}{index}") for index in range(count)]
    try:
        _ip("link", "add", PREFIX, "type", "bridge")
        try:
            _ip("addr", "add", f"{SUBNET}.1/24", "dev", PREFIX)
            _ip("link", "set", PREFIX, "up")
            for node in nodes:
                _add(node)
            yield Node(f"{SUBNET}.1"), nodes
        finally:
            for node in nodes:
                subprocess.run(["ip", "netns", "del", node.namespace], check=False, capture_output=True)
            subprocess.run(["ip", "link", "del", PREFIX], check=False, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        raise BenchError(f"no network namespaces can be made here: {said}: leave --namespaces out") from None


def _add(node: Node) -> None:
    outside = f"{node.namespace}v"
    _ip("netns", "add", node.namespace)
    _ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", node.namespace)
    _ip("link", "set", outside, "master", PREFIX, "up")
    _ip("-n", node.namespace, "addr", "add", f"{node.address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        _ip("-n", node.namespace, "link", "set", device, "up")
    _ip("-n", node.namespace, "route", "add", "default", "via", f"{SUBNET}.1")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def processes_in(node: Node) -> list[psutil.Process]:
    """All that run on a machine."""
    listed = subprocess.run(["ip", "netns", "pids", node.namespace], check=True, capture_output=True, text=True).stdout
    return [psutil.Process(int(pid)) for pid in listed.split() if psutil.pid_exists(int(pid))]
