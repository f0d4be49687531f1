"""The error tree."""

from __future__ import annotations

import pytest

from realtime import errors
from realtime.errors import (
    CloseCode,
    ConfigError,
    EngineError,
    FrameError,
    ModelError,
    ParamsError,
    ProtocolError,
    RealtimeError,
    SessionLimitError,
    SourceError,
)


@pytest.mark.parametrize(
    "error",
    [ConfigError, ModelError, ProtocolError, SessionLimitError, ParamsError, FrameError, EngineError, SourceError],
)
def test_every_error_is_a_realtime_error(error: type[Exception]) -> None:
    assert issubclass(error, RealtimeError)


def test_every_error_stands_in_the_tree_of_the_modules_docstring() -> None:
    named = [name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")]

    assert [name for name in named if name not in (errors.__doc__ or "")] == []


def test_protocol_error_closes_with_1002_and_a_full_server_with_1013() -> None:
    assert ProtocolError("no").close_code == CloseCode.PROTOCOL_ERROR == 1002
    assert SessionLimitError("full").close_code == CloseCode.TRY_LATER == 1013


def test_errors_carry_what_the_wire_needs() -> None:
    assert ParamsError("strength: no", "strength").field == "strength"
    assert ParamsError("no").field is None
    assert FrameError("no").code == "invalid_frame"
    assert str(FrameError("too big", "too_many_pixels")) == "too big"


def test_close_codes_are_those_of_the_protocol() -> None:
    assert sorted(CloseCode) == [1000, 1001, 1002, 1007, 1008, 1009, 1011, 1013]
