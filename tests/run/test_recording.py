"""What is known of a recording, and its frames without any pace."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.errors import ConfigError
from realtime.run.recording import Recording
from tests.fakes.clips import a_clip, greys
from tests.fakes.films import a_film


@pytest.mark.parametrize(
    ("clip", "shape"),
    [
        pytest.param({}, (96, 64), id="plain"),
        pytest.param({"rotation": 90}, (64, 96), id="turned"),
        pytest.param({"rotation": 180}, (96, 64), id="upside down"),
        pytest.param({"sample_aspect_ratio": Fraction(2, 1)}, (192, 64), id="wide pixels"),
        pytest.param({"sample_aspect_ratio": Fraction(2, 1), "rotation": 90}, (64, 192), id="wide pixels, turned"),
    ],
)
def test_shape_is_the_shown_one(tmp_path: Path, clip: dict[str, Any], shape: tuple[float, float]) -> None:
    recording = Recording.look(str(a_clip(tmp_path / "clip.mp4", greys(2), **clip)))

    assert (recording.width, recording.height) == pytest.approx(shape)


@pytest.mark.parametrize(("name", "about"), [("film.mp4", 0), ("film.mkv", 2)])
def test_frames_and_rate_are_known_before(tmp_path: Path, name: str, about: int) -> None:
    recording = Recording.look(str(a_film(tmp_path / name, 2)))

    assert recording.frames == pytest.approx(50, abs=about)
    assert (recording.rate, recording.begin_s) == (25, 0)


def test_shots_go_on_where_they_are_wanted(tmp_path: Path) -> None:
    recording = Recording.look(str(a_film(tmp_path / "film.mkv", 1, durations=(5, 20))))

    every = list(recording.shots())
    late = list(recording.shots(20))

    assert [shot.number for shot in every] == list(range(25))
    assert [(shot.number, shot.pts) for shot in late] == [(shot.number, shot.pts) for shot in every[20:]]
    assert all(np.array_equal(one.planes.y, other.planes.y) for one, other in zip(late, every[20:], strict=True))


def test_changed_file_has_another_identity(tmp_path: Path) -> None:
    file = a_film(tmp_path / "film.mp4", 0.4)
    recording = Recording.look(str(file))
    before = recording.identity()
    content = bytearray(file.read_bytes())
    content[-200] ^= 1
    file.write_bytes(content)

    assert recording.identity()["size"] == before["size"]
    assert recording.identity() != before


def test_file_that_is_not_there_is_said_with_what_else_input_may_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"INPUT .*: there is no such file; a camera is camera:0, a URL has ://"):
        Recording.look(str(tmp_path / "clip.mp4"))
