"""Textual inversions: reads files of learned words, and gives a model's text encoders the rows for them.

Must not know prompts' syntax, chunks or sessions.

Source: Gal et al. 2022, "An Image is Worth One Word"; diffusers' `loaders/textual_inversion.py`; AUTOMATIC1111's
`modules/textual_inversion`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from ...errors import ConfigError, ModelError
from .components import one_line, prefixed
from .header import PICKLE_SUFFIXES, read_header, refuse_pickle
from .learned_words import LearnedWords
from .prompt_text import cleaned

if TYPE_CHECKING:
    from .parts import Parts

_A1111 = "emb_params"
_PAIRS = (("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1"))
"""Names of SDXL's two tensors."""
_FAMILIES = {768: "SD 1.x", 1024: "SD 2.x", 1280: "SDXL"}
"""Whose text encoders have this width; SDXL's first has SD 1.x's."""
_NO_TOKEN = re.compile(r"[\s\\()\[\]{}:|,]")
"""What stands for something else in a prompt."""
ROWS_MAX = 75
"""Of a learned word: it must fit into a chunk."""


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """A textual inversion as the user named it.

    Attributes:
        file: its file.
        token: the word by which prompts name it; empty for the file's own.
    """

    file: Path
    token: str = ""


def parse_embedding(text: str) -> EmbeddingSpec:
    """Parse `FILE[=TOKEN]`.

    Raises:
        ConfigError: the token can't stand in a prompt.
    """
    file, equals, token = text.rpartition("=")
    if not equals or not file.lower().endswith((".safetensors", *PICKLE_SUFFIXES)):
        return EmbeddingSpec(Path(text).expanduser())
    if not token or _NO_TOKEN.search(token):
        raise ConfigError(f"embeddings: {token[:64]!r} is no word: write FILE=TOKEN without spaces, brackets and , : |")
    return EmbeddingSpec(Path(file).expanduser(), token)


def add_embeddings(parts: Parts, specs: Sequence[EmbeddingSpec]) -> None:
    """Give a model's text encoders the words of textual inversions. Before they are moved to a device.

    Raises:
        ModelError: a file is no textual inversion, could run code, or is made for a model of another family.
        ConfigError: two have the same name, or one has none that can stand in a prompt.
    """
    if not specs:
        return
    if not parts.family.takes_embeddings:
        raise ModelError(f"models of this family ({parts.family.name}) take no embeddings: leave --embedding out")
    encoders = parts.text_encoders
    widths = [int(encoder.config.hidden_size) for encoder in encoders]
    words: dict[str, tuple[int, ...]] = {}
    tables: list[list[torch.Tensor]] = [[] for _ in encoders]
    count = 0
    for spec in specs:
        with prefixed(f"embedding {spec.file.name}"):
            token, rows = _read(spec, widths)
        if token.casefold() in map(str.casefold, words):
            raise ConfigError(f"embeddings: two are named {token!r}: give one of them another, as FILE=TOKEN")
        words[token] = tuple(-1 - row for row in range(count, count + len(rows[0])))
        count += len(rows[0])
        for table, of_encoder in zip(tables, rows, strict=True):
            table.append(of_encoder)
    for encoder, table in zip(encoders, tables, strict=True):
        network: Any = encoder
        network.set_input_embeddings(LearnedWords(network.get_input_embeddings(), words, torch.cat(table)))


def _read(spec: EmbeddingSpec, widths: Sequence[int]) -> tuple[str, list[torch.Tensor]]:
    """The word, and its rows [n, D] for each text encoder."""
    if not spec.file.is_file():
        raise ModelError(f"there is no file {spec.file}: check the path")
    refuse_pickle(spec.file)
    read_header(spec.file)
    with one_line(spec.file.name):
        state = load_file(spec.file)
    pair = next((names for names in _PAIRS if names[0] in state or names[1] in state), None)
    if pair is not None:
        found = [state.get(name) for name in pair]
        own = spec.file.stem
    elif len(state) == 1:
        ((key, tensor),) = state.items()
        found, own = [tensor], spec.file.stem if key == _A1111 else key
    else:
        shown = ", ".join(sorted(state)[:3])
        raise ModelError(
            f"it is no textual inversion (it has {len(state)} tensors, such as {shown}): give a file of one"
        )
    rows = [None if one is None else one[None] if one.ndim == 1 else one for one in found]
    _check(rows, widths)
    token, _ = cleaned(spec.token or own)  # as prompts are, or none could name it
    if not token or _NO_TOKEN.search(token):
        named = shlex.quote(f"{spec.file.name}=TOKEN")
        raise ConfigError(f"embeddings: a prompt can't name {token[:64]!r}: give it a word, as --embedding {named}")
    return token, [one.float() for one in rows if one is not None]


def _check(rows: Sequence[torch.Tensor | None], widths: Sequence[int]) -> None:
    theirs = [None if one is None else int(one.shape[-1]) for one in rows]
    if theirs != list(widths):
        raise ModelError(
            f"it is made for {_shown(theirs)}, and this model has {_shown(list(widths))}: take one for this family"
        )
    for one in rows:
        if one is None or one.ndim != 2 or not one.is_floating_point() or not one.isfinite().all():
            raise ModelError("its vectors are no finite numbers, one vector a row: it is damaged, fetch it again")
        if not 0 < len(one) <= ROWS_MAX or len(one) != len(rows[0] if rows[0] is not None else one):
            raise ModelError(f"it has {len(one)} vectors: 1 to {ROWS_MAX}, as many for each text encoder, are a word")


def _shown(widths: Sequence[int | None]) -> str:
    """Text encoders of these widths, for people."""
    known = "SDXL" if len(widths) > 1 else _FAMILIES.get(widths[0] or 0, "")
    sides = " and ".join("none" if width is None else str(width) for width in widths)
    plural = "text encoders" if len(widths) > 1 else "a text encoder"
    return f"{plural} of width {sides}" + (f" ({known})" if known else "")
