"""benchmarks.calm: clips are what they say they are, measures see what they are for, and a short bench runs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.calm import bench, clips, measures, photographs
from benchmarks.calm.clips import Clip
from benchmarks.drawing import calm_tables
from realtime.bench.errors import BenchError
from realtime.config import Accelerate

SIDE = 96


def made(noise: float = 0.0) -> dict[str, Clip]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips, "NOISE", noise)
        photograph = photographs.photograph("astronaut", 128)
        return {clip.name: clip for clip in clips.clips(photograph, photograph[::-1].copy(), SIDE)}


@pytest.mark.parametrize("name", ["still", "pan", "slow pan", "zoom", "cut-out"])
def test_what_a_clip_says_of_its_motion_is_true(name: str) -> None:
    clip = made()[name]
    blurred = [cv2.GaussianBlur(frame, (0, 0), 1.5).astype(np.uint8) for frame in clip.frames]

    along = measures.flicker(clip, blurred)

    if name == "still":
        assert along == 0
    else:
        standing = Clip(name, [], made()["still"].places, clip.visible, [], [])
        assert along < 0.4 * measures.flicker(standing, blurred)


def test_noise_is_flicker_and_blur_is_not_sharp() -> None:
    clean, noisy = made(), made(noise=3)

    assert measures.flicker(noisy["pan"], noisy["pan"].frames) > measures.flicker(clean["pan"], clean["pan"].frames) + 1
    frames = clean["pan"].frames
    assert measures.sharpness(
        [cv2.blur(frame, (3, 3)).astype(np.uint8) for frame in frames]
    ) < 0.5 * measures.sharpness(frames)


def test_what_stays_of_a_cut_out_is_a_ghost() -> None:
    clip = made()["cut-out"]
    late = [clip.frames[0], *clip.frames[:-1]]

    assert measures.ghost(clip, clip.frames, clip.ground) == 0
    assert measures.ghost(clip, late, clip.ground) > 1


def test_photograph_that_is_not_there_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(BenchError, match="pip install scikit-image"):
        photographs.photograph("coffee", 64)
    with pytest.raises(BenchError, match="there are astronaut"):
        photographs.photograph("moon", 64)


def test_numbers_are_shares_of_those_without_calm() -> None:
    by_level = {"0": [{"flicker": 4.0}, {"flicker": 2.0}], "1": [{"flicker": 1.0}, {"flicker": 1.0}]}

    assert bench.means(by_level) == {"0": {"flicker": 3.0}, "1": {"flicker": 0.375}}


@pytest.mark.slow
def test_a_short_bench_tells_flicker_by_style_clip_and_level(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "calm.json"

    bench.calm_bench(
        accelerate=Accelerate.OFF, photographs=["astronaut"], styles=["comic"], side_px=SIDE, output=output
    )

    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer == json.loads(output.read_text())
    by_clip = answer["calm_levels"]["comic"]
    assert by_clip.keys() == {"still", "pan", "slow pan", "zoom", "cut-out"}
    assert by_clip["pan"]["0"]["flicker"] > 1
    assert by_clip["pan"]["1"]["flicker"] < by_clip["pan"]["0.5"]["flicker"] < 1
    assert calm_tables.calm_table(answer).count("\n") == 2 + len(bench.LEVELS)
    assert "astronaut" in calm_tables.calm_line(answer)


def test_photograph_of_the_repository_is_there_for_everyone() -> None:
    picture = photographs.photograph("astronaut", 64)

    assert picture.shape == (64, 64, 3)
    assert picture.std() > 20
