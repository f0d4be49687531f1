"""Pixels to video packets: the encoder of one stream, and the control of its effort and of its bitrate.

Must not know peers. An encoder runs in worker threads, one call at a time.
"""

from __future__ import annotations

import time
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
import cv2
from av.video.frame import PictureType

from ...media.matte import stacked
from ...pixels import Pixels

if TYPE_CHECKING:
    VideoPacket = av.Packet[Any]

CLOCK_HZ = 90_000
TIME_BASE = Fraction(1, CLOCK_HZ)
EXPECTED_FPS = 30
"""Frame rate that is told to rate control; a stream of fewer frames has a lower bitrate than it might."""

BITS_PER_PIXEL = 23.0
"""Per second: 6 Mbit/s at 512 x 512. For restyled video bitrate decides quality, not effort: superfast at 6 Mbit/s is
5 dB above aiortc's medium at its cap of 3, for two fifths of the processor time (docs/performance.md)."""
BITRATE_MIN, BITRATE_MAX = 1_500_000, 8_000_000

KEYED_RATE = 1.15
"""Bitrate of a fill with its key, to that of an opaque picture."""

EFFORTS: dict[str, tuple[str, ...]] = {"H264": ("superfast", "ultrafast"), "VP8": ("-12", "-14")}
"""Best first. x264's default, which aiortc leaves it at, is medium: 9 times superfast's time for a webcam's picture.
libvpx's -6, as in aiortc, takes a quarter to a half more time than -12 for -0.3 to +1.2 dB; -16 saves a tenth of -14's
and costs up to 5 dB (docs/performance.md)."""


def full_bitrate(width: int, height: int) -> int:
    """Bits a second for pictures of this size on a line that takes them."""
    return round(min(max(BITS_PER_PIXEL * width * height, BITRATE_MIN), BITRATE_MAX))


class EffortControl:
    """Chooses the encoding effort by the share of time that encoding takes.

    The effort falls at once where encoding took more than `TOO_MUCH` of a second, and rises after `CALM_S` below
    `LITTLE`. Every change costs a key frame, so it must not oscillate.

    Args:
        efforts: number of efforts.

    Attributes:
        effort: index into `EFFORTS` of the codec; 0 is the best.
    """

    TOO_MUCH = 0.4
    LITTLE = 0.1
    CALM_S = 10.0

    def __init__(self, efforts: int) -> None:
        self.effort = 0
        self._efforts = efforts
        self._since: float | None = None
        self._busy_s = 0.0
        self._calm_s = 0.0

    def note(self, now_s: float, spent_s: float) -> None:
        """Note that encoding a frame, which ended now, took `spent_s`."""
        if self._since is None:
            self._since = now_s
        self._busy_s += spent_s
        elapsed_s = now_s - self._since
        if elapsed_s < 1:
            return
        share = self._busy_s / elapsed_s
        self._calm_s = self._calm_s + elapsed_s if share < self.LITTLE else 0.0
        self._since, self._busy_s = now_s, 0.0
        if share > self.TOO_MUCH and self.effort < self._efforts - 1:
            self.effort += 1
        elif self._calm_s >= self.CALM_S and self.effort > 0:
            self.effort -= 1
            self._calm_s = 0.0


class VideoEncoder:
    """Encodes one stream; sizes, bitrate and effort may change between any two frames, at the price of a key frame.

    Args:
        codec: `H264` or `VP8`.
        share: of `full_bitrate`.

    Attributes:
        bitrate: target, bits a second; 0 before the first picture.
    """

    def __init__(self, codec: str, share: float = 1.0) -> None:
        self.codec = codec
        self.share = share
        self.effort_control = EffortControl(len(EFFORTS[codec]))
        self.bitrate = 0
        self._context: Any = None
        self._made_for: tuple[int, int, int, int] | None = None
        self._last_pts = -1

    def encode(self, picture: Pixels, pts: int, key_frame: bool, key: Pixels | None = None) -> list[VideoPacket]:
        """Encode a picture.

        Args:
            picture: uint8 [H, W, 3], RGB, even sides.
            pts: in units of 1/90000 s; one that does not rise is moved on.
            key_frame: whether it is to be a key frame.
            key: opacity, uint8 [H, W], which makes it a stacked one (see `matte.stacked`); None where it is opaque.

        Returns:
            Its packets, usually one.
        """
        begun_s = time.monotonic()
        bitrate = full_bitrate(picture.shape[1], picture.shape[0]) * self.share
        if key is not None:
            picture, bitrate = stacked(picture, key), bitrate * KEYED_RATE
        height, width = picture.shape[:2]
        wanted = (width, height, round(bitrate), self.effort_control.effort)
        if self._context is None or self._made_for != wanted:
            self._context, self._made_for = _new_context(self.codec, *wanted), wanted
            self.bitrate = wanted[2]
        self._last_pts = max(pts, self._last_pts + 1)
        frame = av.VideoFrame.from_ndarray(cast(Any, cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)), format="yuv420p")
        frame.pts, frame.time_base = self._last_pts, TIME_BASE
        frame.pict_type = PictureType.I if key_frame else PictureType.NONE
        packets: list[VideoPacket] = self._context.encode(frame)
        now_s = time.monotonic()
        self.effort_control.note(now_s, now_s - begun_s)
        return packets


