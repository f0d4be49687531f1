"""Frame checkers: names that are none, folders and files that are not run, labels that say nothing, thresholds; and
what is said of pictures that are held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from realtime.config import load_config
from realtime.errors import FrameError
from realtime.frame import Failure
from realtime.holding import Holding
from tests.fakes.frames import a_result

from .case import Case
from .loras import silent


def load(name: str, *labels: str) -> object:
    import torch

    from realtime.engine.models.checker import load_checker

    return load_checker(name, labels, torch.float32, silent)


def file(name: str, content: bytes = b"", *labels: str) -> Callable[[], object]:
    """Load a file."""

    def run() -> object:
        Path(name).write_bytes(content)
        return load(name, *labels)

    return run


def folder(
    labels: Sequence[str] = ("normal", "nsfw"),
    wanted: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    look: Mapping[str, Any] | None = None,
    without: str = "",
) -> Callable[[], object]:
    """Load a folder `checker`, of which something is otherwise."""

    def run() -> object:
        from tests.engine.tiny_checkers import edit_json, save_checker

        made = save_checker(Path("checker"), dict(enumerate(labels)))
        edit_json(made / "config.json", **(config or {}))
        edit_json(made / "preprocessor_config.json", **(look or {}))
        if without:
            (made / without).unlink()
        return load("checker", *wanted)

    return run


def without_module(name: str, then: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        with mock.patch.dict("sys.modules", {name: None}):
            return then()

    return run


def without_package() -> object:
    from realtime.engine.models import checkers

    with mock.patch.object(checkers, "_PACKAGE", "no_such_package"):
        return load("open-nsfw")


def other_network() -> object:
    """A network that OpenVINO reads, of another form."""
    import numpy as np
    import openvino

    ov: Any = openvino
    opset13 = ov.opset13
    pictures = opset13.parameter([1, 224, 224, 3], np.float32)
    network = ov.Model([opset13.reduce_mean(pictures, opset13.constant([1, 2]))], [pictures])
    ov.save_model(network, "other.xml")
    from realtime.engine.models.checker import OnnxChecker

    return OnnxChecker(Path("other.xml"))


def echo() -> object:
    from realtime.engine.load import check_engine

    return check_engine(load_config({"model": "echo", "frame_checker": "open-nsfw"}))


def held(score: float | None) -> Callable[[], object]:
    def run() -> object:
        outcome = Holding(0.6, 0.4).judged(replace(a_result(), score=score))
        assert isinstance(outcome, Failure)
        raise FrameError(str(outcome.error))

    return run


INSTALL = "pip install 'realtime-img2img[frame-checker]'"
CASES = [
    Case(
        "--release-below 0.9 is above --hold-above 0.6: pictures would be let go and held in turns",
        "--release-below",
        lambda: load_config({"release_below": 0.9}),
    ),
    Case(
        "--unsafe-label is of a --frame-checker: give that too",
        "--unsafe-label",
        lambda: load_config({"unsafe_labels": ("nsfw",)}),
    ),
    Case(
        "--frame-checker: echo has no networks to check pictures with: take another --model",
        "--frame-checker",
        echo,
    ),
    Case(
        "there is no frame checker 'nobody': give a preset (falconsai, adamcodd, open-nsfw), a hub id (org/name), a "
        "folder in transformers' layout or an .onnx file",
        "nobody",
        lambda: load("nobody"),
    ),
    Case(
        "one.safetensors: no frame checker: give a folder in transformers' layout, or an .onnx file",
        "one.safetensors",
        file("one.safetensors"),
    ),
    Case(
        "there is no model.safetensors in it: a frame checker is a classifier in transformers' layout, in safetensors",
        "model.safetensors",
        folder(without="model.safetensors"),
    ),
    Case(f"frame_checker open-nsfw: its package is not installed: {INSTALL}", "open-nsfw", without_package),
    Case(
        f"frame_checker: an .onnx file needs OpenVINO: {INSTALL}",
        ".onnx",
        without_module("openvino", file("one.onnx")),
    ),
    Case(
        "unsafe_labels: an .onnx file has none: leave --unsafe-label out",
        "unsafe_labels",
        file("one.onnx", b"", "nsfw"),
    ),
    Case("one.onnx: no file that OpenVINO reads: fetch it again", "one.onnx", file("one.onnx", b"no network")),
    Case(
        "other.xml: its inputs and outputs are not open_nsfw's: take a folder in transformers' layout",
        "other.xml",
        other_network,
    ),
    Case(
        "frame checker checker: it brings code of its own, which is not run here: take another",
        "checker",
        folder(config={"auto_map": {"AutoConfig": "code.Config"}}),
    ),
    Case(
        "frame checker checker: its pictures are not squeezed to one size: take another",
        "checker",
        folder(look={"size": {"shortest_edge": 224}}),
    ),
    Case(
        "frame checker checker: its pictures are cropped or padded, so a part of each would not be seen: take another",
        "checker",
        folder(look={"do_center_crop": True}),
    ),
    Case(
        "frame checker checker: its pictures are resized by a filter that is not here: take another",
        "checker",
        folder(look={"resample": 1}),
    ),
    Case(
        "frame checker checker: which of its labels are unsafe can't be told (cat, dog): name them with --unsafe-label",
        "--unsafe-label",
        folder(["cat", "dog"]),
    ),
    Case(
        "frame checker checker: it has no label 'fish': its labels are cat, dog: check --unsafe-label",
        "fish",
        folder(["cat", "dog"], ["fish"]),
    ),
    Case(
        "frame checker checker: all of its labels (nsfw, porn) would be unsafe: name some of them with --unsafe-label",
        "--unsafe-label",
        folder(["nsfw", "porn"]),
    ),
    Case("the frame checker takes the picture for unsafe: it is held", "picture", held(0.9)),
    Case(
        "the frame checker fails, and so the picture is held: the server's log says why",
        "frame checker",
        held(None),
    ),
]
