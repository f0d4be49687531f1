"""The command line of `realtime bench`: what is asked for arrives."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from realtime.bench import capacity, engine, server
from realtime.cli import EXIT_USAGE, app
from realtime.config import Accelerate, Device

Asked = list[tuple[tuple[Any, ...], dict[str, Any]]]


def asked(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Asked:
    """What a bench is called with."""
    calls: Asked = []
    monkeypatch.setattr(module, name, lambda *args, **kwargs: calls.append((args, kwargs)))
    return calls


def test_overload_is_a_part_of_server(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = asked(monkeypatch, server, "server_bench")

    assert CliRunner().invoke(app, ["bench", "overload", "--seconds", "3"]).exit_code == 0

    ((args, kwargs),) = calls
    assert args == (10.0, 10.0, 3.0)
    assert kwargs["only"] == ["overload"]


def test_options_of_serve_go_through(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = asked(monkeypatch, capacity, "capacity_bench")

    CliRunner().invoke(app, ["bench", "capacity", "--option=--dtype=float16", "--fixed", "2"])

    ((_, kwargs),) = calls
    assert kwargs["options"] == ["--dtype=float16"]
    assert kwargs["fixed"] == [2]


def test_an_engine_is_measured_on_the_rungs_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = asked(monkeypatch, engine, "engine_bench")

    CliRunner().invoke(app, ["bench", "engine", "--accelerate", "off", "--accelerate", "openvino", "--device", "cpu"])

    ((args, kwargs),) = calls
    assert args == ("tiny", [Accelerate.OFF, Accelerate.OPENVINO], (1,), (1,))
    assert kwargs["device"] is Device.CPU


def test_what_can_not_be_measured_is_said_in_one_line() -> None:
    done = CliRunner().invoke(app, ["bench", "server", "--only", "nonsense"])

    assert done.exit_code == EXIT_USAGE
    assert done.stderr.startswith("realtime: there is no scenario 'nonsense'")
    assert len(done.stderr.splitlines()) == 1
