"""One connection's side of a session: the newest frame in, the newest picture out, texts in order, drops to report.

Knows no session, and neither sockets nor the engine.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from . import protocol
from .frame import Frame, Repeat, Result
from .mailbox import Mailbox
from .stats import DropReason

NOTICES_MAX = 64
"""Texts waiting for a slow client from which on optional ones (frame errors, stats) are left out."""
DROPS_MAX = 4096
"""Dropped seqs kept for the next report; older ones are settled by any later result."""


class Channel:
    """One connection's mailboxes: the newest frame in, the newest picture out, texts in order.

    Args:
        bell: called, from any thread, when there is something to send; must not block.
        takes_encoded: whether the connection sends encoded pictures; one that sends video takes pixels.

    Attributes:
        lost: set, on the event loop, when the session has left this connection.
        past: the newest picture that was handed to it, which the next may be made from; None before the first, and
            behind a frame that failed. Engine thread only.
        answered_bytes: of the answers to patches, for whoever paces them. Event loop only.
        video_is_as_is: whether frames of its video are shown as they are. Event loop only.
    """

    def __init__(self, bell: Callable[[], None], takes_encoded: bool = True) -> None:
        self.takes_encoded = takes_encoded
        self.inbox: Mailbox[Frame] = Mailbox()
        self.outbox: Mailbox[Result | Repeat] = Mailbox(bell)
        self.last_delivered = -1
        self.past: Result | None = None
        self.answered_bytes = 0
        self.video_is_as_is = False
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
