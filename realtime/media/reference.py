"""Pictures that are not frames, as prompts name them: decoded, and no larger than they are looked at.

Must not know how they come.
"""

from __future__ import annotations

from ..errors import FrameError
from ..frame import Format, Frame
from ..pixels import Pixels
from ..references import REFERENCE_SIDE_PX
from . import codec
from .pipeline import Decoding


def opened_reference(data: bytes | memoryview, max_pixels: int, decoding: Decoding, sender: str) -> Pixels:
    """A picture as it is kept: no side above `REFERENCE_SIDE_PX`, otherwise as it is.

    Raises:
        FrameError: it can't be read, or is too large.
    """
    kind = Format.sniff(data)
    if kind is Format.NONE:
        raise FrameError("this is no picture that this server reads: send a JPEG, PNG or WebP")
    width, height = codec.shown_size(data, kind, max_pixels)
    scale = min(1.0, REFERENCE_SIDE_PX / max(width, height))
    across, down = (max(1, round(side * scale)) for side in (width, height))
    return decoding.decode(Frame(0, kind, data, 0, 0), across, down, max_pixels, sender)[0]
