"""Draws docs/images/matte.jpg: what the mattes do to a photograph, on the embedded model.

PYTHONPATH=. python scripts/port_matte/sheet.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from realtime.config import Accelerate, Config
from realtime.engine import Engine
from realtime.engine.load import load_engine
from realtime.frame import Format, Frame, Order, Result
from realtime.media import codec, matte
from realtime.media.pipeline import Pipeline
from realtime.params import Beyond, Matte, OutputFormat, Params

ROOT = Path(__file__).parents[2]
SIDE = 256
CELLS: dict[str, dict[str, Any]] = {
    "input": {"strength": 0.0},
    "off": {},
    "person": {"matte": Matte.PERSON},
    "background": {"matte": Matte.BACKGROUND},
    "person, blur": {"matte": Matte.PERSON, "beyond": Beyond.BLUR},
    "person, key": {"matte": Matte.PERSON, "beyond": Beyond.KEY},
}


def cell(engine: Engine, pipeline: Pipeline, photo: bytes, name: str, prompt: str) -> np.ndarray[Any, Any]:
    """One picture with its name; a transparent one over a chequerboard."""
    params = Params(**{"prompt": prompt, "strength": 0.5, "width": SIDE, "height": SIDE, **CELLS[name]})
    (opened,) = pipeline.open([(Order(Frame(0, Format.JPEG, photo, 0, 1), params, "sheet", 2), None)])
    outcomes = engine.tick([opened.outcome]).collect()  # type: ignore[list-item]
    while engine.busy_rows:
        outcomes += engine.tick([]).collect()
    (sealed,) = pipeline.seal([(outcome, None) for outcome in outcomes])
    result = sealed.outcome
    assert isinstance(result, Result)
    picture = result.picture
    if result.key is not None:
        y, x = np.mgrid[:SIDE, :SIDE] // 20 % 2
        chequers = np.repeat(np.where(x == y, 200, 150)[..., None], 3, 2).astype(np.uint8)
        picture = matte.composited(picture, chequers, result.key)
    picture = picture.copy()
    for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(picture, name, (8, SIDE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width, cv2.LINE_AA)
    return picture


def main() -> None:
    """Write the sheet."""
    engine, pipeline = load_engine(Config(model="tiny", accelerate=Accelerate.OFF)), Pipeline()
    photo = (ROOT / "tests" / "data" / "frames" / "astronaut.jpg").read_bytes()
    rows = [
        np.concatenate([cell(engine, pipeline, photo, name, prompt) for name in CELLS], 1)
        for prompt in ("van gogh", "comic")
    ]
    _, data = codec.encode(np.concatenate(rows), OutputFormat.JPEG, 72)
    (ROOT / "docs" / "images" / "matte.jpg").write_bytes(data)
    engine.close()
    pipeline.close()


if __name__ == "__main__":
    main()
