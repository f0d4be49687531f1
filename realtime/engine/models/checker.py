"""Networks that say how unsafe a picture is: image classifiers in transformers' layout, and open_nsfw as an ONNX file.

Must not know rows, or what becomes of a picture.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...errors import ConfigError, ModelError
from .checkers import check_checker, checker_files, find_checker, packaged_file, unsafe_among
from .components import one_line
from .files import local_path, read_json
from .hub import fetch, parse_hub_id
from .quiet import quiet

with quiet():
    from transformers import AutoConfig, AutoModelForImageClassification

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...pixels import Pixels
    from .. import Progress

_MODES = {2: "bilinear", 3: "bicubic"}
"""PyTorch's names of PIL's resampling filters."""
_OPEN_NSFW_PX, _CROPPED_PX, _CLASSES = 256, 224, 2
_MEAN_BGR = (104.0, 117.0, 123.0)
"""Source: Yahoo's open_nsfw, `classify_nsfw.py`."""


class Checker(nn.Module):
    """An image classifier, of which the probability of some labels counts.

    Args:
        network: one of transformers' for image classification.
        unsafe: indices of these labels.
        size: height and width that it looks at, in pixels.
        mean, std: of what it looks at, by channel, where pixels are in [0, 1].
        mode: by which pictures are resized: `bilinear` or `bicubic`.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        unsafe: Sequence[int],
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        mode: str,
    ) -> None:
        super().__init__()
        self.network = network
        self._unsafe, self._size, self._mode = list(unsafe), size, mode
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """How sure it is that pictures are unsafe.

        Args:
            pixels: float32 [B, 3, H, W] in [0, 1].

        Returns:
            float32 [B], 0 to 1; not a number where a picture's result is none.
        """
        seen = pixels
        if tuple(pixels.shape[-2:]) != self._size:
            seen = F.interpolate(pixels, self._size, mode=self._mode, antialias=True).clamp(0, 1)
        network: Any = self.network
        logits: torch.Tensor = network(((seen - self.mean) / self.std).to(network.dtype)).logits.float()
        shares = logits.softmax(-1)
        return torch.stack([shares[:, index] for index in self._unsafe], -1).sum(-1)


class OnnxChecker:
    """open_nsfw (Yahoo, 2016) on the CPU, by OpenVINO.

    Args:
        file: takes float32 [B, 224, 224, 3], blue first, without their means, and gives [B, 2], of which the second is
            how unsafe they are.

    Raises:
        ModelError: it is no such file, or broken.
        ConfigError: OpenVINO is not installed.
    """

    def __init__(self, file: Path) -> None:
        try:
            sys.modules.setdefault("openvino_telemetry", cast("Any", None))  # as for the rung
            import openvino as ov
        except ImportError:
            raise ConfigError(
                "frame_checker: an .onnx file needs OpenVINO: pip install 'realtime-img2img[frame-checker]'"
            ) from None
        core: Any = ov.Core()
        try:
            network = core.read_model(str(file))
            is_known = len(network.inputs) == len(network.outputs) == 1
            network.reshape([-1, _CROPPED_PX, _CROPPED_PX, 3])
            is_known = is_known and network.output(0).get_partial_shape()[1].get_length() == _CLASSES
        except Exception:
            raise ModelError(f"{file}: no file that OpenVINO reads: fetch it again") from None
        if not is_known:
            raise ModelError(
                f"{file}: its inputs and outputs are not open_nsfw's: take a folder in transformers' layout"
            )
        self._compiled: Any = core.compile_model(network, "CPU")  # in bfloat16 where it can: half the time, 0.001 off

    def scores(self, pictures: Sequence[Pixels]) -> list[float]:
        """How unsafe pictures of one size are, 0 to 1.

        Args:
            pictures: uint8 [H, W, 3].
        """
        seen: npt.NDArray[np.float32] = open_nsfw_input(pictures)
        outputs = self._compiled(seen)
        return [float(score) for score in outputs[self._compiled.output(0)][:, 1]]


def open_nsfw_input(pictures: Sequence[Pixels]) -> npt.NDArray[np.float32]:
    """Pictures uint8 [H, W, 3] of one size as open_nsfw looks at them, float32 [B, 224, 224, 3]: squeezed to 256
    pixels, the middle of it, blue first, without the means.
    """
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)  # bytes, which have a kernel of their own
    squeezed = F.interpolate(pixels, (_OPEN_NSFW_PX, _OPEN_NSFW_PX), mode="bilinear", antialias=True).float()
    edge = (_OPEN_NSFW_PX - _CROPPED_PX) // 2
    middle = squeezed[:, :, edge:-edge, edge:-edge].flip(1).permute(0, 2, 3, 1)
    return (middle - torch.tensor(_MEAN_BGR)).contiguous().numpy()


def load_checker(name: str, labels: Sequence[str], dtype: torch.dtype, progress: Progress) -> Checker | OnnxChecker:
    """Load a checker, downloaded if it is not on this disk, onto the CPU.

    Args:
        name: a preset, hub id, folder or .onnx file.
        labels: which count; see `unsafe_among`.
        dtype: of the weights in memory.

    Raises:
        ModelError: it can't be had, is none, or could run code.
        ConfigError: something is not installed.
    """
    check_checker(name)
    preset, path = find_checker(name), local_path(name)
    file = packaged_file() if preset is not None and preset.source is None else path
    if file is not None and not file.is_dir():
        if labels:
            raise ConfigError("unsafe_labels: an .onnx file has none: leave --unsafe-label out")
        return OnnxChecker(file)
    hub_id = preset.source if preset is not None else parse_hub_id(name)
    folder = path if path is not None and preset is None else None
    if folder is None:
        assert hub_id is not None
        folder = fetch(hub_id, checker_files, progress)
    progress(f"loading {name}", None)
    try:
        return _classifier(folder, labels, dtype)
    except ModelError as error:
        raise ModelError(f"frame checker {name}: {error}") from None


def _classifier(folder: Path, labels: Sequence[str], dtype: torch.dtype) -> Checker:
    facts = read_json(folder / "config.json")
    if "auto_map" in facts:
        raise ModelError("it brings code of its own, which is not run here: take another")
    with one_line(folder):
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        unsafe = unsafe_among(dict(config.id2label), labels)
        network = AutoModelForImageClassification.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    return (
        Checker(network, unsafe, **_look(read_json(folder / "preprocessor_config.json"))).eval().requires_grad_(False)
    )


def _look(settings: dict[str, Any]) -> dict[str, Any]:
    """How pictures are made ready, by a `preprocessor_config.json`. Raises ModelError where that can't be done here."""
    size: Any = settings.get("size")
    if isinstance(size, int):
        size = {"height": size, "width": size}
    if not isinstance(size, dict) or not all(isinstance(size.get(side), int) for side in ("height", "width")):
        raise ModelError("its pictures are not squeezed to one size: take another")
    if settings.get("do_center_crop") or settings.get("do_pad"):
        raise ModelError("its pictures are cropped or padded, so a part of each would not be seen: take another")
    mode = _MODES.get(settings.get("resample", 2))
    if mode is None:
        raise ModelError("its pictures are resized by a filter that is not here: take another")
    is_normalised = settings.get("do_normalize", True)
    return {
        "size": (size["height"], size["width"]),
        "mean": settings.get("image_mean") or (0.5,) * 3 if is_normalised else (0.0,) * 3,
        "std": settings.get("image_std") or (0.5,) * 3 if is_normalised else (1.0,) * 3,
        "mode": mode,
    }
