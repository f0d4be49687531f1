"""What is said of prompts that are heard otherwise than they are written."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch

from realtime.engine.hearing import NOTES_MAX, QUOTE_MAX_CHARS, quoted
from realtime.engine.models.family import SD
from realtime.engine.models.listener import Listener
from realtime.engine.models.parts import Parts, load_folder
from realtime.engine.models.prompt import PromptEncoder
from realtime.engine.models.prompt_text import read_prompt, written_sections
from realtime.params import Params
from realtime.prompts import WeightedPrompt
from tests import checkpoints

STYLES: dict[str, Any] = {
    "styles": [{"name": "comic", "prompt": "comic", "words": ["comic book"]}],
    "moods": [{"name": "night", "prompt": "night"}],
}
AS_WRITTEN = [
    "",
    "a cat, (red:1.2) [blue] ((green))",
    r"snakebite \(piercing\)",
    ":) ;( (=",
    "16:9, zero pictured, :99",
    "BLACK AND WHITE",
    "cat (dog:1,2)",
    "“quoted” 🙂 über",
    "a well-known cat -- and a dog",
]


@pytest.fixture(scope="module")
def sd(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = checkpoints.build_sd(tmp_path_factory.mktemp("listener") / "sd")
    return load_folder(folder, SD, torch.float32, prefer_fp16=False, with_vae=False)


def listener(parts: Parts, **options: Any) -> Listener:
    pairs = list(zip(parts.tokenizers, parts.text_encoders, strict=True))
    return Listener(pairs, **{"max_chunks": 3, **options})


def notes_of(text: str, **options: Any) -> list[tuple[str, str]]:
    return [(note.code, note.text) for _, note in Listener(**options).hear(Params(prompt=text)).notes]


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_what_is_heard_as_written_needs_no_note(text: str) -> None:
    assert notes_of(text) == []


@pytest.mark.parametrize(
    ("text", "expected", "heard"),
    [
        ("cat <lora:x:0.8>", [("tag", "<lora:x:0.8>")], "cat"),
        ("<random:a,b> cat", [("tag", "<random:a,b>")], "cat"),
        ("embedding:easynegative, cat", [("tag", "embedding:easynegative")], ", cat"),
        ("a {red|blue} __animal__", [("syntax", "{red|blue} __animal__")], "a {red|blue} __animal__"),
        ("{cat}", [("syntax", "{cat}")], "{cat}"),
        ("[cat:dog:0.5]", [("syntax", "[cat:dog:0.5]")], "(cat:dog:0.5:0.91)"),
        ("[cat|dog]", [("syntax", "[cat|dog]")], "(cat|dog:0.91)"),
        ("cat AND dog", [("syntax", "AND")], "cat AND dog"),
        ("cat++ dog", [("syntax", "++")], "cat++ dog"),
        ("(cat)1.3", [("syntax", "1.3")], "(cat:1.10)1.3"),
        ("cat::2 --ar 16:9", [("syntax", "::2 --ar 16:9")], "cat::2 --ar 16:9"),
        ("(cat:99)", [("weight", "")], "(cat:10)"),
        ("(cat:1.2.3)", [("weight", ":1.2.3")], "(cat:1.2.3:1.10)"),
        ("(cat", [("syntax", "(cat")], r"\(cat"),
        ("cat]", [("syntax", "cat]")], r"cat\]"),
        ("c\u200bat", [("characters", "")], "cat"),
        ("cat BREAK dog", [("syntax", "BREAK")], "cat   dog"),
    ],
)
def test_what_is_heard_otherwise_is_said(text: str, expected: list[tuple[str, str]], heard: str) -> None:
    assert notes_of(text) == expected
    assert Listener().hear(Params(prompt=text)).prompt == heard


@pytest.mark.parametrize("text", [*AS_WRITTEN, "(cat:99) BREAK [(dog:-1.25)] (x", "a (b (c:2) d:0.5)"])
def test_text_that_is_said_to_be_heard_is_heard_so(text: str) -> None:
    heard = written_sections(read_prompt(text).sections)

    assert written_sections(read_prompt(heard).sections) == heard


def test_a_model_that_hears_several_chunks_hears_break() -> None:
    heard = Listener(max_chunks=3).hear(Params(prompt="cat BREAK dog"))

    assert (heard.prompt, heard.notes) == ("cat BREAK dog", ())


def test_what_is_cut_off_is_named(sd: Parts) -> None:
    words = " ".join(["words"] * 45)  # of five tokens each
    listen = listener(sd)

    whole, cut = listen.hear(Params(prompt=words)), listen.hear(Params(prompt=f"{words} (big:1.2) dog"))

    assert (whole.prompt, whole.notes) == (words, ())
    assert cut.prompt == words
    ((field, note),) = cut.notes
    assert (field, note.code, note.text) == ("prompt", "cut", "big dog")
    assert note.message == "not heard: “big dog”: this model hears 225 tokens of a prompt; shorten it"


def test_what_is_said_to_be_heard_has_the_embeddings_of_the_prompt(sd: Parts) -> None:
    long = "word " * 60 + "(cat:1.5)"
    encode = PromptEncoder(
        sd.tokenizers, sd.text_encoders, encode_prompt=SD.encode_prompt, max_chunks=3, dtype=torch.float32
    ).encode

    heard = listener(sd).hear(Params(prompt=long)).prompt

    assert isinstance(heard, str)
    assert torch.equal(encode(heard).prompt_embeds, encode(long).prompt_embeds)


def test_words_that_a_small_model_does_not_know_are_named() -> None:
    assert notes_of("a comic book at night", styles=STYLES) == []
    assert notes_of("comic cat, teacher", styles=STYLES) == [("unknown_words", "cat teacher")]


def test_every_text_of_a_blend_is_heard() -> None:
    prompts = (WeightedPrompt(text="cat"), WeightedPrompt(text="<lora:x:1> dog", weight=0.5))
    silent = tuple(WeightedPrompt(text=prompt.text, weight=0.0) for prompt in prompts[:1])

    heard = Listener().hear(Params(prompt=prompts))

    assert (heard.prompt, [note.code for _, note in heard.notes]) == (("cat", "dog"), ["tag"])
    assert [note.code for _, note in Listener().hear(Params(prompt=silent)).notes] == ["no_effect"]


@pytest.mark.parametrize(
    ("has_negative", "scale", "mode", "heard", "advice"),
    [
        (True, 2.0, "full", "rain", None),
        (True, 2.0, "once", "rain", None),
        (True, 2.0, "self", "", "take full or once"),
        (True, 1.0, "full", "", "guidance_scale"),
        (False, 2.0, "full", "", "classifier-free"),
    ],
)
def test_negative_prompt_without_effect_is_said(
    has_negative: bool, scale: float, mode: str, heard: str, advice: str | None
) -> None:
    params = Params(negative_prompt="rain", guidance_scale=scale, guidance=mode)

    said = Listener(has_negative=has_negative).hear(params)

    assert said.negative_prompt == heard
    assert [(field, note.code) for field, note in said.notes] == (
        [] if advice is None else [("negative_prompt", "no_effect")]
    )
    assert advice is None or advice in said.notes[0][1].message


@pytest.mark.parametrize(
    ("has_negative", "guidance", "mode", "scale", "advice"),
    [
        (False, 2.0, "full", 3.0, None),
        (False, 2.0, "full", 1.0, "raise negative_scale above 1"),
        (True, 1.0, "full", 3.0, None),
        (True, 1.0, "full", 1.0, "raise guidance_scale above 1, or negative_scale"),
        (True, 2.0, "self", 3.0, None),
        (True, 2.0, "self", 1.0, "take full or once, or negative_scale"),
    ],
)
def test_negative_prompt_is_heard_by_its_own_scale_where_the_unet_can(
    has_negative: bool, guidance: float, mode: str, scale: float, advice: str | None
) -> None:
    params = Params(negative_prompt="rain", guidance_scale=guidance, guidance=mode, negative_scale=scale)

    said = Listener(has_negative=has_negative).hear(params, hears_negative=True)

    assert said.negative_prompt == ("rain" if advice is None else "")
    assert (said.notes == ()) is (advice is None)
    assert advice is None or said.notes[0][1].message.endswith(advice)


def test_message_is_bounded() -> None:
    params = Params(prompt=tuple(WeightedPrompt(text="<a:" + "x" * 400 + "> (") for _ in range(8)))

    wire = Listener().hear(params).wire()

    assert len(wire["notes"]) == NOTES_MAX
    assert all(len(note["text"]) <= QUOTE_MAX_CHARS for note in wire["notes"])
    assert quoted("a " * 100).count("…") == 1


def test_listens_beside_the_engines_thread(sd: Parts) -> None:
    listen = listener(sd)
    encode = PromptEncoder(
        sd.tokenizers, sd.text_encoders, encode_prompt=SD.encode_prompt, max_chunks=3, dtype=torch.float32
    ).encode
    failures: list[Exception] = []

    def hear() -> None:
        try:
            for number in range(200):
                listen.hear(Params(prompt=f"word {number} " * 30))
        except Exception as error:  # the tokenizers library raises bare ones
            failures.append(error)

    thread = threading.Thread(target=hear)
    thread.start()
    for number in range(50):
        encode(f"{number} word")
    thread.join()

    assert failures == []
