"""Params and the syntax of prompts: each patch is refused by field or gives valid params, each prompt is read in little
time, and what is said to be heard is what is encoded.
"""

from __future__ import annotations

import random
from typing import Any

from realtime.engine.hearing import NOTES_MAX, QUOTE_MAX_CHARS
from realtime.engine.models.listener import Listener
from realtime.engine.models.prompt_text import read_prompt, written_sections
from realtime.engine.models.prompt_weights import WEIGHT_MAX, parse_weights
from realtime.errors import ParamsError
from realtime.params import Params
from tests.fuzz.inputs import Tally, mutate, random_sources

SYNTAX = (
    *("(", ")", "[", "]", "\\", ":", "{", "}", "|", "<", ">", "__", "::", "++", "--ar ", "\n", "\t", " ", ","),
    *("1.2", ":1,5)", ":-1)", ":99)", ":1.2.3)", "<lora:x:0.8>", "embedding:x", " BREAK ", " AND ", "cat", "dog"),
    *(
        "（",
        "）",
        "：",
        "１",
        "“",
        "’",
        "ﬁ",
        "漢",
        "🙂",
        "e\u0301",
        "\u200b",
        "\ufeff",
        "\0",
        "\x1b",
        "\u202e",
        "\U000e0067",
    ),
)
STYLES: dict[str, Any] = {"styles": [{"name": "comic", "prompt": "comic", "words": ["comic book"]}]}
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    64,
    512,
    2**64,
    0.5,
    float("nan"),
    float("inf"),
    "",
    "jpeg",
    [],
    {},
    (),
)


def a_prompt(source: random.Random) -> str:
    text = "".join(source.choices(SYNTAX, k=source.choice((0, 3, 12, 60))))
    if source.random() < 0.3:
        text = mutate(text.encode(), source).decode(errors="replace")
    if source.random() < 0.02:
        text = source.choice(SYNTAX) * 2000
    return text[:2000]


def a_patch(source: random.Random) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for name in source.sample([*Params.model_fields, "no such field"], source.randint(0, 4)):
        patch[name] = source.choice([source.choice(VALUES), getattr(Params(), name, None), a_prompt(source)])
    if source.random() < 0.5:
        texts = [{"text": a_prompt(source), "weight": source.choice((1, 0.0, 1.5, -1, "1"))} for _ in range(3)]
        patch["prompt"] = source.choice([a_prompt(source), texts, texts[:1], [*texts, source.choice(VALUES)]])
    return patch


def test_params_stay_valid_whatever_is_patched() -> None:
    tally, defaults = Tally("params"), Params()
    for source in random_sources("params"):
        params, patch = Params(prompt="before", version=3), a_patch(source)
        with tally.timed():
            try:
                changed = params.patched(patch, defaults)
                tally.outcomes["changed"] += 1
            except ParamsError as error:
                changed = params
                assert error.field is not None and str(error)
                tally.outcomes[f"refused: {error.field}"] += 1
        assert Params.model_validate_json(changed.model_dump_json()) == changed
        assert changed.version == (3 if changed is params else 4)
    print(tally)


def test_prompts_are_read_and_said_whatever_is_written() -> None:
    tally, listener = Tally("prompts"), Listener(max_chunks=3, styles=STYLES)
    for source in random_sources("prompts"):
        text = a_prompt(source)
        with tally.timed():
            heard = listener.hear(Params(prompt=text))
        pieces = parse_weights(text).pieces
        assert all(-WEIGHT_MAX <= weight <= WEIGHT_MAX for _, weight in pieces)
        assert all(len(note["text"]) <= QUOTE_MAX_CHARS for note in heard.wire()["notes"])
        assert len(heard.wire()["notes"]) <= NOTES_MAX
        assert heard.prompt == written_sections(read_prompt(text).sections)
        tally.outcomes[", ".join(sorted({note.code for _, note in heard.notes})) or "as written"] += 1
    print(tally)
