"""Drives an engine through a recording: several frames in its rows, the next tick launched behind the running one.

What a scheduler is to sessions that share an engine: here there is one stream, nothing is dropped, and nobody waits.
Must not know files.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..control import hints_of_host
from ..engine import Engine, Pending
from ..errors import EngineError
from ..frame import Failure, Format, Frame, Job, Order, Result
from ..glide import SECOND_NS, Glide
from ..holding import HELD_CODES, Holding
from ..media.matte import composited
from ..media.pipeline import Pipeline
from ..media.slate import slate
from ..params import Matte, Params
from ..pixels import Pixels
from ..references import NO_REFERENCES
from .recording import Shot

SESSION = "run"
ROWS_OF_CPU = 1
"""Frames at once where one fills the device: more are not faster there, and cost memory."""


@dataclass(frozen=True, slots=True)
class Restyled:
    """A frame of a recording, and its picture, uint8 [height, width, 3] of the params' size."""

    shot: Shot
    picture: Pixels


class Restyling:
    """One stream of frames through an engine.

    Args:
        engine: called by the thread that takes `pictures`.
        params: of all frames.
        seconds_a_tick: of the shots' timestamps.
        past: the result before the first of them; None at the beginning.
        references: the pictures that the params name, by id.
        holding: in the place of pictures that it holds there are slates; None: all are seen.

    Attributes:
        past: the newest result.
    """

    def __init__(
        self,
        engine: Engine,
        params: Params,
        pipeline: Pipeline,
        seconds_a_tick: float,
        past: Result | None = None,
        references: Mapping[str, Pixels] = NO_REFERENCES,
        holding: Holding | None = None,
    ) -> None:
        self._references, self._holding = references, holding
        self._engine, self._pipeline, self._params = engine, pipeline, params
        self._glide = Glide.at_rest(params, 0)
        self._seconds_a_tick = seconds_a_tick
        self._rows = ROWS_OF_CPU if engine.info.device.startswith("cpu") else engine.free_rows
        self._in_flight: dict[int, Shot] = {}  # by job number
        self.past = past

    @property
    def remembers(self) -> bool:
        """Whether a picture depends on the one before it."""
        return self._params.feedback > 0 or self._seals_in_turn

    @property
    def _seals_in_turn(self) -> bool:
        return self._params.calm > 0 or self._params.matte.finds_people

    def pictures(self, shots: Iterable[Shot]) -> Iterator[Restyled]:
        """Restyle all frames, in their order. Those that are in flight when nobody takes more are lost.

        Raises:
            EngineError: the engine is broken, or a frame can't be restyled.
        """
        source = iter(shots)
        return self._driven(lambda most, is_idle: list(islice(source, most)))

    def live_pictures(self, take: Callable[[bool], Shot | None]) -> Iterator[Restyled]:
        """Restyle the newest frame each time that there is room for one: one at a time, which is soonest done.

        Args:
            take: gives the newest frame that it has not given yet, or None. Told whether it may wait for one; None then
                means that there will be no more.

        Raises:
            EngineError: see `pictures`.
        """

        def newest(most: int, is_idle: bool) -> list[Shot]:
            if most == 0:
                return []
            shot = take(is_idle)
            return [] if shot is None else [shot]

        self._rows = 1
        return self._driven(newest)

    def _driven(self, take: Callable[[int, bool], list[Shot]]) -> Iterator[Restyled]:
        """All pictures of what is taken.

        Args:
            take: gives so many frames at most; told whether nothing is under way, so that it may wait. Where it gives
                none then, it is over.
        """
        flights = deque[Pending]()
        while True:
            is_idle = not flights and self._engine.busy_rows == 0
            jobs = self._opened(take(self._room(), is_idle))
            is_launched = bool(jobs) or self._engine.busy_rows > 0
            if is_launched:
                flights.append(self._engine.tick(jobs))
            elif not flights:
                return
            if len(flights) > 1 or not is_launched:
                yield from self._sealed(flights.popleft())

    def _room(self) -> int:
        """How many frames the next tick is to admit."""
        if self._params.feedback:  # a frame is made from the picture before it
            return 0 if self._in_flight else 1
        return max(0, min(self._engine.free_rows, self._rows - self._engine.busy_rows))

    def _opened(self, shots: list[Shot]) -> list[Job]:
        jobs: list[Job] = []
        for done in self._pipeline.open([(self._order(shot), self.past) for shot in shots]):
            if isinstance(done.outcome, Failure):
                raise _failed(done.outcome)
            jobs.append(done.outcome)
        self._in_flight |= {shot.number: shot for shot in shots}
        return jobs

    def _order(self, shot: Shot) -> Order:
        now_ns, at_s = time.monotonic_ns(), shot.pts * self._seconds_a_tick
        frame = Frame(shot.number, Format.PLANES, shot.planes, max(0, round(at_s * 1e6)), now_ns)
        params = self._glide.at(round(at_s * SECOND_NS))  # a seed may travel
        return Order(
            frame,
            params,
            SESSION,
            now_ns,
            shot.number,
            encode=False,
            references=self._references,
            hints_wanted=hints_of_host(params.control, self._engine.info.nets) if params.control else (),
            checks_input=params.matte is not Matte.OFF,
        )

    def _sealed(self, pending: Pending) -> Iterator[Restyled]:
        outcomes = pending.collect()
        if self._holding is not None:
            outcomes = list(map(self._holding.judged, outcomes))
        for group in ([one] for one in outcomes) if self._seals_in_turn else [outcomes]:
            for done in self._pipeline.seal([(outcome, self.past) for outcome in group]):
                result = done.outcome
                if isinstance(result, Failure):
                    yield self._in_place_of(result)
                    continue
                self.past = result
                yield Restyled(self._in_flight.pop(result.job.number), _opaque(result))

    def _in_place_of(self, failure: Failure) -> Restyled:
        """A slate for a picture that is held. Raises EngineError where there is none for another reason."""
        if failure.error.code not in HELD_CODES:
            raise _failed(failure)
        order = failure.order
        return Restyled(self._in_flight.pop(order.number), slate(order.params.width, order.params.height))


def _failed(failure: Failure) -> EngineError:
    number = failure.order.frame.seq + 1
    return EngineError(f"frame {number} can't be restyled: {failure.error}; try another --dtype or --accelerate")


def _opaque(result: Result) -> Pixels:
    """Its picture; what is transparent is black, as H.264 has no opacity."""
    if result.key is None:
        return result.picture
    return composited(result.picture, np.zeros_like(result.picture), result.key)
