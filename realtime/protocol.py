"""The wire protocol, version 1: bytes and JSON to messages and back. See docs/protocol.md.

Pure: no I/O, no clock, no session. What comes in is untrusted; nothing but ProtocolError leaves the parsing functions.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from .errors import CloseCode, ProtocolError
from .frame import Air, Format, Repeat, Result

VERSION = 1
SUBPROTOCOL = "realtime.v1"
TOKEN_SUBPROTOCOL_PREFIX = "token."
WINDOW = 2
"""Unsettled frames a client keeps out: 1 wastes a third of the rate on a slow uplink, 3 adds 64 ms (measured)."""
TEXT_MAX_BYTES = 64 * 1024
VALUES_MAX = 256
"""Values in a JSON text, nested ones too: a list of 30,000 numbers for a prompt takes 90 ms to refuse (measured)."""
REPEAT = 1 << 0
"""Result flag: the picture equals the last one sent; there is no payload."""

STACKED = 1 << 1
"""Result flag: the picture is twice as high as the params say: the fill above, its key (opacity) in grey below."""

REFERENCE = 1 << 2
"""Flag of a client's picture: it is no frame, but one that prompts may name; answered by a `picture` message."""

BLACKED = 1 << 3
"""Result flag, to viewers: the picture is black because the session puts black on air."""

AS_IS = 1 << 4
"""Flag of a client's picture: it is shown as it is, and the model does not touch it."""

HEADER = struct.Struct("<BBHIQII")
"""version u8, format u8, flags u16, seq u32, captured_us u64, params_version u32, engine_us u32"""
U32_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class PictureMessage:
    """One picture from a client.

    Attributes:
        seq: the client's number.
        captured_us: the client's clock; 0 where the message had no header.
        picture: the encoded bytes: a view into the message.
        is_reference: whether it is no frame, see `REFERENCE`.
        is_as_is: whether it is shown as it is, see `AS_IS`.
    """

    seq: int
    format: Format
    captured_us: int
    picture: memoryview
    is_reference: bool = False
    is_as_is: bool = False


@dataclass(frozen=True, slots=True)
class ParamsMessage:
    """A JSON merge patch of the params, and its own transition, unchecked; None where it has none."""

    patch: dict[str, Any]
    transition_s: object = None


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """A command, and what belongs to it, unchecked; see `session.COMMANDS`."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)


@dataclass(frozen=True, slots=True)
class VideoMessage:
    """How the video of a connection is taken from now on.

    Attributes:
        is_as_is: whether its frames are shown as they are, as by `AS_IS`, which a frame of a video can't have.
    """

    is_as_is: bool


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A message to be ignored, as of a later version. `problem` is set where a known type lacks a field."""

    type: str
    problem: str | None = None


TextMessage = ParamsMessage | CommandMessage | VideoMessage | UnknownMessage


def parse_picture(message: bytes, previous_seq: int | None) -> PictureMessage:
    """A client's binary message.

    Args:
        message: the whole message.
        previous_seq: the seq of the connection's last picture, None before the first: a picture without a header
            gets the next number (0 at first).

    Raises:
        ProtocolError: neither a version 1 header nor the signature of a picture.
    """
    bare = Format.sniff(message)
    if bare is not Format.NONE:
        seq = 0 if previous_seq is None else (previous_seq + 1) & U32_MAX
        return PictureMessage(seq, bare, 0, memoryview(message))
    if len(message) < HEADER.size:
        raise ProtocolError(
            f"a binary message of {len(message)} bytes is no picture: send a JPEG, PNG or WebP, or {HEADER.size} bytes "
            "of header before it"
        )
    version, format_number, flags, seq, captured_us, _params_version, _engine_us = HEADER.unpack_from(message)
    if version != VERSION:
        raise ProtocolError(f"this server speaks version {VERSION} of the protocol, not {version}: update the client")
    if format_number not in (Format.JPEG, Format.PNG, Format.WEBP):
        raise ProtocolError(f"there is no picture format {format_number}; use 1 (JPEG), 2 (PNG) or 3 (WebP)")
    picture = memoryview(message)[HEADER.size :]
    wishes = (bool(flags & REFERENCE), bool(flags & AS_IS))
    return PictureMessage(seq, Format(format_number), captured_us, picture, *wishes)


def pack_result(result: Result | Repeat, engine_us: int) -> bytes:
    """The binary message of a result, or of a repeat of the last one.

    Args:
        engine_us: from the frame's arrival until now, microseconds; capped at the 71 minutes that the header holds.
    """
    order = result.order
    picture_format, flags, data = (Format.NONE, REPEAT, b"")
    if isinstance(result, Result):
        is_stacked = result.key is not None and result.format is Format.JPEG
        flags = (STACKED if is_stacked else 0) | (BLACKED if result.air is Air.BLACK else 0)
        picture_format, data = (result.format, result.data)
    seq, captured_us, version = order.frame.seq, order.frame.captured_us, order.params.version
    return HEADER.pack(VERSION, picture_format, flags, seq, captured_us, version, min(engine_us, U32_MAX)) + data


