"""Whoever takes a stream: real FFmpeg that listens, in a thread, until the sender ends or enough has come."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import Any

import av
from av.error import FFmpegError

from .waiting import PATIENCE_S


def a_free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Received:
    """What came.

    Attributes:
        levels: mean of each picture.
        times_s: of the pictures.
        samples: of sound.
        loudness: largest of each block of sound.
    """

    levels: list[float] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    shapes: set[tuple[int, int]] = field(default_factory=set)
    samples: int = 0
    loudness: list[float] = field(default_factory=list)
    sound_times_s: list[float] = field(default_factory=list)


class Receiver:
    """Listens at an address.

    Args:
        url: where.
        pictures: ends after so many; None: when the sender ends.
        options: of FFmpeg, as `listen`.
    """

    def __init__(
        self, url: str, pictures: int | None = None, *, container_format: str | None = None, **options: str
    ) -> None:
        self.got = Received()
        self.error: Exception | None = None
        self._url, self._pictures, self._options, self._format = url, pictures, options, container_format
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def wait(self) -> Received:
        """All that came."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), self.got
        return self.got

    def _work(self) -> None:
        try:
            container: Any = av.open(
                self._url, format=self._format, options=self._options, timeout=(PATIENCE_S, PATIENCE_S)
            )
            with container:
                self._read(container)
        except (FFmpegError, OSError) as error:
            self.error = error

    def _read(self, container: Any) -> None:
        got = self.got
        for packet in container.demux():
            for frame in packet.decode():
                if packet.stream.type == "audio":
                    got.samples += frame.samples
                    got.sound_times_s.append(float(frame.time))
                    got.loudness.append(float(abs(frame.to_ndarray()).max()))
                    continue
                picture = frame.to_ndarray(format="rgb24")
                got.levels.append(float(picture.mean()))
                got.times_s.append(float(frame.time))
                got.shapes.add(picture.shape[:2])
                if self._pictures is not None and len(got.levels) >= self._pictures:
                    return
