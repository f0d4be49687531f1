"""Pictures that are made to break decoders, or at least to cost them.

Must not know who sends them.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence

from realtime.params import OutputFormat

from .players import SIDE_PX, frames

PICTURES = 60
KEPT_BYTES = 16
"""By which a picture says what kind it is: with other ones it would not be looked at any further."""
BOMB_BYTES = 64 * 2**20


def bad_pictures(seed: int) -> Sequence[bytes]:
    """Damaged pictures of all kinds, and some that lie; the same for the same seed."""
    dice = random.Random(seed)
    whole = [picture for kind in OutputFormat for picture in frames(kind)]
    made = [_damaged(dice.choice(whole), dice) for _ in range(PICTURES)]
    made += [_png(SIDE_PX, SIDE_PX, bytes(BOMB_BYTES)), _png(30_000, 30_000, b""), _png(SIDE_PX, SIDE_PX, b"short")]
    dice.shuffle(made)
    return made


def _damaged(picture: bytes, dice: random.Random) -> bytes:
    changed = bytearray(picture)
    for _ in range(dice.randint(1, 8)):
        changed[dice.randrange(KEPT_BYTES, len(changed))] = dice.randrange(256)
    if dice.random() < 0.3:
        del changed[dice.randrange(KEPT_BYTES, len(changed)) :]
    return bytes(changed)


def _png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
