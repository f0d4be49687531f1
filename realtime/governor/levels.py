"""From what a user asked for down to the least that the user allows: what may be traded for time, in order.

Pure functions of params. Must not know what anything costs: that is measured elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..params import SIDE_MIN_PX, SIDE_MULTIPLE_PX, OutputFormat, Params

SIDE_MULTIPLES_PX = (64, 32, 16, SIDE_MULTIPLE_PX)
"""Tried in this order: a UNet that halves its latents three times is at its best with multiples of 64."""
SCALES = tuple(eighths / 8 for eighths in range(7, 1, -1))
"""A size costs an engine something to get ready for (a captured graph), so there are few."""
SIDE_TOLERANCE, SHAPE_TOLERANCE = 0.05, 0.025
"""How far a side may be from its exact share, and the shape from its own: 512x288 at 7/8 is 448x256."""
QUALITY_STEP = 10


@dataclass(frozen=True, slots=True)
class Level:
    """One rung: how many steps at which size."""

    steps: int
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @classmethod
    def of(cls, params: Params) -> Level:
        """What these params say."""
        return cls(params.num_inference_steps, params.width, params.height)


def levels(params: Params) -> tuple[Level, ...]:
    """First fewer steps, then smaller pictures: a smaller picture is another noise, which a step less is not.

    Returns:
        At least the level of the params themselves, which is first; each costs less than the one before.
    """
    steps = range(params.num_inference_steps, min(params.min_steps, params.num_inference_steps) - 1, -1)
    rungs = [Level(number, params.width, params.height) for number in steps]
    rungs += [Level(steps[-1], *size) for size in sizes(params)]
    return tuple(rungs)


def sizes(params: Params) -> list[tuple[int, int]]:
    """Smaller sizes of the same shape, largest first; none below the smallest scale that the params allow."""
    found = [_size(params, scale) for scale in SCALES if scale >= params.min_scale]
    return [size for size in found if size is not None]


def _size(params: Params, scale: float) -> tuple[int, int] | None:
    """About this share of both sides, in the largest multiples that come near enough; None where none do."""
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
    """Output qualities, highest first: one only where the format has none."""
    highest = params.output_quality
    if params.output_format is OutputFormat.PNG:
        return (highest,)
    lowest = min(params.min_quality, highest)
    return (*range(highest, lowest, -QUALITY_STEP), lowest)
