"""The command line: help and mistakes; and in a process of its own: signals, and what is said to whom."""

from __future__ import annotations

import asyncio
import functools
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from realtime import __main__ as main
from realtime import __version__
from realtime.__main__ import app
from realtime.config import Config
from tests.fakes import PATIENCE_S, ServerProcess, a_message, command, serving
from tests.server.peer import connected

A_MINUTE, A_MINUTE_S = "echo:60000", 60
"""The longest tick that there is: who waits for its end waits longer than a slow machine takes for anything else."""


HELP = [["--help"], *([name, "--help"] for name in ("serve", "models", "bench"))]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=240, check=False)


def assert_one_line(done: Result, code: int) -> str:
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command line in this process, whose log stays as it is."""
    monkeypatch.setattr(main, "_log_to_stderr", lambda level: None)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_help_is_there(invoke: Callable[..., Result], arguments: list[str]) -> None:
    done = invoke(*arguments)

    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def test_help_doctor_and_mistakes_import_nothing_heavy() -> None:
    code = (
        "import sys\nfrom realtime.__main__ import app\n"
        f"for arguments in {[*HELP, ['serve', '--port', 'x'], ['doctor']]!r}:\n"
        "    try: app(arguments)\n"
        "    except SystemExit: pass\n"
        "    heavy = {'torch', 'diffusers', 'transformers', 'fastapi', 'uvicorn', 'cv2'} & set(sys.modules)\n"
        "    if heavy: sys.exit(f'{arguments}: {heavy}')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_every_field_of_the_configuration_is_a_flag() -> None:
    help_text = CliRunner().invoke(app, ["serve", "--help"]).output

    stems = {name: name.removesuffix("es" if name.endswith("sses") else "s") for name in Config.model_fields}
    missing = [name for name, stem in stems.items() if f"--{stem.replace('_', '-')}" not in help_text]

    assert missing == []


def test_version_is_said() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.strip() == __version__


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--port", "70000"), "port"),
        (("--config", "no-such-file.toml"), "no-such-file.toml"),
        (("--max-rows", "0"), "max_rows"),
        (("--host", "203.0.113.1"), "can't listen on 203.0.113.1"),
    ],
)
def test_mistake_in_the_configuration_is_one_line_and_exit_code_2(
    invoke: Callable[..., Result], flags: tuple[str, ...], said: str
) -> None:
    assert said in assert_one_line(invoke("serve", *flags), 2)


def test_program_says_a_mistake_in_one_line_too_and_exits_with_its_code() -> None:
    done = run("serve", "--port", "70000")

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


@pytest.mark.slow
def test_mistake_that_shows_when_the_model_is_loaded_is_one_line_and_exit_code_2_too() -> None:
    done = run("serve", "--port", "0", "--model", "echo:soon")

    assert done.returncode == 2
    assert "echo:MS" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_mistake_in_the_environment_is_one_line_and_exit_code_2(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTIME_PORT", "http")

    assert "port" in assert_one_line(invoke("serve"), 2)


def test_mistake_in_the_file_is_one_line_and_exit_code_2(invoke: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "realtime.toml"
    file.write_text("port = ")

    assert assert_one_line(invoke("serve", "--config", str(file)), 2)


@pytest.mark.parametrize("flags", [("--device", "tpu"), ("--no-such-flag",), ("--port", "x")])
def test_flag_that_is_none_is_exit_code_2(invoke: Callable[..., Result], flags: tuple[str, ...]) -> None:
    done = invoke("serve", *flags)

    assert done.exit_code == 2
    assert flags[0] in done.stderr


def test_port_in_use_is_one_line_and_exit_code_2(invoke: Callable[..., Result]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        line = assert_one_line(invoke("serve", "--model", "echo", "--port", str(taken.getsockname()[1])), 2)

    assert "--port" in line


@pytest.mark.slow
def test_unknown_model_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    done = run("serve", "--port", "0", "--model", str(tmp_path / "no-such-model"))

    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert "no-such-model" in done.stderr


@dataclass
class Life:
    """What a server was and said from its start to its end by a signal, with a client that had got a picture."""

    url: str
    said: str
    closed: int
    code: int
    output: str
    errors: str


@functools.cache
def life(how: signal.Signals, *flags: str) -> Life:
    """A server is started and ended once for all tests that look at it."""

    async def client(server: ServerProcess) -> int:
        _, _, token = server.url.partition("?token=")
        async with connected(server.websocket_url, additional_headers={"authorization": f"Bearer {token}"}) as peer:
            await peer.restyle(1)
            server.process.send_signal(how)
            return await peer.closed()

    with serving(*flags) as server:
        closed, code = asyncio.run(client(server)), server.process.wait(PATIENCE_S)
        assert server.process.stdout is not None
        return Life(server.url, server.said, closed, code, server.process.stdout.read(), server.errors())


TERMINATED = (signal.SIGTERM,)
INTERRUPTED_BEYOND_LOOPBACK = (signal.SIGINT, "--host", "0.0.0.0", "--log-level", "debug")


@pytest.mark.parametrize("which", [TERMINATED, INTERRUPTED_BEYOND_LOOPBACK], ids=["SIGTERM", "SIGINT"])
@pytest.mark.slow
def test_signal_closes_clients_with_1001_and_ends_with_exit_code_0(which: tuple[Any, ...]) -> None:
    ended = life(*which)

    assert (ended.closed, ended.code) == (1001, 0)
    assert "Traceback" not in ended.errors
    assert "graceful shutdown exceeded" not in ended.errors, "every connection ended by itself"


@pytest.mark.slow
def test_start_says_the_address_on_standard_output_and_nothing_but_that() -> None:
    ended = life(*TERMINATED)

    assert ended.url in ended.said
    assert ended.output == ""
    assert all(line.startswith("INFO realtime") for line in ended.errors.splitlines())


@pytest.mark.slow
def test_start_beyond_loopback_says_a_token_and_keeps_it_out_of_the_log() -> None:
    ended = life(*INTERRUPTED_BEYOND_LOOPBACK)

    _, _, token = ended.url.partition("?token=")
    assert len(token) >= 32
    assert token not in ended.errors


@pytest.mark.slow
def test_two_interrupts_end_it_though_a_tick_is_under_way() -> None:
    with serving(model=A_MINUTE) as server:
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGINT)

        assert server.process.wait(A_MINUTE_S / 2) == 0


@pytest.mark.slow
async def test_engine_that_is_busy_does_not_keep_the_process_from_ending() -> None:
    with serving(model=A_MINUTE) as server:
        async with connected(server.websocket_url) as peer:
            await peer.websocket.send(a_message(1))
            await peer.text("stats", rows=1)
            server.process.send_signal(signal.SIGTERM)
            assert await peer.closed() == 1001
        assert server.process.wait(A_MINUTE_S / 2) == 0


def test_doctor_says_a_line_for_everything_that_it_looked_at(invoke: Callable[..., Result]) -> None:
    done = invoke("doctor")

    assert done.exit_code in (0, 1)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "python" in done.stdout
