"""Textual inversions and clip skip: what diffusers' pipelines make of the same files, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from safetensors.torch import save_file

from realtime.config import ModelConfig
from realtime.engine.models.clip_skip import hears_layer
from realtime.engine.models.embeddings import EmbeddingSpec, add_embeddings, parse_embedding
from realtime.engine.models.family import PAINTER, SD, SDXL
from realtime.engine.models.listener import Listener
from realtime.engine.models.load import load_model
from realtime.engine.models.parts import Parts, load_folder
from realtime.engine.models.prompt import Conditioning, PromptEncoder
from realtime.errors import ConfigError, ModelError
from realtime.params import Params
from tests import checkpoints

pytestmark = pytest.mark.slow

WIDTH, WIDTH_2 = checkpoints.WIDTH, checkpoints.WIDTH_2


def vectors(count: int, width: int, seed: int) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def _sd(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = checkpoints.build_sd(tmp_path_factory.mktemp("words") / "sd")
    return load_folder(folder, SD, torch.float32, prefer_fp16=False, with_vae=False)


@pytest.fixture(scope="module")
def _sdxl(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = checkpoints.build_sdxl(tmp_path_factory.mktemp("words") / "sdxl")
    return load_folder(folder, SDXL, torch.float32, prefer_fp16=False, with_vae=False)


@pytest.fixture
def sd(_sd: Parts) -> Parts:
    return copy.deepcopy(_sd)


@pytest.fixture
def sdxl(_sdxl: Parts) -> Parts:
    return copy.deepcopy(_sdxl)


def encoder(parts: Parts, clip_skip: int | None = None) -> PromptEncoder:
    return PromptEncoder(
        parts.tokenizers,
        parts.text_encoders,
        encode_prompt=hears_layer(parts, clip_skip),
        max_chunks=parts.family.prompt_chunks,
        dtype=torch.float32,
    )


def pipeline(parts: Parts) -> Any:
    """diffusers' on copies of the same networks."""
    mine = copy.deepcopy(parts)
    scheduler = diffusers.DDIMScheduler(clip_sample=False, steps_offset=1)
    if parts.family.name == "sdxl":
        one, two = mine.text_encoders
        pair: dict[str, Any] = {"tokenizer": mine.tokenizers[0], "tokenizer_2": mine.tokenizers[1]}
        kind: Any = diffusers.StableDiffusionXLPipeline
        return kind(
            vae=None,
            unet=mine.unet,
            text_encoder=one,
            text_encoder_2=two,
            scheduler=scheduler,
            add_watermarker=False,
            **pair,
        )
    kind = diffusers.StableDiffusionPipeline
    return kind(
        vae=None,
        unet=mine.unet,
        text_encoder=mine.text_encoders[0],
        tokenizer=mine.tokenizers[0],
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def theirs_sd(pipe: Any, prompt: str, **options: Any) -> torch.Tensor:
    return pipe.encode_prompt(prompt, "cpu", 1, do_classifier_free_guidance=False, **options)[0]


def theirs_sdxl(pipe: Any, prompt: str, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    told = pipe.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False, **options)
    return told[0], told[2]


def assert_near(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


PROMPTS = [
    "a photo of easynegative in the snow",
    "easynegative",
    "easynegative, <cat-toy> and easynegative",
    "plain",
]


def save_words(folder: Path) -> list[EmbeddingSpec]:
    """A word of three vectors in AUTOMATIC1111's layout, one of a single vector in diffusers'."""
    save_file({"emb_params": vectors(3, WIDTH, 1)}, folder / "easynegative.safetensors")
    save_file({"<cat-toy>": vectors(1, WIDTH, 2)[0]}, folder / "learned_embeds.safetensors")
    return [EmbeddingSpec(folder / name) for name in ("easynegative.safetensors", "learned_embeds.safetensors")]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_learned_words_are_encoded_as_diffusers_does(sd: Parts, tmp_path: Path, prompt: str) -> None:
    pipe = pipeline(sd)
    pipe.load_textual_inversion(vectors(3, WIDTH, 1), token="easynegative")
    pipe.load_textual_inversion(str(tmp_path), weight_name="learned_embeds.safetensors") if save_words(
        tmp_path
    ) else None
    add_embeddings(sd, save_words(tmp_path))

    assert_near(encoder(sd).encode(prompt).prompt_embeds, theirs_sd(pipe, prompt))


@pytest.mark.parametrize("names", [("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1")])
@pytest.mark.parametrize("prompt", ["a painting in mystyle, (no) cat", "mystyle"])
def test_learned_words_of_sdxl_reach_both_encoders(
    sdxl: Parts, tmp_path: Path, names: tuple[str, str], prompt: str
) -> None:
    one, two = vectors(2, WIDTH, 3), vectors(2, WIDTH_2, 4)
    save_file(dict(zip(names, (one, two), strict=True)), tmp_path / "mystyle.safetensors")
    pipe = pipeline(sdxl)
    pipe.load_textual_inversion(one, token="mystyle", text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
    pipe.load_textual_inversion(two, token="mystyle", text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)
    for network in (pipe.text_encoder, pipe.text_encoder_2.text_model):
        network.eos_token_id = pipe.tokenizer.eos_token_id  # else diffusers pools at the learned word, the largest id
    add_embeddings(sdxl, [EmbeddingSpec(tmp_path / "mystyle.safetensors")])

    ours = encoder(sdxl).encode(prompt.replace("(no)", "no"))

    embeds, pooled = theirs_sdxl(pipe, prompt.replace("(no)", "no"))
    assert_near(ours.prompt_embeds, embeds)
    assert ours.pooled is not None
    assert_near(ours.pooled, pooled)


def test_the_end_of_a_text_is_found_behind_a_learned_word(sdxl: Parts, tmp_path: Path) -> None:
    """Where CLIP takes the largest id for the end: a learned word's is not larger."""
    for network in sdxl.text_encoders:
        getattr(network, "text_model", network).eos_token_id = 2
    tokens = {"clip_l": vectors(1, WIDTH, 5), "clip_g": vectors(1, WIDTH_2, 6)}
    save_file(tokens, tmp_path / "word.safetensors")
    add_embeddings(sdxl, [EmbeddingSpec(tmp_path / "word.safetensors")])
    by_largest = [encoder(sdxl).encode(text).pooled for text in ("a word", "word a", "a cat")]

    for network in sdxl.text_encoders:
        getattr(network, "text_model", network).eos_token_id = sdxl.tokenizers[0].eos_token_id
    by_id = [encoder(sdxl).encode(text).pooled for text in ("a word", "word a", "a cat")]

    for one, other in zip(by_largest, by_id, strict=True):
        assert one is not None and other is not None
        assert torch.equal(one, other)


def only(parts: Parts, prompt: str) -> Conditioning:
    return encoder(parts).encode(prompt)


def test_a_name_is_a_whole_word_in_any_case_and_weighs_as_words_do(sd: Parts, tmp_path: Path) -> None:
    bare = copy.deepcopy(sd)
    add_embeddings(sd, save_words(tmp_path))

    for other in ("easynegatives", "uneasynegative", "easy negative", "cat-toy"):
        assert torch.equal(only(sd, other).prompt_embeds, only(bare, other).prompt_embeds), other
    one = only(sd, "a easynegative b").prompt_embeds
    for same in ("a EasyNegative b", "a embedding:EASYNEGATIVE b", "a (easynegative:1.0) b"):
        assert torch.equal(only(sd, same).prompt_embeds, one), same
    empty, heavy = only(sd, "").prompt_embeds, only(sd, "a (easynegative:1.5) b").prompt_embeds
    moved = [place for place in range(77) if not torch.equal(heavy[0, place], one[0, place])]
    assert moved == [2, 3, 4], "all of its vectors, and nothing else"
    assert_near(heavy[0, 2:5], empty[0, 2:5] + 1.5 * (one[0, 2:5] - empty[0, 2:5]))


@pytest.mark.parametrize("prompt", ["a <ſtyle> b", "a <STYLE> b", "a embedding:<ſTYLE> b"])
def test_letters_that_are_one_but_for_their_case_name_a_word(sd: Parts, tmp_path: Path, prompt: str) -> None:
    save_file({"<style>": vectors(2, WIDTH, 1)}, tmp_path / "style.safetensors")
    add_embeddings(sd, [EmbeddingSpec(tmp_path / "style.safetensors")])

    assert torch.equal(only(sd, prompt).prompt_embeds, only(sd, "a <style> b").prompt_embeds)


@pytest.mark.parametrize("name", ["cat’s", "ｃａｔ", "ﬁsh", "ca\u00adt", "🐈", "a.*+?^$b", "-", "İstanbul", "ß"])
def test_a_name_is_heard_however_it_is_written(sd: Parts, tmp_path: Path, name: str) -> None:
    bare = copy.deepcopy(sd)
    save_file({"emb_params": vectors(2, WIDTH, 1)}, tmp_path / f"{name}.safetensors")
    add_embeddings(sd, [EmbeddingSpec(tmp_path / f"{name}.safetensors")])

    assert not torch.equal(only(sd, f"a {name} b").prompt_embeds, only(bare, f"a {name} b").prompt_embeds)


def test_a_learned_word_is_not_divided_between_chunks(sd: Parts, tmp_path: Path) -> None:
    save_file({"emb_params": vectors(12, WIDTH, 7)}, tmp_path / "long.safetensors")
    add_embeddings(sd, [EmbeddingSpec(tmp_path / "long.safetensors")])
    words = " ".join("a" * 70)

    whole = only(sd, f"{words} long").prompt_embeds

    assert whole.shape[1] == 2 * 77
    assert_near(whole[:, 77:], only(sd, "long").prompt_embeds)


def test_what_is_heard_names_it_and_says_which_is_not_there(sd: Parts, tmp_path: Path) -> None:
    add_embeddings(sd, save_words(tmp_path))
    listener = Listener(list(zip(sd.tokenizers, sd.text_encoders, strict=True)), max_chunks=3)

    known, unknown = (listener.hear(Params(prompt=f"a embedding:{name}")) for name in ("easynegative", "bad-hands"))

    assert (known.prompt, known.notes) == ("a easynegative", ())
    assert unknown.prompt.strip() == "a"
    assert "no embedding (textual inversion) of this name is loaded" in unknown.notes[0][1].message


def test_the_configuration_loads_them(tmp_path: Path) -> None:
    folder = checkpoints.build_sd(tmp_path / "sd", scheduler=checkpoints.LCM)
    (one, two), path = save_words(tmp_path), tmp_path / "easynegative.safetensors"
    common: dict[str, Any] = {"model": str(folder), "vae": "full", "sampler": "lcm", "device": "cpu"}

    plain = load_model(ModelConfig(**common))
    named = load_model(ModelConfig(**common, embeddings=(f"{one.file}=bad", str(two.file)), clip_skip=2))

    both = [model.prompt_encoder.encode("bad <cat-toy>").prompt_embeds for model in (plain, named)]
    assert (both[0] - both[1]).abs().max() > 1e-2
    with pytest.raises(ConfigError, match="two are named 'easynegative'"):
        load_model(ModelConfig(**common, embeddings=(str(path), f"{two.file}=easynegative")))


# What is refused


def of_another_width(folder: Path) -> Path:
    save_file({"emb_params": torch.zeros(1, 1024)}, path := folder / "wide.safetensors")
    return path


def of_sdxl(folder: Path) -> Path:
    save_file({"clip_l": torch.zeros(1, WIDTH), "clip_g": torch.zeros(1, WIDTH_2)}, path := folder / "xl.safetensors")
    return path


def a_lora(folder: Path) -> Path:
    state = {f"lora_unet_x.lora_{part}.weight": torch.zeros(1, 1) for part in ("up", "down")}
    save_file(state, path := folder / "lora.safetensors")
    return path


def too_long(folder: Path) -> Path:
    save_file({"emb_params": torch.zeros(76, WIDTH)}, path := folder / "long.safetensors")
    return path


def not_finite(folder: Path) -> Path:
    save_file({"emb_params": torch.full((1, WIDTH), torch.nan)}, path := folder / "nan.safetensors")
    return path


def pickled(folder: Path) -> Path:
    torch.save({"string_to_param": {"*": torch.zeros(1, WIDTH)}}, path := folder / "old.pt")
    return path


def garbage(folder: Path) -> Path:
    (path := folder / "garbage.safetensors").write_bytes(b"nothing at all")
    return path


def missing(folder: Path) -> Path:
    return folder / "gone.safetensors"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (of_another_width, r"a text encoder of width 1024 \(SD 2\.x\), and this model has a text encoder of width 32"),
        (of_sdxl, r"text encoders of width 32 and 48 \(SDXL\), and this model has a text encoder of width 32"),
        (a_lora, "it is no textual inversion"),
        (too_long, "it has 76 vectors"),
        (not_finite, "no finite numbers"),
        (pickled, "can run code"),
        (garbage, "not a safetensors file"),
        (missing, "there is no file"),
    ],
)
def test_files_that_are_none_or_of_another_family_are_refused(
    sd: Parts, tmp_path: Path, make: Any, message: str
) -> None:
    path = make(tmp_path)
    before = only(sd, "a").prompt_embeds

    with pytest.raises(ModelError, match=message) as refused:
        add_embeddings(sd, [EmbeddingSpec(path)])

    assert path.name in str(refused.value)
    assert torch.equal(only(sd, "a").prompt_embeds, before)


def test_sdxl_wants_both_tensors(sdxl: Parts, tmp_path: Path) -> None:
    save_file({"clip_l": torch.zeros(1, WIDTH)}, tmp_path / "half.safetensors")
    with pytest.raises(ModelError, match="width 32 and none"):
        add_embeddings(sdxl, [EmbeddingSpec(tmp_path / "half.safetensors")])


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("a.safetensors", EmbeddingSpec(Path("a.safetensors"))),
        ("a.safetensors=<b>", EmbeddingSpec(Path("a.safetensors"), "<b>")),
        ("a=b.safetensors", EmbeddingSpec(Path("a=b.safetensors"))),
    ],
)
def test_a_word_stands_behind_the_file(text: str, spec: EmbeddingSpec) -> None:
    assert parse_embedding(text) == spec


