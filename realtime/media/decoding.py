"""The frames of opened video, one after another as they are decoded: what is read, however it is played.

Knows PyAV; must not know when frames are due, or who wants them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, cast

import av
from av.container import InputContainer
from av.error import InvalidDataError
from av.stream import Disposition
from av.video.stream import VideoStream

from ..errors import SourceError
from ..planes import UPRIGHT, Orientation, Planes
from .exif import orientation_of
from .opening import Opening, SourceKind
from .video import foreign_colours_of, planes_of

DEFAULT_PERIOD_S = 1 / 25
DAMAGED_MAX = 100
"""Packets in a row without a picture, before a source counts as broken. A stream that is joined has some."""
THREADS = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Of a decoder: the engine and its users have the other half of the machine."""
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""FFmpeg's own decoders of these pass over the opacity that WebM may have beside the picture."""


def decoder_pixels(max_pixels: int) -> int:
    """The decoder's own limit, which it checks whenever a stream changes its size: with room for whole blocks."""
    return 2 * max_pixels + 64 * 64


class VideoDecoding:
    """The video of one opened source while it is decoded. Owned by the reading thread.

    Args:
        max_pixels: the largest picture that is decoded; None leaves that to FFmpeg.

    Attributes:
        stream: the video that is shown, of all that the source holds.
        decoder: the stream's, or one that reads its opacity too.
        is_still: whether it is one picture (a photo, a song's cover), by what the container says.
        period_s: how long a frame lasts that doesn't say so itself.

    Raises:
        SourceError: it holds nothing that can be shown.
    """

    def __init__(self, container: InputContainer, opening: Opening, max_pixels: int | None) -> None:
        self._container, self._opening, self._max_pixels = container, opening, max_pixels
        self.stream = stream_of(container)
        self.decoder = _decoder_of(self.stream)
        self._check_size(self.decoder.width, self.decoder.height)
        self.decoder.thread_count = THREADS
        if max_pixels is not None:
            self.decoder.options = {**self.decoder.options, "max_pixels": str(decoder_pixels(max_pixels))}
        rate = self.stream.guessed_rate or self.stream.average_rate
        self.period_s = float(1 / rate) if rate and 1 <= rate <= 240 else DEFAULT_PERIOD_S
        self._pixel_aspect = _pixel_aspect(self.stream.sample_aspect_ratio)
        self._orientation: Orientation | None = None
        self.is_still = container.format.name.endswith("_pipe") or _has(self.stream, Disposition.attached_pic)

    def frames(
        self, others: Sequence[Any] = (), on_other: Callable[[Any], None] = lambda packet: None
    ) -> Iterator[av.VideoFrame]:
        """Decode; packets that are damaged are passed over, as players do.

        Args:
            others: streams whose packets are wanted too.
            on_other: told each packet of those, in the order of the source.

        Raises:
            FFmpegError: it can't be read.
            SourceError: its packets can't be decoded.
        """
        damaged, has_shown = 0, False
        for packet in self._container.demux(self.stream, *others):
            if packet.stream.index != self.stream.index:  # the last one of a stream has no `stream_index`
                on_other(packet)
                continue
            if self.is_still and packet.size:
                found = orientation_of(bytes(packet))
                self._orientation = None if found == UPRIGHT else found
            try:
                frames = self.decoder.decode(packet)
            except InvalidDataError:
                if packet.has_sidedata("encryption_info"):
                    raise SourceError("it is encrypted; give one without copy protection", is_final=True) from None
                damaged += 1
                if damaged >= DAMAGED_MAX:
                    break
                continue
            if frames:
                damaged, has_shown = 0, True
            yield from frames
        if damaged and not (has_shown and self._opening.kind is SourceKind.FILE):
            raise self._undecodable()

    def planes_of(self, frame: av.VideoFrame) -> Planes:
        """One of `frames`, as it is to be shown.

        Raises:
            SourceError: it can't be.
        """
        self._check_size(frame.width, frame.height)  # it may change on the way
        if colours := foreign_colours_of(frame):
            raise SourceError(
                f"its colours are {colours}, which are not converted here; convert it to BT.709 first", is_final=True
            )
        return planes_of(frame, untagged=None, pixel_aspect=self._pixel_aspect, orientation=self._orientation)

    def _undecodable(self) -> SourceError:
        name = self.decoder.name
        why = "it is damaged, or cut off" if name != "webp" else "is it animated? Convert it to MP4 or GIF"
        is_final = self._opening.kind is SourceKind.FILE
        return SourceError(f"its {name} pictures can't be decoded: {why}", is_final=is_final)

    def _check_size(self, width: int, height: int) -> None:
        if self._max_pixels is not None and width * height > self._max_pixels:
            raise SourceError(
                f"its pictures have {width} x {height} pixels; this server takes {self._max_pixels} in all: "
                f"start it with --max-pixels {width * height}, or make them smaller",
                is_final=True,
            )


def stream_of(container: InputContainer) -> VideoStream:
    """The stream to show: a video rather than a cover, the first of several."""
    streams = container.streams.video
    if not streams:
        raise SourceError("it holds no video; give a file or stream that does", is_final=True)
    whole = [s for s in streams if not _has(s, Disposition.dependent)]
    if not whole:
        raise SourceError("it is a picture in tiles (HEIC); convert it to JPEG or PNG", is_final=True)
    moving = [s for s in whole if not _has(s, Disposition.attached_pic | Disposition.timed_thumbnails)]
    video = (moving or whole)[0]
    if cast(Any, video.codec_context) is None:
        raise SourceError(
            "its video is of a codec that this FFmpeg doesn't decode; convert it to H.264, for example", is_final=True
        )
    return video


def _has(stream: VideoStream, dispositions: Disposition) -> bool:
    return bool(stream.disposition & dispositions)


def _decoder_of(video: VideoStream) -> av.VideoCodecContext:
    """The stream's decoder, or one that reads its opacity where it has some."""
    own = video.codec_context
    name = ALPHA_DECODERS.get(own.name)
    if name is None or video.metadata.get("alpha_mode") != "1":
        return own
    decoder = cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))
    decoder.width, decoder.height, decoder.extradata = own.width, own.height, own.extradata
    return decoder


def _pixel_aspect(ratio: Fraction | None) -> float:
    return float(ratio) if ratio and ratio > 0 else 1.0
