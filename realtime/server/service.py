"""The state that the routes and connections of one server share: an object that the app makes once, no globals.

Must not know sockets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .. import protocol
from ..config import Config
from ..decoder_process.pictures import PictureDecoders
from ..engine import EngineInfo
from ..engine.load import load_engine
from ..errors import EngineError
from ..outputs.push import PushStatus
from ..params import Params
from ..references import References
from ..session import Session
from ..terms import Terms
from .engine_host import Load
from .engine_state import Away
from .fitting import ModelOffer, fitted
from .life import ReadyEngine
from .lobby import Addresses, Lobby, Viewers
from .loras import Loras
from .metrics import Metrics, Totals, WorkerTotals
from .pictures import Pictures
from .placement import Placement
from .remembering import Memory
from .restarting import BACK_OFF_S
from .roles import Grant, Role, seen_by
from .rule_file import RuleFile
from .samples import keep_samples
from .tickets import Tickets
from .turns import Turns
from .worker import Worker

log = logging.getLogger(__name__)

ASIDE_MAX = 2
"""Snapshots, pictures and hints that are made at once. asyncio has six threads on the smallest machine."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a server has from the first ready engine until its end, or until it has another model; it outlives an engine
    that breaks.

    Attributes:
        info: `Engine.info` when the first engine with this model was ready. Its rung may be outdated:
            `Life.engine.info` is current.
        lobby: all sessions.
        defaults: the params that a session starts with.
        max_output_pixels: largest width times height that params may have.
        limits: the `limits` of a `ready` message.
        tickets: signs those of sessions' owners.
        references: what params may name, where the model hears pictures.
    """

    info: EngineInfo
    lobby: Lobby
    defaults: Params
    max_output_pixels: int
    limits: dict[str, int]
    tickets: Tickets
    references: References

    def ready_message(self, session: Session, grant: Grant) -> str:
        """The `ready` message of a session: the first text to a client or viewer once frames are accepted. Owners, and
        guests, who are that from now on, get the ticket by which they come back.
        """
        ticket: str | None = None
        if grant.role in (Role.GUEST, Role.OWNER):
            owner = self.lobby.owners[session.name]
            ticket = self.tickets.sign(Grant(Role.OWNER, session.name, owner, grant.expires_s, grant.number))
        return protocol.ready_message(
            session=session.name,
            about=self.about,
            params=seen_by(grant, session.params.wire()),
            ticket=ticket,
            limits=self.limits,
            air=session.air.value,
            gliding_s=session.gliding_s,
            tempo=session.tempo_wire,
            crossfade=session.crossfade_of_others,
        )

    @property
    def about(self) -> protocol.AboutModel:
        """What clients are told of the model."""
        info = self.info
        return protocol.AboutModel(
            model=info.model,
            styles=info.styles,
            guidance=info.guidance,
            mattes=info.mattes,
            negative_scale=info.hears_negative,
            pictures=info.hears_pictures,
            references=info.reference_layers,
            controls=[one.wire() for one in info.controls],
            best_steps=info.best_steps,
        )

    @property
    def offer(self) -> Terms:
        """What sessions have of the model."""
        heard = self.info.pictures_heard
        references = self.references if heard.anywhere else None
        return Terms(self.defaults, self.max_output_pixels, references, heard, tuple(self.info.nets))

    def take(self, session: Session, dissolve_s: float) -> None:
        """Have a session be one of this model from now on, and tell it what that changes."""
        params, changes = fitted(
            session.params, session.defaults, ModelOffer(self.info, self.defaults, self.max_output_pixels)
        )
        text = protocol.model_message(self.about, dissolve_s, [change.wire() for change in changes])
        session.take_model(params, self.offer, dissolve_s, text)


class Outgoing(Protocol):
    """What is sent on of a session of this name."""

    @property
    def name(self) -> str:
        """The session's."""
        ...

    @property
    def status(self) -> PushStatus:
        """How it goes."""
        ...

    def start(self) -> None:
        """Send again."""
        ...

    def stop(self) -> None:
        """Send nothing until it is started."""
        ...