@pytest.mark.parametrize("text", ["a.safetensors=", "a.safetensors=b c", "a.safetensors=(b)", "a.safetensors=b:1"])
def test_what_is_no_word_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no word"):
        parse_embedding(text)


def test_a_file_whose_name_is_no_word_wants_one(sd: Parts, tmp_path: Path) -> None:
    save_file({"emb_params": vectors(1, WIDTH, 1)}, path := tmp_path / "my style (v2).safetensors")
    with pytest.raises(ConfigError, match=r"give it a word, as --embedding 'my style \(v2\)\.safetensors=TOKEN'$"):
        add_embeddings(sd, [EmbeddingSpec(path)])
    add_embeddings(sd, [EmbeddingSpec(path, "mystyle")])


# Clip skip


@pytest.mark.parametrize("clip_skip", [1, 2, 3])
def test_clip_skip_is_diffusers_for_sd(sd: Parts, clip_skip: int) -> None:
    ours = encoder(sd, clip_skip).encode("a cat in the snow").prompt_embeds

    pipe = pipeline(sd)
    vars(pipe.text_encoder)["text_model"] = pipe.text_encoder  # where diffusers looks for the last norm
    theirs = theirs_sd(pipe, "a cat in the snow", clip_skip=clip_skip - 1 or None)
    assert_near(ours, theirs)
    assert torch.equal(ours, encoder(sd).encode("a cat in the snow").prompt_embeds) == (clip_skip == 1)


