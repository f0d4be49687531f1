"""Several engines: devices that are none, and workers that can't be drained or started."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.error import HTTPError

from realtime.engine import devices
from realtime.operate import Asked, _detail
from realtime.server import worker_routes
from realtime.server.placement import Placement
from realtime.server.worker import Worker
from realtime.version import __version__
from tests.fakes.servers import a_config
from tests.server.remote.test_host import IDLE, following

from .case import Case
from .command_line import option


def on_a_machine_with(gpus: list[str], names: str) -> Callable[[], object]:
    def run() -> object:
        with mock.patch.object(devices, "_gpus", lambda: gpus):
            return devices.by_device(a_config(devices=names))

    return run


def told(route: Callable[[Worker, Placement], Any]) -> Callable[[], object]:
    """What is said of the first of two workers that are being loaded."""

    async def run() -> object:
        placement = Placement(a_config(devices="cpu,cpu"))
        return await route(placement.workers[0], placement)

    return run


def asked(url: str = "http://127.0.0.1:9", trust: Path | None = None) -> Callable[[], object]:
    """What `realtime workers` says."""
    return lambda: Asked(url, trust=trust).ask("GET", "/api/workers")


def answered(body: bytes) -> Callable[[], object]:
    """What it says to an answer that refuses with this body."""
    return lambda: _detail(HTTPError("http://a", 500, "", Message(), BytesIO(body)))


async def of_another_version() -> str:
    async with following() as ward:
        ward.package_version = "0.0.9"
        await ward.say(IDLE)
        return str(ward.host.error)


CASES = [
    Case(
        f"the worker a-0 is realtime 0.0.9, and this server {__version__}: install the same there",
        "a-0",
        of_another_version,
    ),
    Case(
        "no server answers at http://127.0.0.1:9: check --url (Connection refused)",
        "http://127.0.0.1:9",
        asked(),
    ),
    Case("no.pem is no certificate: check --trust (No such file or directory)", "no.pem", asked(trust=Path("no.pem"))),
    Case("the server answered 500: is it one of this version?", "500", answered(b"<html>")),
    Case(
        "devices: 'cuda:0;cuda:1' are no devices: write cuda:0,cuda:1 or all (GPUs), or cpu,cpu",
        "'cuda:0;cuda:1'",
        option(devices="cuda:0;cuda:1"),
    ),
    Case("give --device or --devices, not both", "--devices", option(devices="cuda:0", device="cuda")),
    Case(
        "--devices gives each engine a process: leave --no-engine-process out",
        "--devices",
        option(devices="cpu,cpu", engine_process=False),
    ),
    Case(
        "devices: all are none here: nvidia-smi shows no GPU; leave --devices out",
        "--devices",
        on_a_machine_with([], "all"),
    ),
    Case(
        "devices: there is no cuda:2 here: nvidia-smi or CUDA_VISIBLE_DEVICES shows 2 GPUs",
        "cuda:2",
        on_a_machine_with(["GPU 0", "GPU 1"], "cuda:0,cuda:2"),
    ),
    Case(
        "there is no worker '2': /api/workers lists all",
        "'2'",
        lambda: worker_routes.worker_of_path("2", Placement(a_config(devices="cpu,cpu"))),
    ),
    Case(
        "no other engine is ready, at which its sessions could go on: start one first",
        "engine",
        told(worker_routes.drain_worker),
    ),
    Case(
        "this engine is loading: only one that is drained or has failed can be started",
        "loading",
        told(worker_routes.start_worker),
    ),
]
