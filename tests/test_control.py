"""What params ask of control."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.control import INPUT, Control, Hint, HintKey, hints_of_host
from realtime.errors import ParamsError
from realtime.params import Params, params_schema

A, B = "a" * 32, "b" * 32
NETS = {"canny": Hint.CANNY, "depth": Hint.DEPTH, "drawn": Hint.PICTURE, "union/canny": Hint.CANNY}


def asked(*control: dict[str, Any]) -> tuple[Control, ...]:
    return Params().patched({"control": list(control)}, Params()).control


def test_an_entry_needs_its_net_only() -> None:
    (control,) = asked({"net": "canny"})

    assert control == Control(net="canny", weight=1.0, start=0.0, end=1.0, source=INPUT)
    assert Params(control=(control,)).wire()["control"] == [
        {"net": "canny", "weight": 1.0, "start": 0.0, "end": 1.0, "source": "input"}
    ]


@pytest.mark.parametrize(
    "control",
    [
        *([{}], [{"net": ""}], [{"net": "x" * 65}], [{"net": "canny", "wight": 1}], [{"net": "canny", "weight": 2.1}]),
        *([{"net": "canny", "weight": float("nan")}], [{"net": "canny", "end": -0.1}], [{"net": "canny"}] * 5, "canny"),
        [{"net": "canny", "source": "mona.jpg"}],
    ],
)
def test_what_is_none_is_refused_under_its_name(control: object) -> None:
    with pytest.raises(ParamsError, match=r"^control") as refusal:
        Params().patched({"control": control}, Params())

    assert refusal.value.field == "control"


def test_references_that_are_sources_are_among_the_pictures_of_params() -> None:
    params = Params(prompt=({"picture": A},), control=asked({"net": "canny", "source": B}, {"net": "canny"}))  # type: ignore[arg-type]

    assert params.pictures == {A, B}


def test_schema_has_a_control_for_it() -> None:
    field = params_schema()["properties"]["control"]

    assert (field["x-control"], field["maxItems"], field["default"]) == ("control", 4, [])


def test_host_makes_each_hint_once_and_none_that_the_engine_makes_or_has() -> None:
    control = asked({"net": "canny"}, {"net": "union/canny"}, {"net": "canny", "source": A}, {"net": "depth"}) + asked(
        {"net": "drawn"}, {"net": "depth", "source": A}, {"net": "drawn", "source": A}, {"net": "none"}
    )

    assert hints_of_host(control, NETS) == (
        HintKey(Hint.CANNY, INPUT),
        HintKey(Hint.CANNY, A),
        HintKey(Hint.PICTURE, A),
    )


def test_no_hint_is_made_for_nothing() -> None:
    assert hints_of_host(asked({"net": "canny", "weight": 0.0}), NETS) == ()


def test_frame_that_is_shown_as_it_is_is_not_steered() -> None:
    assert Params(control=asked({"net": "canny"})).untouched.control == ()
