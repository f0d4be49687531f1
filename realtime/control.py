"""What a session asks of control: which nets steer its picture, how hard, in which steps, and by which picture.

Must not know nets, or how a hint is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .prompts import PICTURE_ID, an_id

CONTROLS_MAX = 4
"""Nets that steer one picture."""
NET_MAX_CHARS = 64
INPUT = "input"
"""The source that is the session's own picture."""


class Hint(StrEnum):
    """What a net is shown of a picture."""

    CANNY = "canny"
    """Edges, white on black."""
    LINES = "lines"
    """Thin lines as drawn, white on black."""
    SCRIBBLE = "scribble"
    """Thick lines, white on black."""
    TILE = "tile"
    """The picture, blurred."""
    COLOUR = "colour"
    """Squares of its colours."""
    DEPTH = "depth"
    """How near things are, from black to white."""
    POSE = "pose"
    """People's limbs, in OpenPose's colours."""
    PICTURE = "picture"
    """The picture as it is: for nets whose hint is made elsewhere."""

    @property
    def is_on_host(self) -> bool:
        """Whether it is made as frames are opened; else a network of the engine makes it."""
        return self not in (Hint.DEPTH, Hint.POSE)


class HintKey(NamedTuple):
    """Which hint of which picture.

    Attributes:
        source: `INPUT`, or the id of a reference.
    """

    hint: Hint
    source: str


def _a_source(source: str) -> str:
    return source if source == INPUT or PICTURE_ID.fullmatch(source) else an_id(source)


class Control(BaseModel):
    """One net that steers a picture. Between `start` and `end` only, which are shares of the steps.

    Attributes:
        net: its name, one of `EngineInfo.controls`.
        source: what its hint is made of: `INPUT`, or the id of a reference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    net: Annotated[str, Field(min_length=1, max_length=NET_MAX_CHARS)]
    weight: Annotated[float, Field(ge=0, le=2)] = 1.0
    start: Annotated[float, Field(ge=0, le=1)] = 0.0
    end: Annotated[float, Field(ge=0, le=1)] = 1.0
    source: Annotated[str, AfterValidator(_a_source)] = INPUT

    @property
    def subject(self) -> tuple[str, str]:
        """What it steers by: net and source."""
        return self.net, self.source


def pictures_of(controls: Iterable[Control]) -> frozenset[str]:
    """The ids of all references that are sources."""
    return frozenset(one.source for one in controls if one.source != INPUT)


def hints_of_host(controls: Iterable[Control], nets: Mapping[str, Hint]) -> tuple[HintKey, ...]:
    """What is to be made of pictures before a frame comes to the engine, each once.

    Args:
        nets: the hint of each net that is loaded; others steer nothing.

    Returns:
        Hints for nets that act. Where the engine makes the hint of a reference, that picture itself. The input itself
        is not among them: the engine has it.
    """
    wanted: list[HintKey] = []
    for one in controls:
        if one.weight and (hint := nets.get(one.net)) is not None:
            key = HintKey(hint if hint.is_on_host else Hint.PICTURE, one.source)
            if key != (Hint.PICTURE, INPUT):
                wanted.append(key)
    return tuple(dict.fromkeys(wanted))
