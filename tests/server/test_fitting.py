"""Params under another model: what stays, what falls to its defaults, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.engine import EngineInfo
from realtime.engine.state import RungState
from realtime.params import Matte, Params
from realtime.server.fitting import ModelOffer, fitted

PICTURE = "0123456789abcdef" * 2


def offering(**facts: Any) -> ModelOffer:
    pixels = facts.pop("max_output_pixels", 1024 * 1024)
    defaults = Params.model_validate(facts.pop("defaults", {}))
    return ModelOffer(EngineInfo("next", "sd", "cpu", RungState("eager", "eager"), **facts), defaults, pixels)


def of(**values: Any) -> Params:
    return Params.model_validate(values)


def test_what_was_changed_stays_and_the_rest_is_the_next_models_default() -> None:
    before, offer = of(strength=0.9, num_inference_steps=1), offering(defaults={"strength": 0.4, "guidance_scale": 8.0})

    params, changes = fitted(of(strength=0.9, num_inference_steps=3, prompt="ink", version=7), before, offer)

    assert (params.strength, params.guidance_scale) == (0.4, 8.0)
    assert (params.num_inference_steps, params.prompt, params.version) == (3, "ink", 7)
    assert changes == ()


def test_one_changed_side_keeps_the_shape() -> None:
    params, _ = fitted(
        of(width=256, height=512), of(width=512, height=512), offering(defaults={"width": 384, "height": 384})
    )

    assert (params.width, params.height) == (256, 512)


def test_size_that_is_too_large_is_shrunk_and_said() -> None:
    params, changes = fitted(of(width=1024, height=512), of(), offering(max_output_pixels=512 * 256))

    assert (params.width, params.height) == (512, 256)
    assert [(each.field, each.message) for each in changes] == [
        ("width", "512 x 256: next makes 131072 pixels at most")
    ]


def test_shape_that_is_too_long_for_so_few_pixels_is_the_default() -> None:
    offer = offering(max_output_pixels=64 * 64, defaults={"width": 64, "height": 64})

    params, changes = fitted(of(width=2048, height=64), of(), offer)

    assert (params.width, params.height) == (64, 64)
    assert [each.field for each in changes] == ["width"]


def test_steps_are_those_that_look_best_where_others_look_worse() -> None:
    params, changes = fitted(of(num_inference_steps=4), of(), offering(best_steps=2))

    assert params.num_inference_steps == 2
    assert [each.field for each in changes] == ["num_inference_steps"]


def test_matte_that_the_engine_can_not_make_is_off() -> None:
    params, changes = fitted(of(matte="person"), of(), offering())

    assert params.matte is Matte.OFF
    assert [each.wire() for each in changes] == [{"field": "matte", "message": "off: next can't do person"}]


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ([{"text": "ink", "weight": 0.5}, {"picture": PICTURE}], [{"text": "ink", "weight": 0.5}]),
        ([{"picture": PICTURE}], "a garden"),
    ],
)
def test_pictures_in_prompts_are_left_out_where_none_are_heard(prompt: Any, left: Any) -> None:
    params, changes = fitted(of(prompt=prompt), of(), offering(defaults={"prompt": "a garden"}))

    assert params.wire()["prompt"] == left
    assert [each.field for each in changes] == ["prompt"]


def test_pictures_in_prompts_stay_where_they_are_heard() -> None:
    params, changes = fitted(of(prompt=[{"picture": PICTURE}]), of(), offering(hears_pictures=True))

    assert params.pictures == {PICTURE}
    assert changes == ()


def test_what_nobody_wanted_is_not_said() -> None:
    _, changes = fitted(
        of(), of(), offering(best_steps=3, max_output_pixels=256 * 256, defaults={"width": 256, "height": 256})
    )

    assert changes == ()
