"""Changing the model of a server that runs: names that are none, times when it can't be, models without pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

from huggingface_hub import constants
from starlette.requests import Request

from realtime import operate
from realtime.engine.echo import EchoEngine
from realtime.errors import FrameError
from realtime.frame import Job
from realtime.params import Params
from realtime.references import References
from realtime.server import model_routes, swaps
from realtime.server.engine_state import State
from realtime.server.fitting import ModelOffer
from realtime.server.placement import Placement
from realtime.server.rehearsal import rehearse
from realtime.server.service import Service
from realtime.server.swaps import Swaps
from tests.fakes.servers import a_config

from .case import Case


def begun(*names: str, state: State = State.READY, **fields: Any) -> Callable[[], object]:
    """What is said to whoever wants these models, one after the other."""

    async def run() -> object:
        asked = Swaps(Service(a_config(**fields)))
        with (
            mock.patch.object(Placement, "state", state),
            mock.patch.object(constants, "HF_HUB_CACHE", "hub"),
            mock.patch.object(constants, "HF_HUB_OFFLINE", True),
            mock.patch.object(swaps, "free_memory", lambda device, name: 10_000_000),
        ):
            for name in names:
                await asked.begin(name)
        return None

    return run


def posted(body: bytes) -> Callable[[], object]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def run() -> object:
        request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
        return await model_routes.post_model(Swaps(Service(a_config())), request)

    return run


def tried() -> object:
    def fault(job: Job) -> None:
        raise FrameError("the model's result is black", "black")

    engine = EchoEngine(fault=fault)
    return rehearse(engine, ModelOffer(engine.info, Params(), 2**20), [], References())


def by_command() -> object:
    answer = {"swap": {"name": "sd-turbo", "state": "failed", "reason": "no room for it"}}
    with mock.patch.object(operate.Asked, "ask", lambda self, method, path, body=None: answer):
        return operate.swap("sd-turbo")


CASES = [
    Case("echo is what serves already", "echo", begun("echo")),
    Case("there is no model 'nobody' here: GET /api/models lists all", "nobody", begun("nobody")),
    Case("there is no model '/etc/passwd' here: GET /api/models lists all", "/etc/passwd", begun("/etc/passwd")),
    Case("echo:5 is on its way: wait until it serves, or has failed", "echo:5", begun("echo:5", "echo:6")),
    Case(
        "sd-turbo is not on this machine, and HF_HUB_OFFLINE is set: pull it elsewhere first",
        "sd-turbo",
        begun("sd-turbo"),
    ),
    Case("no engine is ready: wait until one is", "engine", begun("tiny", state=State.LOADING)),
    Case(
        "engines on other machines keep their model: start the server with another --model",
        "--model",
        begun("tiny", ray="127.0.0.1:6379"),
    ),
    Case(
        "tiny takes about 0.5 GB beside the model that serves, and 0.0 GB are free (cpu): with free_first that one "
        "goes first, and who watches sees what `fallback` says",
        "tiny",
        begun("tiny", device="cpu"),
    ),
    Case("there is no field 'path': there are dissolve_s, free_first, name", "path", posted(b'{"path": "/"}')),
    Case('the body must be {"name": …}: GET /api/models lists all', "name", posted(b"{}")),
    Case(
        "dissolve_s is a number of seconds from 0 to 10",
        "dissolve_s",
        posted(b'{"name": "tiny", "dissolve_s": 11}'),
    ),
    Case("free_first is true or false", "free_first", posted(b'{"name": "tiny", "free_first": 1}')),
    Case("it makes no picture of what is shown at the moment: the model's result is black", "picture", tried),
    Case("the model is not changed to sd-turbo: no room for it", "sd-turbo", by_command),
]
