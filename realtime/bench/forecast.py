"""What frame rate this machine can expect of the embedded model: loads it, runs frames for two seconds, prints the
median as one line of JSON.

A program of its own, `python -m realtime.bench.forecast`: for callers that must not import torch. Must not know who
asks, or sizes beside the model's own.
"""

from __future__ import annotations

import json
from functools import partial

from ..config import Config
from .engine_under_test import EngineUnderTest
from .rounds import timed

SECONDS = 2.0


def forecast() -> dict[str, object]:
    """`rung`: what runs, in words; `side_px`: width and height; `frame_ms`: median of a frame in the engine."""
    engine = EngineUnderTest(Config(model="tiny"))
    try:
        frame_ms = timed(partial(engine.frames, 1, 1), 1, SECONDS)["p50_ms"]
        return {"rung": str(engine.rung), "side_px": engine.side_px, "frame_ms": frame_ms}
    finally:
        engine.close()


if __name__ == "__main__":
    print(json.dumps(forecast()))
