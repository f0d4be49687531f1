"""One user's stream: params, the newest frame waiting, the newest picture to send, and what happened on the way.

A Session outlives a connection (a client may come back to it); a Channel is one connection's side of it. It knows
neither sockets nor tensors nor the engine.

Threads: the event loop attaches, offers, patches and commands; the engine thread takes frames and delivers. They
meet in mailboxes, in a lock around small notices, and in the glide of the params, one reference that is swapped whole.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from . import protocol
from .channel import Channel
from .crossfade import Crossfade
from .errors import FrameError, ParamsError
from .frame import Air, Dissolve, Failure, Frame, Outcome, Repeat, Result
from .glide import Glide
from .governor.governor import Governor
from .holding import HELD_CODES, UNCHECKED, UNSAFE
from .mailbox import Mailbox
from .media.slate import slate
from .pads import Pads
from .params import SEEDS, Fallback, Matte, Params
from .prompts import PicturesHeard
from .references import NO_REFERENCES, References
from .stats import DropReason, SessionStats
from .tempo import Tempo
from .terms import Terms

if TYPE_CHECKING:
    from .pixels import Pixels

HEARD_FIELDS = ("prompt", "negative_prompt", "negative_scale", "guidance_scale", "guidance")
"""Fields of params that decide what the model hears of the prompts."""


class Delivery(Enum):
    """How `Session.deliver` disposed of an outcome."""

    SENT = auto()
    """The client gets it."""
    SUPERSEDED = auto()
    """The client got the answer to a newer frame before."""
    REFUSED = auto()
    """It is a failure, or the session is frozen: the client gets no picture for this frame."""
    GONE = auto()
    """The client has left, or came back on another connection."""


SWITCHES = ("freeze", "unfreeze", "reset", *(air.value for air in Air))
"""What `Session.command` knows."""
COMMANDS = (*SWITCHES, "pad", "tempo", "crossfade", "seed")
"""What `Session.perform` knows."""


class Session:
    """A user's stream.

    Args:
        name: its name on the wire and in the log.
        defaults: the params it starts with; null in a patch restores a field of them.
        max_output_pixels: largest width times height that params may have.
        listen: called with the session where its prompts have changed; asks the model how it hears them.
        clock: monotonic nanoseconds, the same as the scheduler's.
        references: the pictures that its params may name; None: they may name none.
        pictures_heard: where its model hears them.
        nets: names of those that `control` may name.
        rules: makes of params what is allowed of them, or raises ParamsError.

    Attributes:
        in_use: the params that the newest frame was admitted with.
        heard: how the model hears the prompts, as the wire has it, while that is otherwise than they are written.
        begun_ns: when it was made.
        ended: set, on the event loop, when nobody can come back to the session.
        newest: the newest picture that the engine has made.
        pads: looks to call. Event loop only.
        tempo: of whoever plays it; None where nobody has said one. Event loop only.
        crossfade: of the two decks that its pictures come from; None where nobody has said one. Event loop only.
        held: why a frame checker holds its pictures, one of `HELD_CODES`; empty while it does not.
        is_unsafe: whether the last picture that was checked is held: what another engine goes on with.
        is_away: whether the engine is: frames that a newer one replaces are dropped for that. Event loop only.
    """

    def __init__(
        self,
        name: str,
        defaults: Params,
        max_output_pixels: int,
        listen: Callable[[Session], None] = lambda session: None,
        clock: Callable[[], int] = time.monotonic_ns,
        references: References | None = None,
        pictures_heard: PicturesHeard = PicturesHeard(in_prompts=True),  # noqa: B008  it is frozen
        nets: Collection[str] = (),
        rules: Callable[[Params], Params] = lambda params: params,
    ) -> None:
        self.name = name
        self._glide = Glide.at_rest(defaults, clock())
        self.stats = SessionStats()
        self.channel: Channel | None = None
        self.ended = asyncio.Event()
        self.begun_ns = clock()
        self.frozen = False
        self.is_away = False
        self.held = ""
        self.is_unsafe = False
        self._held_message = ""
        self.air = Air.OUTPUT
        self.newest: Result | None = None
        self.pads = Pads()
        self.tempo: Tempo | None = None
        self.crossfade: Crossfade | None = None
        self._is_crossfade_its_own = False
        self._shown: Result | None = None  # to viewers: the newest, or what stands for it while the engine is away
        self.governor = Governor()
        self.in_use = defaults
        self._superseded = 0
        self._terms = Terms(defaults, max_output_pixels, references, pictures_heard, nets)
        self._dissolve: Dissolve | None = None
        self.heard: dict[str, Any] = {}
        self._ring: Callable[[], None] = lambda: None
        self._listen = listen
        self._clock = clock
        self._rules = rules
        self._viewers: tuple[Mailbox[Result], ...] = ()

    @property
    def defaults(self) -> Params:
        """The params that it started with."""
        return self._terms.defaults

    @property
    def params(self) -> Params:
        """The session's own params, in force since the last change. What is shown may still be on its way to them."""
        return self._glide.target

    @property
    def gliding_s(self) -> float:
        """Seconds until all that is shown is as `params` say."""
        now_ns = self._clock()
        return max(self._glide.left_s(now_ns), self._dissolve.left_ns(now_ns) / 1e9 if self._dissolve else 0.0)

    # -- the connection's side, on the event loop ---------------------------------------------------------------

    def attach(self, bell: Callable[[], None], takes_encoded: bool = True) -> Channel:
        """Give the session a new connection. Outcomes of an older connection's frames will not be sent to it."""
        if self.channel is not None:
            self.channel.lost.set()
        self.channel = Channel(bell, takes_encoded)
        return self.channel

    def tell_choice(self, channel: Channel) -> None:
        """Tell a new connection the governor's choice, if there is one."""
        if (choice := self.governor.choice) is not None:
            channel.post(protocol.governor_message(choice.wire()))

    def tell_heard(self, channel: Channel) -> None:
        """Tell a new connection how the prompts are heard, where that is otherwise than they are written."""
        if self.heard:
            channel.post(protocol.heard_message(self.heard, self.params.version))

    @property
    def safety_message(self) -> str:
        """Whether its pictures are held, and why, as a text message."""
        return protocol.safety_message(self.held, self._held_message)

    def tell_held(self, channel: Channel) -> None:
        """Tell a new connection that pictures are held, if they are."""
        if self.held:
            channel.post(self.safety_message, kind="safety")

    def detach(self, channel: Channel) -> None:
        """Take the connection away; without effect if another one has taken its place."""
        if self.channel is channel:
            self.channel = None
            channel.lost.set()

    def end(self) -> None:
        """End the session, to which nobody can come back, and ring its viewers' bells."""
        self.ended.set()
        self.ring_viewers()

    def offer(self, channel: Channel, frame: Frame) -> None:
        """Put a frame into the inbox and wake whoever serves it. A frame that still waits there is superseded."""
        self.stats.count_received(frame.received_ns)
        if self.frozen:
            self._drop(channel, frame.seq, DropReason.PAUSED)
            return
        replaced = channel.inbox.put(frame)
        if replaced is not None:
            self.overtake(channel, replaced, frame.received_ns)
        self._ring()

    def overtake(self, channel: Channel, frame: Frame, now_ns: int) -> None:
        """Drop a frame that waited for the engine, here or at a worker elsewhere, as a newer one has come."""
        self._superseded += 1
        self.stats.count_wanted(now_ns)
        self._drop(channel, frame.seq, DropReason.ENGINE_RESTARTED if self.is_away else DropReason.SUPERSEDED)

    def refuse(self, channel: Channel, seq: int, error: FrameError, *, is_told: bool = True) -> None:
        """Drop a frame as invalid, and answer it with an error message if `is_told`."""
        self._drop(channel, seq, DropReason.HELD if error.code in HELD_CODES else DropReason.INVALID)
        if is_told:
            channel.post(protocol.error_message(error.code, str(error), seq=seq), optional=True)

    def update(self, patch: dict[str, Any], transition_s: object = None) -> Params:
        """Apply a merge patch and tell the connected client the new params.

        Args:
            transition_s: of this change, in place of the params' own; None where it has none.

        Raises:
            ParamsError: a field is unknown or refused; nothing has changed.
        """
        params = self._patched(patch)
        wanted = params.patched({"transition_s": transition_s}, params) if transition_s is not None else params
        now_ns = self._clock()
        self._set(self._glide.toward(params, now_ns, wanted.transition_s))
        return params

    def _patched(self, patch: dict[str, Any]) -> Params:
        """The params after a merge patch. Raises ParamsError."""
        params = self._rules(self.params.patched(patch, self.defaults))
        self._terms.check(params, "width" if "width" in patch else "height")
        return params

    def check_rules(self) -> None:
        """There are other rules: have the prompts be as they say, or empty where they are refused."""
        try:
            if self._rules(self.params) != self.params:
                self.update({})
        except ParamsError:
            self.update({"prompt": "", "negative_prompt": ""}, 0)

    def take_model(
        self,
        params: Params,
        offer: Terms,
        dissolve_s: float,
        text: str,
    ) -> None:
        """Another model makes its pictures from now on. Called while no engine serves the session.

        Args:
            params: as the model can have them; they count as changed.
            offer: of the model.
            dissolve_s: in which its pictures go over from the last one; 0: at once.
            text: tells the connected client, before the params.
        """
        self._terms = offer
        now_ns = self._clock()
        self._dissolve = Dissolve(now_ns, int(dissolve_s * 1e9)) if dissolve_s > 0 else None
        self.governor = Governor()  # what it has learned is of the model before
        self.heard = {}
        self.tell(text, "model")
        params = params.model_copy(update={"version": self.params.version + 1})
        self.in_use = params
        self._set(Glide.at_rest(params, now_ns))
        self._listen(self)

    def restore(self, patch: dict[str, Any], version: int, air: Air, *, frozen: bool) -> None:
        """Begin where a session of this name was, before anybody has it.

        Args:
            patch: what was changed of the defaults.
            version: that the params had.

        Raises:
            ParamsError: see `update`.
        """
        params = self._patched(patch).model_copy(update={"version": version})
        self._glide = Glide.at_rest(params, self._clock())
        self.air, self.frozen = air, frozen

    def command(self, name: str) -> bool:
        """Execute a command: `freeze`, `unfreeze`, `reset` (default params at once, unfrozen, on air), or the choice of
        what viewers get (`on_air`, `bypass`, `black`; see `frame.Air`).

        Returns:
            Whether there is such a command.
        """
        match name:
            case "freeze" | "unfreeze":
                self.frozen = name == "freeze"
            case "reset":
                self.frozen = False
                self._put_on_air(Air.OUTPUT)
                defaults = self.defaults.model_copy(update={"version": self.params.version + 1})
                self._set(Glide.at_rest(defaults, self._clock()))
            case "on_air" | "bypass" | "black":
                self._put_on_air(Air(name))
            case _:
                return False
        return True

    def perform(self, name: str, fields: Mapping[str, Any], by: Channel | None = None) -> bool:
        """Execute a command with what belongs to it: those of `command`, and

        - `pad`: puts the look of the pad `pad`, a number from 1 on or a name, in force, over `transition_s`, or its own
          time, or that of the params.
        - `tempo`: `bpm`, and `since_s`, seconds since a beat.
        - `crossfade`: `at`, from 0, the first deck, to 1, and `transition_s`, seconds of the way there.
        - `seed`: another one, by chance.

        Args:
            by: the connection that it came by, which knows; the session's client is told of all others'.

        Returns:
            Whether there is such a command.

        Raises:
            ParamsError: what belongs to it is missing or refused; nothing has changed.
        """
        before = self._commanded
        match name:
            case "pad":
                self.call_pad(self.pads.find(fields.get("pad")), fields.get("transition_s"))
            case "tempo":
                self.tempo = Tempo.of(fields.get("bpm"), fields.get("since_s"), self._clock())
            case "crossfade":
                self.crossfade = Crossfade.of(fields.get("at"), fields.get("transition_s"))
                self._is_crossfade_its_own = by is not None and by is self.channel
            case "seed":
                self.update({"seed": secrets.randbelow(SEEDS)}, fields.get("transition_s"))
            case _:
                if not self.command(name):
                    return False
        if self.channel is not None and self.channel is not by:
            for field, value in self._commanded.items():
                if value != before[field]:
                    news = self._played.get(field, value)
                    self.channel.post(protocol.state_message(**{field: news}), kind=f"state: {field}")
        return True

    def call_pad(self, index: int, transition_s: object = None) -> None:
        """Put a pad's look in force. Raises ParamsError where this model can't have it, or a picture of it is gone."""
        pad = self.pads.all[index]
        self.update(dict(pad.wire), pad.transition_s if transition_s is None else transition_s)
        self.pads.last = index

    @property
    def _commanded(self) -> dict[str, object]:
        return {"frozen": self.frozen, "air": self.air.value, "tempo": self.tempo, "crossfade": self.crossfade}

    def state_message(self) -> str:
        """All that commands have changed, as a text message."""
        fields: dict[str, object] = {"frozen": self.frozen, "air": self.air.value}
        return protocol.state_message(**fields, pad=self.pad, pads=self.pads.version, **self._played)

    @property
    def _played(self) -> dict[str, object]:
        """What whoever plays has said, as JSON values; without what nobody has."""
        played = {"tempo": self.tempo_wire, "crossfade": self.crossfade and self.crossfade.wire()}
        return {field: value for field, value in played.items() if value is not None}

    @property
    def crossfade_of_others(self) -> dict[str, float] | None:
        """The crossfade as JSON values, where somebody else than the session's client was the last to move it: a client
        that was away has not heard of it. None where it was the client itself, or nobody.
        """
        return None if self.crossfade is None or self._is_crossfade_its_own else self.crossfade.wire()

    @property
    def pad(self) -> int | None:
        """The number, from 1 on, of the pad that was called last; None before the first."""
        return None if self.pads.last is None else self.pads.last + 1

    @property
    def tempo_wire(self) -> dict[str, float] | None:
        """The tempo as JSON values; None where there is none."""
        return None if self.tempo is None else self.tempo.wire(self._clock())

    def _put_on_air(self, air: Air) -> None:
        """Choose what viewers get. They are given the newest picture again, as no new one may come."""
        self.air = air
        if self._shown is not None:
            self.show(self._shown)

    def _set(self, glide: Glide) -> None:
        old, params, self._glide = self.params, glide.target, glide
        self.pads.note(params)
        if self.channel is not None:
            text = protocol.params_message(params.wire(), self.gliding_s)
            self.channel.post(text, kind="params")
            self.channel.answered_bytes += len(text)
        if any(getattr(old, name) != getattr(params, name) for name in HEARD_FIELDS):
            self._listen(self)

    def note_heard(self, heard: dict[str, Any], params: Params) -> None:
        """Keep how the model hears the prompts of `params`, and tell the client if that is news. Any thread; without
        effect where the prompts have changed since.

        Args:
            heard: see `Heard.wire`.
        """
        if any(getattr(self.params, name) != getattr(params, name) for name in HEARD_FIELDS):
            return
        old, self.heard = self.heard, heard if heard["notes"] else {}
        channel = self.channel
        if old != self.heard and channel is not None:
            channel.post(protocol.heard_message(heard, params.version), kind="heard")

    def watch(self, bell: Callable[[], None]) -> Mailbox[Result]:
        """A mailbox that gets every new picture, and the newest one at once. Give it back to `unwatch`.

        A viewer shows `Result.on_air(session.air)` of what it takes, so that a change of `air` also holds for pictures
        that were put in before it.
        """
        viewer: Mailbox[Result] = Mailbox(bell)
        if self._shown is not None:
            viewer.put(self._shown)
        self._viewers = (*self._viewers, viewer)
        return viewer

    def unwatch(self, viewer: Mailbox[Result]) -> None:
        """Put no more pictures into this mailbox."""
        self._viewers = tuple(other for other in self._viewers if other is not viewer)

    def show(self, result: Result) -> None:
        """Give viewers a picture. Any thread."""
        self._shown = result
        for viewer in self._viewers:
            viewer.put(result)

    def set_away(self, is_away: bool) -> None:
        """The engine has gone, or is back: show the slate, if that is the fallback, or the newest picture again."""
        self.is_away = is_away
        newest = self.newest
        if newest is None:
            return
        if not is_away:
            if self._shown is not newest:
                self.show(newest)
        elif self.params.fallback is Fallback.SLATE:
            self._show_slate(newest)

    def _show_slate(self, newest: Result) -> None:
        """Show viewers the slate in the place of the newest picture."""
        params = newest.job.params  # and not its pixels, which may not be decoded yet
        job = replace(newest.job, number=-newest.job.number)  # which is no other's, as encodings are kept by it
        self.show(Result(job, slate(params.width, params.height), newest.stamps, score=newest.score))

    def _note_held(self, error: FrameError | None) -> None:
        """The checker holds the newest frame's picture, or none any more. Those who watch see the last that it did not
        hold, or the slate where that is the fallback. Engine thread.
        """
        code, newest = "" if error is None else error.code, self.newest
        if error is not None and newest is not None:
            if self.params.fallback is not Fallback.SLATE:
                if self._shown is not newest:
                    self.show(newest)
            elif self._shown is newest:
                self._show_slate(newest)
        self.is_unsafe = code == UNSAFE or (self.is_unsafe and code == UNCHECKED)
        if code != self.held:
            self.held, self._held_message = code, "" if error is None else str(error)
            self.tell(self.safety_message, "safety")

    def tell(self, text: str, kind: str) -> None:
        """Queue a text to the client, if it is connected; it replaces one of the same kind that waits."""
        if self.channel is not None:
            self.channel.post(text, kind=kind)

    def served_by(self, ring: Callable[[], None]) -> None:
        """Whoever serves the session from now on is rung by this: when a frame waits in the inbox, and now, as one may.

        Args:
            ring: for any thread; must not block.
        """
        self._ring = ring
        ring()

    def ring(self) -> None:
        """Wake whoever serves the session: a frame waits."""
        self._ring()

    def ring_viewers(self) -> None:
        """Ring the bells of all viewers, so that none waits for a picture that may never come."""
        for viewer in self._viewers:
            viewer.ring()

    # -- the engine's side, on the engine thread ----------------------------------------------------------------

    def job_params(self, channel: Channel, now_ns: int) -> Params:
        """The params that a frame of this channel is admitted with: the session's own, or those on the way to them,
        changed by the governor where there is a target. Their version is that of the session's own.
        """
        self.in_use = self.governor.params(self._glide.at(now_ns), self._superseded, now_ns)
        if (news := self.governor.take_news()) is not None:
            channel.post(protocol.governor_message(news.wire()), optional=True)
        return self.in_use

    def dissolve_at(self, now_ns: int) -> Dissolve | None:
        """The dissolve that a frame is in which is admitted now; None where there is none. Engine thread."""
        dissolve = self._dissolve
        return dissolve if dissolve is not None and dissolve.left_ns(now_ns) else None

    def shows_input(self, params: Params) -> bool:
        """Whether a frame's own picture may be seen, by itself or within what is made of it. Engine thread."""
        return self.air is Air.INPUT or params.matte is not Matte.OFF

    def references(self, params: Params) -> Mapping[str, Pixels]:
        """The pictures that these params name. Engine thread."""
        kept = self._terms.references
        return NO_REFERENCES if kept is None else kept.named(params.pictures)

    @property
    def pictures_in_use(self) -> frozenset[str]:
        """The ids of the pictures that its params name, or are on the way from."""
        return self.params.pictures | self.in_use.pictures

    def give_back(self, channel: Channel, frame: Frame, reason: DropReason = DropReason.SUPERSEDED) -> None:
        """Put a frame that was taken back into the inbox; it is dropped if a newer one waits there by now."""
        if not channel.inbox.put_back(frame):
            self._drop(channel, frame.seq, reason)

    def drop_for_restart(self, channel: Channel, frame: Frame) -> None:
        """Drop a frame that was taken while the engine is away: a newer one came."""
        self._drop(channel, frame.seq, DropReason.ENGINE_RESTARTED)

    def supersede(self, channel: Channel, frame: Frame) -> None:
        """Drop a frame that was taken: a newer one came before it was answered."""
        self._drop(channel, frame.seq, DropReason.SUPERSEDED)

    def deliver(self, channel: Channel, outcome: Outcome, now_ns: int) -> Delivery:
        """Hand over the outcome of a frame that was taken from `channel`."""
        if channel is not self.channel:
            return Delivery.GONE
        seq = outcome.order.frame.seq
        if isinstance(outcome, Failure):
            channel.past = None
            if outcome.error.code in HELD_CODES:
                self._note_held(outcome.error)
            self.refuse(channel, seq, outcome.error)
            return Delivery.REFUSED
        if self.frozen:
            self._drop(channel, seq, DropReason.PAUSED)
            return Delivery.REFUSED
        if seq <= channel.last_delivered:
            # Several rows of one session, and the step count fell: a newer frame has overtaken this one.
            self.supersede(channel, outcome.order.frame)
            return Delivery.SUPERSEDED
        channel.last_delivered = seq
        if isinstance(outcome, Repeat):
            self._repeat(channel, outcome)
        else:
            self._hand_over(channel, outcome, now_ns)
        return Delivery.SENT

    def _repeat(self, channel: Channel, repeat: Repeat) -> None:
        self.stats.count_repeated()
        unsent = channel.outbox.take()
        if unsent is not None:
            self._drop(channel, unsent.order.frame.seq, DropReason.SUPERSEDED)
        # A picture that is still unsent answers this frame too: the client does not have what `repeat` refers to.
        channel.outbox.put(unsent.answering(repeat.order.frame) if isinstance(unsent, Result) else repeat)

    def _hand_over(self, channel: Channel, result: Result, now_ns: int) -> None:
        latency_ms = (now_ns - result.job.frame.received_ns) / 1e6
        stages_ms = result.stamps.durations_ms()
        self.stats.count_made(latency_ms, stages_ms)
        self.newest = channel.past = result
        if self.held:
            self._note_held(None)
        unsent = channel.outbox.put(result)
        self.governor.note(result.job.params, latency_ms, stages_ms, unsent is not None, now_ns)
        if unsent is not None:
            self._drop(channel, unsent.order.frame.seq, DropReason.SUPERSEDED)
        self.show(result)

    def _drop(self, channel: Channel, seq: int, reason: DropReason) -> None:
        self.stats.count_dropped(reason)
        channel.note_drop(seq, reason)
