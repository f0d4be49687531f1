"""Texts of clients: each is read, refused with a close code, or answered, in little time; params stay valid."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from realtime import protocol
from realtime.errors import CloseCode, ParamsError, ProtocolError
from realtime.params import Params
from realtime.session import COMMANDS as KNOWN_COMMANDS
from realtime.session import Session
from tests.fuzz.inputs import Tally, mutate, random_sources

ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**31, 2**64, 10**400, 0.5, -0.0, 1e308, 1e-320, "", "x", "\ud800", "\0", "𝔘" * 3, "x" * 3000),
    *(
        [],
        {},
        [[]],
        [{}],
        [0] * 300,
        [{"text": "x" * 1999, "weight": 1}] * 8,
        {"text": "a"},
        [{"text": "a", "weight": -1}],
    ),
    *([{"text": "a"}] * 9, {"a": {"b": {"c": [1]}}}, {str(number): number for number in range(300)}),
)
RIGHT: dict[str, Any] = {
    **Params().wire(),
    "prompt": [{"text": "a cat", "weight": 1.5}, {"text": "a (dog:1.2)"}],
    "latency_ms": 50,
    "min_fps": 20,
}
COMMANDS = (*KNOWN_COMMANDS, "explode", "", "x" * 500)


def a_message(source: random.Random) -> Any:
    fields: dict[str, Any]
    if source.random() < 0.7:
        names = source.sample(list(RIGHT), source.randint(0, 4))
        patch = {name: copy.deepcopy(RIGHT[name]) for name in names}
        if source.random() < 0.6:
            patch[source.choice([*RIGHT, "no such field", "__class__", ""])] = source.choice(ODD)
        fields = {"type": "params", "params": patch}
    elif source.random() < 0.2:
        fields = {"type": "video", "as_is": source.choice([True, False, *ODD])}
    else:
        fields = {"type": "command", "command": source.choice(COMMANDS)}
        for name in source.sample(["pad", "bpm", "since_s", "transition_s"], source.randint(0, 3)):
            fields[name] = source.choice(ODD)
    if source.random() < 0.2:
        fields[source.choice(["type", "params", "command", "more"])] = source.choice(ODD)
    return fields if source.random() < 0.95 else source.choice(ODD)


def a_text(source: random.Random) -> str:
    text = json.dumps(a_message(source), ensure_ascii=source.random() < 0.5)
    if source.random() < 0.3:
        text = mutate(text.encode(errors="surrogatepass"), source).decode(errors="replace")
    if source.random() < 0.02:
        text = source.choice(["[", '{"a":', "1" * 99, " ", "\t{}"]) * source.randint(1, 30_000)
    return text


def test_every_text_is_read_refused_or_answered() -> None:
    tally = Tally("texts")
    session = Session("s", Params(), 2**22)
    channel = session.attach(lambda: None)
    for source in random_sources("texts"):
        text = a_text(source)
        with tally.timed():
            tally.outcomes[told(session, text)] += 1
        assert Params.model_validate(dict(session.params)) == session.params
        assert all(json.loads(said)["type"] for said in channel.take_texts())
    print(tally)
    done = {"params", "refused params", "command", "refused command", "unknown command", "video", "unknown"}
    assert set(tally.outcomes) == done | {"1002", "1009"}


def told(session: Session, text: str) -> str:
    """What became of a text."""
    try:
        message = protocol.parse_text(text)
    except ProtocolError as error:
        assert error.close_code in (CloseCode.PROTOCOL_ERROR, CloseCode.TOO_BIG)
        assert 0 < len(str(error)) < 123, "the reason of a close frame"
        return str(error.close_code.value)
    match message:
        case protocol.ParamsMessage(patch):
            before = session.params
            try:
                session.update(patch)
            except ParamsError as error:
                assert 0 < len(str(error)) < 500
                assert session.params is before
                protocol.error_message("invalid_params", str(error), field=error.field).encode()
                return "refused params"
            return "params"
        case protocol.CommandMessage(name, fields):
            try:
                return "command" if session.perform(name, fields) else "unknown command"
            except ParamsError as error:
                protocol.error_message("invalid_params", str(error), field=error.field).encode()
                return "refused command"
        case protocol.VideoMessage(is_as_is):
            assert isinstance(is_as_is, bool)
            return "video"
        case protocol.UnknownMessage():
            return "unknown"
