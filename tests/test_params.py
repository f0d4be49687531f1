"""Params: merge patches, strictness, bounds, schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from realtime.errors import ParamsError
from realtime.params import OutputFormat, Params, params_schema
from realtime.prompts import BLEND_MAX_CHARS, Layers, Reference, WeightedPrompt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


ID = "0123456789abcdef" * 2


def refusal(patch: dict[str, Any]) -> ParamsError:
    with pytest.raises(ParamsError) as caught:
        Params().patched(patch, Params())
    return caught.value


def test_patch_changes_named_fields_and_nothing_else() -> None:
    before = Params(prompt="ink", strength=0.3, seed=7)

    after = before.patched({"strength": 0.8}, Params())

    assert after == before.model_copy(update={"strength": 0.8, "version": 1})


def test_patch_leaves_the_old_params_as_they_were() -> None:
    before = Params(prompt="ink")

    before.patched({"prompt": "oil"}, Params())

    assert before == Params(prompt="ink")


def test_params_are_frozen_and_hash_by_value() -> None:
    with pytest.raises(ValidationError):
        Params().strength = 0.1  # type: ignore[misc]

    assert hash(Params(prompt="a")) == hash(Params(prompt="a"))
    assert hash(Params().patched({"prompt": [{"text": "a"}]}, Params()))


def test_null_puts_a_field_back_to_the_default() -> None:
    defaults = Params(prompt="the model's own", width=256)

    after = Params(prompt="ink", width=640).patched({"prompt": None, "width": None}, defaults)

    assert (after.prompt, after.width) == ("the model's own", 256)


def test_empty_patch_is_a_new_version_of_the_same() -> None:
    assert Params(version=4).patched({}, Params()) == Params(version=5)


@pytest.mark.parametrize("version", [99, -1, "x", None, [], 1.5])
def test_version_in_a_patch_is_ignored(version: Any) -> None:
    assert Params(version=4).patched({"version": version}, Params()).version == 5


def test_unknown_field_is_refused_by_name() -> None:
    error = refusal({"strenght": 0.5})

    assert error.field == "strenght"
    assert "strenght" in str(error)


def test_unknown_fields_name_is_shortened_and_can_be_sent_back() -> None:
    error = refusal({"x" * 1000: 1})

    assert len(error.field or "") == 64
    assert (refusal({"\ud800": 1}).field or "").encode() == b"?"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", 5),
        ("prompt", "x" * 2001),
        ("prompt", "\ud800"),
        ("prompt", []),
        ("prompt", [{"text": "a"}] * 9),
        ("prompt", [{"text": "a", "weight": -1}]),
        ("prompt", [{"text": "a", "weight": 11}]),
        ("prompt", [{"text": "a", "weight": float("nan")}]),
        ("prompt", [{"text": "a", "colour": 1}]),
        ("prompt", [{"weight": 1}]),
        ("prompt", ["a"]),
        ("prompt", {"text": "a"}),
        ("negative_prompt", ["a"]),
        ("negative_prompt", "x" * 2001),
        ("strength", -0.01),
        ("strength", 1.01),
        ("strength", "0.5"),
        ("strength", True),
        ("strength", float("nan")),
        ("strength", float("inf")),
        ("strength", 10**400),
        ("num_inference_steps", 0),
        ("num_inference_steps", 9),
        ("num_inference_steps", 3.7),
        ("num_inference_steps", 2.0),
        ("num_inference_steps", True),
        ("guidance_scale", -1),
        ("guidance_scale", 21),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", 10**400),
        ("width", 100),
        ("width", 56),
        ("width", 2056),
        ("height", 0),
        ("height", "512"),
        ("output_format", "gif"),
        ("output_format", 1),
        ("output_quality", 0),
        ("output_quality", 101),
    ],
)
def test_bad_value_is_refused_by_field(field: str, value: Any) -> None:
    error = refusal({field: value})

    assert error.field == field
    assert str(error).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", "x" * 2000),
        ("strength", 0),
        ("strength", 1),
        ("num_inference_steps", 1),
        ("num_inference_steps", 8),
        ("guidance_scale", 20),
        ("seed", 2**32 - 1),
        ("width", 64),
        ("height", 2048),
        ("output_quality", 100),
    ],
)
def test_bounds_belong_to_the_range(field: str, value: Any) -> None:
    assert getattr(Params().patched({field: value}, Params()), field) == value


def test_list_of_weighted_prompts_is_a_blend() -> None:
    after = Params().patched({"prompt": [{"text": "ink", "weight": 2}, {"text": "neon"}]}, Params())

    assert after.prompt == (WeightedPrompt(text="ink", weight=2.0), WeightedPrompt(text="neon", weight=1.0))


def test_mistake_inside_a_blend_is_told_and_not_that_it_is_no_string() -> None:
    assert "'weight' of entry 2 must be at least 0, not -1" in str(
        refusal({"prompt": [{"text": "a"}, {"text": "b", "weight": -1}]})
    )


def test_part_of_a_blend_is_a_text_or_a_picture() -> None:
    after = Params().patched({"prompt": [{"text": ""}, {"picture": ID, "weight": 2}]}, Params())

    assert after.prompt == (WeightedPrompt(text=""), WeightedPrompt(picture=ID, weight=2.0))
    assert after.pictures == {ID}
    assert after.wire()["prompt"] == [{"text": "", "weight": 1.0}, {"picture": ID, "weight": 2.0}]


def test_references_are_pictures_with_a_weight_and_layers() -> None:
    after = Params().patched(
        {"references": [{"picture": ID}, {"picture": ID, "weight": 2, "layers": "style"}]}, Params()
    )

    assert after.references == (
        Reference(picture=ID, weight=0.6),
        Reference(picture=ID, weight=2.0, layers=Layers.STYLE),
    )
    assert after.pictures == {ID} and after.untouched.references == after.references
    assert after.wire()["references"][1] == {"picture": ID, "weight": 2.0, "layers": "style"}
    assert after.patched({"references": None}, Params()).references == ()


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ([{"picture": ID}] * 5, "references: must have at most 4"),
        ([{"picture": ID, "weight": 2.5}], "'weight' of entry 1 must be at most 2"),
        ([{"picture": ID, "layers": "faces"}], "'layers' of entry 1"),
        ([{"weight": 1.0}], "'picture' of entry 1"),
        ([{"picture": "a"}], "goes by the id"),
    ],
)
def test_wrong_references_are_refused_by_field(references: Any, said: str) -> None:
    error = refusal({"references": references})

    assert error.field == "references" and said in str(error)


@pytest.mark.parametrize("part", [{}, {"weight": 1}, {"text": "a", "picture": ID}, {"picture": "a"}, {"picture": None}])
def test_part_that_is_neither_or_both_is_refused(part: dict[str, Any]) -> None:
    assert refusal({"prompt": [part]}).field == "prompt"


@pytest.mark.parametrize("name", ["jpeg", "webp", "png"])
def test_output_formats_go_by_their_names(name: str) -> None:
    assert Params().patched({"output_format": name}, Params()).output_format is OutputFormat(name)


@given(st.dictionaries(st.sampled_from(list(Params.model_fields)) | st.text(max_size=10), JSON, max_size=4))
def test_any_patch_is_applied_whole_or_refused(patch: dict[str, Any]) -> None:
    before = Params(prompt="ink", version=3)

    try:
        after = before.patched(patch, Params())
    except ParamsError as error:
        assert error.field is not None
        error.field.encode()
    else:
        assert after.version == 4
        json.dumps(after.wire(), allow_nan=False).encode()


@given(st.dictionaries(st.sampled_from(["strength", "seed", "prompt"]), st.none(), max_size=3))
def test_patch_is_idempotent(patch: dict[str, Any]) -> None:
    once = Params(strength=0.9, seed=5, prompt="a").patched(patch, Params())

    assert once.patched(patch, Params()) == once.model_copy(update={"version": once.version + 1})


def test_wire_is_json_with_every_field_and_the_version() -> None:
    wire = Params(prompt=(WeightedPrompt(text="a"),)).wire()

    assert set(wire) == set(Params.model_fields)
    assert wire["prompt"] == [{"text": "a", "weight": 1.0}]
    assert wire["output_format"] == "jpeg"


@given(
    st.builds(
        Params,
        prompt=st.text(st.characters(codec="utf-8"), max_size=50),
        strength=st.floats(0, 1),
        seed=st.integers(0, 2**32 - 1),
        output_format=st.sampled_from(OutputFormat),
    )
)
def test_what_is_sent_can_be_sent_back_as_a_patch(params: Params) -> None:
    assert Params().patched(json.loads(json.dumps(params.wire())), Params()) == params.model_copy(update={"version": 1})


@pytest.mark.parametrize("name", list(Params.model_fields))
def test_schema_tells_title_description_and_default_of_each_field(name: str) -> None:
    field = params_schema()["properties"][name]

    assert {"title", "description", "default"} <= set(field)


def test_schema_tells_bounds_and_refuses_more_fields() -> None:
    schema = params_schema()

    assert schema["additionalProperties"] is False
    strength = schema["properties"]["strength"]
    assert (strength["minimum"], strength["maximum"]) == (0, 1)
    width = schema["properties"]["width"]
    assert (width["minimum"], width["maximum"], width["multipleOf"]) == (64, 2048, 8)


def test_texts_of_a_blend_are_bounded_together() -> None:
    def blend(chars: int) -> dict[str, Any]:
        return {"prompt": [{"text": "x" * (chars // 4)}] * 4}

    assert len(Params().patched(blend(BLEND_MAX_CHARS), Params()).prompt) == 4
    with pytest.raises(ParamsError, match=f"{BLEND_MAX_CHARS} characters at most, these {BLEND_MAX_CHARS + 4}"):
        Params().patched(blend(BLEND_MAX_CHARS + 4), Params())


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ([{"text": "a"}] * 9, "at most 8 entries, not 9"),
        ([], "at least 1 entry, not 0"),
        ([{"text": "a", "weight": 99}], "'weight' of entry 1 must be at most 10, not 99"),
        ([{"text": "a", "wight": 1}], "'wight' of entry 1 is unknown"),
        (5, "must be a text"),
        ("x" * 2001, "at most 2000 characters, not 2001"),
    ],
)
def test_error_of_a_prompt_names_what_is_wrong_with_what_was_given(prompt: Any, words: str) -> None:
    with pytest.raises(ParamsError, match=words):
        Params().patched({"prompt": prompt}, Params())
