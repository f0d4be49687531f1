"""The wire: golden vectors that the web client reads too, hostile messages, and what the server says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime import protocol
from realtime.errors import CloseCode, ProtocolError
from realtime.frame import Air, Format, Frame, Job, Repeat, Result, Stamps
from realtime.params import Params
from realtime.protocol import AboutModel, CommandMessage, ParamsMessage, PictureMessage, UnknownMessage, VideoMessage
from tests.fakes.frames import a_job, a_message
from tests.fakes.pictures import pixels

DATA = Path(__file__).parent / "data" / "protocol"
FRAMES: dict[str, Any] = json.loads((DATA / "frames.json").read_text())
MESSAGES: dict[str, Any] = json.loads((DATA / "messages.json").read_text())


def named(vectors: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


FROM_CLIENT = [f for f in FRAMES["frames"] if f["fields"]["format"] and not f["fields"]["params_version"]]
FROM_SERVER = [f for f in FRAMES["frames"] if f["fields"]["params_version"] and f["fields"]["flags"] in (0, 1, 2)]
REFUSED_BY_SERVER = [v for v in FRAMES["invalid"] if v["receiver"] in ("server", "both")]
SERVER_MESSAGES = {m["message"]["type"]: m["message"] for m in MESSAGES["messages"] if m["from"] == "server"}


# -- pictures from the client --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", named(FROM_CLIENT))
def test_golden_frame_is_read(vector: dict[str, Any]) -> None:
    fields = vector["fields"]

    message = protocol.parse_picture(bytes.fromhex(vector["hex"]), None)

    assert message == PictureMessage(
        fields["seq"],
        Format(fields["format"]),
        int(fields["captured_us"]),
        memoryview(bytes.fromhex(vector["payload_hex"])),
        is_as_is=bool(fields["flags"] & protocol.AS_IS),
    )


@pytest.mark.parametrize("vector", named(REFUSED_BY_SERVER))
def test_golden_invalid_frame_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        protocol.parse_picture(bytes.fromhex(vector["hex"]), None)

    assert caught.value.close_code == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("vector", named(FRAMES["bare"]))
@pytest.mark.parametrize(("previous", "seq"), [(None, 0), (0, 1), (41, 42), (2**32 - 1, 0)])
def test_picture_without_a_header_is_a_frame_with_the_next_seq(
    vector: dict[str, Any], previous: int | None, seq: int
) -> None:
    data = bytes.fromhex(vector["hex"])

    message = protocol.parse_picture(data, previous)

    assert message == PictureMessage(seq, Format(vector["format"]), 0, memoryview(data))


def test_picture_is_a_view_and_not_a_copy() -> None:
    data = a_message(1, b"x" * 1000)

    assert protocol.parse_picture(data, None).picture.obj is data


@pytest.mark.parametrize(("flags", "is_as_is"), [(0, False), (protocol.AS_IS, True), (protocol.REFERENCE, False)])
def test_frame_says_whether_it_is_shown_as_it_is(flags: int, is_as_is: bool) -> None:
    data = protocol.HEADER.pack(1, 1, flags, 5, 6, 7, 8) + b"x"

    assert protocol.parse_picture(data, None).is_as_is is is_as_is


def test_unknown_flags_are_ignored() -> None:
    data = protocol.HEADER.pack(1, 1, 0xFFFE, 5, 6, 7, 8) + b"x"

    assert protocol.parse_picture(data, None).seq == 5


@given(st.binary(max_size=64))
@example(b"")
@example(b"\xff\xd8\xff")
@example(b"\x01\x00" + bytes(22))
def test_any_bytes_are_a_picture_or_a_protocol_error(data: bytes) -> None:
    try:
        message = protocol.parse_picture(data, 7)
    except ProtocolError as error:
        assert error.close_code == CloseCode.PROTOCOL_ERROR
    else:
        assert message.format is not Format.NONE
        assert 0 <= message.seq < 2**32


@given(
    st.sampled_from([Format.JPEG, Format.PNG, Format.WEBP]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=100),
)
def test_header_round_trips(picture_format: Format, seq: int, captured_us: int, data: bytes) -> None:
    message = protocol.HEADER.pack(1, picture_format, 0, seq, captured_us, 0, 0) + data

    assert protocol.parse_picture(message, None) == PictureMessage(seq, picture_format, captured_us, memoryview(data))


# -- results -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", named(FROM_SERVER))
def test_golden_result_is_written(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    frame = Frame(fields["seq"], Format.JPEG, b"", int(fields["captured_us"]), 0)
    job = Job(frame, Params(version=fields["params_version"]), "s", 0, picture=pixels())
    payload = bytes.fromhex(vector["payload_hex"])
    key = pixels()[..., 0] if fields["flags"] & 2 else None
    sealed = Result(job, pixels(), Stamps(0), payload, Format(fields["format"]), key=key)
    result = Repeat(job) if fields["flags"] & 1 else sealed

    assert protocol.pack_result(result, fields["engine_us"]).hex() == vector["hex"]


@pytest.mark.parametrize(("air", "flags"), [(Air.OUTPUT, 0), (Air.INPUT, 0), (Air.BLACK, protocol.BLACKED)])
def test_viewers_picture_that_is_black_on_purpose_says_so(air: Air, flags: int) -> None:
    result = Result(a_job(1), pixels(), Stamps(0), b"x", Format.JPEG).on_air(air)

    message = protocol.pack_result(replace(result, data=b"x", format=Format.JPEG), 0)

    assert protocol.HEADER.unpack_from(message)[2] == flags


@pytest.mark.parametrize("kind", [Format.PNG, Format.WEBP])
def test_picture_whose_format_has_transparency_is_not_stacked(kind: Format) -> None:
    result = Result(a_job(1), pixels(), Stamps(0), b"x", kind, key=pixels()[..., 0])

    assert protocol.HEADER.unpack_from(protocol.pack_result(result, 0))[2] == 0


def test_engine_us_is_held_at_what_the_field_takes() -> None:
    result = Result(a_job(1), pixels(), Stamps(0), b"x", Format.JPEG)

    assert protocol.HEADER.unpack_from(protocol.pack_result(result, 2**40))[6] == 2**32 - 1


# -- texts from the client -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", named([m for m in MESSAGES["messages"] if m["from"] == "client"]))
def test_golden_client_message_is_read(vector: dict[str, Any]) -> None:
    message = protocol.parse_text(json.dumps(vector["message"]))

    if vector["message"]["type"] == "params":
        assert message == ParamsMessage(vector["message"]["params"], vector["message"].get("transition_s"))
    elif vector["message"]["type"] == "video":
        assert message == VideoMessage(vector["message"]["as_is"])
    else:
        assert message == CommandMessage(vector["message"]["command"])


@pytest.mark.parametrize("vector", named([m for m in MESSAGES["ignored"] if m["from"] == "client"]))
def test_golden_message_of_a_later_version_is_passed_over_in_silence(vector: dict[str, Any]) -> None:
    assert protocol.parse_text(json.dumps(vector["message"])) == UnknownMessage(vector["message"]["type"])


@pytest.mark.parametrize("vector", named(MESSAGES["invalid"]))
def test_golden_invalid_text_is_refused_with_1002(vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        protocol.parse_text(vector["text"])

    assert caught.value.close_code == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "params", "params": {"strength": NaN}}',
        '{"type": "params", "params": {"strength": Infinity}}',
        '{"type": "params", "params": {"strength": -Infinity}}',
        '{"seed": ' + "9" * 5000 + "}",
        "[" * 30_000,
        '{"a":' * 10_000,
        '{"type": "params"} {}',
        "\ufeff{}",
        "true",
        '"text"',
        "{'type': 1}",
        "\x00",
    ],
)
def test_text_that_is_no_json_object_is_refused_with_1002(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        protocol.parse_text(text)

    assert caught.value.close_code == CloseCode.PROTOCOL_ERROR


def test_number_beyond_every_float_does_not_pass_as_a_param() -> None:
    message = protocol.parse_text('{"type": "params", "params": {"strength": 1e999}}')

    assert message == ParamsMessage({"strength": math.inf})  # params refuse it by name


def test_text_may_have_64_kib_and_not_a_byte_more() -> None:
    frame = '{"type": "x", "pad": "%s"}'
    room = protocol.TEXT_MAX_BYTES - len(frame % "")

    assert protocol.parse_text(frame % ("a" * room)) == UnknownMessage("x")
    with pytest.raises(ProtocolError) as caught:
        protocol.parse_text(frame % ("a" * (room + 1)))
    assert caught.value.close_code == CloseCode.TOO_BIG


def test_text_is_measured_in_bytes() -> None:
    with pytest.raises(ProtocolError) as caught:
        protocol.parse_text('{"type": "%s"}' % ("€" * (protocol.TEXT_MAX_BYTES // 3)))

    assert caught.value.close_code == CloseCode.TOO_BIG


@pytest.mark.parametrize(
    "value", [[0] * 300, [[]] * 300, {str(number): 0 for number in range(300)}, [[0] * 20] * 20, [{"a": [0] * 150}] * 2]
)
def test_text_of_very_many_values_is_refused_with_1009(value: object) -> None:
    with pytest.raises(ProtocolError) as caught:
        protocol.parse_text(json.dumps({"type": "params", "params": {"prompt": value}}))

    assert caught.value.close_code == CloseCode.TOO_BIG


def test_text_of_as_many_values_as_may_be_is_read() -> None:
    patch = {"prompt": [{"text": "a", "weight": 1.0}] * 8, **{str(number): number for number in range(200)}}

    assert protocol.parse_text(json.dumps({"type": "params", "params": patch})) == protocol.ParamsMessage(patch)


def test_last_of_duplicate_keys_counts() -> None:
    assert protocol.parse_text('{"type": "a", "type": "command", "command": "freeze"}') == CommandMessage("freeze")


def test_lone_surrogate_is_read_and_can_be_answered() -> None:
    message = protocol.parse_text('{"type": "command", "command": "\\ud800"}')

    assert message == CommandMessage("\ud800")
    assert json.loads(protocol.error_message("x", "\ud800").encode())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"type": 1},
        {"type": None},
        {"type": "params"},
        {"type": "params", "params": []},
        {"type": "params", "params": "x"},
        {"type": "command"},
        {"type": "command", "command": 5},
    ],
)
def test_known_type_that_lacks_what_it_needs_is_a_problem_and_closes_nothing(fields: dict[str, Any]) -> None:
    message = protocol.parse_text(json.dumps(fields))

    assert isinstance(message, UnknownMessage)
    assert message.problem


def test_unknown_fields_are_ignored() -> None:
    text = '{"type": "command", "command": "reset", "later": {"a": [1]}}'

    assert protocol.parse_text(text) == CommandMessage("reset")


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(st.characters(), max_size=8) | st.just("params"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "params", "command", "as_is", "x"]), inner, max_size=4)
        ),
    ).map(json.dumps)
)
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    try:
        message = protocol.parse_text(text)
    except ProtocolError:
        return
    assert isinstance(message, ParamsMessage | CommandMessage | VideoMessage | UnknownMessage)


# -- texts to the client -------------------------------------------------------------------------------------------


def assert_has_fields_of(message: dict[str, Any], golden: dict[str, Any]) -> None:
    """The golden message's fields are all there, with values of the same JSON types."""
    assert set(golden) <= set(message) | {"styles"}
    for name, value in golden.items():
        if name in message and value is not None:
            kinds = (int, float) if isinstance(value, int | float) else type(value)
            assert isinstance(message[name], kinds), name


