"""What a picture is to look like, as a user says it: a text, or a blend of texts and pictures by weight.

Must not know how a model hears it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

PROMPT_MAX_CHARS = 2000
PROMPTS_MAX = 8
BLEND_MAX_CHARS = 4000
"""Of all texts of a blend: what a session was told comes back in each answer to a patch."""
REFERENCES_MAX, REFERENCE_WEIGHT_MAX = 4, 2.0
PICTURE_ID = re.compile("[0-9a-f]{32}")
SHOWN_CHARS = 40
"""Of a wrong id."""


class Subject(NamedTuple):
    """What one part of a prompt says: either of the two.

    Attributes:
        text: empty where it is a picture, and where nothing is said.
        picture: the id of a `Reference`; empty where it is a text.
    """

    text: str = ""
    picture: str = ""


def an_id(picture: str) -> str:
    """The same, where it is the id of a reference. Raises PydanticCustomError."""
    if not PICTURE_ID.fullmatch(picture):
        shown = picture[:SHOWN_CHARS]
        raise PydanticCustomError(
            "no_id", "a picture goes by the id that PUT /api/pictures answered, not by {shown}", {"shown": repr(shown)}
        )
    return picture


class WeightedPrompt(BaseModel):
    """One part of a blend: a text, or a picture in whose style it is to be."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    text: Annotated[str, Field(max_length=PROMPT_MAX_CHARS)] = ""
    picture: Annotated[str, AfterValidator(an_id)] = ""
    weight: Annotated[float, Field(ge=0, le=10)] = 1.0

    @model_validator(mode="after")
    def _is_either(self) -> Self:
        if not {"text", "picture"} & self.model_fields_set:
            raise PydanticCustomError("part_missing", "a part of a blend needs a text, or a picture")
        if self.text and self.picture:
            raise PydanticCustomError("part_twice", "a part of a blend is a text or a picture: make two parts of it")
        return self

    @model_serializer(mode="wrap")
    def _without_the_other(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialise(self)
        del values["text" if self.picture else "picture"]
        return values

    @property
    def subject(self) -> Subject:
        """What it says, without its weight."""
        return Subject(self.text, self.picture)

    @classmethod
    def of(cls, subject: Subject, weight: float) -> WeightedPrompt:
        """One that is known to be valid, but for a weight that may be any share."""
        return cls.model_construct(text=subject.text, picture=subject.picture, weight=weight)


class Layers(StrEnum):
    """What of a reference is taken, where the model can tell."""

    ALL = "all"
    STYLE = "style"
    """Colours, material, mood."""
    COMPOSITION = "composition"
    """What is where."""


class Reference(BaseModel):
    """A picture that others are to be like, beside what the prompt says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    picture: Annotated[str, AfterValidator(an_id)]
    weight: Annotated[float, Field(ge=0, le=REFERENCE_WEIGHT_MAX)] = 0.6
    layers: Annotated[Layers, Field(strict=False)] = Layers.ALL


class PicturesHeard(NamedTuple):
    """Where a model hears pictures.

    Attributes:
        in_prompts: whether a prompt may have pictures in it.
        layers: which layers references may have; empty where there are none.
        by_nets: whether a net of `control` may have one as its source.
    """

    in_prompts: bool = False
    layers: tuple[Layers, ...] = ()
    by_nets: bool = False

    @property
    def anywhere(self) -> bool:
        """Whether it hears any."""
        return self.in_prompts or bool(self.layers) or self.by_nets


Prompt = str | tuple[WeightedPrompt, ...]
"""A text, or a blend of several parts."""


def _not_too_long(blend: tuple[WeightedPrompt, ...]) -> tuple[WeightedPrompt, ...]:
    size = sum(len(prompt.text) for prompt in blend)
    if size > BLEND_MAX_CHARS:
        raise PydanticCustomError(
            "blend_too_long",
            "the texts of a blend have {most} characters at most, these {size}: shorten them",
            {"most": BLEND_MAX_CHARS, "size": size},
        )
    return blend


Blend = Annotated[
    tuple[WeightedPrompt, ...],
    Field(min_length=1, max_length=PROMPTS_MAX, strict=False),
    AfterValidator(_not_too_long),
]


def parts_of(prompt: Prompt) -> tuple[WeightedPrompt, ...]:
    """The parts of a prompt: of a text, it alone."""
    return (WeightedPrompt.of(Subject(prompt), 1.0),) if isinstance(prompt, str) else prompt


def pictures_of(prompt: Prompt) -> frozenset[str]:
    """The ids of all pictures that a prompt names."""
    if isinstance(prompt, str):
        return frozenset()
    return frozenset(part.picture for part in prompt if part.picture)


def heaviest(blend: tuple[WeightedPrompt, ...]) -> tuple[WeightedPrompt, ...]:
    """The heaviest parts of a blend that a user may blend."""
    kept: list[WeightedPrompt] = []
    for prompt in sorted(blend, key=lambda prompt: prompt.weight, reverse=True)[:PROMPTS_MAX]:
        if sum(len(one.text) for one in [*kept, prompt]) <= BLEND_MAX_CHARS:
            kept.append(prompt)
    return tuple(kept)


def heaviest_references(references: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """The heaviest of some references that a user may have."""
    return tuple(sorted(references, key=lambda one: one.weight, reverse=True)[:REFERENCES_MAX])
