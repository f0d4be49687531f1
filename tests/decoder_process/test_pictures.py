"""Pictures that are decoded elsewhere are the same, and one that kills its decoder costs itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from realtime import forked
from realtime.config import Config
from realtime.decoder_process import pictures
from realtime.decoder_process.child import missing_limits
from realtime.decoder_process.pictures import PictureDecoders
from realtime.decoder_process.worker import DecoderWorker
from realtime.errors import FrameError
from realtime.frame import Format, Frame, Order
from realtime.media import codec
from realtime.media.pipeline import Pipeline
from realtime.params import Params
from tests.fakes.decoders import a_png_frame, make_faulty
from tests.fakes.pictures import encoded, pixels
from tests.fakes.starts import METHODS, start_by
from tests.fakes.waiting import PATIENCE_S
from tests.server.test_ingest import wait_for

pytestmark = pytest.mark.slow
MAX_PIXELS = 2**22


@pytest.fixture(params=METHODS)
def decoders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureDecoders]:
    """Decoders that fail as a picture says, and are given up soon."""
    start_by(request.param, monkeypatch)
    monkeypatch.setattr(pictures, "make", make_faulty)
    monkeypatch.setattr(pictures, "CPU_S", 1)
    made = PictureDecoders(Config(decoder_process="all"))
    yield made
    made.close()


def decode(decoders: PictureDecoders, frame: Frame, session: str = "ann") -> tuple[object, object]:
    return decoders.decode(frame, 64, 64, MAX_PIXELS, session)


def is_gone(pid: int) -> bool:
    """Whether no process has this id, not even a zombie."""
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_those_that_are_decoded_here(decoders: PictureDecoders, kind: str) -> None:
    frame = Frame(1, Format[kind], encoded(pixels(200, 120), kind), 0, 0)

    picture, alpha = decode(decoders, frame)

    here, _ = codec.decode_with_alpha(frame.data, frame.format, 64, 64, MAX_PIXELS)
    assert np.array_equal(picture, here)
    assert alpha is None
    assert len(decoders.pids) == 1


def test_processor_time_of_the_process_is_told_to_whom_it_is_charged(decoders: PictureDecoders) -> None:
    frame = Frame(1, Format.PNG, encoded(pixels(800, 800), "PNG"), 0, 0)

    decode(decoders, frame)

    assert decoders.spent_ns() > 1e6  # it takes ten times as long; the clock of a process may be a coarse one
    others: list[int] = []
    thread = threading.Thread(target=lambda: others.append(decoders.spent_ns()))
    thread.start()
    thread.join(PATIENCE_S)
    assert others == [0]


def test_opacity_comes_too(decoders: PictureDecoders) -> None:
    see_through = np.dstack([pixels(80, 80), np.full((80, 80), 77, np.uint8)])
    frame = Frame(1, Format.PNG, encoded(see_through, "PNG"), 0, 0)

    picture, alpha = decode(decoders, frame)

    here = codec.decode_with_alpha(frame.data, frame.format, 64, 64, MAX_PIXELS)
    assert np.array_equal(picture, here[0]) and np.array_equal(alpha, here[1])


def test_what_a_decoder_refuses_is_refused_in_its_words_and_it_lives_on(decoders: PictureDecoders) -> None:
    whole = a_png_frame()
    cut = Frame(2, Format.PNG, whole.data[:-20], 0, 0)

    decode(decoders, whole)
    before = decoders.pids
    with pytest.raises(FrameError, match="cut off"):
        decode(decoders, cut)

    assert decoders.pids == before


@pytest.mark.parametrize("fault", ["abort", "spin", "write"])
def test_decoder_that_crashes_spins_or_hangs_costs_one_picture(decoders: PictureDecoders, fault: str) -> None:
    decode(decoders, a_png_frame())
    (before,) = decoders.pids

    with pytest.raises(FrameError, match="the decoder died of this picture") as caught:
        decode(decoders, a_png_frame(fault))
    decode(decoders, a_png_frame())

    assert caught.value.code == "invalid_frame"
    assert before not in decoders.pids and is_gone(before)


def test_picture_that_takes_too_much_memory_is_refused(decoders: PictureDecoders) -> None:
    with pytest.raises(FrameError, match="too much memory"):
        decode(decoders, a_png_frame("memory"))


def test_decoder_that_is_killed_at_work_costs_one_picture(decoders: PictureDecoders) -> None:
    decode(decoders, a_png_frame())
    (pid,) = decoders.pids
    threading.Timer(0.1, os.kill, (pid, signal.SIGKILL)).start()

    with pytest.raises(FrameError, match=r"the decoder of this picture is gone \(it was killed"):
        decode(decoders, a_png_frame("slow"))
    decode(decoders, a_png_frame())


def test_decoder_that_somebody_stops_costs_one_picture_and_nobody_waits_for_that(decoders: PictureDecoders) -> None:
    for _ in range(2):
        with pytest.raises(FrameError, match=r"gone \(it was stopped by a signal"):
            decode(decoders, a_png_frame("stop"))
    decode(decoders, a_png_frame())


def test_decoder_that_cant_be_started_costs_a_picture_and_is_tried_again(
    decoders: PictureDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*args: object) -> object:
        raise forked.NotStartedError("Too many open files")

    before = set(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(forked, "start", none_left)
        decoders.begin()
        for _ in range(3):
            with pytest.raises(FrameError, match=r"gone \(it can't be started: Too many open files") as caught:
                decode(decoders, a_png_frame())
            assert caught.value.code == "invalid_frame"
    assert len(set(os.listdir("/proc/self/fd"))) <= len(before)

    decode(decoders, a_png_frame())


def test_thread_that_cant_be_started_costs_a_picture_and_is_tried_again(
    decoders: PictureDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        assert decoders.waits(a_png_frame())
        with pytest.raises(FrameError, match=r"gone \(it can't be started: can't start new thread"):
            decode(decoders, a_png_frame())

    decode(decoders, a_png_frame())


def test_what_a_system_has_no_limits_of_is_said() -> None:
    assert missing_limits("linux") == ""
    assert missing_limits("darwin") == "memory"
    assert missing_limits("win32").startswith("memory, processor time and files")


def test_decoder_that_is_killed_at_rest_costs_nothing(decoders: PictureDecoders) -> None:
    decode(decoders, a_png_frame())
    (pid,) = decoders.pids
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not decoders._free[0].is_alive)

    decode(decoders, a_png_frame())


def test_picture_behind_a_dead_decoder_goes_aside_until_another_has_begun(
    decoders: PictureDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_begin, begin = threading.Event(), DecoderWorker.begin

    def begin_when_let(worker: DecoderWorker) -> None:
        assert may_begin.wait(PATIENCE_S)
        begin(worker)

    pipeline = Pipeline(decoding=decoders)
    order = Order(a_png_frame(), Params(width=64, height=64), "ann", 0, 1)
    decode(decoders, a_png_frame())
    monkeypatch.setattr(DecoderWorker, "begin", begin_when_let)
    assert not pipeline.is_heavy_to_open(order)

    with pytest.raises(FrameError, match="died"):
        decode(decoders, a_png_frame("abort"))

    assert pipeline.is_heavy_to_open(order)
    wait_for(lambda: len(decoders.pids) == 1)  # the next one is on its way, and nobody has asked for it
    may_begin.set()
    wait_for(lambda: not pipeline.is_heavy_to_open(order))
    (pid,) = decoders.pids
    decode(decoders, a_png_frame())
    assert decoders.pids == [pid]
    pipeline.close()


def test_decoders_that_are_closed_as_one_begins_leave_none(
    decoders: PictureDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def begin(worker: DecoderWorker) -> None:
        begun.set()
        assert may_end.wait(PATIENCE_S)

    monkeypatch.setattr(DecoderWorker, "begin", begin)
    decoders.begin()
    assert begun.wait(PATIENCE_S)
    (pid,) = decoders.pids

    decoders.close()
    may_end.set()

    wait_for(lambda: decoders.pids == [] and is_gone(pid))
    with pytest.raises(FrameError, match="gone"):
        decode(decoders, a_png_frame())


def test_session_whose_pictures_kill_again_waits_and_nobody_else_does(decoders: PictureDecoders) -> None:
    for _ in range(2):
        with pytest.raises(FrameError, match="died"):
            decode(decoders, a_png_frame("abort"))

    with pytest.raises(FrameError) as caught:
        decode(decoders, a_png_frame())
    decode(decoders, a_png_frame(), "ben")

    assert caught.value.code == "set_aside"


def test_pictures_of_several_threads_are_decoded_at_once_each_in_its_process(decoders: PictureDecoders) -> None:
    threads = [threading.Thread(target=decode, args=(decoders, a_png_frame("slow"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert 1 < len(decoders.pids) <= 3


def test_nothing_is_left_of_decoders_that_are_closed(decoders: PictureDecoders) -> None:
    before = set(os.listdir("/proc/self/fd"))
    decode(decoders, a_png_frame())
    pids = decoders.pids

    decoders.close()

    assert all(map(is_gone, pids)) and decoders.pids == []
    shared = [name for name in set(os.listdir("/proc/self/fd")) - before if "realtime-decoder" in _target(name)]
    assert shared == []


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


@pytest.mark.parametrize(("which", "kinds"), [("off", ""), ("most", "PNG WEBP"), ("all", "JPEG PNG WEBP")])
def test_option_says_which_pictures_leave(which: str, kinds: str) -> None:
    elsewhere: list[str] = []
    for kind in ("JPEG", "PNG", "WEBP"):
        decoders = PictureDecoders(Config(decoder_process=which))
        decode(decoders, Frame(1, Format[kind], encoded(pixels(), kind), 0, 0))
        elsewhere += [kind] if decoders.pids else []
        decoders.close()

    assert " ".join(elsewhere) == kinds
