"""What takes pictures and sound as a stream: a container of FFmpeg's, at an address or in a file.

Runs in the process that sends. Must not know who the pictures are of, or when they are due.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from typing import IO, Any
from urllib.parse import urlsplit

import av
from av import error as av_errors
from av.error import FFmpegError

from ..pixels import Pixels
from .h264 import SOFTWARE, frame_of, hwaccel_of, prepare
from .records import SOUND_RATE, OutputSpec, Samples
from .sink import SinkError
from .target import OutputKind

AAC_BITRATE = 160_000
MUXER_OPTIONS = {
    # Killed, it can be played; closed, it is an MP4 like any other.
    "mp4": {"movflags": "hybrid_fragmented"},
    # What is not told: the duration, which a stream has none of. Without flushing, 32 KB wait for each other.
    "flv": {"flvflags": "no_duration_filesize", "flush_packets": "1"},
    "mpegts": {"flush_packets": "1"},
}
NO_SRT = (
    "this FFmpeg has no SRT, and no program ffmpeg that has it is on the PATH: install ffmpeg, or send to rtmp:// or "
    "udp://"
)


class ContainerSink:
    """H.264 and AAC to a file or an address."""

    def __init__(self, spec: OutputSpec) -> None:
        self._relay: subprocess.Popen[bytes] | None = None
        self._spec = spec
        where: str | IO[bytes] = spec.address
        if urlsplit(spec.address).scheme.lower() == "srt" and not _has_srt():
            self._relay = _relay_to(spec.address)
            where = self._relay.stdin  # type: ignore[assignment]
        with _in_words(spec, self._relay):
            self._open(where)

    def _open(self, where: Any) -> None:
        spec = self._spec
        self._container = av.open(where, "w", format=spec.muxer, options=MUXER_OPTIONS.get(spec.muxer, {}))
        try:
            made: Any = self._container.add_stream(spec.encoder, rate=spec.rate, hwaccel=hwaccel_of(spec.encoder))
        except ValueError:
            raise SinkError("the encoder is none of this FFmpeg's", is_encoders=True) from None
        prepare(made.codec_context, spec.encoder, spec.width, spec.height, live=True, rate=spec.rate)
        made.codec_context.time_base = Fraction(1, spec.rate)
        self._video, self._audio = made, self._sound_stream() if spec.has_sound else None
        self._samples = 0
        try:
            made.codec_context.open()
        except (FFmpegError, RuntimeError, ValueError):
            raise SinkError("the encoder can't be opened", is_encoders=True) from None
        self._container.start_encoding()

    def _sound_stream(self) -> Any:
        stream: Any = self._container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
        stream.bit_rate = AAC_BITRATE
        return stream

    def picture(self, picture: Pixels, number: int) -> None:
        """See `Sink`."""
        try:
            packets = self._video.encode(frame_of(picture, number, Fraction(1, self._spec.rate)))
        except (FFmpegError, RuntimeError):
            raise SinkError("the encoder has failed", is_encoders=self._spec.encoder != SOFTWARE) from None
        self._mux(packets)

    def sound(self, samples: Samples) -> None:
        """See `Sink`."""
        frame: Any = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")  # type: ignore[arg-type]
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self._samples, Fraction(1, SOUND_RATE)
        self._samples += samples.shape[1]
        assert self._audio is not None
        self._mux(self._audio.encode(frame))

    def _mux(self, packets: Any) -> None:
        with _in_words(self._spec, self._relay):
            self._container.mux(packets)

    def close(self) -> None:
        """See `Sink`."""
        with _in_words(self._spec, self._relay):
            for stream in (self._video, self._audio):
                if stream is not None:
                    self._container.mux(stream.encode(None))
            self._container.close()
        if self._relay is not None and self._relay.stdin is not None:
            with contextlib.suppress(OSError):
                self._relay.stdin.close()
            self._relay.wait()


def _has_srt() -> bool:
    """Whether the FFmpeg of PyAV knows SRT, found out by opening what can't be there."""
    try:
        with av.open("srt://127.0.0.1:1?mode=nonsense", timeout=0.1):
            return True
    except av_errors.ProtocolNotFoundError:
        return False
    except (FFmpegError, OSError, ValueError):
        return True


def _relay_to(address: str) -> subprocess.Popen[bytes]:
    """A program that passes MPEG-TS on from its input, packet by packet."""
    program = shutil.which("ffmpeg")
    if program is None or not _knows_srt(program):
        raise SinkError(NO_SRT, is_final=True)
    quick = ("-fpsprobesize", "0", "-analyzeduration", "500k")  # not `nobuffer`, which throws the first key frame away
    asked = (program, "-hide_banner", "-loglevel", "error", *quick, "-f", "mpegts", "-i", "pipe:0")
    return subprocess.Popen(
        (*asked, "-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "mpegts", address),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # where the address would be
    )


def _knows_srt(program: str) -> bool:
    ran = subprocess.run((program, "-hide_banner", "-protocols"), capture_output=True, text=True, check=False)
    return "srt" in ran.stdout.partition("Output:")[2].split()


@contextmanager
def _in_words(spec: OutputSpec, relay: subprocess.Popen[bytes] | None) -> Generator[None]:
    """What FFmpeg finds wrong in the block is a SinkError, without the address."""
    try:
        yield
    except (FFmpegError, OSError) as error:
        if relay is not None:
            raise SinkError("nothing takes it there; check host, port and passphrase") from None
        raise explained_sink(error, spec) from None


def explained_sink(error: Exception, spec: OutputSpec) -> SinkError:
    """What went wrong with an output, without its address: that may hold a key."""
    if spec.kind is OutputKind.FILE:
        code = (error.errno if isinstance(error, OSError) else None) or 0
        why = os.strerror(code) if code in errno.errorcode else "FFmpeg refuses"  # which has numbers of its own
        return SinkError(f"it can't be written: {why}", is_final=True)
    match error:
        case av_errors.ProtocolNotFoundError():
            return SinkError(f"this FFmpeg sends nothing to {urlsplit(spec.address).scheme}://", is_final=True)
        case ConnectionRefusedError():
            return SinkError("nothing listens there; check host and port, and that the other side runs")
        case av_errors.ExitError() | TimeoutError():
            return SinkError("no answer in time; check the address and the network")
        case BrokenPipeError() | ConnectionResetError():
            return SinkError("the other side has hung up; is the key right?")
        case OSError(errno=errno.EIO):
            return SinkError("it can't be reached, or refuses; check host, app and key")
        case _:
            return SinkError("it can't be sent there; see whether FFmpeg can")
