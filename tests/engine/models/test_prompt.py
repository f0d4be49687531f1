"""Prompts: weights, blends, the cache, and equality with diffusers' own pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.engine.models import clip
from realtime.engine.models.family import SD, SDXL
from realtime.engine.models.parts import Parts, load_folder
from realtime.engine.models.prompt import PromptEncoder
from realtime.engine.models.prompt_weights import EMPHASIS, WEIGHT_MAX, parse_weights
from realtime.errors import ParamsError
from realtime.prompts import WeightedPrompt
from tests import checkpoints

PROMPTS = ["", "a cat", "Oil painting,  by   NOBODY — in 1820!", "über 漢字 🙂", "words " * 15]


@pytest.fixture(scope="session")
def sd(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = checkpoints.build_sd(tmp_path_factory.mktemp("conditioning") / "sd")
    return load_folder(folder, SD, torch.float32, prefer_fp16=False, with_vae=False)


@pytest.fixture(scope="session")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = checkpoints.build_sdxl(tmp_path_factory.mktemp("conditioning") / "sdxl")
    return load_folder(folder, SDXL, torch.float32, prefer_fp16=False, with_vae=False)


def encoder(parts: Parts, cache_size: int = 256) -> PromptEncoder:
    return PromptEncoder(
        parts.tokenizers,
        parts.text_encoders,
        encode_prompt=parts.family.encode_prompt,
        max_chunks=parts.family.prompt_chunks,
        dtype=torch.float32,
        zero_empty_negative=parts.zero_empty_negative,
        cache_size=cache_size,
    )


# The syntax


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", []),
        ("a cat", [("a cat", 1.0)]),
        ("a (red) cat", [("a ", 1.0), ("red", EMPHASIS), (" cat", 1.0)]),
        ("(red:1.5)", [("red", 1.5)]),
        ("(red: 0.5 )", [("red", 0.5)]),
        ("(red:.5)", [("red", 0.5)]),
        ("(red:1,5)", [("red", 1.5)]),
        ("(red:,5)", [("red", 0.5)]),
        ("(red:1,5,2)", [("red:1,5,2", EMPHASIS)]),
        ("red, :99", [("red, :99", 1.0)]),
        ("(red:-1)", [("red", -1.0)]),
        ("((red))", [("red", EMPHASIS * EMPHASIS)]),
        ("[red]", [("red", 1 / EMPHASIS)]),
        ("(a (b:2) c:1.5)", [("a ", 1.5), ("b", 3.0), (" c", 1.5)]),
        (r"\(red\)", [("(red)", 1.0)]),
        (r"(\(red\):2)", [("(red)", 2.0)]),
        (r"back\\slash \n", [("back\\slash \\n", 1.0)]),
        (":) :( :-]", [(":) :( :-]", 1.0)]),
        ("(a [b)]", [("(a ", 1.0), ("b)", 1 / EMPHASIS)]),
        ("(a [b])", [("a ", EMPHASIS), ("b", EMPHASIS / EMPHASIS)]),
        ("(red:1.2.3)", [("red:1.2.3", EMPHASIS)]),
        ("[red:1.2]", [("red:1.2", 1 / EMPHASIS)]),
        ("ratio 16:9", [("ratio 16:9", 1.0)]),
        ("(red:999)", [("red", WEIGHT_MAX)]),
        ("()", []),
    ],
)
def test_weights_are_read(prompt: str, expected: list[tuple[str, float]]) -> None:
    parsed = parse_weights(prompt).pieces

    assert [text for text, _ in parsed] == [text for text, _ in expected]
    assert [weight for _, weight in parsed] == pytest.approx([weight for _, weight in expected])


SYNTAX = st.text(st.sampled_from("ab:.12-\\()[] \n"), max_size=60)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=80), SYNTAX))
@pytest.mark.slow
def test_any_string_parses_and_keeps_its_other_characters(prompt: str) -> None:
    parsed = parse_weights(prompt).pieces

    left = "".join(text for text, _ in parsed)
    remaining = iter(prompt)
    assert all(char in remaining for char in left)  # a subsequence
    if ":" not in prompt:
        assert left.translate(NO_SYNTAX) == prompt.translate(NO_SYNTAX)
    assert all(-WEIGHT_MAX <= weight <= WEIGHT_MAX for _, weight in parsed)
    assert all(text for text, _ in parsed)


NO_SYNTAX = str.maketrans("", "", "()[]\\")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_escaped_text_is_taken_as_it_stands(text: str) -> None:
    escaped = "".join(f"\\{char}" if char in "()[]\\" else char for char in text)

    assert parse_weights(escaped).pieces == ([(text, 1.0)] if text else [])


def test_deep_nesting_is_fast_and_bounded() -> None:
    assert parse_weights("(" * 5000 + "a" + ")" * 5000).pieces == [("a", WEIGHT_MAX)]
    assert parse_weights("[" * 5000 + "a").pieces[0][1] == 1.0


# Negative prompts


def test_blend_of_negatives_begins_at_zeros_where_an_empty_one_is_zeros(sdxl: Parts) -> None:
    encode = encoder(sdxl)
    blurry, empty = encode.encode_negative("blurry"), encode.encode_negative("")

    middle = encode.encode_negative((WeightedPrompt(text="", weight=3.0), WeightedPrompt(text="blurry", weight=1.0)))

    assert not empty.prompt_embeds.any() and encode.encode("").prompt_embeds.any()
    torch.testing.assert_close(middle.prompt_embeds, blurry.prompt_embeds / 4, atol=1e-6, rtol=0)
    assert middle.pooled is not None and blurry.pooled is not None
    torch.testing.assert_close(middle.pooled, blurry.pooled / 4, atol=1e-6, rtol=0)
    assert encode.encode_negative("") is empty, "what is computed of it is cached by identity"
    nothing = (WeightedPrompt(text="blurry", weight=0.0),)
    assert encode.encode_negative(nothing) is empty


# What diffusers does


@pytest.mark.parametrize("prompt", PROMPTS)
def test_sd_prompts_equal_diffusers(sd: Parts, prompt: str) -> None:
    pipe = StableDiffusionPipeline(
        vae=None,
        text_encoder=sd.text_encoders[0],
        tokenizer=sd.tokenizers[0],
        unet=sd.unet,
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    expected, negative = pipe.encode_prompt(prompt, "cpu", 1, True, negative_prompt="blurry")

    encode = encoder(sd)

    torch.testing.assert_close(encode.encode(prompt).prompt_embeds, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(encode.encode_negative("blurry").prompt_embeds, negative, atol=1e-5, rtol=0)
    assert encode.encode(prompt).pooled is None


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("negative", [None, "blurry"])
def test_sdxl_prompts_equal_diffusers(sdxl: Parts, prompt: str, negative: str | None) -> None:
    pipe = StableDiffusionXLPipeline(
        vae=None,
        text_encoder=sdxl.text_encoders[0],
        text_encoder_2=sdxl.text_encoders[1],
        tokenizer=sdxl.tokenizers[0],
        tokenizer_2=sdxl.tokenizers[1],
        unet=sdxl.unet,
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        add_watermarker=False,
    )
    embeds, negative_embeds, pooled, negative_pooled = pipe.encode_prompt(
        prompt, device="cpu", do_classifier_free_guidance=True, negative_prompt=negative
    )

    got, got_negative = encoder(sdxl).encode(prompt), encoder(sdxl).encode_negative(negative or "")

    for ours, theirs in [
        (got.prompt_embeds, embeds),
        (got.pooled, pooled),
        (got_negative.prompt_embeds, negative_embeds),
        (got_negative.pooled, negative_pooled),
    ]:
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


# Weights on embeddings


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_weight_one_is_exactly_the_plain_prompt(family: str, request: pytest.FixtureRequest) -> None:
    encode = encoder(request.getfixturevalue(family)).encode

    assert torch.equal(encode("a (red:1) cat").prompt_embeds, encode("a red cat").prompt_embeds)


def test_weight_moves_only_its_own_tokens_along_the_line_from_the_empty_prompt(sd: Parts) -> None:
    encode = encoder(sd).encode
    plain, empty = encode("a b c").prompt_embeds, encode("").prompt_embeds

    for weight in (0.0, 0.5, 1.3, -1.0):
        weighted = encode(f"a (b:{weight}) c").prompt_embeds
        expected = plain.clone()
        expected[:, 2] = empty[:, 2] + weight * (plain[:, 2] - empty[:, 2])  # 0 is the start token, 1 is "a"
        torch.testing.assert_close(weighted, expected, atol=1e-6, rtol=0)


def test_what_a_prompt_needs_is_copied_without_waiting_for_the_device(
    sd: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`torch.tensor(…, device=…)` waits for all that the device has to do: the ticks under way."""
    staged, join = list[torch.dtype](), clip.join

    def note(column: list[torch.Tensor], device: torch.device) -> torch.Tensor:
        staged.extend(tensor.dtype for tensor in column)
        return join(column, device)

    monkeypatch.setattr(clip, "join", note)
    encoder(sd).encode("a (b:1.3) c")

    assert staged == [torch.int64, torch.int64, torch.float32], "its tokens, the empty prompt's, and weights"


