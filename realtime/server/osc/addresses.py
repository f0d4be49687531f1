"""What OSC addresses do to a session, and what a session tells at them: docs/osc.md has the list.

Must not know sockets, or which session it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...errors import ParamsError
from ...frame import Air
from ...params import Params
from ...session import Session
from .wire import OscValue

FIELDS = tuple(name for name in Params.model_fields if name != "version")
SWITCHES = ("freeze", "bypass", "panic")
BUTTONS = ("new_seed", "beat", "reset")


def act(session: Session, path: str, values: Sequence[OscValue]) -> None:
    """Do what a message says.

    Args:
        path: of the address, without what comes before: `strength`, `pad/3`.

    Raises:
        ParamsError: it says nothing that can be done.
    """
    name, _, rest = path.partition("/")
    match name:
        case "freeze" if not rest:
            session.perform("freeze" if _wanted(values, session.frozen) else "unfreeze", {})
        case "bypass" | "panic" if not rest:
            air = Air.BLACK if name == "panic" else Air.INPUT
            session.perform((air if _wanted(values, session.air is air) else Air.OUTPUT).value, {})
        case "pad" if rest.isdecimal():
            if _is_pressed(values):
                session.perform("pad", {"pad": int(rest[:6])})
        case "pad" if not rest:
            which, transition_s = _first_two(values)
            session.perform("pad", {"pad": _whole(which), "transition_s": transition_s})
        case "bpm" if not rest:
            bpm, _ = _first_two(values)
            since_s = (session.tempo_wire or {}).get("since_s")
            session.perform("tempo", {"bpm": bpm, "since_s": since_s})
        case "crossfade" if not rest:
            at, transition_s = _first_two(values)
            session.perform("crossfade", {"at": at, "transition_s": transition_s})
        case "blend" if not rest:
            session.update({"prompt": _blend(values)})
        case _ if path in BUTTONS:
            if _is_pressed(values):
                _press(session, path)
        case _ if path in FIELDS:
            value, transition_s = _first_two(values)
            session.update({path: _fitting(path, value)}, transition_s)
        case _:
            raise ParamsError(f"there is no OSC address {path[:64]!r}: docs/osc.md lists all")


def _press(session: Session, button: str) -> None:
    match button:
        case "new_seed":
            session.perform("seed", {})
        case "beat":
            bpm = session.tempo.bpm if session.tempo is not None else None
            session.perform("tempo", {"bpm": bpm})
        case _:
            session.perform("reset", {})


def told(session: Session) -> Mapping[str, tuple[OscValue, ...]]:
    """What there is to tell of a session, by path."""
    params, tempo, pads = session.params.wire(), session.tempo, session.pads.all
    news: dict[str, tuple[OscValue, ...]] = {
        field: (value,) for field in FIELDS if not isinstance(value := params[field], list | dict)
    }
    if isinstance(params["prompt"], list):
        news["blend"] = _flat(cast("list[dict[str, Any]]", params["prompt"]))
    news |= {
        "freeze": (int(session.frozen),),
        "bypass": (int(session.air is Air.INPUT),),
        "panic": (int(session.air is Air.BLACK),),
        "pad": (session.pad or 0,),
    }
    for number, pad in enumerate(pads, 1):
        news[f"pad/{number}"] = (int(number == session.pad),)
        news[f"pad/{number}/name"] = (pad.name,)
    if tempo is not None:
        news["bpm"] = (round(tempo.bpm, 2),)
    if session.crossfade is not None:
        news["crossfade"] = (session.crossfade.at,)
    return news


def _flat(parts: list[dict[str, Any]]) -> tuple[OscValue, ...]:
    return tuple(each for part in parts for each in (part.get("text") or part.get("picture", ""), part["weight"]))


def _is_pressed(values: Sequence[OscValue]) -> bool:
    """Whether a button went down: it has no value, or one that is no 0."""
    return not values or (values[0] >= 0.5 if isinstance(values[0], int | float) else values[0] is not None)


def _wanted(values: Sequence[OscValue], now: bool) -> bool:
    """Where a switch is to stand; without a value on its other side."""
    return _is_pressed(values) if values else not now


def _first_two(values: Sequence[OscValue]) -> tuple[OscValue, OscValue]:
    """A value, and the seconds of the way to it; None where there are none."""
    if not 1 <= len(values) <= 2:
        raise ParamsError("send a value, and seconds behind it where the change is to take some")
    if any(isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)) for value in values):
        raise ParamsError("send numbers or texts")
    return values[0], values[1] if len(values) == 2 else None


def _whole(value: OscValue) -> OscValue:
    """Senders that have nothing but f send whole numbers by it, too."""
    return round(value) if isinstance(value, float) else value


def _fitting(field: str, value: OscValue) -> OscValue:
    """A value in the field's own kind of number."""
    kind = Params.model_fields[field].annotation
    if kind is bool and isinstance(value, int | float):
        return value >= 0.5
    return _whole(value) if kind is int else value


def _blend(values: Sequence[OscValue]) -> list[dict[str, OscValue]]:
    """Texts, each with its weight behind it."""
    pairs = list(zip(values[::2], values[1::2], strict=False))
    if not pairs or len(values) % 2 or not all(isinstance(text, str) for text, _ in pairs):
        raise ParamsError("a blend is texts, each with its weight behind it", "prompt")
    if not all(isinstance(weight, int | float) and math.isfinite(weight) for _, weight in pairs):
        raise ParamsError("a blend is texts, each with its weight behind it", "prompt")
    return [{"text": text, "weight": weight} for text, weight in pairs]