def test_clip_skip_is_diffusers_for_sdxl(sdxl: Parts) -> None:
    own, skipped = encoder(sdxl, 2), encoder(sdxl)
    assert torch.equal(own.encode("a cat").prompt_embeds, skipped.encode("a cat").prompt_embeds)

    ours, (embeds, pooled) = encoder(sdxl, 3).encode("a cat"), theirs_sdxl(pipeline(sdxl), "a cat", clip_skip=1)
    assert_near(ours.prompt_embeds, embeds)
    assert ours.pooled is not None
    assert_near(ours.pooled, pooled)


def test_layers_that_there_are_not_are_refused(sd: Parts, sdxl: Parts, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\(sd\) hears layer 1 to 3, not 4"):
        hears_layer(sd, 4)
    with pytest.raises(ConfigError, match=r"\(sdxl\) hears layer 2 to 3, not 1"):
        hears_layer(sdxl, 1)
    folder = checkpoints.build_painter(tmp_path / "painter")
    painter = load_folder(folder, PAINTER, torch.float32, prefer_fp16=False, with_vae=True)
    with pytest.raises(ConfigError, match=r"\(painter\) have no choice of layers"):
        hears_layer(painter, 2)
    with pytest.raises(ModelError, match=r"\(painter\) take no embeddings"):
        add_embeddings(painter, save_words(tmp_path))


def test_a_models_card_may_say_which_layer_it_hears(tmp_path: Path) -> None:
    folder = checkpoints.build_sd(tmp_path / "sd", scheduler=checkpoints.LCM)
    common: dict[str, Any] = {"model": str(folder), "vae": "full", "sampler": "lcm", "device": "cpu"}
    last, skipped = (load_model(ModelConfig(**common, clip_skip=skip)) for skip in (None, 2))
    (folder / "realtime.json").write_text('{"clip_skip": 2}')
    by_card, asked = (load_model(ModelConfig(**common, clip_skip=skip)) for skip in (None, 1))

    of = [one.prompt_encoder.encode("a cat").prompt_embeds for one in (last, skipped, by_card, asked)]
    assert torch.equal(of[1], of[2]) and torch.equal(of[0], of[3]) and not torch.equal(of[0], of[1])
