"""The levels (steps, nets and size) and the output qualities that a session's params allow, costliest first.

Pure functions of params. Must not know what a level costs: that is measured elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..params import SIDE_MIN_PX, SIDE_MULTIPLE_PX, OutputFormat, Params

SIDE_MULTIPLES_PX = (64, 32, 16, SIDE_MULTIPLE_PX)
"""Sides are multiples of the first of these that fits: UNets that halve latents three times are fastest with 64."""
SCALES = tuple(eighths / 8 for eighths in range(7, 1, -1))
"""Of both sides. Few, as an engine prepares for each new size (it captures a graph, for example)."""
SIDE_TOLERANCE, SHAPE_TOLERANCE = 0.05, 0.025
"""Largest relative errors of a side and of the aspect ratio: 512x288 at 7/8 is 448x256."""
QUALITY_STEP = 10


@dataclass(frozen=True, slots=True)
class Level:
    """A number of steps at a size in pixels, with so many of the nets that were asked for, the first of them."""

    steps: int
    width: int
    height: int
    nets: int = 0

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @classmethod
    def of(cls, params: Params) -> Level:
        """The level that the params ask for."""
        return cls(params.num_inference_steps, params.width, params.height, len(params.control))

    def change_to(self, to: Level) -> str:
        """The change from this level to another one, in words; empty where they are equal."""
        parts: list[str] = []
        if self.steps != to.steps:
            parts.append(f"{to.steps} step{'s' if to.steps > 1 else ''} instead of {self.steps}")
        if self.nets != to.nets:
            parts.append(f"{to.nets or 'no'} net{'s' if to.nets > 1 else ''} instead of {self.nets or 'none'}")
        if self.pixels != to.pixels:
            parts.append(f"{to.width}x{to.height} pixels instead of {self.width}x{self.height}")
        return " and ".join(parts)


def levels(params: Params) -> tuple[Level, ...]:
    """All levels that the params allow, each cheaper than the one before. The first is that of the params.

    Steps fall before the size does: another size is another noise, and so another picture. Nets are let go in between,
    the last first.
    """
    asked, size = len(params.control), (params.width, params.height)
    steps = range(params.num_inference_steps, min(params.min_steps, params.num_inference_steps) - 1, -1)
    nets = range(asked, min(params.min_nets, asked) - 1, -1)
    found = [Level(number, *size, asked) for number in steps]
    found += [Level(steps[-1], *size, number) for number in nets[1:]]
    found += [Level(steps[-1], *smaller, nets[-1]) for smaller in sizes(params)]
    return tuple(found)


def sizes(params: Params) -> list[tuple[int, int]]:
    """Smaller sizes of the same shape, largest first; none below the smallest scale that the params allow."""
    found = [_size(params, scale) for scale in SCALES if scale >= params.min_scale]
    return [size for size in found if size is not None]


def _size(params: Params, scale: float) -> tuple[int, int] | None:
    """Width and height scaled and rounded to the largest multiples within the tolerances; None where none are."""
    sides = params.width, params.height
    smallest = [max(SIDE_MIN_PX, side * params.min_scale) for side in sides]
    for multiple in SIDE_MULTIPLES_PX:
        width, height = (round(side * scale / multiple) * multiple for side in sides)
        shares = width / (sides[0] * scale), height / (sides[1] * scale)
        if width < smallest[0] or height < smallest[1]:
            continue
        if max(abs(share - 1) for share in shares) <= SIDE_TOLERANCE and abs(shares[0] / shares[1] - 1) <= (
            SHAPE_TOLERANCE
        ):
            return width, height
    return None


def qualities(params: Params) -> tuple[int, ...]:
    """Output qualities that the params allow, highest first; the only one where the format has none."""
    highest = params.output_quality
    if params.output_format is OutputFormat.PNG:
        return (highest,)
    lowest = min(params.min_quality, highest)
    return (*range(highest, lowest, -QUALITY_STEP), lowest)
