"""The way of params from what is shown to what is wanted: even, without jumps, and to its end."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.glide import (
    NUMBERS,
    PARTS_MAX,
    POSITIONS,
    REFERENCES_AT_ONCE,
    SECOND_NS,
    Glide,
    Mix,
    Shares,
    on_arc,
    shares_of,
)
from realtime.params import SEEDS, GlidingParams, Params
from realtime.prompts import BLEND_MAX_CHARS, PROMPTS_MAX, REFERENCES_MAX, Prompt, Subject, WeightedPrompt

FPS = 30
FRAME_NS = SECOND_NS // FPS
BEFORE = Params(prompt="oil", strength=0.2, seed=7, guidance_scale=1.0)
AFTER: dict[str, Any] = {"prompt": "ink", "strength": 0.8, "seed": 1000, "guidance_scale": 4.0}


def changed(params: Params, **fields: Any) -> Params:
    return params.patched(fields, Params())


def glide_to(seconds: float, **fields: Any) -> Glide:
    return Glide.at_rest(BEFORE, 0).toward(changed(BEFORE, **fields), 0, seconds)


def texts_of(prompt: Prompt) -> dict[str, float]:
    """The shares of the texts of a prompt."""
    return {subject.text: share for subject, share in shares_of(prompt).items()}


def ways(params: Params) -> tuple[float, float, float, float]:
    """The shares of the ways to `AFTER` that are done: of prompt, strength, seed and guidance."""
    (start, end) = (0.2, 0.8)
    factors = dict(params.noise)
    angle = math.atan2(factors.get(1000, 0.0), factors.get(7, 0.0)) / (math.pi / 2)
    return (
        texts_of(params.prompt).get("ink", 0.0),
        (params.strength - start) / (end - start),
        angle,
        (params.guidance_scale - 1) / 3,
    )


# -- the way -------------------------------------------------------------------------------------------------------


def test_two_seconds_at_thirty_frames_a_second_are_sixty_steps_of_a_thirtieth_at_most() -> None:
    glide = glide_to(2, **AFTER)

    shown = [glide.at(FRAME_NS * frame + 1) for frame in range(2 * FPS + 2)]

    steps = [[b - a for a, b in zip(ways(one), ways(next_one), strict=True)] for one, next_one in pairwise(shown)]
    assert len({repr(params) for params in shown[1 : 2 * FPS + 1]}) == 2 * FPS
    assert all(step <= 1 / 30 + 1e-9 for of_frame in steps for step in of_frame)
    assert all(step > 0 for of_frame in steps[: 2 * FPS - 1] for step in of_frame)
    assert shown[0].strength == BEFORE.strength and shown[-1] is glide.target


def test_change_that_is_interrupted_half_way_goes_on_from_what_is_shown() -> None:
    glide = glide_to(2, **AFTER)
    before = glide.at(SECOND_NS - FRAME_NS)

    again = glide.toward(changed(glide.target, prompt="neon", strength=0.1, seed=5), SECOND_NS, 2)
    shown = [before, *(again.at(SECOND_NS + FRAME_NS * frame) for frame in range(2 * FPS + 2))]

    texts = [texts_of(params.prompt) for params in shown]
    assert all(0.4 < texts[1][text] < 0.6 for text in ("oil", "ink")) and "neon" not in texts[1]
    for one, other in pairwise(texts):
        assert max(abs(one.get(text, 0.0) - other.get(text, 0.0)) for text in ("oil", "ink", "neon")) <= 1 / 30
    for one, other in pairwise(params.strength for params in shown):
        assert abs(one - other) <= 0.6 / 30
    for one, other in pairwise(dict(params.noise) for params in shown):
        assert math.acos(min(1.0, sum(f * other.get(s, 0.0) for s, f in one.items()))) <= math.pi / 2 / 30 + 1e-6
    assert shown[-1] is again.target


@pytest.mark.parametrize("field", list(AFTER))
def test_each_value_glides_alone_and_ends_at_the_target_itself(field: str) -> None:
    glide = glide_to(4, **{field: AFTER[field]})
    others = {name for name in Params.model_fields if name != field}

    middle = glide.at(2 * SECOND_NS)

    assert isinstance(middle, GlidingParams)
    assert ways(middle)[["prompt", "strength", "seed", "guidance_scale"].index(field)] == pytest.approx(0.5)
    assert {name for name in others if getattr(middle, name) != getattr(glide.target, name)} == set()
    assert glide.at(4 * SECOND_NS) is glide.at(4 * SECOND_NS + 1) is glide.target
    assert glide.at(4 * SECOND_NS - 1) is not glide.target


def test_numbers_that_are_seen_glide() -> None:
    assert {"strength", "guidance_scale"} <= set(NUMBERS)
    assert not {"transition_s", "seed_travel", "latency_ms", "min_fps", "min_scale"} & set(NUMBERS)


@pytest.mark.parametrize("field", ["num_inference_steps", "width", "output_format", "output_quality"])
def test_what_cannot_glide_is_there_at_once(field: str) -> None:
    value = {"num_inference_steps": 4, "width": 64, "output_format": "png", "output_quality": 20}[field]

    glide = glide_to(4, **{field: value})

    assert glide.at(0) is glide.target


def test_without_a_transition_all_is_there_at_once() -> None:
    glide = glide_to(0, **AFTER)

    assert glide.at(0) is glide.target
    assert glide.left_s(0) == 0


def test_value_that_is_not_in_a_change_goes_on_as_it_was() -> None:
    glide = glide_to(4, prompt="ink")

    later = glide.toward(changed(glide.target, strength=0.9), SECOND_NS, 0)

    assert later.at(SECOND_NS).strength == 0.9
    assert texts_of(later.at(2 * SECOND_NS).prompt) == {"oil": 0.5, "ink": 0.5}
    assert later.left_s(SECOND_NS) == 3


def test_the_same_again_changes_nothing_of_a_way() -> None:
    glide = glide_to(4, **AFTER)

    again = glide.toward(changed(glide.target, **AFTER), SECOND_NS, 4)

    assert dict(again.at(2 * SECOND_NS)) == {**dict(glide.at(2 * SECOND_NS)), "version": again.target.version}


def test_change_at_once_ends_the_way_of_its_value() -> None:
    glide = glide_to(4, **AFTER)

    cut = glide.toward(changed(glide.target, prompt="neon", seed=3, strength=0.5), SECOND_NS, 0)

    assert (cut.at(SECOND_NS).prompt, cut.at(SECOND_NS).seed, cut.at(SECOND_NS).strength) == ("neon", 3, 0.5)
    assert cut.at(SECOND_NS).noise == ((3, 1.0),)
    assert cut.at(SECOND_NS).guidance_scale == pytest.approx(1 + 3 / 4), "that one was not changed"


def test_equal_times_have_equal_params_and_so_have_sessions_that_go_the_same_way() -> None:
    one, other = glide_to(2, **AFTER), glide_to(2, **AFTER)
    back = Glide.at_rest(one.target, 0).toward(changed(one.target, prompt="oil"), 0, 2)

    assert one.at(SECOND_NS) == one.at(SECOND_NS) == other.at(SECOND_NS + 1)
    assert hash(one.at(SECOND_NS)) == hash(other.at(SECOND_NS))
    assert len({one.at(ns).strength for ns in range(0, 2 * SECOND_NS, SECOND_NS // 1000)}) == POSITIONS
    assert back.at(SECOND_NS).prompt == one.at(SECOND_NS).prompt, "there and back share recipes"


# -- prompts -------------------------------------------------------------------------------------------------------


def blend(*parts: tuple[str, float]) -> tuple[WeightedPrompt, ...]:
    return tuple(WeightedPrompt(text=text, weight=weight) for text, weight in parts)


def test_blends_glide_by_their_shares() -> None:
    start = changed(BEFORE, prompt=blend(("oil", 3.0), ("ink", 1.0)))
    glide = Glide.at_rest(start, 0).toward(changed(start, prompt=blend(("ink", 0.5), ("fog", 0.5))), 0, 2)

    assert texts_of(glide.at(SECOND_NS).prompt) == pytest.approx({"oil": 0.375, "ink": 0.375, "fog": 0.25})


def test_blend_without_weight_is_the_empty_prompt() -> None:
    assert texts_of(blend(("oil", 0.0), ("ink", 0.0))) == {"": 1.0}


def test_picture_glides_beside_a_text_that_is_its_id() -> None:
    picture = "0123456789abcdef" * 2
    start = changed(BEFORE, prompt=(WeightedPrompt(picture=picture), WeightedPrompt(text=picture)))
    glide = Glide.at_rest(start, 0).toward(changed(start, prompt="fog"), 0, 4)

    half_way = glide.at(2 * SECOND_NS)

    assert shares_of(half_way.prompt) == {Subject(picture=picture): 0.25, Subject(picture): 0.25, Subject("fog"): 0.5}
    assert half_way.pictures == {picture} and glide.target.pictures == frozenset()
    assert {"picture": picture, "weight": 0.25} in half_way.wire()["prompt"]


def test_negative_prompt_glides_by_itself_and_ends_as_the_text() -> None:
    before = changed(BEFORE, negative_prompt="rain")
    glide = Glide.at_rest(before, 0).toward(changed(before, negative_prompt="fog"), 0, 4)
    shown = [glide.at(SECOND_NS * second) for second in range(5)]

    assert [texts_of(params.negative).get("fog", 0.0) for params in shown] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert all(params.prompt == "oil" for params in shown)
    assert glide.left_s(SECOND_NS) == 3
    assert shown[-1] is glide.target and glide.target.negative == "fog"
    assert shown[1].wire()["negative_prompt"] == "rain" and shown[3].wire()["negative_prompt"] == "fog"
    later = glide.toward(changed(glide.target, prompt="ink"), SECOND_NS, 0)
    assert later.at(SECOND_NS).negative == shown[1].negative, "it goes on behind another change"
    cut = glide.toward(changed(glide.target, negative_prompt=""), SECOND_NS, 0)
    assert cut.at(SECOND_NS) is cut.target
    back = glide.toward(changed(glide.target, negative_prompt=""), SECOND_NS, 2)
    assert texts_of(back.at(2 * SECOND_NS).negative) == pytest.approx({"rain": 0.375, "fog": 0.125, "": 0.5})


def test_prompt_that_says_the_same_otherwise_is_no_change() -> None:
    glide = glide_to(2, prompt=blend(("oil", 2.0), ("ink", 0.0)))

    assert glide.at(1) is glide.target


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), st.integers(0, 40)), min_size=2, max_size=40))
def test_changes_upon_changes_never_jump_and_keep_their_sums(changes: list[tuple[str, int]]) -> None:
    glide, now_ns = Glide.at_rest(BEFORE, 0), 0
    for text, frames in changes:
        shown = glide.at(now_ns)
        prompt = blend(*((f"{text}{part}", 1.0) for part in range(PROMPTS_MAX)))
        target = changed(glide.target, prompt=prompt, seed=ord(text))
        glide = glide.toward(target, now_ns, 2)
        then = glide.at(now_ns)
        assert distance(shares_of(shown.prompt), shares_of(then.prompt)) < 1e-9
        assert len(texts_of(then.prompt)) <= PARTS_MAX and sum(texts_of(then.prompt).values()) == pytest.approx(1)
        assert len(then.noise) <= PARTS_MAX and math.hypot(*dict(then.noise).values()) == pytest.approx(1)
        now_ns += frames * FRAME_NS


def distance(one: Shares, other: Shares) -> float:
    return max(abs(one.get(text, 0.0) - other.get(text, 0.0)) for text in {*one, *other})


# -- seeds ---------------------------------------------------------------------------------------------------------


def test_noise_moves_on_the_arc_and_keeps_its_length() -> None:
    middle = on_arc({1: 1.0}, {2: 1.0}, 0.25)

    assert middle == pytest.approx({1: math.cos(math.pi / 8), 2: math.sin(math.pi / 8)})
    assert math.hypot(*on_arc(middle, {1: 1.0}, 0.5).values()) == pytest.approx(1)
    assert on_arc(middle, dict(middle), 0.5) == middle


def mix_of(params: Params) -> Mix:
    return dict(params.noise)


def test_seed_travels_by_the_clock_from_seed_to_seed() -> None:
    params = Params(seed=SEEDS - 1, seed_travel=30)  # two seconds a seed
    glide = Glide.at_rest(params, 0)

    assert glide.at(0) is params
    assert mix_of(glide.at(SECOND_NS)) == pytest.approx({SEEDS - 1: math.sqrt(0.5), 0: math.sqrt(0.5)})
    assert mix_of(glide.at(2 * SECOND_NS)) == {0: 1.0}
    assert mix_of(glide.at(5 * SECOND_NS)) == pytest.approx({1: math.sqrt(0.5), 2: math.sqrt(0.5)})
    assert Glide.at_rest(params, 0).at(5 * SECOND_NS) == glide.at(5 * SECOND_NS), "a replay gives the same"
    assert glide.left_s(0) == 0


def test_other_pace_goes_on_from_where_the_seed_is() -> None:
    glide = Glide.at_rest(Params(seed=4, seed_travel=30), 0)

    faster = glide.toward(changed(glide.target, seed_travel=60), SECOND_NS, 0)

    assert mix_of(faster.at(SECOND_NS)) == mix_of(glide.at(SECOND_NS))
    assert mix_of(faster.at(SECOND_NS + SECOND_NS // 2)) == {5: 1.0}


def test_travel_that_stops_leads_back_to_the_seed_over_the_transition() -> None:
    glide = Glide.at_rest(Params(seed=4, seed_travel=30), 0)

    stopped = glide.toward(changed(glide.target, seed_travel=0), 5 * SECOND_NS, 2)

    assert mix_of(stopped.at(5 * SECOND_NS)) == pytest.approx(mix_of(glide.at(5 * SECOND_NS)))
    assert 0.4 < mix_of(stopped.at(6 * SECOND_NS))[4] < 0.8
    assert stopped.at(7 * SECOND_NS) is stopped.target
    assert glide.toward(stopped.target, 5 * SECOND_NS, 0).at(5 * SECOND_NS) is stopped.target


def test_new_seed_is_glided_to_while_it_travels() -> None:
    glide = Glide.at_rest(Params(seed=4, seed_travel=30), 0)

    moved = glide.toward(changed(glide.target, seed=100), SECOND_NS, 2)

    assert mix_of(moved.at(SECOND_NS)) == pytest.approx(mix_of(glide.at(SECOND_NS)))
    assert mix_of(moved.at(3 * SECOND_NS)) == {101: 1.0}


# -- what a frame in between says ----------------------------------------------------------------------------------


def test_params_in_between_are_told_as_the_nearest_that_a_user_may_ask_for() -> None:
    start = changed(BEFORE, prompt=blend(*((f"a{part}" * 300, 1.0) for part in range(6))))
    end = changed(start, prompt=blend(*((f"b{part}" * 300, 1.0) for part in range(6))), seed=8, strength=0.4)
    middle = Glide.at_rest(start, 0).toward(end, 0, 2).at(3 * SECOND_NS // 2)
    assert len(middle.prompt) == 12

    told = middle.wire()

    again = Params().patched({name: value for name, value in told.items() if name != "version"}, Params())
    assert {part["text"][0] for part in told["prompt"]} == {"b"}
    assert sum(len(part["text"]) for part in told["prompt"]) <= BLEND_MAX_CHARS
    assert (told["seed"], told["version"], told["strength"]) == (8, end.version, again.strength)
    assert told.keys() == Params().wire().keys()


# -- control -------------------------------------------------------------------------------------------------------


def weights(params: Params) -> list[tuple[str, float]]:
    return [(one.net, round(one.weight, 3)) for one in params.control]


def test_weights_of_nets_move_and_what_else_they_are_told_changes_at_once() -> None:
    canny, depth = {"net": "canny", "weight": 1.0}, {"net": "depth", "weight": 0.4}
    before = changed(BEFORE, control=[canny, depth])
    after = changed(before, control=[depth, {**canny, "weight": 0.0, "end": 0.5}])

    glide = Glide.at_rest(before, 0).toward(after, 0, 2)

    assert weights(glide.at(0)) == [("depth", 0.4), ("canny", 1.0)]
    assert glide.at(SECOND_NS).control[1].end == 0.5
    assert weights(glide.at(SECOND_NS)) == [("depth", 0.4), ("canny", 0.5)]
    assert glide.at(2 * SECOND_NS) is after and glide.left_s(SECOND_NS) == 1


def test_net_that_is_new_comes_from_nothing_and_one_that_goes_is_gone() -> None:
    before = changed(BEFORE, control=[{"net": "canny"}])
    after = changed(before, control=[{"net": "canny", "source": "a" * 32, "weight": 2.0}])

    half = Glide.at_rest(before, 0).toward(after, 0, 2).at(SECOND_NS)

    assert (weights(half), half.control[0].source) == ([("canny", 1.0)], "a" * 32)
    assert Params.model_validate({**half.wire(), "version": 1}).control == half.control


def test_weights_turn_round_where_they_are() -> None:
    before = changed(BEFORE, control=[{"net": "canny", "weight": 0.0}])
    there = changed(before, control=[{"net": "canny", "weight": 1.0}])

    glide = Glide.at_rest(before, 0).toward(there, 0, 2).toward(before, SECOND_NS, 2)

    assert weights(glide.at(2 * SECOND_NS)) == [("canny", 0.25)]


# -- references ----------------------------------------------------------------------------------------------------


def weighing(**weights: float) -> tuple[dict[str, Any], ...]:
    return tuple({"picture": name * 32, "weight": weight} for name, weight in weights.items())


def weights_at(glide: Glide, now_ns: int) -> dict[str, float]:
    return {one.picture[0]: round(one.weight, 6) for one in glide.at(now_ns).references}


def test_references_fade_into_one_another_and_the_strongest_goes_in_a_straight_line() -> None:
    before = changed(BEFORE, references=weighing(a=0.8, b=0.4))
    glide = Glide.at_rest(before, 0).toward(changed(before, references=weighing(b=0.4, c=1.2)), 0, 4)

    shown = [weights_at(glide, second * SECOND_NS) for second in range(5)]

    assert shown[0] == {"a": 0.8, "b": 0.4} and shown[4] == {"b": 0.4, "c": 1.2}
    assert [max(one.values()) for one in shown] == pytest.approx([0.8, 0.9, 1.0, 1.1, 1.2])
    assert set(shown[2]) == {"a", "b", "c"} and shown[2]["c"] == pytest.approx(1.5 * shown[2]["a"])
    assert glide.at(4 * SECOND_NS) is glide.target
    assert len(glide.at(SECOND_NS).wire()["references"]) == 3


def test_references_that_leave_fade_out_and_those_that_come_fade_in() -> None:
    before = changed(BEFORE, references=weighing(a=0.6))
    gone = Glide.at_rest(before, 0).toward(changed(before, references=()), 0, 2)
    come = glide_to(2, references=weighing(a=0.6))

    assert weights_at(gone, SECOND_NS) == weights_at(come, SECOND_NS) == {"a": 0.3}
    assert weights_at(gone, 0) == {"a": 0.6} and weights_at(come, 0) == {}
    assert gone.left_s(SECOND_NS) == 1 and gone.at(2 * SECOND_NS).references == ()


def test_references_jump_without_a_transition_and_are_never_more_than_those_of_two_looks() -> None:
    def change(glide: Glide, names: str, now_ns: int, seconds: float) -> Glide:
        after = changed(glide.target, references=weighing(**dict.fromkeys(names, 0.6)))
        return glide.toward(after, now_ns, seconds)

    before = change(Glide.at_rest(BEFORE, 0), "1234", 0, 0)
    cut, glide = (change(before, "5678", 0, seconds) for seconds in (0, 2))
    again = change(glide, "abcd", SECOND_NS, 2)

    assert cut.at(0) is cut.target
    assert set(weights_at(glide, SECOND_NS)) == set("12345678")
    assert glide.at(SECOND_NS).pictures == {name * 32 for name in "12345678"}
    assert len(glide.at(SECOND_NS).wire()["references"]) == REFERENCES_MAX
    assert len(weights_at(again, 2 * SECOND_NS)) == REFERENCES_AT_ONCE
    assert again.at(3 * SECOND_NS).references == again.target.references