def test_weights_find_their_tokens_behind_characters_that_are_normalised(sd: Parts) -> None:
    encode = encoder(sd).encode

    for before in ("ÀB", "e\u0301\u0301 x", "a   \n b", "🙂 漢", "ﬁ \u00a0"):
        plain, weighted = encode(f"{before} b c").prompt_embeds, encode(f"{before} (b:3) c").prompt_embeds
        assert (plain != weighted).any(-1).sum() == 1, before


def test_weights_reach_both_text_encoders_and_leave_the_pooled_alone(sdxl: Parts) -> None:
    encode = encoder(sdxl).encode
    plain, weighted = encode("a b"), encode("a (b:2)")
    moved = (plain.prompt_embeds != weighted.prompt_embeds)[0]

    assert moved[2, : checkpoints.WIDTH].any()
    assert moved[2, checkpoints.WIDTH :].any()
    assert not moved[[0, 1, 3]].any()
    assert torch.equal(plain.pooled, weighted.pooled)  # type: ignore[arg-type]


# Blends


def blend(*prompts: tuple[str, float]) -> tuple[WeightedPrompt, ...]:
    return tuple(WeightedPrompt(text=text, weight=weight) for text, weight in prompts)


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_blend_is_the_weighted_mean(family: str, request: pytest.FixtureRequest) -> None:
    encode = encoder(request.getfixturevalue(family)).encode
    cat, dog, mixed = encode("cat"), encode("dog"), encode(blend(("cat", 3.0), ("dog", 1.0)))

    expected = 0.75 * cat.prompt_embeds + 0.25 * dog.prompt_embeds
    torch.testing.assert_close(mixed.prompt_embeds, expected, atol=1e-6, rtol=0)
    if cat.pooled is not None and dog.pooled is not None:
        torch.testing.assert_close(mixed.pooled, 0.75 * cat.pooled + 0.25 * dog.pooled, atol=1e-6, rtol=0)


