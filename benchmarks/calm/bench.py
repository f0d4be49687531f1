"""Flicker, sharpness and ghosts of the embedded model's pictures, by style and by how calm they are asked to be.

Frames go the way of the server: rows of the engine, and sealing with the picture before. Must not know documents.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from realtime.bench import report
from realtime.bench.engine_under_test import EngineUnderTest, results_of
from realtime.config import Accelerate, Config
from realtime.frame import Format, Frame, Job, Result
from realtime.media.pipeline import Pipeline
from realtime.params import Params
from realtime.pixels import Pixels

from .. import console
from ..comparison import Target
from .clips import MARGIN, NOISE, Clip, clips
from .measures import flicker, ghost, sharpness
from .photographs import NAMES, photograph

MODEL, SIDE_PX = "tiny", 256
STYLES = ("oil painting", "van gogh", "anime", "comic", "neon")
LEVELS = (0.0, 0.5, 0.75, 1.0)
GOAL_LEVEL = 1.0
"""The level that is held to the goals."""
MOVING = ("pan", "slow pan", "zoom")
STILL, CUT_OUT = "still", "cut-out"
FLICKER_MOST, SHARPNESS_LEAST, STILL_MOST, GHOST_MOST = 0.6, 0.95, 1.0, 1.2
"""Goals, as shares of what there is without calm: on known motions, in a still scene, behind a cut-out."""

PLAIN = "0"
SPENT = {"median": 50, "p95": 95}
SETTLE_S = 60.0

Numbers = dict[str, float]


@dataclass(slots=True)
class Studio:
    """Has clips restyled, and the pictures calmed.

    Attributes:
        spent_ms: processor time of each calmed picture's sealing, without encoding.
    """

    under_test: EngineUnderTest
    pipeline: Pipeline = field(default_factory=lambda: Pipeline(threads=0))
    spent_ms: list[float] = field(default_factory=list[float])
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def restyled(self, frames: Sequence[Pixels], style: str) -> list[Result]:
        """Each frame by itself, by the model's defaults."""
        defaults = self.under_test.engine.info.defaults
        sides = {"width": frames[0].shape[1], "height": frames[0].shape[0]}
        params = Params.model_validate({**dict(Params()), **defaults, "prompt": style, **sides})
        return [self._restyled(frame, params) for frame in frames]

    def _restyled(self, picture: Pixels, params: Params) -> Result:
        number, now_ns = next(self.numbers), time.monotonic_ns()
        frame = Frame(number, Format.NONE, b"", 0, now_ns)
        job = Job(frame, params, "calm", now_ns, number, encode=False, picture=picture)
        results = results_of(self.under_test.engine.tick([job]))
        while self.under_test.engine.busy_rows:
            results += results_of(self.under_test.engine.tick([]))
        return results[0]

    def calmed(self, results: Sequence[Result], level: float) -> list[Pixels]:
        """The pictures as a session that asks for so much calm gets them."""
        past: Result | None = None
        pictures: list[Pixels] = []
        for result in results:
            params = result.job.params.model_copy(update={"calm": level})
            (done,) = self.pipeline.seal([(replace(result, job=replace(result.job, params=params)), past)])
            assert isinstance(done.outcome, Result)
            past = done.outcome
            pictures.append(past.picture)
            if level:
                self.spent_ms.append(done.spent_ns / 1e6)
        return pictures


def calm_bench(
    *,
    accelerate: Accelerate = Accelerate.AUTO,
    photographs: Sequence[str] = (),
    styles: Sequence[str] = STYLES,
    side_px: int = SIDE_PX,
    output: Path | None = None,
) -> dict[str, Any]:
    """Restyle clips of known motion and measure them at each level of calm.

    Args:
        accelerate: the rung.
        photographs: names out of `photographs.NAMES`; none stands for all.
        styles: prompts.
        side_px: of the pictures.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object. `calm_levels` has `means` by style and clip.

    Raises:
        BenchError: a photograph is missing.
    """
    names = tuple(photographs) or NAMES
    found = {name: photograph(name, round(side_px * MARGIN)) for name in names}
    studio = Studio(EngineUnderTest(Config(model=MODEL, accelerate=accelerate), side_px))
    studio.under_test.settle([1], SETTLE_S)
    measured: dict[str, dict[str, dict[str, list[Numbers]]]] = {}
    for index, name in enumerate(names):
        for clip in clips(found[name], found[names[index - 1]], side_px, seed=index):
            for style in styles:
                report.progress(f"{name}, {clip.name}: {style}")
                for level, numbers in measure(studio, clip, style).items():
                    measured.setdefault(style, {}).setdefault(clip.name, {}).setdefault(level, []).append(numbers)
    levels = {style: {clip: means(runs) for clip, runs in by_clip.items()} for style, by_clip in measured.items()}
    held = {name: target.wire() for name, target in targets(levels).items()}
    answer: dict[str, Any] = report.header("calm") | {
        "model": MODEL,
        "settings": {"side_px": side_px, "noise": NOISE, "photographs": list(names), "goal_level": GOAL_LEVEL},
        "rung": studio.under_test.told(),
        "calm_levels": levels,
        "cpu_ms": {name: round(float(np.percentile(studio.spent_ms, at)), 2) for name, at in SPENT.items()},
        "targets": held,
    }
    studio.under_test.close()
    studio.pipeline.close()
    console.show_targets(held)
    report.put_out(answer, output)
    return answer


def measure(studio: Studio, clip: Clip, style: str) -> dict[str, Numbers]:
    """One clip in one style, by level of calm."""
    results = studio.restyled(clip.frames, style)
    of_ground = [result.picture for result in studio.restyled(clip.ground, style)] if clip.ground else []
    found: dict[str, Numbers] = {}
    for level in LEVELS:
        pictures = studio.calmed(results, level)
        numbers = found[f"{level:g}"] = {"flicker": flicker(clip, pictures), "sharpness": sharpness(pictures)}
        if of_ground:
            numbers["ghost"] = ghost(clip, pictures, of_ground)
    return found


def means(by_level: dict[str, list[Numbers]]) -> dict[str, Numbers]:
    """Over the photographs: of numbers in their own units without calm, else as shares of what they are without."""
    plain = by_level[PLAIN]
    answer = {PLAIN: {name: round(fmean(run[name] for run in plain), 3) for name in plain[0]}}
    for level, runs in by_level.items():
        if level != PLAIN:
            shares = [{name: run[name] / of[name] for name in run} for run, of in zip(runs, plain, strict=True)]
            answer[level] = {name: round(fmean(share[name] for share in shares), 3) for name in shares[0]}
    return answer


def targets(levels: dict[str, dict[str, dict[str, Numbers]]]) -> dict[str, Target]:
    """What is wanted at `GOAL_LEVEL`, of the style that is worst."""
    level = f"{GOAL_LEVEL:g}"

    def by_style(number: str, names: Sequence[str]) -> list[float]:
        return [fmean(by_clip[name][level][number] for name in names) for by_clip in levels.values()]

    return {
        "flicker along known motions, of that without calm": Target(max(by_style("flicker", MOVING)), FLICKER_MOST),
        "sharpness along them": Target(min(by_style("sharpness", MOVING)), SHARPNESS_LEAST, at_least=True),
        "flicker of a still scene": Target(max(by_style("flicker", [STILL])), STILL_MOST),
        "ghost behind a cut-out": Target(max(by_style("ghost", [CUT_OUT])), GHOST_MOST),
    }
