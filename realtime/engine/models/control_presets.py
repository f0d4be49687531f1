"""Nets by name, with their source, licence and family: `--control canny` is a different one beside each family.

Must not import torch or anything that does: `realtime models list` does not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...control import Hint
from .. import NetKind
from .family import SD, SD2, SDXL, Family
from .hub import HubId
from .presets import Licence

_OPENRAIL = Licence("CreativeML OpenRAIL-M", "commercial use allowed, with use restrictions")
_APACHE = Licence("Apache-2.0", "commercial use allowed")
_THIBAUD = Licence("its own", "not to be sold, merged or distributed without its author's agreement")


@dataclass(frozen=True)
class ControlPreset:
    """A net known by name.

    Attributes:
        name: the value of `--control`; several families have nets of one name.
        title: for people.
        source: hub id, of a folder or a file.
        family: of the models beside which it runs.
        hint: what it is shown.
        licence: of its weights.
        download_gb: in gigabytes.
        weight: at which it is best.
        kind: how it steers.
    """

    name: str
    title: str
    source: HubId
    family: Family
    hint: Hint
    licence: Licence
    download_gb: float
    weight: float = 1.0
    kind: NetKind = NetKind.CONTROLNET


def _v11(name: str, title: str, file: str, hint: Hint, weight: float) -> ControlPreset:
    """ControlNet 1.1 for SD 1.5, in half precision. The licence is that of the original, whose copy states none."""
    source = HubId("comfyanonymous/ControlNet-v1-1_fp16_safetensors", f"control_{file}_fp16.safetensors")
    return ControlPreset(name, title, source, SD, hint, _OPENRAIL, 0.72, weight)


def _sd21(name: str, title: str, hint: Hint, weight: float) -> ControlPreset:
    """Thibaud's for SD 2.1, in half precision."""
    source = HubId("thibaud/controlnet-sd21", f"control_v11p_sd21_{name}.safetensors")
    return ControlPreset(name, title, source, SD2, hint, _THIBAUD, 0.72, weight)


def _xinsir(name: str, title: str, hint: Hint, weight: float) -> ControlPreset:
    return ControlPreset(
        name, title, HubId(f"xinsir/controlnet-{name}-sdxl-1.0"), SDXL, hint, _APACHE, 2.5, weight
    )  # fmt: skip


def _tencent(name: str, title: str, subject: str, hint: Hint, download_gb: float = 0.16) -> ControlPreset:
    source = HubId(f"TencentARC/t2i-adapter-{subject}-sdxl-1.0")
    return ControlPreset(name, title, source, SDXL, hint, _APACHE, download_gb, 0.8, NetKind.ADAPTER)


# Models of few steps, which this server is for, follow the base's nets more than the base does: weights are below 1.
CONTROL_PRESETS = (
    _v11("canny", "Edges", "v11p_sd15_canny", Hint.CANNY, 0.8),
    _v11("depth", "Depth", "v11f1p_sd15_depth", Hint.DEPTH, 0.8),
    _v11("lineart", "Lines", "v11p_sd15_lineart", Hint.LINES, 0.8),
    _v11("scribble", "Scribble", "v11p_sd15_scribble", Hint.SCRIBBLE, 0.8),
    _v11("tile", "Detail", "v11f1e_sd15_tile", Hint.TILE, 0.6),
    _v11("openpose", "Pose", "v11p_sd15_openpose", Hint.POSE, 0.8),
    _sd21("canny", "Edges", Hint.CANNY, 0.5),
    _sd21("depth", "Depth", Hint.DEPTH, 0.5),
    _sd21("lineart", "Lines", Hint.LINES, 0.5),
    _sd21("scribble", "Scribble", Hint.SCRIBBLE, 0.5),
    _sd21("color", "Colours", Hint.COLOUR, 0.5),
    _sd21("openpose", "Pose", Hint.POSE, 0.5),
    _xinsir("union", "Several in one net", Hint.PICTURE, 0.6),
    _xinsir("canny", "Edges", Hint.CANNY, 0.6),
    _xinsir("depth", "Depth", Hint.DEPTH, 0.6),
    _xinsir("scribble", "Scribble", Hint.SCRIBBLE, 0.6),
    _xinsir("tile", "Detail", Hint.TILE, 0.6),
    _xinsir("openpose", "Pose", Hint.POSE, 0.6),
    _tencent("t2i-canny", "Edges, light", "canny", Hint.CANNY),
    _tencent("t2i-lineart", "Lines, light", "lineart", Hint.LINES),
    _tencent("t2i-sketch", "Scribble, light", "sketch", Hint.SCRIBBLE),
    _tencent("t2i-depth", "Depth, light", "depth-midas", Hint.DEPTH),
    _tencent("t2i-openpose", "Pose, light", "openpose", Hint.POSE, 0.32),  # there is none in half precision
)
"""Sources and licences are as their pages say, which are authoritative; weights are those that people write of."""

DEPTH_ESTIMATOR = HubId("depth-anything/Depth-Anything-V2-Small-hf")
"""Makes the hint of nets for depth. Apache-2.0."""
POSE_ESTIMATOR = HubId("usyd-community/vitpose-base-simple")
"""Makes the hint of nets for poses. Apache-2.0."""
ESTIMATORS = {Hint.DEPTH: DEPTH_ESTIMATOR, Hint.POSE: POSE_ESTIMATOR}
"""What makes each hint of the device."""


UNION_TYPES: dict[str, tuple[int, str, Hint]] = {
    "openpose": (0, "Pose", Hint.POSE),
    "depth": (1, "Depth", Hint.DEPTH),
    "scribble": (2, "Scribble", Hint.SCRIBBLE),
    "canny": (3, "Edges", Hint.CANNY),
    "lineart": (3, "Lines", Hint.LINES),
    "tile": (6, "Detail", Hint.TILE),
}
"""A union's types by name: index, title and hint. Source: xinsir's model card of controlnet-union-sdxl-1.0."""

_WORDS: tuple[tuple[Hint, tuple[str, ...]], ...] = (
    (Hint.CANNY, ("canny", "edge")),
    (Hint.DEPTH, ("depth", "midas", "zoe")),
    (Hint.POSE, ("pose",)),
    (Hint.SCRIBBLE, ("scribble", "sketch")),
    (Hint.LINES, ("line", "hed", "mlsd")),
    (Hint.TILE, ("tile", "blur")),
    (Hint.COLOUR, ("color", "colour")),
)


def controls_for(family: Family) -> tuple[ControlPreset, ...]:
    """The presets that run beside models of a family."""
    return tuple(preset for preset in CONTROL_PRESETS if preset.family is family)


def find_control(name: str, family: Family) -> ControlPreset | None:
    """The preset of this name for a family; None where there is none."""
    return next((preset for preset in controls_for(family) if preset.name == name), None)


def guessed_hint(*names: str) -> Hint:
    """What a net is shown, by its name, or else its file's; the picture as it is where neither says."""
    for name in names:
        for hint, words in _WORDS:
            if any(word in name.lower() for word in words):
                return hint
    return Hint.PICTURE
