"""One user's stream: params, the newest frame waiting, the newest picture to send, and what happened on the way.

A Session outlives a connection (a client may come back to it); a Channel is one connection's side of it. Neither
knows sockets, tensors or the engine.

Threads: the event loop attaches, offers, patches and commands; the engine thread takes frames and delivers. They
meet in mailboxes, in a lock around small notices, and in `params`, one reference that is swapped whole.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from . import protocol
from .errors import FrameError, ParamsError
from .frame import Air, Failure, Frame, Outcome, Repeat, Result
from .governor.governor import Governor
from .mailbox import Mailbox
from .params import Params
from .stats import DropReason, SessionStats

NOTICES_MAX = 64
"""Texts waiting for a slow client from which on optional ones (frame errors, stats) are left out."""
DROPS_MAX = 4096
"""Dropped seqs kept for the next report; older ones are settled by any later result."""


HEARD_FIELDS = ("prompt", "negative_prompt", "guidance_scale")
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


class Channel:
    """One connection's mailboxes: the newest frame in, the newest picture out, texts in order.

    Args:
        bell: called, from any thread, when there is something to send; must not block.
        takes_encoded: whether the connection sends encoded pictures; one that sends video takes pixels.

    Attributes:
        lost: set, on the event loop, when the session has left this connection.
        answered_bytes: of the answers to patches, for whoever paces them. Event loop only.
    """

    def __init__(self, bell: Callable[[], None], takes_encoded: bool = True) -> None:
        self.takes_encoded = takes_encoded
        self.inbox: Mailbox[Frame] = Mailbox()
        self.outbox: Mailbox[Result | Repeat] = Mailbox(bell)
        self.last_delivered = -1
        self.answered_bytes = 0
        self.lost = asyncio.Event()
        self._bell = bell
        self._lock = threading.Lock()
        self._texts: dict[object, str] = {}  # by what a later text replaces
        self._drops: dict[DropReason, deque[int]] = {}

    def post(self, text: str, *, optional: bool = False, kind: str | None = None) -> None:
        """Queue a text message.

        Args:
            optional: it is left out while `NOTICES_MAX` wait.
            kind: it replaces one of the same kind that waits.
        """
        with self._lock:
            if optional and len(self._texts) >= NOTICES_MAX:
                return
            key = kind if kind is not None else object()
            self._texts.pop(key, None)  # the newest goes to the end
            self._texts[key] = text
        self._bell()

    @property
    def is_crowded(self) -> bool:
        """Whether `NOTICES_MAX` texts or more wait."""
        return len(self._texts) >= NOTICES_MAX

    def take_texts(self) -> list[str]:
        """Take all waiting texts, oldest first."""
        with self._lock:
            texts = list(self._texts.values())
            self._texts.clear()
        return texts

    def note_drop(self, seq: int, reason: DropReason) -> None:
        """Remember a dropped frame for the next report."""
        with self._lock:
            self._drops.setdefault(reason, deque(maxlen=DROPS_MAX)).append(seq)

    def forget_drops(self) -> None:
        """Leave the next report empty: for a client that does not number its frames."""
        with self._lock:
            self._drops.clear()

    def post_drops(self) -> None:
        """Queue one `dropped` message per reason, with the seqs noted since the last call."""
        with self._lock:
            drops, self._drops = self._drops, {}
        for reason, seqs in drops.items():
            self.post(protocol.dropped_message(sorted(seqs), reason))


COMMANDS = ("freeze", "unfreeze", "reset", *(air.value for air in Air))
"""What `Session.command` knows."""


class Session:
    """A user's stream.

    Args:
        name: its name on the wire and in the log.
        defaults: the params it starts with; null in a patch restores a field of them.
        max_output_pixels: largest width times height that params may have.
        ring: called when a frame waits in the inbox; wakes the scheduler.
        listen: called with the session where its prompts have changed; asks the model how it hears them.

    Attributes:
        heard: how the model hears the prompts, as the wire has it, while that is otherwise than they are written.
        ended: set, on the event loop, when nobody can come back to the session.
    """

    def __init__(
        self,
        name: str,
        defaults: Params,
        max_output_pixels: int,
        ring: Callable[[], None] = lambda: None,
        listen: Callable[[Session], None] = lambda session: None,
    ) -> None:
        self.name = name
        self.params = defaults
        self.stats = SessionStats()
        self.channel: Channel | None = None
        self.ended = asyncio.Event()
        self.frozen = False
        self.air = Air.OUTPUT
        self.newest: Result | None = None
        self.governor = Governor()
        self.in_use = defaults
        self._superseded = 0
        self._defaults = defaults
        self._max_output_pixels = max_output_pixels
        self.heard: dict[str, Any] = {}
        self._ring = ring
        self._listen = listen
        self._viewers: tuple[Mailbox[Result], ...] = ()

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
        """Put a frame into the inbox and wake the scheduler. A frame that still waits there is superseded."""
        self.stats.count_received(frame.received_ns)
        if self.frozen:
            self._drop(channel, frame.seq, DropReason.PAUSED)
            return
        replaced = channel.inbox.put(frame)
        if replaced is not None:
            self._superseded += 1
            self.stats.count_wanted(frame.received_ns)
            self._drop(channel, replaced.seq, DropReason.SUPERSEDED)
        self._ring()

    def refuse(self, channel: Channel, seq: int, error: FrameError, *, is_told: bool = True) -> None:
        """Drop a frame as invalid, and answer it with an error message if `is_told`."""
        self._drop(channel, seq, DropReason.INVALID)
        if is_told:
            channel.post(protocol.error_message(error.code, str(error), seq=seq), optional=True)

    def update(self, patch: dict[str, Any]) -> Params:
        """Apply a merge patch and tell the connected client the new params.

        Raises:
            ParamsError: a field is unknown or refused; nothing has changed.
        """
        params = self.params.patched(patch, self._defaults)
        if params.width * params.height > self._max_output_pixels:
            field = "width" if "width" in patch else "height"
            raise ParamsError(
                f"{field}: {params.width} x {params.height} is more than the {self._max_output_pixels} pixels "
                "that this server makes: take a smaller size",
                field,
            )
        self._set(params)
        return params

    def command(self, name: str) -> bool:
        """Execute a command: `freeze`, `unfreeze`, `reset` (default params, unfrozen, on air), or the choice of what
        viewers get (`on_air`, `bypass`, `black`; see `frame.Air`).

        Returns:
            Whether there is such a command.
        """
        match name:
            case "freeze" | "unfreeze":
                self.frozen = name == "freeze"
            case "reset":
                self.frozen = False
                self._put_on_air(Air.OUTPUT)
                self._set(self._defaults.model_copy(update={"version": self.params.version + 1}))
            case "on_air" | "bypass" | "black":
                self._put_on_air(Air(name))
            case _:
                return False
        return True

    def _put_on_air(self, air: Air) -> None:
        """Choose what viewers get. They are given the newest picture again, as no new one may come."""
        self.air = air
        if self.newest is not None:
            for viewer in self._viewers:
                viewer.put(self.newest)

    def _set(self, params: Params) -> None:
        old, self.params = self.params, params
        if self.channel is not None:
            text = protocol.params_message(params.wire())
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
        if self.newest is not None:
            viewer.put(self.newest)
        self._viewers = (*self._viewers, viewer)
        return viewer

    def unwatch(self, viewer: Mailbox[Result]) -> None:
        """Put no more pictures into this mailbox."""
        self._viewers = tuple(other for other in self._viewers if other is not viewer)

    def ring_viewers(self) -> None:
        """Ring the bells of all viewers, so that none waits for a picture that may never come."""
        for viewer in self._viewers:
            viewer.ring()

    # -- the engine's side, on the engine thread ----------------------------------------------------------------

    def job_params(self, channel: Channel, now_ns: int) -> Params:
        """The params that a frame of this channel is admitted with: the session's own, changed by the governor where
        there is a target. Their version is that of the session's own.
        """
        self.in_use = self.governor.params(self.params, self._superseded, now_ns)
        if (news := self.governor.take_news()) is not None:
            channel.post(protocol.governor_message(news.wire()), optional=True)
        return self.in_use

    def give_back(self, channel: Channel, frame: Frame) -> None:
        """Put a frame that was taken back into the inbox; it is superseded if a newer one waits there by now."""
        if not channel.inbox.put_back(frame):
            self.supersede(channel, frame)

    def supersede(self, channel: Channel, frame: Frame) -> None:
        """Drop a frame that was taken: a newer one came before it was answered."""
        self._drop(channel, frame.seq, DropReason.SUPERSEDED)

    def deliver(self, channel: Channel, outcome: Outcome, now_ns: int) -> Delivery:
        """Hand over the outcome of a frame that was taken from `channel`."""
        if channel is not self.channel:
            return Delivery.GONE
        seq = outcome.order.frame.seq
        if isinstance(outcome, Failure):
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
        self.newest = result
        unsent = channel.outbox.put(result)
        self.governor.note(result.job.params, latency_ms, stages_ms, unsent is not None, now_ns)
        if unsent is not None:
            self._drop(channel, unsent.order.frame.seq, DropReason.SUPERSEDED)
        for viewer in self._viewers:
            viewer.put(result)

    def _drop(self, channel: Channel, seq: int, reason: DropReason) -> None:
        self.stats.count_dropped(reason)
        channel.note_drop(seq, reason)
