"""The state that the routes and connections of one server share: an object that the app makes once, no globals.

Must not know sockets.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .. import protocol
from ..config import Config
from ..engine import EngineInfo
from ..engine.load import load_engine
from ..params import Params
from ..session import Session
from .engine_host import EngineHost, Load
from .life import Life
from .lobby import Lobby, Viewers
from .metrics import Metrics, Totals
from .pictures import Pictures

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """What a server has from the first ready engine until its end; it outlives a replaced engine.

    Attributes:
        info: `Engine.info` when the first engine was ready. Its rung may be outdated: `Life.engine.info` is current.
        lobby: all sessions.
        defaults: the params that a session starts with.
        max_output_pixels: largest width times height that params may have.
        limits: the `limits` of a `ready` message.
    """

    info: EngineInfo
    lobby: Lobby
    defaults: Params
    max_output_pixels: int
    limits: dict[str, int]

    def ready_message(self, session: Session) -> str:
        """The `ready` message of a session: the first text to a client or viewer once frames are accepted."""
        return protocol.ready_message(
            session=session.name,
            model=self.info.model,
            params=session.params.wire(),
            styles=self.info.styles,
            guidance=self.info.guidance,
            limits=self.limits,
            air=session.air.value,
        )


class Service:
    """One server's state. Event loop only.

    Args:
        config: the process's configuration.
        load: makes the engine, on the engine thread.

    Attributes:
        host: loads and runs the engine.
        viewers: counts the viewers of all sessions.
        pictures: encodes results for viewers.
        running: None until an engine was ready for the first time.
    """

    def __init__(self, config: Config, load: Load = load_engine) -> None:
        self.config = config
        self.metrics = Metrics(self._totals)
        self.host = EngineHost(config, load, self.metrics.observe_tick, self._on_life)
        self.viewers = Viewers(config.max_viewers)
        self.pictures = Pictures()
        self.running: Running | None = None
        self._to_hear: set[Session] = set()  # sessions that `_ear` has not come to
        self._ear = ThreadPoolExecutor(1, "listener")

    def _on_life(self, life: Life | None) -> None:
        """See `EngineHost`: serve the sessions by the new engine. Viewers are rung to look at `host.ended`."""
        if self.running is None and life is not None:
            self.running = self._begin(life)
        if self.running is not None:
            self.running.lobby.serve_by(life.scheduler if life is not None else None)
        if life is None:
            for session in self.sessions:
                session.ring_viewers()

    def _begin(self, life: Life) -> Running:
        config = self.config
        lobby = Lobby(
            max_sessions=config.max_sessions,
            max_waiting=config.max_waiting,
            resume_s=config.resume_s,
            defaults=life.defaults,
            max_output_pixels=life.max_output_pixels,
            on_end=self.metrics.keep,
            rate_with=self.rate_with,
            min_fps=config.min_session_fps,
            listen=self.listen,
        )
        return Running(life.engine.info, lobby, life.defaults, life.max_output_pixels, self.limits())

    @property
    def model(self) -> str:
        """The model's name: the engine's once one was ready, before that the configuration's."""
        return self.running.info.model if self.running is not None else self.config.model

    @property
    def sessions(self) -> list[Session]:
        """All sessions; empty until an engine was ready for the first time."""
        return self.running.lobby.sessions if self.running is not None else []

    def session(self, name: str) -> Session | None:
        """The session of this name; None where there is none."""
        return self.running.lobby.get(name) if self.running is not None else None

    def dismiss(self, session: Session) -> None:
        """See `Lobby.dismiss`."""
        if self.running is not None:
            self.running.lobby.dismiss(session)

    @property
    def connected(self) -> int:
        """Number of sessions that have a connection."""
        return self.running.lobby.connected if self.running is not None else 0

    def rate_with(self, newcomers: int) -> float:
        """Measured estimate of the pictures a second that every session could have if so many more joined with default
        params; 0 without an engine.
        """
        life = self.host.life
        return life.scheduler.rate_with([life.defaults] * newcomers) if life is not None else 0.0

    def listen(self, session: Session) -> None:
        """Have the session told how the model hears its prompts, soon: that takes longer than the event loop may."""
        if session not in self._to_hear:
            self._to_hear.add(session)
            self._ear.submit(self._hear, session)

    def _hear(self, session: Session) -> None:
        self._to_hear.discard(session)
        params, life = session.params, self.host.life
        if life is None:
            return
        try:
            session.note_heard(life.engine.hear(params).wire(), params)
        except Exception:
            log.exception("%s: can't tell how its prompts are heard", session.name)

    def _totals(self) -> Totals:
        life = self.host.life
        if life is None:
            return Totals(self.sessions, self.connected)
        return Totals(self.sessions, self.connected, life.scheduler.jobs, self.rate_with(1))

    def limits(self) -> dict[str, int]:
        """The `limits` of `ready` and of `/api/config`."""
        config = self.config
        return {
            "max_message_bytes": config.max_message_bytes,
            "max_pixels": config.max_pixels,
            "max_sessions": config.max_sessions,
        }

    def stats(self, session: Session) -> dict[str, Any]:
        """The fields of a `stats` message: the session's numbers and its governor's choice, the server's rows, sessions
        and rung.
        """
        choice, life = session.governor.choice, self.host.life
        return {
            **session.stats.snapshot(time.monotonic_ns()),
            **({"governor": choice.wire()} if choice is not None else {}),
            "rows": life.scheduler.jobs if life is not None else 0,
            "sessions": self.connected,
            "rung": str(life.engine.info.rung) if life is not None else f"no engine: {self.host.stage.name}",
        }
