"""Runs the original file in MediaPipe, its own run time, and keeps what the tests compare the port with.

    python golden.py selfie_segmentation.tflite

Needs MediaPipe in a virtual environment that is used for nothing else: the file takes the place of the one in it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import mediapipe
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.golden_mattes import GOLDEN, STRIDE, pictures


def main() -> None:
    """Write the masks of the file that is named on the command line."""
    solutions = mediapipe.solutions.selfie_segmentation
    folder = Path(mediapipe.__file__).parent / "modules" / "selfie_segmentation"
    shutil.copyfile(sys.argv[1], folder / "selfie_segmentation.tflite")
    masks = []
    for picture in pictures():
        with solutions.SelfieSegmentation(model_selection=0) as original:  # a new one: it smooths over time
            masks.append(original.process(picture).segmentation_mask)
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    np.save(GOLDEN, np.stack(masks)[:, ::STRIDE, ::STRIDE].astype(np.float16))
    if len(sys.argv) > 2:
        np.save(sys.argv[2], np.stack(masks))


if __name__ == "__main__":
    main()
