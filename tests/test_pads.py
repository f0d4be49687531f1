"""Pads: looks on keys, what is read of them, and which was called last."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from realtime.errors import ParamsError
from realtime.pads import NO_LOOK, PADS_MAX, PICTURE_MAX_CHARS, Pad, Pads, pads_from
from realtime.params import Params


def a_picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()


def a_pad(name: str = "night", **look: Any) -> dict[str, Any]:
    return {"name": name, "look": look or {"prompt": "ink"}}


def test_pad_comes_back_as_it_was_given() -> None:
    look = {"prompt": [{"text": "ink", "weight": 1.0}, {"text": "night", "weight": 0.5}], "strength": 0.7, "seed": 4}
    given = {"name": "night", "look": look, "transition_s": 2.5, "picture": a_picture()}

    assert Pad.of(given).as_wire() == given


def test_what_is_no_part_of_a_look_here_is_left_out_of_it() -> None:
    pad = Pad.of(a_pad(prompt="ink", strength=7, width=512, version=3, tomorrows_field=1, transition_s=9))

    assert pad.wire == {"prompt": "ink"}
    assert pad.transition_s is None


@pytest.mark.parametrize("transition_s", [0, -1, 61, True, "4", None, float("nan")])
def test_time_that_is_none_is_none_of_its_own(transition_s: object) -> None:
    assert Pad.of(a_pad() | {"transition_s": transition_s}).transition_s is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "night",
        {},
        {"name": "night"},
        {"name": " ", "look": {}},
        {"name": 1, "look": {}},
        {"name": "n", "look": 1},
    ],
)
def test_what_is_no_pad_is_refused(value: object) -> None:
    with pytest.raises(ParamsError, match="name and a look"):
        Pad.of(value)


@pytest.mark.parametrize("picture", [7, "hello", "aGVsbG8=", "<svg onload=alert(1)>", "/9j/" + "A" * PICTURE_MAX_CHARS])
def test_picture_that_is_none_or_too_large_is_refused(picture: object) -> None:
    with pytest.raises(ParamsError, match="JPEG"):
        Pad.of(a_pad() | {"picture": picture})


def test_so_many_pads_and_no_more() -> None:
    assert len(pads_from([a_pad()] * PADS_MAX)) == PADS_MAX
    with pytest.raises(ParamsError, match=f"{PADS_MAX} pads"):
        pads_from([a_pad()] * (PADS_MAX + 1))


def test_pads_are_found_by_number_and_name() -> None:
    pads = Pads()
    pads.replace(pads_from([a_pad("night"), a_pad("2")]), Params())

    assert [pads.find(which) for which in (1, 2, "night", "2")] == [0, 1, 0, 1]
    for missing in (0, 3, -1, True, 1.0, None, "day", [], "\ud800"):
        with pytest.raises(ParamsError, match="number from 1 to 2"):
            pads.find(missing)


def test_pad_whose_look_is_in_force_was_called_last_and_stays_it_while_others_change_the_params() -> None:
    pads = Pads()
    pads.replace(pads_from([a_pad("a", prompt="ink"), a_pad("b", prompt="oil", strength=0.2)]), Params(prompt="oil"))
    assert pads.last is None

    pads.note(Params(prompt="ink"))
    first = pads.last
    pads.note(Params(prompt="ink", strength=0.9))
    pads.note(Params(prompt="cubist"))
    tweaked = pads.last
    pads.note(Params(prompt="oil", strength=0.2))

    assert (first, tweaked, pads.last) == (0, 0, 1)


def test_of_two_pads_of_one_look_the_one_that_was_called_stays() -> None:
    pads = Pads()
    pads.replace(pads_from([a_pad("a"), a_pad("b")]), Params())
    pads.last = 1

    pads.note(Params(prompt="ink"))

    assert pads.last == 1


def test_pad_that_moves_or_goes_takes_the_light_with_it() -> None:
    pads = Pads()
    pads.replace(pads_from([a_pad("a", prompt="ink"), a_pad("b", prompt="oil")]), Params(prompt="ink"))

    pads.replace(pads_from([a_pad("b", prompt="oil"), a_pad("a", prompt="ink")]), Params(prompt="cubist"))
    moved = pads.last
    pads.replace(pads_from([a_pad("b", prompt="oil")]), Params(prompt="cubist"))

    assert (moved, pads.last, pads.version) == (1, None, 3)


def test_what_is_no_part_of_a_look_is_the_same_here_and_on_the_page() -> None:
    page = (Path(__file__).parents[1] / "web_client/src/looks/look.ts").read_text("utf-8")
    listed = re.search(r"NO_LOOK = new Set\(\[(.*?)\]\)", page, re.DOTALL)

    assert listed is not None
    assert {*re.findall(r'"(\w+)"', listed[1]), "transition_s"} == NO_LOOK