def _new_context(codec: str, width: int, height: int, bitrate: int, effort: int) -> Any:
    context: Any = av.CodecContext.create("libx264" if codec == "H264" else "libvpx", "w")
    context.width, context.height = width, height
    context.pix_fmt = "yuv420p"
    context.bit_rate = bitrate
    context.framerate = Fraction(EXPECTED_FPS, 1)
    context.time_base = TIME_BASE
    context.thread_count = 1  # the picture is done in 1-4 ms; sliced threads would cost other sessions their core
    context.gop_size = 3000  # key frames are made where somebody needs one
    chosen = EFFORTS[codec][effort]
    if codec == "H264":
        context.profile = "Baseline"
        context.options = {
            "preset": chosen,
            "tune": "zerolatency",
            # Half of the usual strength: 0.1 to 0.8 dB more on four clips; bitrate, time, SSIM are the same.
            "aq-strength": "0.5",
            # What cvtColor makes. Untagged H.264 is BT.709 to Chromium, at any size: 15 levels off in reds. VP8, which
            # has no tags, is BT.601.
            "color_range": "tv",
            "colorspace": "smpte170m",
            "color_primaries": "bt709",
            "color_trc": "iec61966-2-1",
            # A quarter of a second: without it a key frame of a noisy webcam has 97 KB (67 at a quarter of the bitrate,
            # now 26), which take 130 ms on a line of that rate; costs 0.1 dB.
            "maxrate": str(bitrate),
            "bufsize": str(bitrate // 4),
        }
    else:
        context.qmin, context.qmax = 2, 56
        context.options = {
            "deadline": "realtime",
            "cpu-used": chosen,
            "lag-in-frames": "0",
            # Equal rates are constant bitrate; the buffer is half a second of it.
            "minrate": str(bitrate),
            "maxrate": str(bitrate),
            "bufsize": str(bitrate // 2),
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "static-thresh": "1",
            # Per cent of a frame's mean share: key frames of 30-48 KB instead of 49-75, and no less quality (measured).
            "max-intra-rate": "300",
        }
    return context


class BitrateControl:
    """Chooses a peer's share of the full bitrate by the peer's bandwidth estimates (REMB).

    An estimate is never far above what was sent: it is low for a still picture, and below the bursts of one that
    changes now and then (a drawing). So the share falls only on an estimate below what is sent while that is about as
    much as may be sent, and rises after `UP_AFTER_S` without one.
    """

    SHARES = (1.0, 0.5, 0.25, 0.125)
    DOWN_EVERY_S = 1.0
    UP_AFTER_S = 8.0
    OVER_S = 2.0

    def __init__(self) -> None:
        self._index = 0
        self._sent: deque[tuple[float, int]] = deque()
        self._moved_s = float("-inf")
        self._complained_s = float("-inf")

    @property
    def share(self) -> float:
        """Of the full bitrate."""
        return self.SHARES[self._index]

    def sent(self, now_s: float, size: int) -> None:
        """Note that `size` bytes were sent to the peer."""
        self._sent.append((now_s, size))
        while self._sent and self._sent[0][0] < now_s - self.OVER_S:
            self._sent.popleft()

    def estimated(self, now_s: float, bitrate: int, target: int) -> None:
        """Adapt the share to an estimate.

        Args:
            bitrate: that the peer can take by its estimate, bits a second.
            target: that the encoder may send, bits a second.
        """
        recent = [size for at_s, size in self._sent if at_s >= now_s - self.OVER_S]
        sending = 8 * sum(recent) / self.OVER_S
        if sending > target / 2 and bitrate < 0.85 * sending:
            self._complained_s = now_s
            if self._index < len(self.SHARES) - 1 and now_s - self._moved_s >= self.DOWN_EVERY_S:
                self._index, self._moved_s = self._index + 1, now_s
        elif self._index and now_s - max(self._moved_s, self._complained_s) >= self.UP_AFTER_S:
            self._index, self._moved_s = self._index - 1, now_s