class Service:
    """One server's state. Event loop only.

    Args:
        config: the process's configuration.
        load: makes an engine, on its thread.
        memory: what outlives the server; None: nothing.
        back_off_s: see `EngineHost`.

    Attributes:
        memory: what outlives the server.
        tickets: of this server.
        decoders: of pictures.
        host: loads and runs the engines, and knows which sessions are at which.
        loras: of all engines.
        viewers: counts the viewers of all sessions.
        addresses: counts the sessions of each client's address.
        pictures: encodes results for viewers.
        references: what params may name, where the model hears pictures.
        rules: for prompts.
        turns: whose picture for prompts is read next.
        aside: held by whoever makes in a thread what nobody sees live, so that threads are left for what is.
        running: None until an engine was ready for the first time.
        dissolve_s: in which pictures go over to those of the next model.
        shown_names: of models that clients know by another name than `Config.model`'s: of a folder's, without its path.
        outputs: what is sent on, and of which sessions.
        asks_for_token: whether whoever brings neither token nor ticket is sent away.
    """

    def __init__(
        self,
        config: Config,
        load: Load = load_engine,
        memory: Memory | None = None,
        back_off_s: Sequence[float] = BACK_OFF_S,
    ) -> None:
        self.config = config
        self.memory = memory or Memory(None)
        self.tickets = Tickets(self.memory.key, taken_back=self.memory.taken_back)
        self.metrics = Metrics(self._totals)
        self.decoders = PictureDecoders(config)
        self.host = Placement(
            config,
            load,
            self.metrics.observe_tick,
            self._begin,
            self._tell_status,
            back_off_s,
            self.decoders,
            self._take_model,
        )
        self.loras = Loras(config, self.host)
        self.viewers = Viewers(config.max_viewers)
        self.addresses = Addresses(config.max_sessions_per_address)
        self.pictures = Pictures()
        self.references = References(self._in_use)
        self.rules = RuleFile(config.prompt_rules)
        self.turns = Turns()
        self.aside = asyncio.Semaphore(ASIDE_MAX)
        self.running: Running | None = None
        self.dissolve_s = 0.0
        self.shown_names: dict[str, str] = {}
        self._model = config.model  # of `running`, as `Placement.model` has it
        self.outputs: Sequence[Outgoing] = ()
        self.asks_for_token = False
        self._to_hear: set[Session] = set()  # sessions that `_ear` has not come to
        self._ear = ThreadPoolExecutor(1, "listener")

    def _tell_status(self, session: Session) -> None:
        session.tell(self.status(session), "status")

    def away(self, session: Session) -> Away | None:
        """Why no engine serves a session; None where one does."""
        return self.host.away if session.is_away else None

    def status(self, session: Session) -> str:
        """The `status` message of a session, at this moment."""
        if (away := self.away(session)) is None:
            return protocol.status_message("ready")
        return protocol.status_message("away", away.reason, max(0, away.back_ns - time.monotonic_ns()) / 1e9)

    def _begin(self) -> None:
        """Open the lobby when the first engine is ready, and offer what the model does when another has come."""
        if (life := self.host.life) is None:
            return
        if self.running is None:
            self.running = self._run(life, self._open_lobby(life))
            self.running.lobby.serve_by(self.host)
        elif self._model != self.host.model:
            self.running = running = self._run(life, self.running.lobby)
            running.lobby.offer(running.offer)
        self._model = self.host.model

    def _take_model(self, session: Session) -> None:
        """Have a session that an engine is about to serve be one of its model, if it is not."""
        running = self.running
        is_guest = running is not None and running.lobby.get(session.name) is session  # a still goes on as it was begun
        if running is not None and is_guest and session.defaults is not running.defaults:
            running.take(session, self.dissolve_s)

    def _open_lobby(self, life: ReadyEngine) -> Lobby:
        config, heard = self.config, life.engine.info.pictures_heard
        return Lobby(
            max_sessions=config.max_sessions,
            max_waiting=config.max_waiting,
            resume_s=config.resume_s,
            defaults=life.defaults,
            max_output_pixels=life.max_output_pixels,
            on_end=self.metrics.keep,
            rate_with=self.rate_with,
            min_fps=config.min_session_fps,
            listen=self.listen,
            recall=self.memory.recall,
            references=self.references if heard.anywhere else None,
            pictures_heard=heard,
            nets=tuple(life.engine.info.nets),
            rules=self.rules.applied,
        )

    def check_rules(self) -> None:
        """Have all sessions keep to the rules for prompts, which have changed."""
        for session in self.sessions:
            session.check_rules()

    def _run(self, life: ReadyEngine, lobby: Lobby) -> Running:
        info = life.engine.info
        info = replace(info, model=self.shown_names.get(self.host.model, info.model))
        self.references.own = frozenset()
        if info.pictures:
            kept = keep_samples(info.pictures, self.references, self.config.max_pixels)
            info = replace(info, styles={**info.styles, "pictures": kept})
        return Running(info, lobby, life.defaults, life.max_output_pixels, self.limits(), self.tickets, self.references)

    def _in_use(self) -> frozenset[str]:
        return frozenset[str]().union(*(session.pictures_in_use for session in self.sessions))

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

    @property
    def owners(self) -> Mapping[str, str]:
        """See `Lobby.owners`."""
        return self.running.lobby.owners if self.running is not None else {}

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
        return self.host.rate_with([self.running.defaults] * newcomers) if self.running is not None else 0.0

    def listen(self, session: Session) -> None:
        """Have the session told how the model hears its prompts, soon: that takes longer than the event loop may."""
        if session not in self._to_hear:
            self._to_hear.add(session)
            self._ear.submit(self._hear, session)

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """While the server runs: behind it nobody is told any more how prompts are heard."""
        try:
            yield
        finally:
            self._ear.shutdown(wait=False, cancel_futures=True)  # it may be at an engine that hangs

    def _hear(self, session: Session) -> None:
        self._to_hear.discard(session)
        params, life = session.params, self.host.life
        if life is None:
            return
        try:
            session.note_heard(life.engine.hear(params).wire(), params)
        except EngineError as error:
            log.debug("%s: nothing is heard: %s", session.name, error)
        except Exception:
            log.exception("%s: can't tell how its prompts are heard", session.name)

    def _totals(self) -> Totals:
        workers = [self._worker_totals(worker) for worker in self.host.workers]
        rate = self.rate_with(1) if self.host.life is not None else None
        outputs = [output.status for output in self.outputs]
        model = self.running.info.model if self.running is not None else ""
        return Totals(self.sessions, self.connected, workers, rate, outputs, model)

    def _worker_totals(self, worker: Worker) -> WorkerTotals:
        life, sessions = worker.open_life, len(self.host.sessions_at(worker))
        rate = life.scheduler.rate_with([life.defaults]) if life is not None else 0.0
        tried = life.engine.info.rung.variants if life is not None else ()
        variants = {one.name: 1.0 if one.ratio is None else one.ratio for one in tried if one.is_on}
        return WorkerTotals(worker.number, worker.device, life is not None, sessions, worker.jobs, rate, variants)

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
        choice, worker = session.governor.choice, self.host.worker_of(session)
        life = worker.host.life if worker is not None else None
        return {
            **session.stats.snapshot(time.monotonic_ns()),
            **({"governor": choice.wire()} if choice is not None else {}),
            "rows": sum(worker.jobs for worker in self.host.workers),
            "sessions": self.connected,
            "rung": str(life.engine.info.rung) if life is not None else f"no engine: {self.host.stage.name}",
        }
