"""Pictures on their way out: real streams to FFmpeg that listens, and the thread against senders that fail."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import InvalidDataError

from realtime.outputs import process, push
from realtime.outputs.h264 import SOFTWARE
from realtime.outputs.push import Push, PushState, PushStatus
from realtime.outputs.records import SOUND_RATE, OutputSpec, SinkReport, picture_record
from realtime.outputs.target import target_of
from tests.fakes.receivers import Receiver, a_free_port
from tests.fakes.waiting import PATIENCE_S

KEY = "live_1234_secret"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(push, "LAST_RETRY_S", 0.05)


def wait_for(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def grey(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


@pytest.fixture
def pushes() -> Iterator[Callable[..., Push]]:
    made: list[Push] = []

    def make(address: str, **how: object) -> Push:
        one = Push(target_of(address, "--output"), **{"encoder": lambda: SOFTWARE, **how})  # type: ignore[arg-type]
        made.append(one)
        one.begin()
        return one

    yield make
    for one in made:
        one.close()


def test_one_picture_is_sent_again_and_again_at_a_constant_rate(pushes: Callable[..., Push]) -> None:
    url = f"tcp://127.0.0.1:{a_free_port()}"
    receiver = Receiver(f"{url}?listen=1", 20, container_format="mpegts")
    one = pushes(url)

    one.offer(grey(180))
    got = receiver.wait()

    assert receiver.error is None
    assert all(abs(level - 180) < 6 for level in got.levels)
    ticks = np.diff(np.array(got.times_s)) * 30
    assert np.allclose(ticks, np.round(ticks), atol=0.02)
    assert one.status.repeated > 0


def test_newest_picture_wins(pushes: Callable[..., Push]) -> None:
    url = f"tcp://127.0.0.1:{a_free_port()}"
    receiver = Receiver(f"{url}?listen=1", container_format="mpegts")
    one = pushes(url)
    one.offer(grey(40))
    wait_for(lambda: one.status.sent > 2)

    one.offer(grey(90))
    one.offer(grey(200))
    sent = one.status.sent
    wait_for(lambda: one.status.sent > sent + 5)
    one.close()
    got = receiver.wait()

    assert got.levels[0] == pytest.approx(40, abs=6)
    assert got.levels[-1] == pytest.approx(200, abs=6)
    assert one.status.state is PushState.ENDED


def test_picture_of_another_shape_lies_on_black_in_the_first_ones(pushes: Callable[..., Push]) -> None:
    url = f"tcp://127.0.0.1:{a_free_port()}"
    receiver = Receiver(f"{url}?listen=1", container_format="mpegts")
    one = pushes(url)
    one.offer(grey(100))
    wait_for(lambda: one.status.sent > 2)

    one.offer(grey(200, 48, 96))
    sent = one.status.sent
    wait_for(lambda: one.status.sent > sent + 5)
    one.close()
    got = receiver.wait()

    assert got.shapes == {(48, 64)}
    assert got.levels[-1] == pytest.approx(200 * 24 / 64, abs=8)


def test_receiver_that_vanishes_and_comes_back_is_sent_to_again(pushes: Callable[..., Push]) -> None:
    url = f"tcp://127.0.0.1:{a_free_port()}"
    first = Receiver(f"{url}?listen=1", 5, container_format="mpegts")
    states: list[PushStatus] = []
    one = pushes(url, on_state=states.append)
    one.offer(grey(120))
    first.wait()
    wait_for(lambda: any(each.problem for each in states))

    second = Receiver(f"{url}?listen=1", 5, container_format="mpegts")
    got = second.wait()

    assert second.error is None
    assert len(got.levels) == 5
    assert got.levels[0] == pytest.approx(120, abs=6)  # at once, and not black: the last one
    assert one.status.connections >= 2


def test_rtmp_has_pictures_and_a_track_of_silence_and_its_key_is_nowhere(
    pushes: Callable[..., Push], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"rtmp://127.0.0.1:{a_free_port()}/live/{KEY}"
    receiver = Receiver(url, 30, container_format="flv", listen="1")
    states: list[PushStatus] = []
    one = pushes(url, on_state=states.append)
    one.offer(grey(150))

    got = receiver.wait()
    one.close()

    assert receiver.error is None
    assert got.levels[0] == pytest.approx(150, abs=6)
    assert got.samples > 0
    assert max(got.loudness) < 0.01
    told = str([*states, one.status, one.status.wire(), one._target, vars(one)]) + caplog.text + str(capfd.readouterr())
    assert KEY not in told
    assert one.status.address.startswith("rtmp://127.0.0.1:")


def test_nobody_there_is_said_without_the_key_and_tried_again(pushes: Callable[..., Push]) -> None:
    states: list[PushStatus] = []
    one = pushes(f"rtmp://127.0.0.1:{a_free_port()}/live/{KEY}", on_state=states.append)
    one.offer(grey(150))

    wait_for(lambda: sum(each.state is PushState.CONNECTING for each in states) > 2)

    assert "nothing listens there; check host and port, and that the other side runs" in {e.problem for e in states}
    assert KEY not in str(states)


def test_other_side_that_takes_nothing_is_left_and_blocks_nobody(
    pushes: Callable[..., Push], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STUCK_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:  # which accepts, and reads nothing
        states: list[PushStatus] = []
        one = pushes(f"tcp://127.0.0.1:{server.getsockname()[1]}", rate=120, on_state=states.append)
        noise = np.random.default_rng(0)

        def fill() -> bool:
            one.offer(noise.integers(0, 255, (512, 512, 3), np.uint8))
            return any(each.problem == process.TAKES_NOTHING for each in states)

        wait_for(fill)


def test_sound_is_sent_along_and_silence_where_there_is_none(pushes: Callable[..., Push]) -> None:
    url = f"tcp://127.0.0.1:{a_free_port()}"
    receiver = Receiver(f"{url}?listen=1", container_format="mpegts")
    one = pushes(url, has_sound=True)
    one.offer(grey(100))
    wait_for(lambda: one.status.state is PushState.LIVE and one._sound is not None)
    begun_s = one._begun_s
    tone = (0.5 * np.sin(np.arange(SOUND_RATE) * 0.06)).astype(np.float32)
    for index in range(10):
        block = tone[index * 2400 : (index + 1) * 2400]
        one.offer_sound(np.stack([block, block]), begun_s + 3 + 0.05 * index)

    wait_for(lambda: time.monotonic() > begun_s + 4.5)
    one.close()
    got = receiver.wait()

    loud = [at for at, level in zip(got.sound_times_s, got.loudness, strict=True) if level > 0.2]
    assert loud[0] - got.sound_times_s[0] == pytest.approx(3.0, abs=0.1)
    assert loud[-1] - got.sound_times_s[0] == pytest.approx(3.5, abs=0.1)
    assert got.samples / SOUND_RATE == pytest.approx(got.times_s[-1] - got.sound_times_s[0], abs=0.2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_file_is_whole_when_it_is_closed(pushes: Callable[..., Push], tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"out{suffix}"
    one = pushes(str(file))
    one.offer(grey(100))
    wait_for(lambda: one.status.sent > 20)

    one.close()

    with av.open(str(file)) as container:
        assert container.duration is not None
        frames = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert len(frames) == one.status.sent
    assert frames[-1] == pytest.approx(100, abs=6)


def test_file_whose_writer_is_killed_can_be_played(tmp_path: Path) -> None:
    target = target_of(str(tmp_path / "out.mp4"), "OUTPUT")
    spec = OutputSpec(target.kind, target.address, target.muxer, 64, 48, 30, False, SOFTWARE)
    sending = process.SendingProcess(spec, threading.Event())
    assert sending.opened()
    noise = np.random.default_rng(0)
    for number in range(300):
        sending.write(*picture_record(number, noise.integers(0, 255, (48, 64, 3), np.uint8)))

    sending._process.kill()
    sending.close()

    frames = 0
    with av.open(target.address) as container, contextlib.suppress(InvalidDataError):  # its last one is cut off
        for _ in container.decode(video=0):
            frames += 1
    assert frames >= 60


def test_file_that_cannot_be_written_is_not_tried_again(pushes: Callable[..., Push], tmp_path: Path) -> None:
    one = pushes(str(tmp_path / "nowhere" / "out.mp4"))
    one.offer(grey(100))

    wait_for(lambda: one.is_over)

    assert one.status.state is PushState.FAILED
    assert one.status.problem == "it can't be written: No such file or directory"


class Scripted:
    """A sender that does as it is told."""

    def __init__(self, spec: OutputSpec, said: SinkReport, takes: int = 0) -> None:
        self.spec, self.said, self._takes = spec, said, takes

    def opened(self) -> bool:
        return self._takes > 0

    def write(self, *parts: bytes | memoryview) -> None:
        self._takes -= 1
        if self._takes < 0:
            raise BrokenPipeError

    def close(self) -> None:
        """Nothing is open."""


def test_software_goes_on_where_a_hardware_encoder_fails(pushes: Callable[..., Push]) -> None:
    encoders: list[str] = []

    def start(spec: OutputSpec, stopping: threading.Event) -> Scripted:
        encoders.append(spec.encoder)
        return Scripted(spec, SinkReport("the encoder has failed", is_encoders=True), takes=2)

    one = pushes("udp://127.0.0.1:9", encoder=lambda: "h264_nvenc", start=start)
    one.offer(grey(100))
    wait_for(lambda: len(encoders) > 2)

    assert encoders[:3] == ["h264_nvenc", SOFTWARE, SOFTWARE]


def test_what_is_final_is_not_tried_again(pushes: Callable[..., Push]) -> None:
    tries: list[OutputSpec] = []

    def start(spec: OutputSpec, stopping: threading.Event) -> Scripted:
        tries.append(spec)
        return Scripted(spec, SinkReport("no such protocol", is_final=True))

    one = pushes("udp://127.0.0.1:9", start=start)
    one.offer(grey(100))
    wait_for(lambda: one.is_over)

    assert len(tries) == 1
    assert one.status.problem == "no such protocol"


def test_process_that_is_killed_is_replaced(pushes: Callable[..., Push]) -> None:
    made: list[process.SendingProcess] = []

    def start(spec: OutputSpec, stopping: threading.Event) -> process.SendingProcess:
        made.append(process.SendingProcess(spec, stopping))
        return made[-1]

    one = pushes(f"udp://127.0.0.1:{a_free_port(socket.SOCK_DGRAM)}", start=start)
    one.offer(grey(100))
    wait_for(lambda: one.status.state is PushState.LIVE)

    os.kill(made[0]._process.pid, 9)
    wait_for(lambda: len(made) > 1 and one.status.connections > 1)


def test_mistake_of_ours_is_said(pushes: Callable[..., Push], caplog: pytest.LogCaptureFixture) -> None:
    def start(spec: OutputSpec, stopping: threading.Event) -> Scripted:
        raise MemoryError(KEY)

    one = pushes(f"rtmp://127.0.0.1:9/live/{KEY}", start=start)
    one.offer(grey(100))
    wait_for(lambda: one.is_over)

    assert one.status.problem == process.BROKE_OFF
    assert "output rtmp://127.0.0.1:9/… failed" in caplog.text


def test_nothing_is_started_before_there_is_a_picture(pushes: Callable[..., Push]) -> None:
    def start(spec: OutputSpec, stopping: threading.Event) -> Scripted:
        raise AssertionError

    one = pushes("udp://127.0.0.1:9", start=start)
    one.close()

    assert one.status.state is PushState.ENDED
