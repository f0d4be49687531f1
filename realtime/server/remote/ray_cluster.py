"""The only module that knows Ray: joins its cluster, starts workers there as actors, and finds and calls them.

Must not know sessions, or what a worker does.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import socket
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from .worker_actor import WorkerActor

NAMESPACE = "realtime"
SWITCH_INTERVAL_S = 0.0005
"""As in the server: else the engine's thread holds the event loop up."""
MISSING = 'Ray is not installed: install "realtime-img2img[ray]"'
CONNECT_S = 5.0
CALLS_AT_ONCE = 10_000
"""Calls of a worker that are not answered yet: sessions times frames of each."""


class RayLink:
    """Implements `Link` for an actor.

    Attributes:
        handle: of the actor; one of the same name may take its place.
    """

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def call(self, method: str, *arguments: object) -> Future[Any]:
        """See `Link`."""
        try:
            return getattr(self.handle, method).remote(*arguments).future()
        except Exception as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed


class RayWorkerActor(WorkerActor):
    """A worker in a process of Ray."""

    def __init__(self, device: str, environment: Mapping[str, str | None]) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
        super().__init__(device, environment)


class RayCluster:
    """A cluster that this process has joined. Once a process.

    Args:
        address: `HOST:PORT` of its head, or `auto`. A node of it runs on this machine.
        node: address of that node, where several run on this machine.
        shows_logs: whether workers' logs are shown here.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster.
    """

    def __init__(self, address: str, node: str = "", *, shows_logs: bool = False) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ConfigError(MISSING)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
        _check_that_somebody_listens(address)
        if _has_token():
            os.environ.setdefault("RAY_AUTH_MODE", "token")  # as `ray start` does
        self._ray: Any = importlib.import_module("ray")  # which reads these
        self._links: dict[str, RayLink] = {}
        try:
            self._ray.init(
                address=address,
                namespace=NAMESPACE,
                log_to_driver=shows_logs,
                logging_level="WARNING",
                configure_logging=False,
                _node_ip_address=node or None,
            )
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigError(
                f"ray: the cluster at {address[:64]} can't be joined: start a node of it here with `ray start` "
                f"({first[:160]})"
            ) from None

    def start_worker(self, name: str, device: str, environment: Mapping[str, str | None]) -> RayLink:
        """Start a worker on this machine, which ends with this process. Ray starts it again where it dies.

        Args:
            name: in the cluster.
            device, environment: see `WorkerActor`.

        Raises:
            ConfigError: there is one of this name.
        """
        strategies: Any = importlib.import_module("ray.util.scheduling_strategies")
        here = strategies.NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        remote: Any = self._ray.remote(RayWorkerActor)
        try:
            handle = remote.options(
                name=name,
                num_cpus=0,
                max_restarts=-1,
                max_concurrency=CALLS_AT_ONCE,
                scheduling_strategy=here,
            ).remote(device, environment)
        except ValueError:
            raise ConfigError(f"name: the cluster has a worker {name} already: give another --name") from None
        return RayLink(handle)

    def find(self) -> Mapping[str, RayLink]:
        """See `fleet.Cluster`."""
        found: dict[str, RayLink] = {}
        for name in self._ray.util.list_named_actors():
            try:
                handle = self._ray.get_actor(name)
            except ValueError:
                continue  # it has ended since
            found[name] = self._links.setdefault(name, RayLink(handle))
            found[name].handle = handle
        return found

    def leave(self) -> None:
        """Leave the cluster; workers that were started here end."""
        self._ray.shutdown()


def _has_token() -> bool:
    """Whether there is a token of Ray's where it looks for one. Source: Ray 2.60, "Token authentication"."""
    return bool(os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")) or (
        (Path.home() / ".ray" / "auth_token").is_file()
    )


def _check_that_somebody_listens(address: str) -> None:
    """Ray itself tries for minutes, and says nothing. Raises ConfigError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return  # `auto`, and what Ray may know
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"ray: nobody listens at {address[:64]}: check --ray, and `ray start --head` there ({why})"
        ) from None
