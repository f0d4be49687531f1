"""benchmarks.webrtc: numbered frames, encoders, and every kind of call once, short."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from aiortc.codecs.vpx import vp8_depayload
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.webrtc import bench as webrtc
from benchmarks.webrtc import calls, encoders, video
from realtime.bench.errors import BenchError
from tests.benches import sharing_servers
from tests.fakes.waiting import long_enough

MS = 1000


@given(st.integers(0, 65535))
def test_a_number_written_into_a_frame_is_read_from_it(index: int) -> None:
    luma = np.full((64, 128), 90, np.uint8)
    video.write_index(luma, index)
    assert video.read_index(luma) == index
    assert (luma[8:] == 90).all()


def test_a_number_survives_the_least_that_a_codec_leaves_of_it() -> None:
    (clip,) = video.planes(video.webcam_like(1, 256, 256))
    video.write_index(clip[:256], 0b1011_0010_0111_0101)
    rgb = cv2.cvtColor(clip, cv2.COLOR_YUV2RGB_I420)
    seen: list[int] = []
    decoder = av.CodecContext.create("vp8", "r")
    encode = encoders.ours("VP8", 1, 100_000, 256)
    for number in range(5):
        data = b"".join(vp8_depayload(payload) for payload in encode(rgb, number))
        seen += [video.read_index(frame.to_ndarray()[:256]) for frame in decoder.decode(av.Packet(data))]
    assert seen == [0b1011_0010_0111_0101] * 5


def test_clips_move_and_are_the_same_every_time() -> None:
    for make in (video.webcam_like, video.diffusion_like):
        first, second = make(2, 64, 64)
        assert first.shape == (64, 64, 3) and first.dtype == np.uint8
        assert (first != second).mean() > 0.5
        assert all((a == b).all() for a, b in zip((first, second), make(2, 64, 64), strict=True))


def test_a_frame_counts_once_and_only_after_the_warm_up() -> None:
    sent_us = [0, 100 * MS, 200 * MS]
    arrived = [(0, 10 * MS), (1, 110 * MS), (1, 1100 * MS), (2, 230 * MS), (7, 240 * MS)]
    assert calls.latencies_ms(sent_us, arrived, begin_us=50 * MS) == {1: 10, 2: 30}


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_both_encoders_are_measured_alike(codec: str) -> None:
    clip = video.webcam_like(encoders.SETTLE + 2, 64, 64)
    found = [
        encoders.measure(codec, encode, clip)
        for encode in (encoders.stock(codec, 300_000), encoders.ours(codec, 0, 300_000, 64))
    ]
    for run in found:
        assert run.keys() == {"p50_ms", "p95_ms", "cpu_ms", "mbit_per_s", "largest_kb", "psnr_db"}
        assert run["psnr_db"] > 25
        assert 0 < run["mbit_per_s"] < 1


def test_an_unknown_webrtc_scenario_is_refused_by_name() -> None:
    with pytest.raises(BenchError, match="nonsense"):
        webrtc.webrtc_bench(only=["nonsense"])


@pytest.mark.timeout(600)
def test_a_short_webrtc_bench_compares_ours_with_stock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webrtc, "VIEWERS", (1, 2))
    monkeypatch.setattr(webrtc, "SIDE", 256)
    monkeypatch.setattr(webrtc, "CLIP", 8)
    output = tmp_path / "webrtc.json"
    only = ["receive", "echo", "overload", "viewers"]

    def bench(seconds: float) -> dict[str, Any]:
        webrtc.webrtc_bench(seconds, overload_seconds=2 * seconds, repetitions=1, only=only, output=output)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    with sharing_servers(webrtc):
        answer = long_enough(bench)
    assert answer == json.loads(output.read_text())
    assert answer["bench"] == "webrtc"
    assert {"version", "versions", "commit", "device", "python", "load_average"} <= answer.keys()
    runs = answer["scenarios"]
    assert set(runs) == {"receive_30fps", "receive_15fps", "echo", "overload", "viewers", "ratios"}
    for name in ("receive_30fps", "receive_15fps", "echo"):
        for arm in runs[name].values():
            assert 0 < arm["p50_ms"]["least"] <= arm["p50_ms"]["median"] <= arm["p95_ms"]["most"]
            assert 0 < arm["delivered"]["median"] <= 1
    split = runs["echo"]["ours_split"]
    assert split["in_p50_ms"]["median"] > 0
    assert split["p50_ms"]["median"] > 0
    assert [runs["viewers"][f"ours_{count}"]["encodings"]["median"] for count in (1, 2)] == [1, 1]
    assert runs["ratios"].keys() >= {"receive_30fps_p50", "echo_p50", "overload_last_p50", "viewers_2_cpu"}
    for target in answer["targets"].values():
        assert target.keys() == {"value", "wanted", "limit", "ok"}
