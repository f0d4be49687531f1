"""Tables in Markdown of how calm pictures are.

Must not know documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from .tables import Answer, Row, figure, table

MOVING = ("pan", "slow pan", "zoom")
STILL, CUT_OUT, PLAIN = "still", "cut-out", "0"
ByLevel = Mapping[str, Mapping[str, float]]


def calm_table(answer: Answer) -> str:
    """By style and level: flicker and sharpness along known motions, flicker of a still scene, ghosts."""
    found: Mapping[str, Mapping[str, ByLevel]] = answer["calm_levels"]
    rows: list[Row] = []
    for style, clips in found.items():
        for level in clips[STILL]:
            numbers = [
                fmean(clips[name][level]["flicker"] for name in MOVING),
                fmean(clips[name][level]["sharpness"] for name in MOVING),
                clips[STILL][level]["flicker"],
                clips[CUT_OUT][level]["ghost"],
            ]
            if level == PLAIN:
                flickers = [f"{figure(numbers[at])} levels" for at in (0, 2)]
                rows.append([style, "0", flickers[0], "1", flickers[1], "1"])
            else:
                rows.append(["", level, *(f"{number:.2f}" for number in numbers)])
    return table(["style", "`calm`", "flicker, moving", "sharpness, moving", "flicker, still", "ghost"], rows)


def calm_line(answer: Answer) -> str:
    """Of what the clips are, and what calming takes."""
    spent, settings = answer["cpu_ms"], answer["settings"]
    side = settings["side_px"]
    return (
        f"Clips of {', '.join(settings['photographs'])}, {side}×{side}, noise {settings['noise']:g}. "
        f"Calming a picture takes {spent['median']:g} ms of a core (95 of 100 at most {spent['p95']:g}).\n"
    )
