"""A session's pads: looks with a name and a picture, in the order of their keys, and which of them was called last.

Must not know sessions, or how a look comes to be seen.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from .errors import ParamsError
from .params import TRANSITION_MAX_S, Params

PADS_MAX = 100
NAME_MAX_CHARS = 64
PICTURE_MAX_CHARS = 16_384
"""Of a pad's picture, as it is written: twelve kilobytes of JPEG."""
NO_LOOK = frozenset(
    (
        "version",
        "width",
        "height",
        "output_format",
        "output_quality",
        "skip_unchanged",
        "fallback",
        "latency_ms",
        "min_fps",
        "min_steps",
        "min_nets",
        "min_scale",
        "min_quality",
        "transition_s",
    )
)
"""Fields of size, sending and speed: a look has all others."""


@dataclass(frozen=True, slots=True)
class Pad:
    """A look on a key.

    Attributes:
        look: fields of params, as they are validated.
        wire: the same as on the wire: the patch that puts it in force.
        transition_s: seconds of the way to it, 0 to 60; None: as the params in force have it.
        picture: of the result, a small JPEG in base64; empty where there is none.
    """

    name: str
    look: Mapping[str, Any]
    wire: Mapping[str, Any]
    transition_s: float | None = None
    picture: str = ""

    @classmethod
    def of(cls, value: object) -> Pad:
        """A pad as it came in; fields of its look that are none here, or not of a look, are left out.

        Raises:
            ParamsError: it is no pad.
        """
        fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        name, look, picture = fields.get("name"), fields.get("look"), fields.get("picture") or ""
        transition_s = fields.get("transition_s")
        if not isinstance(name, str) or not name.strip() or not isinstance(look, dict):
            raise ParamsError('a pad must have a name and a look: {"name": "night", "look": {"prompt": …}}', "pads")
        if not _is_picture(picture):
            raise ParamsError(f"a pad's picture must be a JPEG in base64 of {PICTURE_MAX_CHARS} characters", "pads")
        taken, validated = _validated(cast("dict[str, Any]", look))
        return cls(
            name=name.strip()[:NAME_MAX_CHARS].encode(errors="replace").decode(),
            look={field: getattr(validated, field) for field in taken},
            wire={field: value for field, value in validated.wire().items() if field in taken},
            transition_s=_seconds(transition_s),
            picture=picture,
        )

    def is_in(self, params: Params) -> bool:
        """Whether these params show this look."""
        return all(getattr(params, field) == value for field, value in self.look.items())

    def as_wire(self) -> dict[str, Any]:
        """The pad as JSON values."""
        fields: dict[str, Any] = {"name": self.name, "look": dict(self.wire)}
        if self.transition_s is not None:
            fields["transition_s"] = self.transition_s
        return fields | ({"picture": self.picture} if self.picture else {})


_LOOK = frozenset(Params.model_fields) - NO_LOOK


def _validated(look: Mapping[str, Any]) -> tuple[frozenset[str], Params]:
    """The fields of a look that are taken, and params with them."""
    fields: dict[str, Any] = {field: value for field, value in look.items() if field in _LOOK and value is not None}
    while True:
        try:
            return frozenset(fields), Params().patched(fields, Params())
        except ParamsError as error:
            if error.field not in fields:
                raise
            del fields[error.field]


def _seconds(value: object) -> float | None:
    """A pad's own time; None where that is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= TRANSITION_MAX_S:
        return None
    return float(value)


def _is_picture(picture: object) -> bool:
    if not isinstance(picture, str) or len(picture) > PICTURE_MAX_CHARS:
        return False
    try:
        return not picture or base64.b64decode(picture, validate=True).startswith(b"\xff\xd8\xff")
    except ValueError:
        return False


class Pads:
    """The pads of a session. Event loop only.

    Attributes:
        all: in the order of their keys.
        last: the index of the one whose look was in force last; None before the first. It stays while params are
            changed by hand, sound or beat.
        version: rises whenever they are replaced.
    """

    def __init__(self) -> None:
        self.all: tuple[Pad, ...] = ()
        self.version = 0
        self.last: int | None = None

    def replace(self, pads: tuple[Pad, ...], params: Params) -> None:
        """Have other pads, and see which of them these params show."""
        before = self.all[self.last] if self.last is not None else None
        self.all = pads
        self.version += 1
        self.last = next((index for index, pad in enumerate(pads) if before and pad.name == before.name), None)
        self.note(params)

    def note(self, params: Params) -> None:
        """Params are in force: the pad whose look that is was called last. Of two alike, the one that was."""
        if self.last is not None and self.all[self.last].is_in(params):
            return
        shown = next((index for index, pad in enumerate(self.all) if pad.is_in(params)), None)
        self.last = self.last if shown is None else shown

    def find(self, which: object) -> int:
        """The index of a pad.

        Args:
            which: its number, from 1 on, or its name.

        Raises:
            ParamsError: there is no such pad.
        """
        if isinstance(which, int) and not isinstance(which, bool) and 1 <= which <= len(self.all):
            return which - 1
        found = next((index for index, pad in enumerate(self.all) if pad.name == which), None)
        if found is None:
            named = str(which)[:64].encode(errors="replace").decode()
            raise ParamsError(f"there is no pad {named!r}: give a number from 1 to {len(self.all)}, or a name", "pad")
        return found


def pads_from(values: object) -> tuple[Pad, ...]:
    """The pads of a list as it came in.

    Raises:
        ParamsError: it is none, or has too many.
    """
    if not isinstance(values, list):
        raise ParamsError('the body must be {"pads": […]}', "pads")
    pads = cast("list[object]", values)
    if len(pads) > PADS_MAX:
        raise ParamsError(f"a session may have {PADS_MAX} pads, not {len(pads)}: send fewer", "pads")
    return tuple(Pad.of(pad) for pad in pads)