def parse_text(message: str) -> TextMessage:
    """A client's text message.

    Raises:
        ProtocolError: too long, or no JSON object.
    """
    # A character is at most 4 bytes: the exact count is only made where it can matter.
    if len(message) > TEXT_MAX_BYTES or len(message.encode("utf-8", "replace")) > TEXT_MAX_BYTES:
        raise ProtocolError(f"a text message may have {TEXT_MAX_BYTES} bytes: shorten it", CloseCode.TOO_BIG)
    return _message(parse_object(message))


def parse_object(text: str | bytes, values_max: int = VALUES_MAX) -> dict[str, Any]:
    """Parse a JSON object; NaN and Infinity, which Python takes for JSON, are refused.

    Args:
        values_max: so many values may be in it, nested ones too.

    Raises:
        ProtocolError: the text is no JSON object.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ProtocolError('this is no JSON object: write {"name": value}') from None
    if not isinstance(value, dict):
        raise ProtocolError('this is no JSON object: write {"name": value}')
    if _has_too_many_values(value, values_max):
        raise ProtocolError(f"a JSON text may have {values_max} values: send fewer", CloseCode.TOO_BIG)
    return cast("dict[str, Any]", value)


def _has_too_many_values(value: object, values_max: int) -> bool:
    """Whether a JSON value has more than so many values in it. Looks at no more than that."""
    left, waiting = values_max, [value]
    while waiting:
        inner = waiting.pop()
        values = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
        left -= len(values)
        if left < 0:
            return True
        waiting += values
    return False


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _message(fields: dict[str, Any]) -> TextMessage:
    kind = fields.get("type")
    if not isinstance(kind, str):
        return UnknownMessage("", "a message must have a string `type`")
    if kind == "params":
        patch = fields.get("params")
        if not isinstance(patch, dict):
            return UnknownMessage(kind, "a `params` message must have an object `params`")
        return ParamsMessage(cast("dict[str, Any]", patch), fields.get("transition_s"))
    if kind == "command":
        name = fields.get("command")
        if not isinstance(name, str):
            return UnknownMessage(kind, "a `command` message must have a string `command`")
        return CommandMessage(name, fields)
    if kind == "video":
        as_is = fields.get("as_is")
        if not isinstance(as_is, bool):
            return UnknownMessage(kind, "a `video` message must have a boolean `as_is`")
        return VideoMessage(as_is)
    return UnknownMessage(kind)


def _text(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class AboutModel:
    """What clients are told of a model.

    Attributes:
        styles: words that a small model knows; left out where empty.
        guidance: how the model uses `guidance_scale`, so that a client can tell which fields have no effect.
        mattes: which values of `matte` act; left out where empty.
        negative_scale: whether the negative prompt acts by that, too; left out where not.
        pictures: whether prompts may have pictures in them; left out where not.
        references: which `layers` the `references` may have; left out where there may be none.
        controls: the nets that `control` may name, see `ControlInfo.wire`; left out where there are none.
        best_steps: where other numbers of steps look worse; left out where more are finer.
    """

    model: str
    styles: Mapping[str, Any] = field(default_factory=dict[str, Any])
    guidance: str | None = None
    mattes: Sequence[str] = ()
    negative_scale: bool = False
    pictures: bool = False
    references: Sequence[str] = ()
    controls: Sequence[Mapping[str, Any]] = ()
    best_steps: int | None = None

    def wire(self) -> dict[str, Any]:
        """The fields of a message."""
        fields: dict[str, Any] = {"model": self.model}
        if self.styles:
            fields["styles"] = self.styles
        if self.guidance is not None:
            fields["guidance"] = self.guidance
        if self.mattes:
            fields["mattes"] = list(self.mattes)
        if self.negative_scale:
            fields["negative_scale"] = True
        if self.pictures:
            fields["pictures"] = True
        if self.references:
            fields["references"] = list(self.references)
        if self.controls:
            fields["controls"] = list(self.controls)
        if self.best_steps is not None:
            fields["best_steps"] = self.best_steps
        return fields


def ready_message(
    *,
    session: str,
    about: AboutModel,
    params: Mapping[str, Any],
    limits: Mapping[str, int],
    air: str | None = None,
    gliding_s: float = 0.0,
    tempo: Mapping[str, float] | None = None,
    crossfade: Mapping[str, float] | None = None,
    ticket: str | None = None,
) -> str:
    """Frames may be sent from now on.

    Args:
        about: the model.
        air: what viewers get, see `frame.Air`.
        gliding_s: see `params_message`.
        tempo: see `Tempo.wire`; None where the session has none.
        crossfade: see `Session.crossfade_of_others`.
        ticket: by which the session's owner comes back; None for those who need none.
    """
    fields: dict[str, Any] = {"session": session, "params": params, "limits": limits, "window": WINDOW}
    fields |= about.wire() | _gliding(gliding_s)
    if air is not None:
        fields["air"] = air
    if tempo is not None:
        fields["tempo"] = tempo
    if crossfade is not None:
        fields["crossfade"] = crossfade
    if ticket is not None:
        fields["ticket"] = ticket
    return _text("ready", protocol=VERSION, **fields)


def model_message(about: AboutModel, dissolve_s: float = 0.0, changed: Sequence[Mapping[str, str]] = ()) -> str:
    """Another model makes the session's pictures from now on; the params in force under it follow.

    Args:
        dissolve_s: in which pictures go over from those of the model before.
        changed: fields of params that it does not take as they were, each with a sentence (`field`, `message`).
    """
    return _text("model", **about.wire(), dissolve_s=dissolve_s, changed=list(changed))


def loading_message(stage: str, percent: float | None) -> str:
    """A model is being fetched, loaded or compiled. `percent` is None where it is unknown."""
    return _text("loading", stage=stage, percent=percent)


def status_message(engine: str, reason: str = "", expected_s: float | None = None) -> str:
    """The engine is away, or ready again.

    Args:
        engine: `away` or `ready`.
        reason: why it is away, a sentence's part.
        expected_s: seconds until another is ready.
    """
    fields: dict[str, Any] = {"engine": engine}
    if expected_s is not None:
        fields |= {"reason": reason, "expected_s": round(expected_s, 1)}
    return _text("status", **fields)


def safety_message(code: str, message: str = "") -> str:
    """A frame checker holds the session's pictures, or does no more.

    Args:
        code: why, see `holding.HELD_CODES`; empty where it does not.
        message: the same as a sentence.
    """
    return _text("safety", held=True, code=code, message=message) if code else _text("safety", held=False)


def queued_message(position: int, size: int) -> str:
    """The server is full and the client waits in line; position 1 is next."""
    return _text("queued", position=position, size=size)


def params_message(params: Mapping[str, Any], gliding_s: float = 0.0) -> str:
    """The params in force.

    Args:
        gliding_s: seconds until all that is shown is as they say; left out where it is already.
    """
    return _text("params", params=params, **_gliding(gliding_s))


def state_message(**fields: Any) -> str:
    """What commands have changed: all of it to remotes, to a session's client what others have changed alone. A client
    that has commanded something else meanwhile is not set back by what it does not hear of.

    Args:
        fields: `frozen`; `air`, see `frame.Air`; `pad`, the number of the one that was called last, from 1 on, or None;
            `pads`, their version; `tempo`, see `Tempo.wire`; `crossfade`, see `Crossfade.wire`.
    """
    return _text("state", **fields)


def _gliding(seconds: float) -> dict[str, float]:
    return {"gliding_s": round(seconds, 3)} if seconds else {}


def heard_message(heard: Mapping[str, Any], version: int) -> str:
    """How the model hears the prompts of the params of this version; see `engine.hearing.Heard.wire`."""
    return _text("heard", version=version, **heard)


def governor_message(choice: Mapping[str, Any]) -> str:
    """The governor's choice; see `governor.Choice.wire`."""
    return _text("governor", **choice)


def error_message(code: str, message: str, *, field: str | None = None, seq: int | None = None) -> str:
    """A refused patch, command or frame; the connection stays open."""
    extra: dict[str, Any] = {"field": field} if field is not None else {}
    if seq is not None:
        extra["seq"] = seq
    return _text("error", code=code, message=message, **extra)


def picture_message(seq: int, reference: str, width: int, height: int) -> str:
    """The answer to a picture that was brought for prompts, with the id that they name it by."""
    return _text("picture", seq=seq, id=reference, width=width, height=height)


def dropped_message(seqs: Sequence[int], reason: str) -> str:
    """Frames that will get no result."""
    return _text("dropped", seqs=list(seqs), reason=reason)


def stats_message(stats: Mapping[str, Any]) -> str:
    """The numbers of the last second; see `stats.SessionStats.snapshot`."""
    return _text("stats", **stats)


def closed_message(code: int, reason: str) -> str:
    """The last message of a channel that has no close codes of its own, such as a data channel."""
    return _text("closed", code=code, reason=reason)
