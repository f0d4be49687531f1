"""The way of a session's params from the values that are shown to new ones, and the travel of its seed.

Time comes in as an argument. Must not know sessions, frames, or what a model makes of the values.

A prompt is shares of texts and pictures that sum to 1, and moves in a straight line. Noise is a unit vector over seeds,
and moves on the arc between two of them, so that its variance stays 1: cos φ · n₁ + sin φ · n₂.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .control import Control
from .params import SEEDS, GlidingParams, Params, SeedFactor
from .prompts import REFERENCE_WEIGHT_MAX, REFERENCES_MAX, Layers, Prompt, Reference, Subject, WeightedPrompt, parts_of

POSITIONS = 256
"""Positions of a way: sessions that go the same way have the same params, and share recipes. With 64 a way of 2 s at 30
frames a second has a step twice as long as the others every half second, which is seen where the picture changes most.
"""
PARTS_MAX = 16
"""Texts and pictures, or seeds, that are mixed at once; of more the lightest are left out."""
REFERENCES_AT_ONCE = 2 * REFERENCES_MAX
"""References that are heard at once: those of two looks."""
UNMOVED = ("transition_s", "seed_travel", "min_scale")
"""Numbers that say how fast, or how far something may go: nothing is shown of them."""
NUMBERS = tuple(name for name, one in Params.model_fields.items() if one.annotation is float and name not in UNMOVED)
"""Fields of params with numbers that glide. Beside them: the prompts and the seed."""

SECOND_NS, MINUTE_NS = 1_000_000_000, 60_000_000_000

Shares = Mapping[Subject, float]
"""Share of each text and picture."""
Weights = Mapping[tuple[str, Layers], float]
"""Weight of each reference, by its picture and layers."""
Mix = Mapping[int, float]
"""Factor of each seed's noise; their squares sum to 1."""
NetWeights = Mapping[tuple[str, str], float]
"""Weight of each net with its source, see `Control.subject`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Way(Generic[T]):
    """The way of one value to the params' own, which may move meanwhile.

    Attributes:
        start: what was shown when it began.
        begun_ns: when that was.
        length_ns: positive.
    """

    start: T
    begun_ns: int
    length_ns: int

    def done(self, now_ns: int) -> float:
        """The share of the way that is done: 0 to 1, the last of `POSITIONS` that was passed."""
        passed = POSITIONS * (now_ns - self.begun_ns) // self.length_ns
        return min(max(passed, 0), POSITIONS) / POSITIONS

    def left_ns(self, now_ns: int) -> int:
        """Time to its end; 0 behind it."""
        return max(0, self.begun_ns + self.length_ns - now_ns)


@dataclass(frozen=True, slots=True)
class Travel:
    """The travel of a seed to the ones after it, at an even pace.

    Attributes:
        start: seeds travelled at `since_ns`.
        per_minute: seeds a minute; at 0 it rests.
    """

    since_ns: int
    start: float = 0.0
    per_minute: float = 0.0

    def travelled(self, now_ns: int) -> float:
        """Seeds travelled: the last of `POSITIONS` between two that was passed."""
        seeds = self.start + self.per_minute * (now_ns - self.since_ns) / MINUTE_NS
        return math.floor(seeds * POSITIONS) / POSITIONS

    def mix(self, seed: int, now_ns: int) -> Mix:
        """The noise of a travel that begins at this seed."""
        whole, share = divmod(self.travelled(now_ns), 1)
        here = (seed + int(whole)) % SEEDS
        return on_arc({here: 1.0}, {(here + 1) % SEEDS: 1.0}, share)

    def at_pace(self, per_minute: float, now_ns: int) -> Travel:
        """The same travel, at another pace from now on."""
        if per_minute == self.per_minute:
            return self
        return Travel(now_ns, self.travelled(now_ns), per_minute)


@dataclass(frozen=True)
class Glide:
    """A session's params, and the ways on which their values are. Immutable: a change is a new one.

    Attributes:
        target: the session's own params: where all ways end.
        travel: of the seed.
        numbers: ways of the numbers, by field.
        texts, negatives, seeds: ways of the prompt, the negative prompt and the noise; None where there is none.
        weights: way of the weights of control; None where there is none.
        references: way of the references; None where there is none.
    """

    target: Params
    travel: Travel
    numbers: Mapping[str, Way[float]] = field(default_factory=dict[str, Way[float]])
    texts: Way[Shares] | None = None
    negatives: Way[Shares] | None = None
    seeds: Way[Mix] | None = None
    weights: Way[NetWeights] | None = None
    references: Way[Weights] | None = None

    @classmethod
    def at_rest(cls, target: Params, now_ns: int) -> Glide:
        """Params that are shown as they are; a seed that travels begins to."""
        return cls(target, Travel(now_ns, per_minute=target.seed_travel))

    def toward(self, target: Params, now_ns: int, seconds: float) -> Glide:
        """The glide after a change.

        Values that change begin a way of so many seconds at what is shown now, or change at once at 0; the others stay
        on theirs.
        """
        length_ns = round(seconds * SECOND_NS)
        before = self.target
        numbers = {name: way for name, way in self.numbers.items() if way.left_ns(now_ns)}
        for name in NUMBERS:
            if getattr(target, name) != getattr(before, name):
                numbers.pop(name, None)
                if length_ns:
                    numbers[name] = Way(self._number(name, now_ns), now_ns, length_ns)
        texts, negatives = self.texts, self.negatives
        if shares_of(target.prompt) != shares_of(before.prompt):
            texts = Way(self._texts(now_ns), now_ns, length_ns) if length_ns else None
        if target.negative_prompt != before.negative_prompt:
            negatives = Way(self._negatives(now_ns), now_ns, length_ns) if length_ns else None
        weights = self.weights
        if target.control != before.control:
            weights = Way(_net_weights_of(self._control(now_ns)), now_ns, length_ns) if length_ns else None
        references = self.references
        if target.references != before.references:
            references = Way(self._references(now_ns), now_ns, length_ns) if length_ns else None
        travel, seeds = self.travel.at_pace(target.seed_travel, now_ns), self.seeds
        stops = bool(before.seed_travel) and not target.seed_travel
        if target.seed != before.seed or stops:
            seeds = Way(self._mix(now_ns), now_ns, length_ns) if length_ns else None
            travel = Travel(now_ns, per_minute=target.seed_travel)
        return Glide(target, travel, numbers, texts, negatives, seeds, weights, references)

    def at(self, now_ns: int) -> Params:
        """The params that are shown: the target itself where nothing is on its way, else a `GlidingParams`."""
        moved: dict[str, Any] = {
            name: self._number(name, now_ns) for name, way in self.numbers.items() if way.left_ns(now_ns)
        }
        if self.texts is not None and self.texts.left_ns(now_ns):
            moved["prompt"] = _blend_of(self._texts(now_ns))
        if self.negatives is not None and self.negatives.left_ns(now_ns):
            moved["negative_parts"] = _blend_of(self._negatives(now_ns))
        if self.weights is not None and self.weights.left_ns(now_ns):
            moved["control"] = self._control(now_ns)
        if self.references is not None and self.references.left_ns(now_ns):
            moved["references"] = tuple(
                Reference.model_construct(picture=picture, layers=layers, weight=weight)
                for (picture, layers), weight in sorted(self._references(now_ns).items())
            )
        mix = self._mix(now_ns)
        if not moved and mix == {self.target.seed: 1.0}:
            return self.target
        factors = tuple(SeedFactor(seed, factor) for seed, factor in sorted(mix.items()))
        values: dict[str, Any] = {**dict(self.target), **moved, "seed_factors": factors}
        return GlidingParams.model_construct(**values)

    def left_s(self, now_ns: int) -> float:
        """Seconds until the last way ends; 0 where none is left. A seed that travels does not count."""
        others = (self.texts, self.negatives, self.seeds, self.weights, self.references)
        ways = [*self.numbers.values(), *(way for way in others if way is not None)]
        return max((way.left_ns(now_ns) for way in ways), default=0) / SECOND_NS

    def _number(self, name: str, now_ns: int) -> float:
        end: float = getattr(self.target, name)
        if (way := self.numbers.get(name)) is None:
            return end
        done = way.done(now_ns)
        return _between(way.start, end, done)

    def _texts(self, now_ns: int) -> Shares:
        return _shares(self.texts, shares_of(self.target.prompt), now_ns)

    def _negatives(self, now_ns: int) -> Shares:
        return _shares(self.negatives, shares_of(self.target.negative_prompt), now_ns)

    def _control(self, now_ns: int) -> tuple[Control, ...]:
        """The nets of the target, on the way from the weights that they had: from 0 where they are new."""
        if self.weights is None:
            return self.target.control
        start, done = self.weights.start, self.weights.done(now_ns)
        return tuple(
            one.model_copy(update={"weight": _between(start.get(one.subject, 0.0), one.weight, done)})
            for one in self.target.control
        )

    def _references(self, now_ns: int) -> Weights:
        end, way = weights_of(self.target.references), self.references
        return end if way is None else fading(way.start, end, way.done(now_ns))

    def _mix(self, now_ns: int) -> Mix:
        end = self.travel.mix(self.target.seed, now_ns)
        return end if self.seeds is None else on_arc(self.seeds.start, end, self.seeds.done(now_ns))


def _between(start: float, end: float, done: float) -> float:
    return end if done == 1 else start + (end - start) * done


def _net_weights_of(control: tuple[Control, ...]) -> NetWeights:
    return {one.subject: one.weight for one in control}


def shares_of(prompt: Prompt) -> Shares:
    """The parts of a prompt and their shares; the empty text alone where a blend has no weight."""
    weights: dict[Subject, float] = {}
    for part in parts_of(prompt):
        weights[part.subject] = weights.get(part.subject, 0.0) + part.weight
    total = sum(weights.values())
    return {subject: weight / total for subject, weight in weights.items() if weight} if total else {Subject(): 1.0}


def _shares(way: Way[Shares] | None, end: Shares, now_ns: int) -> Shares:
    return end if way is None else on_line(way.start, end, way.done(now_ns))


def _blend_of(shares: Shares) -> tuple[WeightedPrompt, ...]:
    return tuple(WeightedPrompt.of(subject, share) for subject, share in sorted(shares.items()))


def weights_of(references: tuple[Reference, ...]) -> Weights:
    """The weights of references; those of one picture and one choice of layers are added, up to the largest allowed."""
    weights: dict[tuple[str, Layers], float] = {}
    for one in references:
        key = one.picture, one.layers
        weights[key] = min(weights.get(key, 0.0) + one.weight, REFERENCE_WEIGHT_MAX)
    return {key: weight for key, weight in weights.items() if weight}


def fading(start: Weights, end: Weights, done: float) -> Weights:
    """Weights between two: their shares move in a straight line, and so does the largest, which is how much all act."""
    if done == 1:
        return end
    mixed = {one: (1 - done) * start.get(one, 0.0) + done * end.get(one, 0.0) for one in dict.fromkeys([*start, *end])}
    heaviest = sorted(mixed, key=lambda one: mixed[one], reverse=True)[:REFERENCES_AT_ONCE]
    kept = {one: mixed[one] for one in heaviest if mixed[one]}
    if not kept:
        return kept
    strongest = (1 - done) * max(start.values(), default=0.0) + done * max(end.values(), default=0.0)
    factor = strongest / max(kept.values())
    return {one: factor * weight for one, weight in kept.items()}


def on_line(start: Shares, end: Shares, done: float) -> Shares:
    """Shares between two, at most `PARTS_MAX` of them."""
    if done == 1:
        return end
    parts = dict.fromkeys([*start, *end])
    mixed = {part: (1 - done) * start.get(part, 0.0) + done * end.get(part, 0.0) for part in parts}
    kept = _heaviest(mixed)
    total = sum(kept.values())
    return {part: share / total for part, share in kept.items()}


def on_arc(start: Mix, end: Mix, done: float) -> Mix:
    """The noise between two on the arc from one to the other, of at most `PARTS_MAX` seeds.

    Source: Shoemake 1985, "Animating rotation with quaternion curves" (spherical linear interpolation).
    """
    angle = math.acos(min(1.0, sum(factor * end.get(seed, 0.0) for seed, factor in start.items())))
    if done == 1 or angle < 1e-6:
        return end
    if done == 0:
        return start
    back, ahead = math.sin((1 - done) * angle) / math.sin(angle), math.sin(done * angle) / math.sin(angle)
    mixed = {seed: back * start.get(seed, 0.0) + ahead * end.get(seed, 0.0) for seed in dict.fromkeys([*start, *end])}
    kept = _heaviest(mixed)
    length = math.hypot(*kept.values())
    return {seed: factor / length for seed, factor in kept.items()}


Part = TypeVar("Part", Subject, int)


def _heaviest(parts: Mapping[Part, float]) -> dict[Part, float]:
    """The heaviest `PARTS_MAX` of those that weigh anything, in their order."""
    heaviest = set(sorted(parts, key=lambda part: parts[part], reverse=True)[:PARTS_MAX])
    return {part: weight for part, weight in parts.items() if weight and part in heaviest}
