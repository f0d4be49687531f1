"""Video that is read in a process of its own is the same, and its end is said."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from realtime.decoder_process import fetching
from realtime.decoder_process.fetching import read_elsewhere
from realtime.decoder_process.worker import DecoderWorker
from realtime.errors import SourceError
from realtime.media.opening import opening_of
from realtime.media.source import read
from realtime.planes import Planes
from tests.fakes.clips import a_clip, a_grey
from tests.fakes.waiting import PATIENCE_S
from tests.server.test_ingest import wait_for

pytestmark = pytest.mark.slow
MAX_PIXELS = 2**20


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return a_clip(tmp_path / "clip.mp4", [a_grey(40 + 20 * index) for index in range(6)], rate=4)


def read_by(reader: object, clip: Path) -> list[tuple[Planes, int]]:
    frames: list[tuple[Planes, int]] = []
    assert callable(reader)
    reader(opening_of(str(clip)), lambda planes, at_us: frames.append((planes, at_us)), threading.Event(), MAX_PIXELS)
    return frames


def test_frames_are_those_that_are_read_here(clip: Path) -> None:
    here, there = read_by(read, clip), read_by(read_elsewhere, clip)

    times = {at_us: planes for planes, at_us in here}
    assert len(there) >= 4  # the newest wins
    for planes, at_us in there:
        assert np.array_equal(planes.y, times[at_us].y) and np.array_equal(planes.v, times[at_us].v)
        assert (planes.matrix, planes.orientation) == (times[at_us].matrix, times[at_us].orientation)


def test_what_cant_be_read_is_said_in_the_same_words(tmp_path: Path) -> None:
    file = tmp_path / "no.mp4"
    file.write_bytes(b"no video")

    with pytest.raises(SourceError, match="holds nothing that this FFmpeg reads as video") as caught:
        read_by(read_elsewhere, file)

    assert caught.value.is_final


class _Watched(DecoderWorker):
    made: ClassVar[list[DecoderWorker]] = []

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.made.append(self)


def test_reader_that_dies_is_an_error_that_passes(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "DecoderWorker", _Watched)
    frames: list[int] = []

    def kill(planes: Planes, at_us: int) -> None:
        frames.append(at_us)
        os.kill(_Watched.made[-1].pid, signal.SIGKILL)

    with pytest.raises(SourceError, match="its decoder died") as caught:
        read_elsewhere(opening_of(str(clip)), kill, threading.Event(), MAX_PIXELS)

    assert len(frames) == 1 and not caught.value.is_final


def test_reading_that_is_to_end_ends_with_its_process(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "DecoderWorker", _Watched)
    stopping, frames = threading.Event(), list[int]()
    thread = threading.Thread(
        target=read_elsewhere,
        args=(opening_of(str(clip)), lambda planes, at_us: frames.append(at_us), stopping, MAX_PIXELS),
    )
    thread.start()
    wait_for(lambda: bool(frames))
    stopping.set()
    thread.join(PATIENCE_S)

    assert not thread.is_alive()
    assert not Path(f"/proc/{_Watched.made[-1].pid}").exists()
