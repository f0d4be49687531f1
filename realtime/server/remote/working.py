"""`realtime worker`: the engines of one machine, for a server elsewhere.

Must not know sessions or engines.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from ...config import Config, checked_devices
from ...engine.devices import by_device
from ...errors import ConfigError
from ...process import STOP_SIGNALS
from .ray_cluster import RayCluster, RayLink
from .worker_actor import INHERITED, LEAVE_S

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")
NAME_EVERY_S, NAME_S = 1.0, 20.0
"""How often a name that is taken is tried, and how long: the cluster may not know yet that its last bearer is gone."""
READY_S = 120.0
"""How long Ray may take to start a worker's process."""


def work(address: str, devices: str, name: str, node: str, announce: Callable[[Sequence[str]], None]) -> None:
    """Start a worker on each device, and keep them until a signal comes; then their sessions go on elsewhere.

    Args:
        address: of the cluster.
        devices: as in `realtime serve`; empty: one worker on whatever this machine has.
        name: of this machine; empty: its own.
        node: address of this machine's node of the cluster, where it has several; else empty.
        announce: told the workers' names, once they can be found.

    Raises:
        ConfigError: one of these is none, or the cluster can't be joined.
    """
    host = name or socket.gethostname().partition(".")[0]
    if not NAME.fullmatch(host):
        raise ConfigError(f"name: {host[:48]!r} is none: give letters, digits, . _ and -, up to 48")
    try:
        checked_devices(devices)
    except ValueError as error:
        raise ConfigError(f"devices: {error}") from None
    named = [one.devices or one.device.value for one in by_device(Config.model_construct(devices=devices))]
    cluster = RayCluster(address, node, shows_logs=True)
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in STOP_SIGNALS:  # Ray has taken them
        signal.signal(number, stop)
    try:
        environment = {each: os.environ.get(each) for each in INHERITED}
        named_by = {f"{host}-{index}": device for index, device in enumerate(named)}
        started = {
            one: _started(lambda one=one, device=device: cluster.start_worker(one, device, environment), stopping)
            for one, device in named_by.items()
        }
        for link in started.values():
            link.call("beat", 0, 0).result(READY_S)
        announce(list(started))
        while not stopping.wait(1.0):  # with a time limit, as signals are seen between two of them
            pass
        leaving = [link.call("leave") for link in started.values()]
        for one in leaving:
            with contextlib.suppress(Exception):  # it is gone
                one.result(LEAVE_S + 1)
    finally:
        cluster.leave()


def _started(start: Callable[[], RayLink], stopping: threading.Event) -> RayLink:
    """A worker, once its name is free. Raises ConfigError where it stays taken."""
    end_s = time.monotonic() + NAME_S
    while True:
        try:
            return start()
        except ConfigError:
            if time.monotonic() > end_s or stopping.wait(NAME_EVERY_S):
                raise