def test_blend_of_one_is_that_prompt_and_of_no_weight_the_empty_one(sd: Parts) -> None:
    encode = encoder(sd).encode

    assert torch.equal(encode(blend(("cat", 0.3), ("dog", 0.0))).prompt_embeds, encode("cat").prompt_embeds)
    assert torch.equal(encode(blend(("cat", 0.0), ("dog", 0.0))).prompt_embeds, encode("").prompt_embeds)


# Chunks

CHUNK = 15
"""Words that fill a chunk: "words" has five tokens here, one for each letter."""


def words(count: int, last: str = "") -> str:
    return " ".join(["words"] * count + ([last] if last else []))


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_long_prompt_is_heard_in_chunks_side_by_side(family: str, request: pytest.FixtureRequest) -> None:
    encode = encoder(request.getfixturevalue(family)).encode
    long = encode(words(2 * CHUNK, "cat"))
    chunks = [encode(words(CHUNK)), encode(words(CHUNK)), encode("cat")]

    assert long.length == 3 * 77
    torch.testing.assert_close(
        long.prompt_embeds, torch.cat([chunk.prompt_embeds for chunk in chunks], 1), atol=1e-6, rtol=0
    )
    if long.pooled is not None:
        torch.testing.assert_close(long.pooled, chunks[0].pooled, atol=1e-6, rtol=0)


def test_what_stands_behind_77_tokens_is_heard(sd: Parts) -> None:
    encode = encoder(sd).encode

    cat, dog = (encode(words(CHUNK, last)).prompt_embeds for last in ("cat", "dog"))

    assert torch.equal(cat[:, :77], dog[:, :77])
    assert (cat - dog).abs().max() > 1e-3


def test_prompt_that_the_tokenizer_breaks_at_is_refused_and_others_are_heard(sd: Parts) -> None:
    """Some have ids that the text encoder has no row for, or raise at what they don't know."""
    one = encoder(sd)
    encode_prompt = one._encode_prompt

    def breaks(pairs: Any, sections: Any, max_chunks: int) -> Any:
        if any("unknown" in str(section) for section in sections):
            raise IndexError("index out of range in self")
        return encode_prompt(pairs, sections, max_chunks)

    one._encode_prompt = breaks

    with pytest.raises(ParamsError, match="prompt: this model can't encode it: write it otherwise"):
        one.encode("the unknown")
    assert torch.equal(one.encode("a cat").prompt_embeds, encoder(sd).encode("a cat").prompt_embeds)


