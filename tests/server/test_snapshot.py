"""A picture with its recipe inside."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from realtime.frame import Format, Result, Stamps
from realtime.params import Params
from realtime.prompts import WeightedPrompt
from realtime.server.snapshot import snapshot, text_of, with_text
from tests.fakes.frames import a_job
from tests.fakes.pictures import encoded, pixels

PNG = encoded(pixels(), "PNG")


def a_picture(kind: str, params: Params) -> Result:
    picture = pixels(96, 64)
    return Result(a_job(7, params), picture, Stamps(0), encoded(picture, kind), Format[kind])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_snapshot_is_a_png_of_the_picture_with_its_recipe(kind: str) -> None:
    params = Params(prompt="ink, «soft» ☂", seed=3, width=96, height=64, version=5)

    png = snapshot(a_picture(kind, params), "tiny", params.wire())

    picture = np.asarray(Image.open(io.BytesIO(png)))
    assert np.abs(picture.astype(int) - pixels(96, 64)).mean() < 6
    assert text_of(png) == {"model": "tiny", "params": params.wire(), "seq": 7}


def test_snapshot_is_transparent_where_the_picture_is() -> None:
    key = np.full((64, 96), 255, np.uint8)
    key[:, :48] = 0
    result = replace(a_picture("JPEG", Params(width=96, height=64)), key=key)

    image = Image.open(io.BytesIO(snapshot(result, "tiny", {})))

    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image), np.dstack([pixels(96, 64), key]))


def test_other_programs_read_the_recipe() -> None:
    png = snapshot(a_picture("PNG", Params()), "tiny", {"prompt": "ink"})

    image = Image.open(io.BytesIO(png))
    image.load()

    assert '"prompt": "ink"' in image.text["realtime"]  # type: ignore[attr-defined]


def test_recipe_can_be_sent_back_as_a_patch() -> None:
    params = Params(prompt=(WeightedPrompt(text="a", weight=2.0),), width=96, height=64)

    recipe = text_of(snapshot(a_picture("JPEG", params), "tiny", params.wire()))

    assert Params().patched(recipe["params"], Params()) == params.model_copy(update={"version": 1})


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_text_round_trips(text: str) -> None:
    import json

    assert text_of(with_text(PNG, json.dumps({"prompt": text}))) == {"prompt": text}


@given(st.binary(max_size=100) | st.integers(0, len(PNG)).map(lambda length: PNG[:length]))
def test_what_holds_no_recipe_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        text_of(data)
