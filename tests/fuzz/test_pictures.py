"""Pictures of clients: each is decoded to the wanted size or refused in words, whatever is wrong with it."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from realtime.errors import FrameError
from realtime.frame import Format
from realtime.media import codec
from tests.fakes.pictures import encoded, pixels
from tests.fuzz.inputs import Tally, mutate, random_sources

MAX_PIXELS = 256 * 256


def seeds() -> list[bytes]:
    """Right pictures of all kinds, small ones: what is changed is near what matters."""
    picture, wide = pixels(24, 16), Image.fromarray(pixels(40, 8))
    options: list[dict[str, Any]] = [
        *({"kind": "JPEG", "quality": quality, "subsampling": quality % 3} for quality in (5, 60, 95)),
        {"kind": "JPEG", "progressive": True},
        {"kind": "JPEG", "restart_marker_blocks": 2},
        *({"kind": "PNG", "compress_level": level} for level in (0, 9)),
        *({"kind": "WEBP", "lossless": lossless} for lossless in (False, True)),
    ]
    return [
        *(encoded(picture, **one) for one in options),
        *(encoded(wide.convert(mode), "PNG") for mode in ("L", "LA", "P", "RGBA", "1")),
        *(encoded(wide.convert(mode), "JPEG") for mode in ("L", "CMYK")),
        encoded(wide.convert("RGBA"), "WEBP"),
        encoded(wide, "WEBP", save_all=True, append_images=[wide.rotate(90)]),
        encoded(Image.fromarray(np.full((16, 16), 40_000, np.uint16)), "PNG"),
    ]


SEEDS = seeds()


def with_right_sums(data: bytes) -> bytes:
    """A PNG whose chunks have the check sums of what they hold now, so that a decoder looks further."""
    mended, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + struct.unpack_from(">I", data, at)[0]
        if end + 4 > len(data):
            break
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(mended)


def a_picture(source: random.Random) -> bytes:
    data = mutate(source.choice(SEEDS), source)
    if source.random() < 0.1:
        data += source.choice(SEEDS)
    if source.random() < 0.5 and Format.sniff(data) is Format.PNG:
        data = with_right_sums(data)
    return data


def test_every_picture_is_decoded_or_refused_and_nothing_is_said_about_it(capfd: pytest.CaptureFixture[str]) -> None:
    tally = Tally("pictures")
    for source in random_sources("pictures"):
        data = a_picture(source)
        declared = Format.sniff(data)
        if declared is Format.NONE or source.random() < 0.05:
            declared = source.choice((Format.JPEG, Format.PNG, Format.WEBP))
        with tally.timed():
            try:
                picture = codec.decode(memoryview(data), declared, 64, 48, MAX_PIXELS)
            except FrameError as error:
                assert 0 < len(str(error)) < 200
                tally.outcomes["refused"] += 1
            else:
                assert (picture.shape, picture.dtype) == ((48, 64, 3), np.uint8)
                tally.outcomes[f"decoded {declared.name}"] += 1
            assert codec.decoding_ns(data, declared) >= 0
    assert capfd.readouterr().err == ""
    print(tally)
    assert set(tally.outcomes) == {"refused", "decoded JPEG", "decoded PNG", "decoded WEBP"}