def test_break_begins_a_chunk(sd: Parts) -> None:
    encode = encoder(sd).encode
    both = encode("cat BREAK (dog:1.5)").prompt_embeds

    torch.testing.assert_close(both[:, :77], encode("cat").prompt_embeds, atol=1e-6, rtol=0)
    torch.testing.assert_close(both[:, 77:], encode("(dog:1.5)").prompt_embeds, atol=1e-6, rtol=0)


def test_weights_hold_in_every_chunk(sd: Parts) -> None:
    encode = encoder(sd).encode

    weighted = encode(f"{words(CHUNK)} (cat:1.5)").prompt_embeds

    torch.testing.assert_close(weighted[:, 77:], encode("(cat:1.5)").prompt_embeds, atol=1e-6, rtol=0)


def test_no_word_is_divided_between_two_chunks(sd: Parts) -> None:
    encode = encoder(sd).encode

    torch.testing.assert_close(
        encode(words(CHUNK - 1, "fishing")).prompt_embeds[:, 77:], encode("fishing").prompt_embeds, atol=1e-6, rtol=0
    )


def test_text_without_spaces_is_divided_where_a_chunk_is_full(sd: Parts) -> None:
    assert encoder(sd).encode("漢" * 60).length == 3 * 77


def test_blend_of_a_long_and_a_short_prompt_is_the_mean_of_both_at_one_length(sd: Parts) -> None:
    encode = encoder(sd).encode
    short, long = encode("cat"), encode(words(CHUNK, "dog"))

    mixed = encode(blend(("cat", 1.0), (words(CHUNK, "dog"), 1.0))).prompt_embeds

    expected = (short.prompt_embeds.repeat(1, 2, 1) + long.prompt_embeds) / 2
    torch.testing.assert_close(mixed, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("a “cat’s” dog", 'a "cat\'s" dog'),
        ("（cat：1.3）", "(cat:1.3)"),
        ("u\u0308ber", "über"),
        ("c\u200ba\ufefft", "cat"),
        ("cat <lora:x:0.8>", "cat"),
        ("(cat:1,2)", "(cat:1.2)"),
        ("ﬁre", "fire"),
        (r"cat \(dog\)", r"cat \(dog\)"),
    ],
)
def test_prompt_is_heard_as_it_is_meant(sd: Parts, written: str, plain: str) -> None:
    encode = encoder(sd).encode

    assert torch.equal(encode(written).prompt_embeds, encode(plain).prompt_embeds)


# The cache


def test_a_known_prompt_is_not_encoded_again(sd: Parts) -> None:
    encode = encoder(sd)

    first = encode.encode("cat")
    second = encode.encode("cat")

    assert second is first
    assert encode.texts_encoded == 1


def test_the_cache_forgets_what_was_used_longest_ago(sd: Parts) -> None:
    encode = encoder(sd, cache_size=2)
    cat = encode.encode("cat")
    encode.encode("dog")
    encode.encode("cat")
    encode.encode("bird")

    assert encode.encode("cat") is cat
    assert encode.texts_encoded == 3
    encode.encode("dog")
    assert encode.texts_encoded == 4


def test_blends_of_a_glide_encode_nothing_and_drive_no_text_out(sd: Parts) -> None:
    encode = encoder(sd, cache_size=2)
    cat, dog = encode.encode("cat"), encode.encode("dog")

    blends = [encode.encode(blend(("cat", 1 - step / 64), ("dog", step / 64))) for step in range(1, 64)]

    assert encode.texts_encoded == 2
    assert encode.encode("cat") is cat and encode.encode("dog") is dog
    assert encode.encode(blend(("cat", 1 - 63 / 64), ("dog", 63 / 64))) is blends[-1]
    assert [part for part, _ in blends[-1].parts] == [cat, dog]


def test_embeddings_carry_no_gradient_and_have_the_asked_dtype(tmp_path: Path, sd: Parts) -> None:
    encode = PromptEncoder(sd.tokenizers, sd.text_encoders, encode_prompt=SD.encode_prompt, dtype=torch.bfloat16)

    embeds = encode.encode("a (cat:1.2)").prompt_embeds

    assert embeds.dtype is torch.bfloat16
    assert not embeds.requires_grad
