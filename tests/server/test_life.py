"""What an engine is served with, as its model and the configuration have it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from realtime.errors import ConfigError
from realtime.params import Params
from realtime.server.life import Life
from tests.fakes.engine import ScriptedEngine
from tests.fakes.servers import a_config


def begin(max_output_pixels: int | None = None, limit: int = 2**20, **defaults: Any) -> Life:
    engine = ScriptedEngine()
    engine.info = replace(engine.info, defaults=defaults, max_output_pixels=max_output_pixels)
    return Life.begin(engine, a_config(max_output_pixels=limit), lambda seconds, jobs: None)


def test_session_starts_with_what_the_model_wants_and_else_with_the_general_defaults() -> None:
    life = begin(prompt="ink", num_inference_steps=4)

    assert life.defaults == Params(prompt="ink", num_inference_steps=4)


@pytest.mark.parametrize(("limit", "own", "low"), [(2**16, None, 2**16), (2**16, 2**18, 2**16), (2**20, 2**14, 2**14)])
def test_lower_limit_of_pixels_holds_also_for_the_defaults(limit: int, own: int | None, low: int) -> None:
    life = begin(own, limit, width=512, height=512)

    assert life.max_output_pixels == low
    assert life.defaults.width * life.defaults.height == low


@pytest.mark.parametrize("defaults", [{"width": -1}, {"strength": "much"}, {"no_such_field": 1}])
def test_model_whose_own_defaults_are_none_is_refused(defaults: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="the model's own defaults"):
        begin(**defaults)
