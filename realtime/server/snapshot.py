"""Snapshots: a picture as PNG (lossless), with the params that made it as JSON in an iTXt chunk.

Must not know sessions or routes.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

from ..frame import Format, Result
from ..media import codec
from ..params import OutputFormat

KEYWORD = b"realtime"
IEND_BYTES = 12


def snapshot(result: Result, model: str, params: dict[str, Any]) -> bytes:
    """A result as PNG, with its key as alpha. Its iTXt chunk `realtime` holds {"model", "params", "seq"}.

    Args:
        params: those that made it, as far as they may be seen.

    Takes tens of milliseconds: not for the event loop.
    """
    png = result.data
    if result.format is not Format.PNG:
        _, png = codec.encode(result.picture, OutputFormat.PNG, 100, result.key)
    recipe = {"model": model, "params": params, "seq": result.job.frame.seq}
    return with_text(png, json.dumps(recipe))


def with_text(png: bytes, text: str) -> bytes:
    """The PNG with an iTXt chunk before its end. Source: PNG specification, sections 5.3 and 11.3.3.4."""
    body = b"iTXt" + KEYWORD + b"\0" + b"\0\0" + b"\0" + b"\0" + text.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:-IEND_BYTES] + chunk + png[-IEND_BYTES:]


def text_of(png: bytes) -> dict[str, Any]:
    """The JSON object inside a snapshot.

    Raises:
        ValueError: the PNG has none.
    """
    at = 8
    while at + IEND_BYTES <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        data = png[at + 8 : at + 8 + length]
        if kind == b"iTXt" and data.startswith(KEYWORD + b"\0"):
            return json.loads(data[len(KEYWORD) + 5 :])
        at += length + IEND_BYTES
    raise ValueError("this PNG holds no recipe")
