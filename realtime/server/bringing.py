"""Takes pictures that are no frames, for prompts to name.

Must not know how they come.
"""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from ..errors import FrameError
from ..media.reference import opened_reference
from ..session import Session
from .addresses import network_of
from .service import Service
from .turns import NotTaken

PICTURE_MAX_BYTES = 2 * 1024 * 1024


class KeptPicture(NamedTuple):
    """A picture that was taken.

    Attributes:
        id: by which prompts name it.
        width, height: as it is kept, in pixels.
    """

    id: str
    width: int
    height: int


def check_heard(service: Service) -> None:
    """Check whether pictures are of use. Raises NotTaken."""
    running = service.running
    if running is None:
        raise NotTaken(503, "the model is not loaded yet: try again")
    if not running.info.pictures_heard.anywhere:
        raise NotTaken(
            409, f"{running.info.model} hears words, and no pictures: take another --model, or --reference with it"
        )


async def bring(
    service: Service, data: bytes | memoryview, sender: str, address: str, session: Session | None = None
) -> KeptPicture:
    """Decode a picture, behind those that came before it, and keep it.

    Args:
        sender: the session, or the address, that it comes from.
        address: of the client, in any case: a session's name is given in no time.
        session: is charged for the work, as for its frames'; None where none has sent it.

    Raises:
        NotTaken: pictures are of no use, it is none or too large, or the sender has had his share.
    """
    check_heard(service)
    if len(data) > PICTURE_MAX_BYTES:
        raise NotTaken(413, f"a picture for prompts may have {PICTURE_MAX_BYTES} bytes: make it smaller")
    work = _Work(service, data, sender)
    try:
        async with service.turns.turn(sender, network_of(address)):
            return await asyncio.to_thread(work.done)
    except FrameError as error:
        raise NotTaken(422, str(error)) from None
    finally:
        if session is not None and work.spent_ns:
            service.host.spend(session, work.spent_ns)


class _Work:
    """Decodes and keeps a picture: both in a thread, as its id takes a millisecond that the event loop has not.

    Attributes:
        spent_ns: CPU time that it took, here and of whoever decoded.
    """

    def __init__(self, service: Service, data: bytes | memoryview, sender: str) -> None:
        self._service, self._data, self._sender = service, data, sender
        self.spent_ns = 0

    def done(self) -> KeptPicture:
        """See `bring`."""
        service, begun_ns = self._service, self._clock()
        try:
            picture = opened_reference(self._data, service.config.max_pixels, service.decoders, self._sender)
            reference = service.references.add(picture, self._sender)
        finally:
            self.spent_ns = self._clock() - begun_ns
        height, width, _ = picture.shape
        return KeptPicture(reference, width, height)

    def _clock(self) -> int:
        return time.thread_time_ns() + self._service.decoders.spent_ns()
