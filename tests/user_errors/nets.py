"""Nets: which fit a model, and what they are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from realtime.control import INPUT, Hint
from realtime.engine.models.files import estimator_files
from realtime.engine.models.net_downloads import net_files, net_for
from realtime.engine.models.pose.names import check_detector, found
from realtime.references import References
from realtime.server import hint_routes

from .case import Case


def shown(net: str, source: str = INPUT) -> Callable[[], Any]:
    """What is said to somebody who wants to see what a net is shown."""
    info = mock.Mock(nets={"canny": Hint.CANNY, "depth": Hint.DEPTH})
    service = mock.Mock(running=mock.Mock(info=info), references=References())
    return lambda: hint_routes.get_hint(mock.Mock(), service, mock.Mock(), net, source)


def detector(labels: tuple[str, ...] | None = None) -> Callable[[], object]:
    """A folder of a network that finds what has these names, or of one that finds poses."""

    def run() -> object:
        import torch

        from realtime.engine.models.pose.load import load_detector
        from tests.engine.tiny_pose import tiny_rtdetr, tiny_vitpose

        (tiny_rtdetr(labels=labels) if labels else tiny_vitpose()).save_pretrained("people")
        return load_detector("people", torch.float32, lambda stage, percent: None)

    return run


def of_other_points() -> object:
    """A network that finds five points."""
    import torch

    from realtime.engine.models.pose import load
    from tests.engine.tiny_pose import tiny_vitpose

    tiny_vitpose(num_labels=5).save_pretrained("pose")
    with mock.patch.object(load, "fetch", return_value=Path("pose")):
        return load.load_pose(None, torch.float32, lambda stage, percent: None)


def without_a_net_for_poses() -> object:
    import torch

    from realtime.engine.models.estimators import load_estimators

    return load_estimators((), "rtdetr", torch.float32, lambda stage, percent: None)


def an_empty_folder() -> object:
    Path("people").mkdir()
    return found("people", lambda stage, percent: None)


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
    Case("there is no picture 'mona': bring it to /api/pictures again", "'mona'", shown("canny", "mona")),
    Case(
        "there is no detector of people 'mona': give a preset (rtdetr), or a folder or hub id of an RT-DETR in "
        "transformers' layout",
        "'mona'",
        lambda: check_detector("mona"),
    ),
    Case("people: config.json is missing: fetch it again", "config.json", an_empty_folder),
    Case(
        "pose detector people: it is a 'vitpose', and no 'rt_detr': take rtdetr, or a folder of another RT-DETR",
        "people",
        detector(),
    ),
    Case(
        "pose detector people: it finds no people (there is no person among its labels): take rtdetr",
        "people",
        detector(("cat", "dog", "cow")),
    ),
    Case(
        "usyd-community/vitpose-base-simple: it is no network for COCO's 17 points: fetch it again",
        "usyd-community/vitpose-base-simple",
        of_other_points,
    ),
    Case(
        "pose_detector: no net is shown poses: add --control openpose, or leave --pose-detector out",
        "--pose-detector",
        without_a_net_for_poses,
    ),
]
