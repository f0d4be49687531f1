"""A picture of what calm does: frames of a pan, what becomes of them without and with it, and the flicker of both.

Must not know documents.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np

from realtime.bench.engine_under_test import EngineUnderTest
from realtime.config import Accelerate, Config
from realtime.pixels import Pixels

from .bench import MODEL, Studio
from .clips import MARGIN, Clip, clips
from .measures import change
from .photographs import photograph

SIDE_PX, STYLE, CALM = 192, "van gogh", 0.9
BEFORE, SHOWN = 3, 6
"""Frames before those that are shown: the first pictures have no past."""
AMPLIFIED = 4


def draw_sheet(name: str, file: Path) -> None:
    """Write the sheet: frames, pictures without calm, with it, and between neighbours the differences along the
    motion of both, four times as strong.

    Args:
        name: of a photograph.
        file: a JPEG.
    """
    still = photograph(name, round(SIDE_PX * MARGIN))
    clip = next(clip for clip in clips(still, still, SIDE_PX, seed=0) if clip.name == "pan")
    frames = clip.frames[: BEFORE + SHOWN]
    studio = Studio(EngineUnderTest(Config(model=MODEL, accelerate=Accelerate.OFF), SIDE_PX))
    results = studio.restyled(frames, STYLE)
    plain, calm = studio.calmed(results, 0.0), studio.calmed(results, CALM)
    rows = [frames, plain, calm, _changes(clip, plain), _changes(clip, calm)]
    sheet = np.vstack([np.hstack(list(row[-SHOWN:])) for row in rows])
    cv2.imwrite(str(file), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])


def _changes(clip: Clip, pictures: list[Pixels]) -> list[Pixels]:
    drawn: list[Pixels] = []
    for at in range(1, len(pictures)):
        seen = change(clip, pictures, at)
        seen[~clip.visible[at - 1]] = 0
        drawn.append(cast(Pixels, cv2.convertScaleAbs(seen, alpha=AMPLIFIED)))
    return drawn
