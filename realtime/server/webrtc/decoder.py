"""Encoded video frames to planes: one stream's decoder, and what it may cost.

Must not know peers, nor how frames come. A decoder runs in worker threads, one call at a time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from ...errors import FrameError
from ...media.video import captured_us_of, planes_of
from ...planes import Planes
from .headers import read_header
from .sps import PictureSize

RTP_TIME_BASE = Fraction(1, 90_000)
SHARE = 0.5
"""Of one core, for one stream. 1080p at 30 pictures a second takes 0.1 to 0.2; who needs more gets fewer pictures."""
MEMORY_BYTES_PER_PIXEL = 12
"""Of the largest picture that is taken: 50 MB for 4 megapixels, which are 7 references of theirs, or 15 of 1080p."""
DELAYED_MAX = 4
"""Frames after which a picture may come out of the decoder. Live video is in order; a hostile one makes it hold 16."""
_DECODERS = {"VP8": "libvpx", "H264": "h264"}


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One video frame as it came out of its packets.

    Attributes:
        codec: `VP8` or `H264`.
        timestamp: of RTP, in units of 1/90000 s.
    """

    codec: str
    data: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoder's picture.

    Attributes:
        captured_us: its presentation time in microseconds.
    """

    planes: Planes
    captured_us: int


class Share:
    """A share of one core.

    Args:
        share: seconds of processor time for each second.
        now_s: monotonic.
        saves_s: how long what is not spent is saved.
    """

    def __init__(self, share: float, now_s: float, saves_s: float = 1.0) -> None:
        self._share = share
        self._most_s = self._saved_s = share * saves_s
        self._at_s = now_s

    def spend(self, now_s: float, spent_s: float) -> None:
        """Charge processor time."""
        self._save(now_s)
        self._saved_s -= spent_s

    def is_spent(self, now_s: float) -> bool:
        """Whether more was spent than the share gives."""
        self._save(now_s)
        return self._saved_s < 0

    def _save(self, now_s: float) -> None:
        self._saved_s = min(self._most_s, self._saved_s + self._share * (now_s - self._at_s))
        self._at_s = now_s


class VideoDecoder:
    """Decodes one stream, whose codec may change between any two frames.

    A frame is decoded only if the decoder can use it: after a gap all are dropped up to the next key frame, as they are
    changes to pictures that are not there.

    Args:
        max_pixels: width times height of the largest picture.
        now_s, cpu_s: clocks: monotonic, and processor time of the calling thread.
    """

    def __init__(
        self,
        max_pixels: int,
        now_s: Callable[[], float] = time.monotonic,
        cpu_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self._max_pixels = max_pixels
        self._now_s, self._cpu_s = now_s, cpu_s
        self._share = Share(SHARE, now_s())
        self._codec = ""
        self._context: Any = None
        self._is_waiting = True
        self._is_torn = False
        self._refusal: FrameError | None = None
        self._sent: deque[int] = deque(maxlen=32)

    @property
    def wants_key_frame(self) -> bool:
        """Whether the sender should be asked for a key frame."""
        return (self._is_waiting or self._is_torn) and not self._share.is_spent(self._now_s())

    def close(self) -> None:
        """End it: here is nothing to do."""

    def skip(self) -> None:
        """Note that frames were lost: all up to the next key frame are dropped."""
        self._is_waiting = True

    def decode(self, frame: EncodedFrame) -> list[Decoded]:
        """Decode a frame, or drop it.

        Returns:
            Its pictures: one, or none where it was dropped, could not be decoded, or is kept back by the decoder.

        Raises:
            FrameError: the frame is refused: its header can't be read, or its pictures, or those that it is a change
                to, are too large.
        """
        if not frame.data:
            return []  # would flush the decoder, which takes nothing ever after
        if self._share.is_spent(self._now_s()):
            self.skip()
            return []
        begun_s = self._cpu_s()
        try:
            return self._decode(frame)
        finally:
            self._share.spend(self._now_s(), self._cpu_s() - begun_s)

    def _decode(self, frame: EncodedFrame) -> list[Decoded]:
        if frame.codec != self._codec:
            self._open(frame.codec)
        header = read_header(frame.codec, frame.data)
        if header.pictures:
            self._refusal = next(filter(None, map(self._refusal_of, header.pictures)), None)
        if self._refusal is not None:
            self.skip()
            raise self._refusal
        if self._is_waiting and not header.is_start:
            return []
        self._is_waiting = self._is_torn = False
        packet = av.Packet(frame.data)
        packet.pts, packet.time_base = frame.timestamp, RTP_TIME_BASE
        try:
            frames = self._context.decode(packet)
        except FFmpegError:
            # It goes on with the pictures that it has: broken ones until a key frame comes, but none for long.
            self._is_torn = True
            return []
        self._sent.append(frame.timestamp)
        recent = list(self._sent)[-1 - DELAYED_MAX :]
        if any(each.pts in self._sent and each.pts not in recent for each in frames):
            self._open(frame.codec)
            raise FrameError(
                "the H.264 pictures come out of order, which those of live video don't: encode without B-frames"
            )
        return [Decoded(planes_of(each), captured_us_of(each)) for each in frames]

    def _refusal_of(self, picture: PictureSize) -> FrameError | None:
        size = f"{picture.width} x {picture.height}"
        if picture.width < 2 or picture.height < 2:
            return FrameError(f"the video has no pixels: {size}; send one that has")
        if picture.pixels > self._max_pixels:
            return FrameError(
                f"the video has {size} pixels; this server takes {self._max_pixels} in all: send it smaller",
                "too_many_pixels",
            )
        if picture.memory_bytes > MEMORY_BYTES_PER_PIXEL * self._max_pixels:
            return FrameError(
                f"the video of {size} has the decoder keep {picture.kept} pictures, too many: "
                "encode with fewer references",
                "too_many_pixels",
            )
        return None

    def _open(self, codec: str) -> None:
        self._codec, self._is_waiting, self._refusal = codec, True, None
        self._sent.clear()
        self._context = av.CodecContext.create(_DECODERS[codec], "r")
        self._context.thread_count = 1  # what it costs is then what its thread takes; and ten peers have ten threads
        # The second guard: FFmpeg asks before it allocates. Coded sides are up to 31 pixels longer.
        self._context.options = {"max_pixels": str(4 * self._max_pixels)}