def test_ready_has_the_fields_of_the_protocol() -> None:
    limits = {"max_message_bytes": 1, "max_pixels": 2, "max_sessions": 3}

    message = json.loads(
        protocol.ready_message(session="s", about=AboutModel("m"), params=Params().wire(), limits=limits)
    )

    assert set(message) == {"type", "protocol", "session", "model", "params", "limits", "window"}
    assert (message["type"], message["protocol"], message["window"]) == ("ready", 1, 2)
    assert set(message["params"]) == set(SERVER_MESSAGES["params"]["params"])
    assert_has_fields_of(message, SERVER_MESSAGES["ready"])


def test_ready_names_the_styles_of_a_model_that_has_some() -> None:
    styles = {"styles": [{"name": "Ink", "prompt": "ink"}], "moods": []}

    message = json.loads(protocol.ready_message(session="s", about=AboutModel("m", styles), params={}, limits={}))

    assert message["styles"] == styles


def test_ready_says_how_the_model_hears_guidance_where_that_is_known() -> None:
    message = json.loads(
        protocol.ready_message(session="s", about=AboutModel("m", guidance="embedded"), params={}, limits={})
    )

    assert message["guidance"] == "embedded"


def test_model_has_the_fields_of_the_protocol_and_those_of_ready_that_are_about_it() -> None:
    about = AboutModel("m", {"styles": []}, "cfg", ("off",), pictures=True, best_steps=2)

    message = json.loads(protocol.model_message(about, 0.5, [{"field": "width", "message": "smaller"}]))

    assert set(message) == {"type", "dissolve_s", "changed"} | set(about.wire())
    assert_has_fields_of(message, SERVER_MESSAGES["model"])


