"""Several machines: a cluster that is not there, and workers' names that are none."""

from __future__ import annotations

import importlib
import importlib.util
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

from realtime.server.remote.ray_cluster import RayCluster
from realtime.server.remote.working import work

from .case import Case
from .command_line import option


def refuse(**options: Any) -> Any:
    raise ConnectionError("nobody knows it\nand more of it")


def with_ray(is_there: bool, cause: Callable[[], object], **parts: Any) -> Callable[[], object]:
    """Cause it where Ray is installed or not, with these parts of it."""
    ray = SimpleNamespace(**{"init": lambda **options: None, **parts})
    ray.NodeAffinitySchedulingStrategy = lambda node, soft: None

    def run() -> object:
        with (
            mock.patch.object(importlib.util, "find_spec", lambda name: object() if is_there else None),
            mock.patch.object(importlib, "import_module", lambda name: ray),
            mock.patch.object(socket, "create_connection"),
        ):
            return cause()

    return run


def taken(*arguments: Any) -> Any:
    raise ValueError("the name is taken")


def where_ray_is(cause: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        with mock.patch.object(importlib.util, "find_spec", lambda name: object()):
            return cause()

    return run


CASES = [
    Case(
        "with --ray, give --devices to `realtime worker`: the server itself has no engine",
        "--devices",
        option(ray="gpu-a:6379", devices="cuda:0"),
    ),
    Case("--ray-spares are workers of a cluster: give --ray too", "--ray-spares", option(ray_spares=1)),
    Case(
        'Ray is not installed: install "realtime-img2img[ray]"',
        "realtime-img2img[ray]",
        with_ray(False, lambda: RayCluster("gpu-a:6379")),
    ),
    Case(
        "ray: the cluster at gpu-a:6379 can't be joined: start a node of it here with `ray start` (nobody knows it)",
        "gpu-a:6379",
        with_ray(True, lambda: RayCluster("gpu-a:6379"), init=refuse),
    ),
    Case(
        "ray: nobody listens at 127.0.0.1:9: check --ray, and `ray start --head` there (Connection refused)",
        "127.0.0.1:9",
        where_ray_is(lambda: RayCluster("127.0.0.1:9")),
    ),
    Case(
        "name: the cluster has a worker a-0 already: give another --name",
        "a-0",
        with_ray(
            True,
            lambda: RayCluster("gpu-a:6379").start_worker("a-0", "cpu", {}),
            get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: "1"),
            remote=lambda actor: SimpleNamespace(options=lambda **options: SimpleNamespace(remote=taken)),
        ),
    ),
    Case(
        "name: 'a b' is none: give letters, digits, . _ and -, up to 48",
        "'a b'",
        lambda: work("gpu-a:6379", "", "a b", "", print),
    ),
    Case(
        "devices: 'tpu' are no devices: write cuda:0,cuda:1 or all (GPUs), or cpu,cpu",
        "'tpu'",
        lambda: work("gpu-a:6379", "tpu", "a", "", print),
    ),
]
