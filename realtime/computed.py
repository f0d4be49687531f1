"""How many frames a second a GPU can be expected to make, and which models fit into its memory: *computed*, ±30 %.

The times are of a model of the kernels: each product and convolution as tiles over processors in waves, passes over
memory as bytes over bandwidth. docs/performance.md puts what was measured beside them. Other cards are scaled from the
ones that were computed. Must not ask a machine anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .card import Card

GRAPHS, AOTI = "graphs", "aoti"
FULL_ROWS = 8
"""Rows that the times of a full batch are of: `max_rows` by default."""
BASE_GFLOP = 1063
"""A frame's arithmetic in the times below: 512×512, one step of SD-Turbo's UNet, TAESD, without the first call."""
CONTEXT_GB, USABLE = 0.5, 0.9
"""What CUDA and its libraries take, and the part of the memory that other programs leave."""
BUILDER_GB = 1.1
"""What a builder of packages takes beside the weights, which it loads once more."""
OLDEST = (7, 0)
"""Compute capability below which nothing is computed: Volta's tensor cores are the first."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds a frame at a batch of one, and of `FULL_ROWS`, in parts.

    Attributes:
        products: products, convolutions and attention, which go with the processors.
        passes: kernels over memory in packages, which go with its bandwidth.
        plain_passes: those without packages.
    """

    products: tuple[float, float]
    passes: tuple[float, float]
    plain_passes: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Computed:
    """A card whose times were computed from its own figures."""

    card: Card
    times: Times


COMPUTED = (
    Computed(Card("NVIDIA H100 80GB HBM3", (9, 0), 85.0, 3352, 132 * 1.98), Times((5.0, 3.0), (1.5, 0.9), (3.6, 1.9))),
    Computed(Card("NVIDIA H200", (9, 0), 150.0, 4800, 132 * 1.98), Times((5.0, 3.0), (1.2, 0.6), (3.2, 1.5))),
    Computed(
        Card("NVIDIA GeForce RTX 4090", (8, 9), 25.4, 1008, 128 * 2.52), Times((13.0, 9.5), (2.6, 2.5), (5.6, 5.0))
    ),
    Computed(Card("NVIDIA GeForce RTX 3060", (8, 6), 12.6, 360, 28 * 1.78), Times((34, 30), (8, 7), (17, 15))),
    Computed(
        Card("NVIDIA GeForce RTX 4060 Laptop GPU", (8, 9), 8.6, 256, 24 * 2.37), Times((31, 27), (8, 10), (19, 21))
    ),
)
"""The cards that times were computed for, with their published figures."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What a preset asks of a card, in half precision with its tiny autoencoder.

    Attributes:
        weights_gb: of all networks, in 10⁹ bytes.
        row_gb: of one more row at the default size.
        fixed_gflop: arithmetic of encoding and decoding a frame.
        step_gflop: of one step.
        steps, side_px: by default.
    """

    weights_gb: float
    row_gb: float
    fixed_gflop: float
    step_gflop: float
    steps: int
    side_px: int


SIZES = {
    "sd-turbo": ModelSize(2.4, 0.3, 263, 800, 2, 512),
    "lcm-sd15": ModelSize(2.0, 0.3, 263, 804, 4, 512),
    "sdxl-turbo": ModelSize(6.7, 0.3, 263, 1593, 2, 512),
    "lcm-sdxl": ModelSize(6.7, 1.2, 1052, 5980, 4, 1024),
}
"""By preset."""


@dataclass(frozen=True, slots=True)
class FrameRate:
    """Frames a second.

    Attributes:
        alone: of one frame at a time.
        together: of as many at once as fit, all streams together.
    """

    alone: float
    together: float


@dataclass(frozen=True, slots=True)
class Basis:
    """Where a card's times are from.

    Attributes:
        times: its own, or scaled.
        how: for people: empty where the card itself was computed.
    """

    times: Times
    how: str


def basis_of(card: Card) -> Basis | None:
    """A card's times: its own, scaled by processors and bandwidth within one compute capability, or by bandwidth alone.

    None where too little is known to say anything.
    """
    if card.capability is None or card.capability < OLDEST or not card.has_half:
        return None
    for one in COMPUTED:
        if one.card.name == card.name and _is_near(card.bandwidth_gb_s, one.card.bandwidth_gb_s):
            return Basis(one.times, "")
    if not card.bandwidth_gb_s:
        return None
    alike = [one for one in COMPUTED if one.card.capability == card.capability]
    if card.processor_ghz and alike:
        nearest = min(alike, key=lambda one: _distance(card.processor_ghz, one.card.processor_ghz))
        products = _ratio(nearest.card.processor_ghz, card.processor_ghz)
        how = f"scaled from {nearest.card.name} by processors and bandwidth"
    else:
        nearest = min(COMPUTED, key=lambda one: _distance(card.bandwidth_gb_s, one.card.bandwidth_gb_s))
        products = _ratio(nearest.card.bandwidth_gb_s, card.bandwidth_gb_s)
        how = f"scaled from {nearest.card.name} by bandwidth alone, a guess"
    passes, times = _ratio(nearest.card.bandwidth_gb_s, card.bandwidth_gb_s), nearest.times
    scaled = Times(_times(times.products, products), _times(times.passes, passes), _times(times.plain_passes, passes))
    return Basis(scaled, how)


def rows_that_fit(card: Card, size: ModelSize) -> int:
    """How many rows of a model at its default size fit into a card's memory, at most `FULL_ROWS`; 0 if not even one
    does, or its memory is not known.
    """
    left_gb = (card.memory_gb or 0.0) * USABLE - size.weights_gb - CONTEXT_GB
    return max(0, min(FULL_ROWS, math.floor(left_gb / size.row_gb)))


def has_room_for_builder(card: Card, size: ModelSize, rows: int) -> bool:
    """Whether packages of a model can be built beside a server that has so many rows of it."""
    served_gb = size.weights_gb + CONTEXT_GB + rows * size.row_gb
    return (card.memory_gb or 0.0) * USABLE - served_gb >= size.weights_gb + BUILDER_GB


def rate_of(times: Times, size: ModelSize, rows: int, rung: str) -> FrameRate:
    """Frames a second of a model on its default size and steps.

    Args:
        rows: at most so many at once, 1 to `FULL_ROWS`.
        rung: `GRAPHS` or `AOTI`.
    """
    passes = times.passes if rung == AOTI else times.plain_passes
    work = (size.fixed_gflop + size.steps * size.step_gflop) / BASE_GFLOP
    one_ms, full_ms = (products + others for products, others in zip(times.products, passes, strict=True))
    # A tick of n rows as the line through both.
    tick_ms = one_ms + (rows - 1) / (FULL_ROWS - 1) * (FULL_ROWS * full_ms - one_ms)
    return FrameRate(1000 / (one_ms * work), 1000 * rows / (tick_ms * work))


def _is_near(found: float | None, known: float | None) -> bool:
    return found is None or (known is not None and abs(found / known - 1) < 0.1)


def _distance(one: float | None, other: float | None) -> float:
    return abs(math.log(_ratio(one, other)))


def _ratio(one: float | None, other: float | None) -> float:
    assert one and other
    return one / other


def _times(pair: tuple[float, float], factor: float) -> tuple[float, float]:
    return pair[0] * factor, pair[1] * factor
