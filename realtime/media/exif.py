"""The orientation that an encoded picture's EXIF data ask for.

Reads headers only and never raises, whatever the bytes. Must not know decoders.
"""

from __future__ import annotations

import struct

from ..frame import Format
from ..planes import UPRIGHT, Orientation

SEGMENTS_MAX, ENTRIES_MAX = 64, 512
"""Segments or chunks before EXIF's, and tags, that are looked at. Cameras write a dozen of either."""
ORIENTATION = 0x0112

Data = bytes | memoryview


def orientation_of(data: Data) -> Orientation:
    """How a JPEG, PNG or WebP is to be shown; upright where nothing readable says otherwise. Takes microseconds."""
    try:
        tiff = _FINDERS[Format.sniff(data)](data)
        return Orientation.from_exif(_orientation_tag(tiff)) if tiff is not None else UPRIGHT
    except (KeyError, struct.error, IndexError):
        return UPRIGHT


def _in_jpeg(data: Data) -> Data | None:
    """Source: EXIF 2.32, section 4.5.2; ITU-T T.81, annex B."""
    at = 2
    for _ in range(SEGMENTS_MAX):
        marker, length = struct.unpack_from(">HH", data, at)
        if marker >> 8 != 0xFF or marker == 0xFFDA or length < 2:
            return None
        if marker == 0xFFE1 and bytes(data[at + 4 : at + 10]) == b"Exif\0\0":
            return data[at + 10 : at + 2 + length]
        at += 2 + length
    return None


def _in_png(data: Data) -> Data | None:
    """Source: PNG specification, third edition, section 11.3.4.2."""
    at = 8
    for _ in range(SEGMENTS_MAX):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"eXIf":
            return data[at + 8 : at + 8 + length]
        at += 12 + length
    return None


def _in_webp(data: Data) -> Data | None:
    """Source: the WebP container specification, chunks `VP8X` and `EXIF`."""
    if bytes(data[12:16]) != b"VP8X":
        return None
    at = 12
    for _ in range(SEGMENTS_MAX):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            tiff = data[at + 8 : at + 8 + length]
            return tiff[6:] if bytes(tiff[:6]) == b"Exif\0\0" else tiff  # as some write it, against the specification
        at += 8 + length + length % 2
    return None


def _orientation_tag(tiff: Data) -> int:
    """The orientation in a TIFF's first directory; 0 where there is none. Source: TIFF 6.0, section 2."""
    order = {b"II": "<", b"MM": ">"}[bytes(tiff[:2])]
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    (entries,) = struct.unpack_from(f"{order}H", tiff, at)
    for index in range(min(entries, ENTRIES_MAX)):
        tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * index)
        if tag == ORIENTATION:
            return value if (kind, count) == (3, 1) else 0
    return 0


_FINDERS = {Format.JPEG: _in_jpeg, Format.PNG: _in_png, Format.WEBP: _in_webp}
