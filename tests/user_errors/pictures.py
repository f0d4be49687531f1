"""Pictures that clients send, and videos of WebRTC peers, before and while they are decoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

from realtime.config import Config
from realtime.decoder_process.penalties import Penalties
from realtime.decoder_process.pictures import LEAST_BYTES, PictureDecoders
from realtime.frame import Format, Frame
from realtime.media import codec
from realtime.media.png import SIDE_MAX_PX
from realtime.server.webrtc.decoder import EncodedFrame, VideoDecoder
from realtime.server.webrtc.headers import NALS_MAX, SPS_MAX
from tests.fakes.pictures import a_jpeg, encoded, pixels
from tests.fakes.video import a_stream, a_vp8_claim, an_h264_claim, an_sps

from .case import Case

PNG = encoded(pixels(8, 8), "PNG")
JPEG = a_jpeg(8, 8)


def picture(data: bytes, declared: Format) -> Callable[[], object]:
    return lambda: codec.decode(data, declared, 64, 64, 1024)


def jpeg(*segments: bytes) -> Callable[[], object]:
    """A JPEG with these segments before its first."""
    return picture(JPEG[:2] + b"".join(segments) + JPEG[2:], Format.JPEG)


def png(
    image: bytes = bytes(25 * 8), colour: int = 2, end: int | None = None, damage: bytes = b""
) -> Callable[[], object]:
    """A PNG of 8 × 8 with these image data, cut off and with a flipped bit where asked for."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 8, 8, 8, colour, 0, 0, 0)
    data = PNG[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(image)) + chunk(b"IEND", b"")
    if damage:
        at = data.index(damage) + 8
        data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    return picture(data[:end], Format.PNG)


def wide_png() -> object:
    header = struct.pack(">IIBBBBB", SIDE_MAX_PX + 1, 1, 8, 2, 0, 0, 0)
    return codec.decode(PNG[:16] + header + PNG[29:], Format.PNG, 64, 64, 2 * SIDE_MAX_PX)


def dead(times: int) -> Callable[[], object]:
    """What is said to whoever sent what decoders died of."""

    def run() -> object:
        penalties = Penalties(lambda: 100.0)
        errors = [penalties.died("show", "it gave no answer for 1 s") for _ in range(times)]
        penalties.check("show")
        raise errors[-1]

    return run


def gone() -> object:
    raise Penalties().died("show", "it was killed by somebody", is_own_doing=False)


def long() -> object:
    decoders = PictureDecoders(Config(decoder_process="most", max_message_bytes=1024))
    return decoders.decode(Frame(1, Format.PNG, PNG + bytes(LEAST_BYTES), 0, 0), 64, 64, 1024, "show")


def video(codec: str, *frames: bytes, max_pixels: int = 64 * 48) -> Callable[[], object]:
    def run() -> object:
        decoder = VideoDecoder(max_pixels)
        return [decoder.decode(EncodedFrame(codec, data, number)) for number, data in enumerate(frames)]

    return run


def out_of_order() -> object:
    options: dict[str, Any] = {"bf": "12", "x264-params": "b-adapt=0:scenecut=0"}
    return video("H264", *a_stream("H264", frames=40, **options))()


PICTURES = [
    Case("the frame was sent as PNG but holds a JPEG picture: say what it is", "PNG", picture(JPEG, Format.PNG)),
    Case(
        "the frame was sent as JPEG but holds no picture that this server reads: say what it is",
        "JPEG",
        picture(b"hello", Format.JPEG),
    ),
    Case("the JPEG header can't be read: it is damaged or cut off", "JPEG", picture(JPEG[:20], Format.JPEG)),
    Case(
        "the picture has 64 x 64 pixels; this server takes 1024 in all: send a smaller one",
        "64 x 64",
        picture(a_jpeg(64, 64), Format.JPEG),
    ),
    Case(
        "the JPEG can't be decoded: it is damaged, cut off, or of a rare kind",
        "JPEG",
        picture(JPEG[:-200], Format.JPEG),
    ),
    Case(
        "the JPEG has more than 32 scans: save it anew",
        "scans",
        picture(JPEG[:-2] + b"\xff\xda\x00\x02" * 33 + JPEG[-2:], Format.JPEG),
    ),
    Case(
        "the JPEG has more than 512 segments: save it anew",
        "segments",
        picture(JPEG[:-2] + b"\xff\xfe\x00\x02" * 513 + JPEG[-2:], Format.JPEG),
    ),
    Case(
        "the picture has no pixels: 0 x 0; send one that has",
        "0 x 0",
        picture(b"RIFF\0\0\0\0WEBPVP8 " + bytes(20), Format.WEBP),
    ),
    Case(
        "the picture can't be decoded: it is damaged, cut off, or of a rare kind",
        "picture",
        picture(encoded(pixels(8, 8), "WEBP")[:-40], Format.WEBP),
    ),
    Case("the PNG's IDAT chunk is damaged: save it anew", "IDAT", png(damage=b"IDAT")),
    Case("the PNG is cut off: send all of it", "PNG", png(end=-20)),
    Case("the PNG has no palette: save it anew", "PNG", png(bytes(9 * 8), colour=3)),
    Case("the PNG holds more than its picture: save it anew", "PNG", png(bytes(25 * 9))),
    Case("the PNG holds less than its picture: save it anew", "PNG", png(bytes(25 * 7))),
    Case("the PNG's image data are damaged: save it anew", "PNG", png(b"\x07" * 25 * 8)),
    Case("the sides of a PNG may have 1,000,000 pixels: send a smaller one", "PNG", wide_png),
]

VIDEOS = [
    Case("the VP8 frame is cut off: check the encoder", "VP8", video("VP8", b"\x00")),
    Case("the VP8 key frame has no start code: check the encoder", "VP8", video("VP8", bytes(20))),
    Case("the video has no pixels: 0 x 0; send one that has", "0 x 0", video("VP8", a_vp8_claim(0, 0))),
    Case(
        "the video has 128 x 128 pixels; this server takes 3072 in all: send it smaller",
        "128 x 128",
        video("VP8", a_vp8_claim(128, 128)),
    ),
    Case(
        "the video of 64 x 48 has the decoder keep 16 pictures, too many: encode with fewer references",
        "16 pictures",
        video("H264", an_h264_claim(an_sps(references=16))),
    ),
    Case(
        "the H.264 sequence parameter set can't be read: check the encoder",
        "H.264",
        video("H264", b"\x00\x00\x01\x67" + b"\xff" * 3),
    ),
    Case(
        "the H.264 frame has more than 1024 NAL units: encode in fewer slices",
        str(NALS_MAX),
        video("H264", b"\x00\x00\x01\x41" * (NALS_MAX + 1)),
    ),
    Case(
        "the H.264 frame has more than 32 sequence parameter sets: send one",
        str(SPS_MAX),
        video("H264", an_h264_claim(an_sps()) * (SPS_MAX + 1)),
    ),
    Case(
        "the H.264 pictures come out of order, which those of live video don't: encode without B-frames",
        "H.264",
        out_of_order,
    ),
]

DEATHS = [
    Case(
        "the decoder died of this picture (it gave no answer for 1 s): it is damaged, or made to; send another",
        "picture",
        dead(1),
    ),
    Case(
        "decoders died of what was sent before: the next is looked at in 1 s; send something else",
        "what was sent before",
        dead(2),
    ),
    Case("the decoder of this picture is gone (it was killed by somebody): send another", "picture", gone),
    Case("the picture has more than 2097152 bytes: send a smaller one", "2097152 bytes", long),
]

CASES = [*PICTURES, *VIDEOS, *DEATHS]
