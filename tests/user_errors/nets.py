"""Nets: which fit a model, and what they are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

from realtime.control import INPUT, Hint
from realtime.engine.models.net_downloads import estimator_files, net_files, net_for
from realtime.references import References
from realtime.server import hint_routes

from .case import Case


def shown(net: str, source: str = INPUT) -> Callable[[], Any]:
    """What is said to somebody who wants to see what a net is shown."""
    info = mock.Mock(nets={"canny": Hint.CANNY, "depth": Hint.DEPTH})
    service = mock.Mock(running=mock.Mock(info=info), references=References())
    return lambda: hint_routes.get_hint(mock.Mock(), service, mock.Mock(), net, source)


CASES = [
    Case(
        "there is no net in it (no config.json): name its file, or another folder",
        "config.json",
        lambda: net_files(["README.md"], prefer_fp16=True),
    ),
    Case(
        "model.safetensors is missing: fetch it again",
        "model.safetensors",
        lambda: estimator_files(["config.json"]),
    ),
    Case(
        "there are no nets for models like tiny: take another model",
        "tiny",
        lambda: net_for("canny", "tiny"),
    ),
    Case(
        "there is no net 'tile' for sd-turbo: take canny, depth, lineart, scribble, color, openpose",
        "'tile'",
        lambda: net_for("tile", "sd-turbo"),
    ),
    Case("there is no net 'cany': `realtime models list` shows all", "'cany'", lambda: net_for("cany", "")),
    Case(
        "tile is a net for several models: say which, with --for and one of lcm-sd15, lcm-dreamshaper, sdxl-turbo, "
        "lcm-sdxl",
        "tile",
        lambda: net_for("tile", ""),
    ),
    Case(
        "it can't be told which nets fit 'org/mona': fetch it first, or name a preset",
        "'org/mona'",
        lambda: net_for("canny", "org/mona"),
    ),
    Case("there is no net 'mona': `controls` of /api/config lists all", "'mona'", shown("mona")),
    Case(
        "the model makes the depth for itself, and nobody else sees it: ask for what another net is shown",
        "depth",
        shown("depth"),
    ),
    Case("there is no picture 'mona': bring it to /api/pictures again", "'mona'", shown("canny", "mona")),
]
