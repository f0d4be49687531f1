"""What is measured on a GPU: two runs of up to eight minutes and one of four, each a list of parts with limits.

Must not import anything that a machine may lack, or know how a part measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

BUDGET_S, MARGIN_S = 470.0, 6.0
"""Of a run, and what of it is kept for ending parts and writing things down."""
LOOKS_BUDGET_S = 236.0
"""Of the third run: four minutes."""
DRY_BUDGET_S = 300.0
"""Of a run with tiny shapes."""
LEAST_S = 45.0
"""No part's limit is below: on a cold machine importing torch takes half of it."""
BATCHES = (1, 2, 4, 8)
"""Frames a tick; graphs are captured for as many."""
MANY_CORES = 12
"""With fewer, packages for batches of 1 and the largest only are built."""


@dataclass(frozen=True)
class Part:
    """One answer.

    Attributes:
        measures: module below this package, and function in it.
        process: parts of one process share it, one after another, and the engines that they have loaded.
        limit_s: its process is ended after that.
        needs_s: it is left out where less is left; so much is kept for it by parts before.
        dry_needs_s: the same with tiny shapes.
        is_beside: it runs beside others, in a process of its own, from the run's beginning: it wants cores and no GPU.
        after: parts beside that are waited for.
        cores: it is left out where there are fewer.
    """

    name: str
    measures: str
    process: str
    limit_s: float
    needs_s: float
    dry_needs_s: float = 3.0
    is_beside: bool = False
    after: tuple[str, ...] = ()
    cores: int = 1


@dataclass(frozen=True)
class RunPlan:
    """A call of eight minutes.

    Attributes:
        answers: what it is for.
        budget_s: of the whole run.
    """

    answers: str
    parts: tuple[Part, ...] = field(default_factory=tuple[Part, ...])
    budget_s: float = BUDGET_S


BUILDS = ("build_1", "build_8", "build_2", "build_4")
"""Parts that build packages, for the batch in the name."""

RUNS = {
    1: RunPlan(
        "does it work, and where does the time go",
        (
            Part("tests", "checks:tests", "tests", 75, 25),
            Part("machine", "checks:machine", "engine", 60, 20),
            Part("engine", "rungs:engine", "engine", 130, 45),
            Part("hazards", "hazards:hazards", "engine", LEAST_S, 12),
            Part("regions", "rungs:regions", "engine", LEAST_S, 8),
            Part("steps", "rungs:more_steps", "engine", LEAST_S, 8),
            Part("sizes", "sizes:sizes", "engine", LEAST_S, 10),
            Part("profile", "rungs:profile", "engine", LEAST_S, 8),
            Part("streams", "serving:on_graphs", "streams", 140, 100, 15),
        ),
    ),
    2: RunPlan(
        "packages and variants",
        (
            Part("build_1", "building:build", "build_1", 300, 60, is_beside=True),
            Part("build_8", "building:build", "build_8", 300, 60, is_beside=True),
            Part("build_2", "building:build", "build_2", 300, 60, is_beside=True, cores=MANY_CORES),
            Part("build_4", "building:build", "build_4", 300, 60, is_beside=True, cores=MANY_CORES),
            Part("machine", "checks:machine", "variants", 60, 20),
            Part("variants", "variants:variants", "variants", 110, 40),
            Part("one_graph", "one_graph:one_graph", "variants", LEAST_S, 10),
            Part("sdxl", "rungs:sdxl", "sdxl", 70, 40),
            Part("aoti", "rungs:packaged", "aoti", 80, 45, 10, after=BUILDS),
            Part("packed_streams", "serving:on_packages", "streams", 90, 60, 15),
            Part("compile", "rungs:compiled", "compile", math.inf, 60, 5),
        ),
    ),
    3: RunPlan(
        "looks: nets, contexts, and another model while frames flow",
        (
            Part("machine", "checks:machine", "engine", 60, 20),
            Part("nets", "nets:nets", "engine", 80, 40, 20),
            Part("contexts", "contexts:contexts", "engine", LEAST_S, 12),
            Part("swap", "swapping:swap", "swap", 90, 75, 30),
            Part("sdxl_nets", "nets:sdxl_nets", "sdxl_nets", 80, 45, 20),
        ),
        budget_s=LOOKS_BUDGET_S,
    ),
}


def parts_of(runs: tuple[int, ...]) -> list[str]:
    """The names of the parts of these runs; one that is in both stands there once."""
    return list(dict.fromkeys(part.name for run in runs for part in RUNS[run].parts))


def kept_for(later: list[Part], dry: bool) -> float:
    """Seconds that parts which come later need."""
    return sum(part.dry_needs_s if dry else part.needs_s for part in later if dry or math.isfinite(part.limit_s))