def test_ready_names_the_mattes_that_act() -> None:
    message = json.loads(
        protocol.ready_message(session="s", about=AboutModel("m", mattes=("off", "drawn")), params={}, limits={})
    )

    assert message["mattes"] == ["off", "drawn"]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (protocol.loading_message("warm up", None), {"type": "loading", "stage": "warm up", "percent": None}),
        (protocol.loading_message("fetch", 41.5), {"type": "loading", "stage": "fetch", "percent": 41.5}),
        (protocol.queued_message(2, 5), {"type": "queued", "position": 2, "size": 5}),
        (protocol.params_message({"seed": 1}), {"type": "params", "params": {"seed": 1}}),
        (
            protocol.params_message({"seed": 1}, 2.5),
            {"type": "params", "params": {"seed": 1}, "gliding_s": 2.5},
        ),
        (
            protocol.heard_message({"prompt": "a", "negative_prompt": "", "notes": []}, 3),
            {"type": "heard", "version": 3, "prompt": "a", "negative_prompt": "", "notes": []},
        ),
        (protocol.error_message("c", "m"), {"type": "error", "code": "c", "message": "m"}),
        (
            protocol.error_message("c", "m", field="seed"),
            {"type": "error", "code": "c", "message": "m", "field": "seed"},
        ),
        (protocol.error_message("c", "m", seq=0), {"type": "error", "code": "c", "message": "m", "seq": 0}),
        (protocol.dropped_message([3, 4], "superseded"), {"type": "dropped", "seqs": [3, 4], "reason": "superseded"}),
        (protocol.stats_message({"rows": 1}), {"type": "stats", "rows": 1}),
    ],
)
def test_message_is_json_with_exactly_the_fields_of_the_protocol(text: str, fields: dict[str, Any]) -> None:
    assert json.loads(text) == fields


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0", Format.JPEG),
        (b"\xff\xd8", Format.NONE),
        (b"\x89PNG\r\n\x1a\n", Format.PNG),
        (b"\x89PNG\n\n\x1a\n", Format.NONE),
        (b"RIFF\0\0\0\0WEBP", Format.WEBP),
        (b"RIFF\0\0\0\0WAVE", Format.NONE),
        (b"GIF89a", Format.NONE),
        (b"", Format.NONE),
    ],
)
def test_signature_tells_the_format(head: bytes, expected: Format) -> None:
    assert Format.sniff(head) is expected
    assert Format.sniff(memoryview(head + b"tail")) is expected
