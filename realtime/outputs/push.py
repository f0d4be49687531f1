"""Sends the newest picture at a constant rate for as long as it is wanted, whatever becomes of the other side.

A picture that doesn't change is sent again, so that nobody sees black; a connection that is lost is made again. In a
thread of its own, so that nobody waits for it. Must not know who makes the pictures.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import cv2
import numpy as np

from ..mailbox import Mailbox
from ..pixels import Pixels
from .choosing import chosen_encoder
from .h264 import SOFTWARE
from .process import BROKE_OFF, Sending, SendingProcess, StartSending
from .records import OutputSpec, Samples, picture_record, repeat_record, sound_record
from .sound import GRACE_S, SoundLine
from .target import OutputKind, OutputTarget

log = logging.getLogger(__name__)

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
CALM_S = 60.0
"""A connection that has held for so long was a good one: the next try comes soon again."""
RATE = 30
WITH_SOUND = (OutputKind.FILE, OutputKind.URL, OutputKind.NDI)


class PushState(StrEnum):
    """What becomes of the pictures."""

    WAITING = "waiting"
    """There is none yet."""
    CONNECTING = "connecting"
    LIVE = "live"
    RETRYING = "retrying"
    FAILED = "failed"
    """No further try is of use."""
    ENDED = "ended"
    STOPPED = "stopped"
    """Somebody has stopped it, and may start it again."""


@dataclass(frozen=True, slots=True)
class PushStatus:
    """How it goes.

    Attributes:
        address: without its secrets.
        encoder: FFmpeg's name of the H.264 encoder; empty before there is a picture, and where none is needed.
        sent: pictures, `repeated` among them.
        repeated: pictures that were sent again as there was no newer one.
        skipped: moments without a picture, as the other side took none.
        connections: that were made.
        problem: why nothing is sent now; empty where something is.
    """

    address: str
    state: PushState = PushState.WAITING
    encoder: str = ""
    sent: int = 0
    repeated: int = 0
    skipped: int = 0
    connections: int = 0
    problem: str = ""

    def wire(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


class Push:
    """One output.

    Args:
        target: where to.
        rate: pictures a second.
        has_sound: whether `offer_sound` brings some. What goes to a platform has silence else, as they want a track.
        encoder: FFmpeg's name, or a function that finds it, called in the thread.
        start: makes what sends.
        on_state: told each change of the state, by the thread.
    """

    def __init__(
        self,
        target: OutputTarget,
        rate: int = RATE,
        *,
        has_sound: bool = False,
        encoder: Callable[[], str] = chosen_encoder,
        start: StartSending = SendingProcess,
        on_state: Callable[[PushStatus], None] = lambda status: None,
    ) -> None:
        self._target, self._rate, self._has_sound = target, rate, has_sound
        self._wants_sound = (has_sound and target.kind in WITH_SOUND) or target.muxer == "flv"
        self._find_encoder, self._start, self._on_state = encoder, start, on_state
        self._bell = threading.Event()
        self._newest: Mailbox[Pixels] = Mailbox(self._bell.set)
        self._stopping = threading.Event()
        self._encoder = ""
        self._last: Pixels | None = None
        self._size: tuple[int, int] | None = None
        self._sound: SoundLine | None = None
        self._begun_s = 0.0
        self.status = PushStatus(target.shown)
        self._thread = threading.Thread(target=self._work, name="push", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, picture: Pixels) -> None:
        """Give the newest picture, uint8 [height, width, 3], RGB, which nobody writes to any more. Any thread.

        The first one decides the size: what has another shape later lies on black in it.
        """
        self._newest.put(picture)

    def offer_sound(self, samples: Samples, at_s: float) -> None:
        """Give samples that are to be heard from this time on, of `time.monotonic`. Any thread; dropped where nothing
        is sent.
        """
        if (sound := self._sound) is not None:
            sound.put(samples, at_s - self._begun_s)

    def close(self, timeout_s: float = 15.0) -> None:
        """End in order: of a file, what was sent is whole then."""
        self._stopping.set()
        self._bell.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    @property
    def is_over(self) -> bool:
        """Whether nothing will be sent any more."""
        return self.status.state in (PushState.FAILED, PushState.ENDED)

    def _work(self) -> None:
        try:
            self._push()
        except Exception:  # a mistake of ours: what is sent must not end without a word
            log.exception("output %s failed", self._target.shown)
            self._become(PushState.FAILED, BROKE_OFF)

    def _push(self) -> None:
        retry_s = FIRST_RETRY_S
        self._wait_for_picture()
        while not self._stopping.is_set():
            begun_s = time.monotonic()
            is_over = self._connect()
            if is_over:
                return
            if time.monotonic() - begun_s > CALM_S:
                retry_s = FIRST_RETRY_S
            self._stopping.wait(retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)
        self._become(PushState.ENDED)

    def _wait_for_picture(self) -> None:
        while self._last is None and not self._stopping.is_set():
            self._bell.wait()
            self._bell.clear()
            self._last = self._newest.take()

    def _connect(self) -> bool:
        """Send until it breaks off; whether there is to be no other try."""
        self._become(PushState.CONNECTING)
        sending = self._start(self._spec(), self._stopping)
        try:
            if sending.opened():
                self.status = replace(self.status, connections=self.status.connections + 1)
                self._become(PushState.LIVE)
                self._send(sending)
        except BrokenPipeError:
            pass
        finally:
            self._sound = None
            sending.close()
        said = sending.said
        if self._stopping.is_set():
            is_lost = self._target.kind is OutputKind.FILE and said.is_final
            self._become(PushState.FAILED if is_lost else PushState.ENDED, (said.problem or "") if is_lost else "")
            return True
        if said.is_encoders and self._encoder not in ("", SOFTWARE):
            log.warning("output %s: %s doesn't work; %s goes on", self._target.shown, self._encoder, SOFTWARE)
            self._encoder = SOFTWARE
        is_over = said.is_final or not self._target.is_live
        self._become(PushState.FAILED if is_over else PushState.RETRYING, said.problem or "")
        return is_over

    def _spec(self) -> OutputSpec:
        assert self._last is not None
        if self._size is None:
            height, width, _ = self._last.shape
            self._size = width // 2 * 2, height // 2 * 2
        if not self._encoder and self._target.kind.is_encoded:
            self._encoder = self._find_encoder()
        self.status = replace(self.status, encoder=self._encoder)
        target = self._target
        return OutputSpec(
            target.kind, target.address, target.muxer, *self._size, self._rate, self._wants_sound, self._encoder
        )

    def _send(self, sending: Sending) -> None:
        """Send a picture at each moment; moments that have passed meanwhile are left out."""
        sound = SoundLine(GRACE_S if self._has_sound else 0.0)
        self._begun_s = begun_s = time.monotonic()
        self._sound = sound if self._has_sound else None
        number, has_picture = -1, False
        while not self._stopping.wait(max(0.0, begun_s + (number + 1) / self._rate - time.monotonic())):
            now_s = time.monotonic() - begun_s
            before, number = number, max(number + 1, int(now_s * self._rate))
            fresh = self._newest.take()
            self._last = fresh if fresh is not None else self._last
            if fresh is not None or not has_picture:
                assert self._last is not None
                sending.write(*picture_record(number, self._fitted(self._last)))
                has_picture = True
            else:
                sending.write(repeat_record(number))
            self._count(number - before - 1, is_repeat=fresh is None)
            self._send_sound(sending, sound.take(now_s))
        if number >= 0:  # sound ends with the pictures
            self._send_sound(sending, sound.take((number + 1) / self._rate + sound.grace_s))

    def _send_sound(self, sending: Sending, samples: Samples | None) -> None:
        if self._wants_sound and samples is not None:
            sending.write(sound_record(samples))

    def _count(self, skipped: int, *, is_repeat: bool) -> None:
        status = self.status
        self.status = replace(
            status,
            sent=status.sent + 1,
            repeated=status.repeated + is_repeat,
            skipped=status.skipped + skipped,
        )

    def _fitted(self, picture: Pixels) -> Pixels:
        """The picture in the size that was begun with; of another shape, on black."""
        assert self._size is not None
        width, height = self._size
        if picture.shape[:2] == (height, width):
            return picture
        if (picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2) == (height, width):
            return picture[:height, :width]
        share = min(width / picture.shape[1], height / picture.shape[0])
        inner = max(1, round(picture.shape[1] * share)), max(1, round(picture.shape[0] * share))
        left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
        whole = np.zeros((height, width, 3), np.uint8)
        whole[top : top + inner[1], left : left + inner[0]] = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA)
        return whole

    def _become(self, state: PushState, problem: str = "") -> None:
        status = replace(self.status, state=state, problem=problem)
        is_news = (status.state, status.problem) != (self.status.state, self.status.problem)
        self.status = status
        if is_news:
            self._on_state(status)
