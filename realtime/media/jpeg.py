"""The markers of a JPEG file: its size, what decoding may take, and where the picture ends.

Must not decode. Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from ..errors import FrameError

Data = bytes | memoryview

SCANS_MAX = 32
"""A progressive JPEG has about 10 scans; a forged one of 70 KB has 2,647 and takes 2.5 s to decode (measured)."""
SEGMENTS_MAX = 512
"""A picture with a large colour profile has 255 of 64 KB; a forged one has 600,000, and they take 192 ms to walk."""

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Start of frame, by coding process."""
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ALONE = frozenset({0x01, _START})
"""Markers without a length."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """Width and height in pixels, and whether the picture comes in scans of rising quality."""

    width: int
    height: int
    is_progressive: bool


def header(data: Data) -> JpegHeader:
    """Read the markers up to the start of the frame, no more than `SEGMENTS_MAX`.

    Raises:
        ValueError, IndexError, struct.error: there is none.
    """
    at = 2
    for _ in range(SEGMENTS_MAX):
        if data[at] != 0xFF:
            raise ValueError("no marker")
        kind = data[at + 1]
        if kind == 0xFF:  # a fill byte
            at += 1
            continue
        if kind in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return JpegHeader(width, height, kind in _PROGRESSIVE)
        if kind in (_END, _SCAN):
            break
        at += 2 if kind in _ALONE else 2 + struct.unpack_from(">H", data, at + 2)[0]
    raise ValueError("no frame")


def picture(data: Data) -> Data:
    """The file up to the end of its picture: phones append videos, and other pictures.

    Raises:
        FrameError: it has too many segments or scans to be a picture.
    """
    marks = _marks(data)
    at, scans = 2, 0
    for _ in range(SEGMENTS_MAX):
        index = int(np.searchsorted(marks, at))
        if index == len(marks):
            return data  # cut off: the decoder says so
        at = int(marks[index])
        kind = data[at + 1]
        if kind == _END:
            return data[: at + 2]
        if kind in _ALONE:
            at += 2
            continue
        if at + 4 > len(data):
            return data
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
        scans += kind == _SCAN
        if scans > SCANS_MAX:
            raise FrameError(f"the JPEG has more than {SCANS_MAX} scans: save it anew")
    raise FrameError(f"the JPEG has more than {SEGMENTS_MAX} segments: save it anew")


def _marks(data: Data) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Ascending places of all that may be markers: 0xFF, but before 0 (a byte of a scan), restart markers, and 0xFF."""
    values = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(values[:-1] == 0xFF)
    kinds = values[places + 1]
    return places[(kinds != 0) & (kinds != 0xFF) & ((kinds < 0xD0) | (kinds > 0xD7))]
