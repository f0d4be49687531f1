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
    ├── RunError             a run can't go on; its work so far is kept
    ├── EngineError          the engine is broken: another is loaded, or all are closed with 1011 and the process ends
    └── ClientError          what a program that uses `realtime.client` gets: why, and what to do
        ├── UnreachableError      * no server answers at the address
        ├── NotReadyError         * the server answers, and is not ready in time
        ├── ServerFullError       * 1013: no session is free
        ├── ServerFailedError     * 1011: the engine failed
        ├── ConnectionLostError   * the connection was cut, and did not come back in time
        ├── AccessError           no token or a wrong one, or a name or origin that the server does not serve
        ├── WireError             what answers does not speak this version of the protocol
        ├── SessionEndedError     1000: the session was ended, or taken over by a newer connection
        └── RefusedError          a frame or patch was answered by an error; the stream goes on

Those with a star are `is_passing`: trying again may help, and the client does.

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


class RunError(RealtimeError):
    """A run of `realtime run` can't begin or go on. The message is one line and says what to do."""


class EngineError(RealtimeError):
    """The engine can't go on: another is loaded, or the process ends.

    Args:
        blames_frames: whether a frame may have broken it: none has where somebody has ended its process, for example.
        blames_engine: whether the engine may have: another one would do better on another rung, for example.
    """

    def __init__(self, message: str = "", *, blames_frames: bool = True, blames_engine: bool = True) -> None:
        super().__init__(message)
        self.blames_frames = blames_frames
        self.blames_engine = blames_engine


class ClientError(RealtimeError):
    """A program's stream can't begin or go on. The message says why, and what to do.

    Attributes:
        is_passing: whether trying again later may help.
    """

    is_passing = False


class UnreachableError(ClientError):
    """No server answers at the address."""

    is_passing = True


class NotReadyError(ClientError):
    """The server answers, and is not ready for frames within the time that the program gave it."""

    is_passing = True


class ServerFullError(ClientError):
    """No session is free, or with one more all would be too slow."""

    is_passing = True


class ServerFailedError(ClientError):
    """The server's engine failed."""

    is_passing = True


class ConnectionLostError(ClientError):
    """The connection was cut, and did not come back in time."""

    is_passing = True


class AccessError(ClientError):
    """The server lets this client in under no circumstances: its token, or the name that it calls the server by."""


class WireError(ClientError):
    """What answers at the address does not speak this version of the protocol."""


class SessionEndedError(ClientError):
    """The session was ended, or a newer connection has taken it over."""


class RefusedError(ClientError):
    """The server answered a frame or patch with an error, or dropped the frame. The stream goes on.

    Args:
        code: as in the wire's `error`, or the reason of a `dropped`.
        message: the server's.
        field: of a patch, the field at fault.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
