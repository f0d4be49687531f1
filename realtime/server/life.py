"""A loaded engine with its scheduler, the default params and the largest picture: frozen, made at once. And what of it
those use who don't care where it is.

Must not know threads, the event loop or any session.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from ..config import Config
from ..engine import Engine, EngineInfo
from ..engine.hearing import Heard
from ..engine_process.engine import EngineProcess, restarts
from ..errors import ConfigError
from ..holding import Holding
from ..media.pipeline import Decoding, Pipeline
from ..params import SIDE_MIN_PX, SIDE_MULTIPLE_PX, Params
from ..refusals import first_in_words
from ..scheduling.capacity import Capacity, Line
from ..scheduling.scheduler import Scheduler
from ..scheduling.soundness import Soundness
from ..scheduling.suspects import Suspects
from ..session import Session
from .watchdog import Watchdog, WatchedEngine


class Served(Protocol):
    """Whoever serves sessions by one engine: its scheduler, or what stands for one on another machine. Any thread."""

    @property
    def jobs(self) -> int:
        """See `Scheduler`."""
        ...

    def add(self, session: Session) -> None:
        """See `Scheduler`."""
        ...

    def remove(self, session: Session, then: Callable[[], None] | None = None) -> None:
        """See `Scheduler`."""
        ...

    @property
    def capacity(self) -> Capacity:
        """See `Scheduler`."""
        ...

    def spend(self, session: Session, spent_ns: int) -> None:
        """See `Scheduler`."""
        ...

    def rate_with(self, newcomers: Sequence[Params], like: Line | None = None) -> float:
        """See `Scheduler`."""
        ...


class Described(Protocol):
    """What is asked of an engine beside the frames. Any thread."""

    @property
    def info(self) -> EngineInfo:
        """See `Engine`."""
        ...

    def hear(self, params: Params) -> Heard:
        """See `Engine`."""
        ...


class ReadyEngine(Protocol):
    """A ready engine, here or on another machine; see `Life`."""

    @property
    def engine(self) -> Described:
        """What it says of itself."""
        ...

    @property
    def scheduler(self) -> Served:
        """Whoever serves sessions by it."""
        ...

    @property
    def defaults(self) -> Params:
        """See `Life`."""
        ...

    @property
    def max_output_pixels(self) -> int:
        """See `Life`."""
        ...


@dataclass(frozen=True, slots=True)
class Life:
    """A ready engine and what belongs to it until it ends; another engine gets another `Life`.

    Attributes:
        scheduler: runs `engine`.
        dog: sees whether it hangs; None where its process has one of its own.
        defaults: the params that a session starts with: the general ones, overridden by `EngineInfo.defaults` and
            shrunk to `max_output_pixels`.
        max_output_pixels: largest width times height that params may have: the lower of the configuration's limit and
            the engine's.
    """

    engine: Engine
    scheduler: Scheduler
    defaults: Params
    max_output_pixels: int
    dog: Watchdog | None = None

    @classmethod
    def begin(
        cls,
        engine: Engine,
        config: Config,
        on_tick: Callable[[float, int], None],
        suspects: Suspects | None = None,
        decoding: Decoding | None = None,
    ) -> Life:
        """Make the scheduler, defaults and limits of a loaded engine.

        Args:
            on_tick, suspects: see `Scheduler`.
            decoding: see `Pipeline`.

        Raises:
            ConfigError: `EngineInfo.defaults` are no valid params.
        """
        defaults, max_output_pixels = offered(engine.info, config)
        pipeline = Pipeline(config.max_pixels, decoding=decoding)
        soundness = Soundness() if restarts(config) else None  # without another, this one may yet do for some params
        holding = Holding(config.hold_above, config.release_below) if config.frame_checker is not None else None
        dog = None if isinstance(engine, EngineProcess) else Watchdog()
        seen = engine if dog is None else WatchedEngine(engine, dog)
        scheduler = Scheduler(
            seen,
            config.rows_per_session,
            on_tick,
            pipeline=pipeline,
            suspects=suspects,
            soundness=soundness,
            holding=holding,
        )
        return cls(engine, scheduler, defaults, max_output_pixels, dog)


def offered(info: EngineInfo, config: Config) -> tuple[Params, int]:
    """The defaults and the largest picture of a loaded engine, see `Life`. Raises ConfigError, see `Life.begin`."""
    max_output_pixels = min(config.max_output_pixels, info.max_output_pixels or config.max_output_pixels)
    return within(_own_defaults(info), max_output_pixels), max_output_pixels


def _own_defaults(info: EngineInfo) -> Params:
    try:
        return Params.model_validate({**dict(Params()), **info.defaults})
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        problem = f"{field}: {first_in_words(error)}"
        raise ConfigError(f"the model's own defaults are no params ({problem}): take another model") from None


def within(params: Params, max_pixels: int) -> Params:
    """The params with width and height scaled down to at most `max_pixels`, the aspect ratio kept as far as multiples
    of `SIDE_MULTIPLE_PX` allow; unchanged where they fit.
    """
    if params.width * params.height <= max_pixels:
        return params
    shrink = math.sqrt(max_pixels / (params.width * params.height))
    width, height = (
        max(SIDE_MIN_PX, int(side * shrink) // SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX)
        for side in (params.width, params.height)
    )
    return params.model_copy(update={"width": width, "height": height})
