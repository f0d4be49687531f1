"""Every error that the program raises on purpose, and what fails with it.

Knows close codes and nothing else of the wire; must not know sessions or the engine.

    RealtimeError
    ├── ConfigError          the process does not start; one line says what to change
    ├── ModelError           a model can't be found or loaded; one line says what to do
    ├── ProtocolError        the connection is closed with `close_code`
    │   └── SessionLimitError    … with 1013: full, try later
    ├── ParamsError          the patch is refused by field; the old params stay
    ├── FrameError           one frame is dropped, counted and answered
    ├── SourceError          video that is fetched can't be read: it is tried again, or left alone where that is no use
    └── EngineError          the engine is broken: all are closed with 1011 and the process ends, or another is loaded

Errors have three sizes: a bad frame, a bad connection, a broken engine. None is caught by more than its size.
"""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """WebSocket close codes used on the wire (RFC 6455 section 7.4.1 and the IANA registry)."""

    DONE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    NO_UTF8 = 1007
    REFUSED = 1008
    TOO_BIG = 1009
    ENGINE_FAILED = 1011
    TRY_LATER = 1013


class RealtimeError(Exception):
    """Base of all errors below."""


class ConfigError(RealtimeError):
    """The configuration can't work. The message is one line and says what to change."""


class ModelError(RealtimeError):
    """A model can't be found, read or trusted. The message is one line and says what to do."""


class ProtocolError(RealtimeError):
    """The other side does not speak the protocol; its connection is closed."""

    def __init__(self, message: str, close_code: CloseCode = CloseCode.PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.close_code = close_code


class SessionLimitError(ProtocolError):
    """No session is free."""

    def __init__(self, message: str) -> None:
        super().__init__(message, CloseCode.TRY_LATER)


class ParamsError(RealtimeError):
    """A params patch is refused; the params in force stay as they were.

    Args:
        message: what is wrong with the value, for the person who sent it.
        field: the params field at fault, or None where the patch as a whole is.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class FrameError(RealtimeError):
    """One frame can't be turned into a picture. That frame is dropped and nothing else fails.

    Args:
        message: what is wrong, for the person who sent the frame.
        code: short machine-readable name, as in the wire's `error` message.
    """

    def __init__(self, message: str, code: str = "invalid_frame") -> None:
        super().__init__(message)
        self.code = code


class SourceError(RealtimeError):
    """Video that is fetched can't be read or shown. Says what is wrong and what to do; never the address.

    Args:
        message: a sentence's part, as in "input door: …".
        is_final: whether trying again is no use.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class EngineError(RealtimeError):
    """The engine can't go on: the process ends."""
