"""Encodings that are made once."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from realtime.frame import Air, Format, Result, Stamps
from realtime.media import codec
from realtime.params import OutputFormat, Params
from realtime.server import pictures as pictures_module
from realtime.server.pictures import KEPT, Pictures
from tests.fakes.frames import a_job, a_result
from tests.fakes.pictures import pixels


def unencoded(number: int = 1, output_format: OutputFormat = OutputFormat.JPEG) -> Result:
    params = Params(width=64, height=64, output_format=output_format)
    return Result(a_job(number, params), pixels(), Stamps(0))


async def test_what_the_engine_encoded_is_taken_as_it_is() -> None:
    result = a_result(data=b"picture")

    assert await Pictures().encoded(result) == (result.format, b"picture")


@pytest.mark.parametrize("output_format", list(OutputFormat))
async def test_pixels_are_encoded_as_their_params_want(output_format: OutputFormat) -> None:
    kind, data = await Pictures().encoded(unencoded(output_format=output_format))

    assert kind.name.lower() == output_format.value
    assert Format.sniff(data) is kind


async def test_who_can_not_take_a_transparent_picture_apart_gets_it_on_black() -> None:
    key = np.zeros((64, 64), np.uint8)
    key[:, :32] = 255
    result = replace(unencoded(output_format=OutputFormat.PNG), key=key)
    pictures = Pictures()

    transparent, flat = [await pictures.encoded(result, on_black=on_black) for on_black in (False, True)]

    image = np.asarray(Image.open(io.BytesIO(flat[1])))
    assert Image.open(io.BytesIO(transparent[1])).mode == "RGBA"
    assert image.shape == (64, 64, 3)
    assert image[:, 32:].max() == 0
    np.testing.assert_array_equal(image[:, :32], pixels()[:, :32])


async def test_many_viewers_cost_one_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    encode, calls = codec.encode, []

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return encode(*arguments)

    monkeypatch.setattr(pictures_module.codec, "encode", counted)
    pictures, result = Pictures(), unencoded()

    made = await asyncio.gather(*(pictures.encoded(result) for _ in range(10)))

    assert len(calls) == 1
    assert len(set(made)) == 1


async def test_what_is_on_air_in_the_place_of_a_picture_is_not_taken_for_it() -> None:
    pictures, result = Pictures(), unencoded()

    made = {await pictures.encoded(result.on_air(air)) for air in Air}

    assert len(made) == len(Air)


async def test_viewer_that_leaves_does_not_take_the_others_picture_along() -> None:
    pictures, result = Pictures(), unencoded()
    leaving = asyncio.create_task(pictures.encoded(result))
    await asyncio.sleep(0)

    leaving.cancel()

    assert (await pictures.encoded(result))[0] is Format.JPEG


async def test_old_results_are_forgotten() -> None:
    pictures = Pictures()
    for number in range(KEPT + 10):
        await pictures.encoded(unencoded(number))

    assert len(pictures._made) == KEPT
