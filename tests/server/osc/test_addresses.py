"""What each OSC address does to a session, and what it is told back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from realtime.errors import ParamsError
from realtime.frame import Air
from realtime.pads import pads_from
from realtime.params import Params
from realtime.server.osc.addresses import act, told
from realtime.server.osc.wire import OscValue
from realtime.session import Session


@pytest.fixture
def session() -> Session:
    made = Session("s", Params(), 2**22)
    pads = [{"name": "night", "look": {"prompt": "ink"}}, {"name": "day", "look": {"prompt": "oil"}}]
    made.pads.replace(pads_from(pads), made.params)
    return made


@pytest.mark.parametrize(
    ("path", "values", "field", "value"),
    [
        ("strength", (0.25,), "strength", 0.25),
        ("strength", (1,), "strength", 1.0),
        ("seed", (7.0,), "seed", 7),
        ("num_inference_steps", (3.2,), "num_inference_steps", 3),
        ("skip_unchanged", (0.0,), "skip_unchanged", False),
        ("skip_unchanged", (True,), "skip_unchanged", True),
        ("prompt", ("van gogh",), "prompt", "van gogh"),
        ("matte", ("person",), "matte", "person"),
        ("latency_ms", (None,), "latency_ms", None),
    ],
)
def test_param_takes_a_value_of_any_kind_that_says_it(
    session: Session, path: str, values: Sequence[OscValue], field: str, value: object
) -> None:
    act(session, path, values)

    assert getattr(session.params, field) == value


def test_param_glides_for_the_seconds_behind_its_value(session: Session) -> None:
    act(session, "strength", (0.9, 20.0))

    assert 19 < session.gliding_s <= 20
    assert session.params.transition_s == 0


def test_blend_is_texts_with_weights(session: Session) -> None:
    act(session, "blend", ("ink", 1.0, "oil", 3))

    assert [(part.text, part.weight) for part in session.params.prompt] == [("ink", 1.0), ("oil", 3.0)]  # type: ignore[union-attr]
    assert told(session)["blend"] == ("ink", 1.0, "oil", 3.0)
    assert "prompt" not in told(session)


@pytest.mark.parametrize(
    ("path", "values"), [("pad", (2,)), ("pad", (2.0,)), ("pad", ("day",)), ("pad/2", ()), ("pad/2", (1.0,))]
)
def test_pad_is_called_by_number_name_and_button(session: Session, path: str, values: Sequence[OscValue]) -> None:
    act(session, path, values)

    assert (session.params.prompt, session.pad) == ("oil", 2)
    assert told(session)["pad"] == (2,)
    assert (told(session)["pad/1"], told(session)["pad/2"], told(session)["pad/2/name"]) == ((0,), (1,), ("day",))


def test_button_that_is_let_go_does_nothing(session: Session) -> None:
    before = session.params

    for path in ("pad/2", "new_seed", "beat", "reset"):
        act(session, path, (0.0,))

    assert session.params is before


@pytest.mark.parametrize(("path", "air"), [("panic", Air.BLACK), ("bypass", Air.INPUT)])
def test_switch_of_air_is_set_and_without_a_value_turned_over(session: Session, path: str, air: Air) -> None:
    seen: list[Air] = []
    steps: tuple[tuple[OscValue, ...], ...] = ((1,), (1.0,), (0,), (), (), (True,), (False,))
    for values in steps:
        act(session, path, values)
        seen.append(session.air)

    assert seen == [air, air, Air.OUTPUT, air, Air.OUTPUT, air, Air.OUTPUT]


def test_freeze_is_set_and_turned_over(session: Session) -> None:
    act(session, "freeze", (1,))
    frozen = session.frozen
    act(session, "freeze", ())

    assert (frozen, session.frozen) == (True, False)


def test_tempo_is_set_and_its_beat_is_now(session: Session) -> None:
    with pytest.raises(ParamsError, match="bpm"):
        act(session, "beat", ())
    act(session, "bpm", (128,))
    act(session, "beat", (1,))

    assert told(session)["bpm"] == (128.0,)


@pytest.mark.parametrize(
    ("values", "at", "transition_s"), [((0.25,), 0.25, 0), ((1,), 1, 0), ((1.0, 2.5), 1, 2.5), ((-3.0,), 0, 0)]
)
def test_crossfader_goes_somewhere_at_once_or_in_seconds(
    session: Session, values: Sequence[OscValue], at: float, transition_s: float
) -> None:
    before = told(session)

    act(session, "crossfade", values)

    assert "crossfade" not in before
    assert (session.crossfade.at, session.crossfade.transition_s) == (at, transition_s)  # type: ignore[union-attr]
    assert told(session)["crossfade"] == (at,)


def test_new_seed_and_reset(session: Session) -> None:
    act(session, "new_seed", ())
    seed = session.params.seed
    act(session, "reset", (1,))

    assert seed != session.params.seed == Params().seed


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("", ()),
        ("version", (9,)),
        ("strength", ()),
        ("strength", (2.0,)),
        ("strength", (float("nan"),)),
        ("strength", (b"x",)),
        ("strength", (0.5, 1.0, 2.0)),
        ("strength", (0.5, -1.0)),
        ("strength/more", (0.5,)),
        ("__class__", (1,)),
        ("pad", (9,)),
        ("pad/99999999999999999999", ()),
        ("pad/-1", ()),
        ("pad/²", ()),
        ("freeze/now", ()),
        ("crossfade", ()),
        ("crossfade", ("b",)),
        ("crossfade", (1.0, 61.0)),
        ("crossfade/a", (1.0,)),
        ("blend", ()),
        ("blend", ("ink",)),
        ("blend", (1.0, "ink")),
        ("blend", ("ink", float("inf"))),
        ("width", (100000,)),
        ("fly", ()),
    ],
)
def test_what_can_not_be_done_is_refused_and_changes_nothing(
    session: Session, path: str, values: Sequence[OscValue]
) -> None:
    before = (session.params, session.air, session.frozen, session.pad)

    with pytest.raises(ParamsError):
        act(session, path, values)

    assert (session.params, session.air, session.frozen, session.pad) == before
