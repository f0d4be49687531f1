"""A run without an end of its own: the newest frame of what is live, restyled, to what is seen at once.

Must not know the command line.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import EngineConfig
from ..engine import Engine
from ..engine.load import check_engine, load_engine
from ..errors import ConfigError, RunError, SourceError
from ..holding import Holding
from ..media.opening import Opening
from ..media.pipeline import Pipeline
from ..outputs.choosing import chosen_encoder
from ..outputs.push import RATE, Push, PushState
from ..outputs.target import OutputKind, OutputTarget
from ..params import Params
from .live_source import MICROSECONDS, LiveSource
from .progress import LiveProgress
from .prompt_images import PromptImages
from .restyling import Restyling
from .source_clock import SoundDelay
from .wanted import NO_IMAGES, check_heard, params_for

ANY_PIXELS = 2**40
RATE_OVER_S = 2.0
"""The frame rate that is said is that of so long."""


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """What is to be done.

    Attributes:
        asked: valid params, see `wanted.asked_params`.
        rate: pictures a second that go out.
        encoder: finds FFmpeg's name of the H.264 encoder.
        overwrite: replace a file that is there.
        images: pictures of the prompt.
    """

    opening: Opening
    target: OutputTarget
    asked: Mapping[str, Any]
    config: EngineConfig
    rate: int = RATE
    encoder: Callable[[], str] = chosen_encoder
    overwrite: bool = False
    images: PromptImages = NO_IMAGES


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """What was done.

    Attributes:
        restyled: pictures that the model made.
        dropped: frames that came while it was busy.
        sent: pictures that went out, repeated ones among them.
        seconds: from the first to the last.
    """

    shown: str
    restyled: int
    dropped: int
    sent: int
    seconds: float


def restyle_live(
    order: LiveOrder,
    progress: LiveProgress,
    is_stopping: Callable[[], bool] = lambda: False,
    load: Callable[..., Engine] = load_engine,
) -> LiveSummary:
    """Restyle until `is_stopping` or the source's end, and end what is written in order.

    Raises:
        ConfigError, ModelError, ParamsError: the order can't be carried out.
        SourceError: the source can't be read, and no further try can.
        RunError: nothing can be sent.
        EngineError: the engine is broken.
    """
    _check_file(order)
    check_engine(order.config)
    with closing(load(order.config, progress.stage)) as engine:
        check_heard(order.images, engine.info)
        return _LiveRun(order, engine, progress, is_stopping).run()


class _LiveRun:
    """One run while it works."""

    def __init__(
        self, order: LiveOrder, engine: Engine, progress: LiveProgress, is_stopping: Callable[[], bool]
    ) -> None:
        self._order, self._engine, self._progress, self._is_stopping = order, engine, progress, is_stopping
        self._push: Push | None = None
        self._sound = SoundDelay()
        self._ends_s: deque[float] = deque()
        self._problem = ""

    def run(self) -> LiveSummary:
        """See `restyle_live`."""
        self._progress.stage("opening INPUT")
        with closing(LiveSource(self._order.opening, self._heard, self._failed)) as source:
            if not source.wait_for_first(self._is_stopping) or source.size is None:
                if self._is_stopping():
                    return LiveSummary(self._order.target.shown, 0, 0, 0, 0.0)
                raise SourceError("INPUT: it has no frames; give a file or stream that does", is_final=True)
            order = self._order
            self._push = push = Push(
                order.target,
                order.rate,
                has_sound=bool(source.has_sound),
                encoder=order.encoder,
                on_state=self._progress.output,
            )
            push.begin()
            begun_s = time.monotonic()
            try:
                restyled = self._restyle(source, push, self._params(source.size))
            finally:
                push.close()
        if push.status.state is PushState.FAILED:
            raise RunError(f"OUTPUT {push.status.address}: {push.status.problem}")
        return LiveSummary(push.status.address, restyled, source.dropped, push.status.sent, time.monotonic() - begun_s)

    def _restyle(self, source: LiveSource, push: Push, params: Params) -> int:
        """All pictures; how many there were."""
        pipeline = Pipeline(ANY_PIXELS)
        references, restyled = self._order.images.references, 0
        config = self._order.config
        holding = Holding(config.hold_above, config.release_below) if config.frame_checker is not None else None
        restyling = Restyling(self._engine, params, pipeline, MICROSECONDS, None, references, holding)

        def is_over() -> bool:
            self._show(source, push)
            return self._is_stopping() or push.is_over

        try:
            for one in restyling.live_pictures(lambda is_waiting: source.take(is_waiting, is_over)):
                now_s = time.monotonic()
                push.offer(one.picture)
                delay_s = now_s - source.made_s(one.shot)
                self._sound.note(delay_s)
                self._ends_s.append(now_s)
                restyled, self._problem = restyled + 1, ""
                if is_over():
                    break
        finally:
            pipeline.close()
        return restyled

    def _show(self, source: LiveSource, push: Push) -> None:
        now_s = time.monotonic()
        while self._ends_s and self._ends_s[0] < now_s - RATE_OVER_S:
            self._ends_s.popleft()
        delay_ms = 1000 * (self._sound.mean_s or 0.0)
        self._progress.show(len(self._ends_s) / RATE_OVER_S, delay_ms, source.dropped, push.status, self._problem)

    def _params(self, size: tuple[float, float]) -> Params:
        info = self._engine.info
        defaults = Params.model_validate({**dict(Params()), **info.defaults})
        return params_for(self._order.images.weighed(self._order.asked, info), defaults, size, info.max_output_pixels)

    def _heard(self, samples: Any, made_s: float) -> None:
        """Sound, by the reading thread: as late as its pictures."""
        push, delay_s = self._push, self._sound.delay_s
        if push is not None and delay_s is not None:
            push.offer_sound(samples, made_s + delay_s)

    def _failed(self, problem: str) -> None:
        self._problem = problem
        self._progress.source(problem)


def _check_file(order: LiveOrder) -> None:
    if order.target.kind is not OutputKind.FILE:
        return
    output = Path(order.target.address)
    if not output.parent.is_dir():
        raise ConfigError(f"OUTPUT {output}: there is no folder {output.parent}; make it first")
    if output.exists() and not order.overwrite:
        raise ConfigError(f"OUTPUT {output}: there is such a file; name another, or replace it with --overwrite")
