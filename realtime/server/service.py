"""What the routes and connections of one server share. Made once by the app; nothing here is global.

Must not know sockets.
"""

from __future__ import annotations

import math
import time
from typing import Any

from pydantic import ValidationError

from .. import protocol
from ..config import Config
from ..engine.load import load_engine
from ..errors import ConfigError
from ..params import SIDE_MIN_PX, SIDE_MULTIPLE_PX, Params
from ..session import Session
from .engine_host import EngineHost, Load, State
from .lobby import Lobby, Viewers
from .metrics import Metrics, Totals
from .pictures import Pictures


def _within(params: Params, max_pixels: int) -> Params:
    """The params with a picture of at most so many pixels, of about the same shape."""
    if params.width * params.height <= max_pixels:
        return params
    shrink = math.sqrt(max_pixels / (params.width * params.height))
    width, height = (
        max(SIDE_MIN_PX, int(side * shrink) // SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX)
        for side in (params.width, params.height)
    )
    return params.model_copy(update={"width": width, "height": height})


class Service:
    """One server's state.

    Args:
        config: of the process.
        load: makes the engine; tests bring their own.
    """

    def __init__(self, config: Config, load: Load = load_engine) -> None:
        self.config = config
        self.metrics = Metrics(self._totals)
        self.host = EngineHost(config, load, self.metrics.observe_tick)
        self.viewers = Viewers(config.max_viewers)
        self.pictures = Pictures()
        self._lobby: Lobby | None = None
        self._defaults: Params | None = None

    @property
    def lobby(self) -> Lobby:
        """Who is in. Only once the engine is ready."""
        if self._lobby is None:
            assert self.host.state is not State.LOADING
            self._lobby = Lobby(
                max_sessions=self.config.max_sessions,
                max_waiting=self.config.max_waiting,
                resume_s=self.config.resume_s,
                scheduler=self.host.scheduler,
                new_session=self._new_session,
                on_end=self.metrics.keep,
                rate_with=self.rate_with,
                min_fps=self.config.min_session_fps,
            )
        return self._lobby

    @property
    def sessions(self) -> list[Session]:
        """All sessions; none before the engine is ready."""
        return self._lobby.sessions if self._lobby is not None else []

    def session(self, name: str) -> Session | None:
        """The session of this name."""
        return self._lobby.get(name) if self._lobby is not None else None

    @property
    def connected(self) -> int:
        """Sessions with a connection."""
        return self._lobby.connected if self._lobby is not None else 0

    @property
    def defaults(self) -> Params:
        """The params that a session starts with: ours, with what the loaded model wants otherwise."""
        if self._defaults is None:
            if self.host.state is not State.READY:
                return Params()
            try:
                own = Params.model_validate({**dict(Params()), **self.host.engine.info.defaults})
                self._defaults = _within(own, self.max_output_pixels)
            except ValidationError as error:
                raise ConfigError(f"the model's own defaults are no valid params: {error}") from None
        return self._defaults

    @property
    def max_output_pixels(self) -> int:
        """The smaller of the configuration's limit and the model's."""
        limit = self.config.max_output_pixels
        own = self.host.engine.info.max_output_pixels if self.host.state is State.READY else None
        return min(limit, own) if own is not None else limit

    def _new_session(self, name: str) -> Session:
        return Session(name, self.defaults, self.max_output_pixels, self.host.scheduler.ring)

    def rate_with(self, newcomers: int) -> float:
        """Pictures a second that everyone could have with so many more sessions, as measured so far."""
        return self.host.scheduler.rate_with([self.defaults] * newcomers)

    def _totals(self) -> Totals:
        if self.host.state is not State.READY:
            return Totals(self.sessions, self.connected)
        return Totals(self.sessions, self.connected, self.host.scheduler.jobs, self.rate_with(1))

    def limits(self) -> dict[str, int]:
        """The `limits` of `ready` and of `/api/config`."""
        config = self.config
        return {
            "max_message_bytes": config.max_message_bytes,
            "max_pixels": config.max_pixels,
            "max_sessions": config.max_sessions,
        }

    def ready_message(self, session: Session) -> str:
        """What a client hears first."""
        info = self.host.engine.info
        return protocol.ready_message(
            session=session.name,
            model=info.model,
            params=session.params.wire(),
            styles=info.styles,
            guidance=info.guidance,
            limits=self.limits(),
            air=session.air.value,
        )

    def stats(self, session: Session) -> dict[str, Any]:
        """The `stats` of one session, with what its governor chose and how busy the server is."""
        choice = session.governor.choice
        return {
            **session.stats.snapshot(time.monotonic_ns()),
            **({"governor": choice.wire()} if choice is not None else {}),
            "rows": self.host.scheduler.jobs,
            "sessions": self.connected,
            "rung": str(self.host.engine.info.rung),
        }
