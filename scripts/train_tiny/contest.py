"""Two embedded models side by side, for looking: what users of one get from the other. Held-out pictures only.

    python scripts/train_tiny contest OLD_FOLDER NEW_FOLDER --out FOLDER

Must not know how models are made: both run as the server runs them, each with its own default strength, one step.
Output: JPEG files, for each style a row of the old model's pictures above one of the new one's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import heads
import heldout
import numpy as np
import numpy.typing as npt
import procedural
from evaluate import FIRST_PERSON
from sheets import captioned, save

from realtime.bench.engine_under_test import EngineUnderTest
from realtime.config import Accelerate, Config
from realtime.frame import Format, Frame, Job, Result
from realtime.params import Params

Image = npt.NDArray[np.uint8]

STYLES = (
    *("oil painting", "impressionist", "van gogh", "watercolour", "pencil sketch", "engraving"),
    *("comic", "ukiyo-e", "anime", "stained glass", "neon", "cyberpunk"),
)
SIDE, SHOWN, ROWS = 256, 176, 6


def sources() -> list[Image]:
    """Eight pictures [SIDE, SIDE, 3]: two faces, five photographs, a sketch."""
    photographs = heldout.photographs(SIDE)
    person = np.asarray(cv2.resize(heads.head(FIRST_PERSON)[0], (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    found = [heldout.face(SIDE), person]
    found += [photographs[name] for name in ("chelsea", "coffee", "china", "flower", "rocket")]
    return [*found, procedural.sketch(0)]


def repainted(model: EngineUnderTest, pictures: list[Image], prompt: str) -> list[Image]:
    """What a model makes of the pictures."""
    asked = {**model.engine.info.defaults, "prompt": prompt, "width": SIDE, "height": SIDE, "num_inference_steps": 1}
    params, made = Params.model_validate({**dict(Params()), **asked, "seed": 7}), []
    for number, picture in enumerate(pictures):
        job = Job(Frame(number, Format.NONE, b"", 0, 1), params, "contest", admitted_ns=2, picture=picture, opened_ns=3)
        outcomes = model.engine.tick([job]).collect()
        while not outcomes:
            outcomes = model.engine.tick([]).collect()
        (outcome,) = outcomes
        assert isinstance(outcome, Result), outcome
        made.append(outcome.picture)
    return made


def main(options: list[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="contest", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(options)
    pictures = sources()
    models = {
        name: EngineUnderTest(Config(model=str(folder.resolve()), accelerate=Accelerate.OFF))
        for name, folder in (("before", args.old), ("now", args.new))
    }
    for part in range(0, len(STYLES), ROWS):
        rows: list[list[Image]] = []
        for style in STYLES[part : part + ROWS]:
            for name, model in models.items():
                row = repainted(model, pictures, style)
                shown = [np.asarray(cv2.resize(one, (SHOWN, SHOWN), interpolation=cv2.INTER_AREA)) for one in row]
                rows.append([captioned(shown[0], f"{style}, {name}"), *shown[1:]])
        save(args.out / f"contest-{part // ROWS + 1}.jpg", rows)
