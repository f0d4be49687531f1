"""Params that are asked for, and the size that follows the recording's shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realtime.errors import ConfigError, ParamsError
from realtime.params import Params
from realtime.run.wanted import asked_params, params_for

LOOKS = {
    "kind": "realtime presets",
    "version": 1,
    "presets": [
        {"name": "ink", "look": {"prompt": "ink", "calm": 0.5}},
        {"name": "oil", "look": {"prompt": "oil", "transition_s": 2}},
    ],
}


def written(folder: Path, content: Any) -> Path:
    file = folder / "look.json"
    file.write_text(json.dumps(content))
    return file


def test_options_win_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, {"prompt": "ink", "strength": 0.3, "version": 7})

    assert asked_params({"prompt": "oil", "seed": None}, file, None) == {"prompt": "oil", "strength": 0.3}


def test_look_is_chosen_by_its_name(tmp_path: Path) -> None:
    file = written(tmp_path, LOOKS)

    assert asked_params({}, file, "ink") == {"prompt": "ink", "calm": 0.5}
    with pytest.raises(ConfigError, match="'ink', 'oil'"):
        asked_params({}, file, None)


def test_only_look_needs_no_name(tmp_path: Path) -> None:
    file = written(tmp_path, {**LOOKS, "presets": LOOKS["presets"][:1]})

    assert asked_params({}, file, None)["prompt"] == "ink"


def test_values_are_checked_before_a_model_is_loaded() -> None:
    with pytest.raises(ParamsError, match="strength: must be at most 1, not 3"):
        asked_params({"strength": 3.0}, None, None)


@pytest.mark.parametrize(
    ("asked", "shape", "size"),
    [
        pytest.param({}, (1920, 1080), (680, 384), id="as many pixels as the model's"),
        pytest.param({}, (1080, 1920), (384, 680), id="upright"),
        pytest.param({}, (640, 640), (512, 512), id="square"),
        pytest.param({"width": 640}, (1920, 1080), (640, 360), id="a width"),
        pytest.param({"height": 720}, (1920, 1080), (1280, 720), id="a height"),
        pytest.param({"width": 512, "height": 512}, (1920, 1080), (512, 512), id="both"),
        pytest.param({}, (10_000, 10), (2048, 64), id="a stripe"),
    ],
)
def test_size_follows_the_shape(asked: dict[str, Any], shape: tuple[float, float], size: tuple[int, int]) -> None:
    params = params_for(asked, Params(), shape, None)

    assert (params.width, params.height) == size


@pytest.mark.parametrize("shape", [(1920, 1080), (1000, 1000), (37, 61), (1080, 1920)])
def test_size_that_follows_keeps_to_the_models_limit(shape: tuple[float, float]) -> None:
    params = params_for({}, Params(), shape, 256 * 256)

    assert 0.9 * 256 * 256 < params.width * params.height <= 256 * 256


def test_size_that_is_asked_for_is_refused_above_it() -> None:
    with pytest.raises(ParamsError, match="512 x 512 are more pixels than this model makes, which are 65536"):
        params_for({"width": 512, "height": 512}, Params(), (1, 1), 256 * 256)


def test_models_defaults_hold_and_every_frame_is_run() -> None:
    defaults = Params(prompt="its own", num_inference_steps=4)

    params = params_for({"strength": 0.7}, defaults, (1, 1), None)

    assert (params.prompt, params.num_inference_steps, params.strength) == ("its own", 4, 0.7)
    assert not params.skip_unchanged
