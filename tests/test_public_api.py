"""What others may import. A change here is a change for them."""

from __future__ import annotations

import inspect
from pathlib import Path

import realtime
from realtime import client, frame, protocol
from realtime.engine import Engine, Pending


def test_package_exports() -> None:
    assert realtime.__all__ == ["Config", "Params", "__version__", "serve"]
    assert all(hasattr(realtime, name) for name in realtime.__all__)


def test_client_exports() -> None:
    assert client.__all__ == [
        "AccessError",
        "BlockingStream",
        "ClientError",
        "ConnectionLostError",
        "NotReadyError",
        "Picture",
        "RefusedError",
        "ServerFailedError",
        "ServerFullError",
        "SessionEndedError",
        "Stream",
        "UnreachableError",
        "WireError",
        "connect",
        "connect_blocking",
        "now_us",
    ]
    assert all(hasattr(client, name) for name in client.__all__)
    assert (Path(client.__file__).parents[1] / "py.typed").is_file()


def test_what_moves_keeps_its_fields() -> None:
    fields = {cls.__name__: list(inspect.signature(cls).parameters) for cls in (frame.Frame, frame.Job, frame.Result)}

    assert fields == {
        "Frame": ["seq", "format", "data", "captured_us", "received_ns", "is_as_is"],
        "Job": [
            *("frame", "params", "session", "admitted_ns", "number", "encode", "references"),
            *("hints_wanted", "dissolve", "checks_input"),
            *("picture", "alpha", "original", "thumbnail", "hints", "opened_ns"),
        ],
        "Result": ["job", "picture", "stamps", "data", "format", "air", "mask", "restyled", "key", "hints", "score"],
    }


def test_engine_is_as_small_as_it_was() -> None:
    def public(cls: type) -> set[str]:
        return {name for name in vars(cls) if not name.startswith("_")}

    assert public(Engine) == {
        *(
            "info",
            "free_rows",
            "busy_rows",
            "cost",
            "hear",
            "ready_loras",
            "is_prepared",
            "prepare_beside",
            "prepare",
            "tick",
            "forget",
            "when_broken",
            "close",
        ),
    }
    assert public(Pending) == {"jobs", "preparing_ns", "finished_ns", "ready", "collect"}


def test_wire_is_version_1() -> None:
    assert (protocol.VERSION, protocol.SUBPROTOCOL, protocol.WINDOW, protocol.HEADER.size) == (1, "realtime.v1", 2, 24)
