"""Loads the networks that find poses.

Must not know params, or how they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ....errors import ModelError
from ..components import load_estimator, prefixed
from ..control_presets import POSE_ESTIMATOR
from ..files import estimator_files, read_json
from ..hub import fetch
from ..quiet import quiet
from .detector import PersonDetector
from .estimator import PoseEstimator
from .keypoints import COCO_POINTS
from .names import found

with quiet():
    from transformers import RTDetrForObjectDetection, VitPoseForPoseEstimation

if TYPE_CHECKING:
    from ... import Progress

DETECTOR = "rt_detr"
"""`model_type` of what finds people. Its second version reads sizes back from the device in each layer, which no graph
can hold.
"""


def load_pose(detector: str | None, dtype: torch.dtype, progress: Progress) -> PoseEstimator:
    """Load what finds poses, downloaded if it is not on this disk.

    Args:
        detector: of people: a preset, folder or hub id; None for none.

    Raises:
        ModelError: a network can't be had, or is another one.
    """
    folder = fetch(POSE_ESTIMATOR, estimator_files, progress)
    with prefixed(POSE_ESTIMATOR):
        network: Any = load_estimator(VitPoseForPoseEstimation, folder, dtype)
        if network.config.num_labels != COCO_POINTS or network.config.backbone_config.num_experts != 1:
            raise ModelError(f"it is no network for COCO's {COCO_POINTS} points: fetch it again")
    people = None if detector is None else load_detector(detector, dtype, progress)
    return PoseEstimator(network, people).eval().requires_grad_(False)


def load_detector(name: str, dtype: torch.dtype, progress: Progress) -> PersonDetector:
    """Load what finds people. Raises ModelError; see `load_pose`."""
    folder = found(name, progress)
    with prefixed(f"pose detector {name}"):
        kind = read_json(folder / "config.json").get("model_type")
        if kind != DETECTOR:
            raise ModelError(f"it is a {kind!r}, and no {DETECTOR!r}: take rtdetr, or a folder of another RT-DETR")
        network: Any = load_estimator(RTDetrForObjectDetection, folder, dtype)
        labels = {str(label): int(index) for index, label in network.config.id2label.items()}
        if "person" not in labels:
            raise ModelError("it finds no people (there is no person among its labels): take rtdetr")
    return PersonDetector(network, labels["person"])
