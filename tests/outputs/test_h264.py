"""Which H.264 encoder is taken: trials against encoders that are missing, refuse, are slow, lose or spoil pictures."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import pytest
from av.codec.codec import UnknownCodecError
from av.error import ExternalError

from realtime.outputs import choosing, h264
from realtime.outputs.h264 import EXACT, HARDWARE, LIVE, SOFTWARE, frame_of, prepare, trials, tried


class Encoder:
    """A hardware encoder, by software: it does what its name says."""

    def __init__(self, spoil: Callable[[Any], Any] = lambda frame: frame, loses: int = 0) -> None:
        self._inner: Any = av.CodecContext.create(SOFTWARE, "w")
        self._spoil, self._loses = spoil, loses

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        elif name != "options":  # which are of another encoder
            setattr(self._inner, name, value)
        else:
            self._inner.options = {**LIVE[SOFTWARE], **h264.COLOURS}

    def __getattr__(self, name: str) -> Any:
        return {} if name == "options" else getattr(self._inner, name)

    def encode(self, frame: Any) -> Any:
        if frame is not None and self._loses:
            self._loses -= 1
            return []
        return self._inner.encode(frame if frame is None else self._spoil(frame))


def refusing(name: str) -> Any:
    raise ExternalError(1, "no device")


def dark(frame: Any) -> Any:
    pixels = frame.to_ndarray(format="rgb24") // 2
    return frame_of(pixels, frame.pts, frame.time_base)


def registry(**encoders: Callable[[str], Any]) -> Callable[..., Any]:
    """Makes codec contexts as PyAV does, of these encoders and of software's."""

    def create(name: str, mode: str, hwaccel: Any = None) -> Any:
        if name in (SOFTWARE, "h264"):
            return av.CodecContext.create(name, mode)
        if name not in encoders:
            raise UnknownCodecError(name)
        return encoders[name](name)

    return create


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No device is opened for what a fake encodes."""
    monkeypatch.setattr(h264, "UPLOADS", {})


def test_first_that_gives_its_pictures_back_is_taken() -> None:
    create = registry(
        h264_nvenc=refusing,
        h264_videotoolbox=lambda _: Encoder(dark),
        h264_vaapi=lambda _: Encoder(loses=2),
        h264_qsv=lambda _: Encoder(),
        h264_amf=refusing,
    )

    found = trials(create=create, keeps_up_ms=float("inf"))

    assert [trial.name for trial in found] == list(HARDWARE[:4])
    assert found[-1].obstacle is None
    assert [trial.obstacle for trial in found[:2]] == [
        "there is no such device, or its driver refuses",
        found[1].obstacle,
    ]
    assert "levels off" in str(found[1].obstacle)
    assert found[2].obstacle == "of 12 pictures 10 came back"


def test_slow_one_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(h264.time, "perf_counter", lambda: next(clock) ** 2)  # each takes longer than the one before

    found = trials(("h264_qsv",), registry(h264_qsv=lambda _: Encoder()), keeps_up_ms=0)

    assert [trial.name for trial in found] == ["h264_qsv", SOFTWARE]
    assert "too slow" in str(found[0].obstacle)


def test_software_is_what_is_left() -> None:
    found = trials(create=registry())

    assert [trial.name for trial in found] == [*HARDWARE, SOFTWARE]
    assert {trial.obstacle for trial in found[:-1]} == {"this FFmpeg has none"}
    assert found[-1].obstacle is None
    assert found[-1].frame_ms is not None


def test_real_encoder_gives_its_pictures_back() -> None:
    assert tried(SOFTWARE).obstacle is None


@pytest.mark.parametrize("name", (SOFTWARE, *HARDWARE))
def test_every_encoder_has_options_for_both_uses(name: str) -> None:
    for live, table in ((True, LIVE), (False, EXACT)):
        context: Any = type("Context", (), {})()
        prepare(context, name, 64, 48, live=live)

        assert table[name].items() <= context.options.items()
        assert context.options["colorspace"] == "bt709"


@pytest.mark.parametrize("live", [True, False])
def test_pictures_leave_in_their_order(live: bool) -> None:
    context: Any = av.CodecContext.create(SOFTWARE, "w")
    prepare(context, SOFTWARE, 64, 48, live=live)
    context.framerate, context.time_base = Fraction(30), Fraction(1, 30)
    packets = [
        packet
        for index in (*range(20), None)
        for packet in context.encode(
            None if index is None else frame_of(h264._trial_picture(index)[:48, :64], index, Fraction(1, 30))
        )
    ]

    assert [packet.pts for packet in packets] == list(range(20))


@pytest.fixture
def anew() -> Iterator[None]:
    choosing.found_encoders.cache_clear()
    yield
    choosing.found_encoders.cache_clear()


def test_trial_runs_in_a_process_of_its_own_and_once(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    real = subprocess.run
    monkeypatch.setattr(choosing.subprocess, "run", lambda *a, **k: (ran.append(a), real(*a, **k))[1])

    names = {choosing.chosen_encoder(), choosing.chosen_encoder()}

    assert len(ran) == 1
    assert len(names) == 1
    assert names <= {SOFTWARE, *HARDWARE}


def test_driver_that_breaks_the_trial_costs_hardware_and_nothing_else(
    anew: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "PROGRAM", (choosing.sys.executable, "-c", "import os; os.abort()"))

    assert choosing.chosen_encoder() == SOFTWARE
