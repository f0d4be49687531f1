"""Takes pictures that are no frames, for prompts to name.

Must not know how they come.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from ..errors import FrameError
from ..media.reference import opened_reference
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


async def bring(service: Service, data: bytes | memoryview, sender: str) -> KeptPicture:
    """Decode a picture, behind those that came before it, and keep it.

    Args:
        sender: the session, or the address, that it comes from.

    Raises:
        NotTaken: pictures are of no use, it is none or too large, there is no room, or the sender has had his share.
    """
    check_heard(service)
    if len(data) > PICTURE_MAX_BYTES:
        raise NotTaken(413, f"a picture for prompts may have {PICTURE_MAX_BYTES} bytes: make it smaller")
    try:
        async with service.turns.turn(sender):
            return await asyncio.to_thread(_keep, service, data, sender)
    except FrameError as error:
        raise NotTaken(422, str(error)) from None


def _keep(service: Service, data: bytes | memoryview, sender: str) -> KeptPicture:
    """Decode and keep a picture: both, as its id takes a millisecond that the event loop has not. See `bring`."""
    picture = opened_reference(data, service.config.max_pixels, service.decoders, sender)
    if (reference := service.references.add(picture)) is None:
        raise NotTaken(507, "all pictures that are kept here are in use: take one out of a prompt first")
    height, width, _ = picture.shape
    return KeptPicture(reference, width, height)
