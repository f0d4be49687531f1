"""The command line in a process of its own: help, mistakes, signals."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from realtime import __version__
from realtime.__main__ import app
from realtime.config import Config
from tests.fakes.frames import a_message
from tests.fakes.servers import command, serving
from tests.fakes.waiting import PATIENCE_S
from tests.server.peer import connected

A_MINUTE, A_MINUTE_S = "echo:60000", 60
"""The longest tick that there is: who waits for its end waits longer than a slow machine takes for anything else."""


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=240, check=False, **options)  # type: ignore[call-overload]


def assert_one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help"), ("models", "--help"), ("bench", "--help")])
def test_help_is_there(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)

    assert done.returncode == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--help"], *([name, "--help"] for name in ("serve", "models", "bench")), ["serve", "--port", "x"], ["doctor"]],
)
def test_help_doctor_and_mistakes_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom realtime.__main__ import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'fastapi', 'uvicorn', 'cv2'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
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
def test_mistake_in_the_configuration_is_one_line_and_exit_code_2(flags: tuple[str, ...], said: str) -> None:
    assert said in assert_one_line(run("serve", *flags), 2)


@pytest.mark.slow
def test_mistake_that_shows_when_the_model_is_loaded_is_one_line_and_exit_code_2_too() -> None:
    done = run("serve", "--port", "0", "--model", "echo:soon")

    assert done.returncode == 2
    assert "echo:MS" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_mistake_in_the_environment_is_one_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_PORT", "http")

    assert "port" in assert_one_line(run("serve"), 2)


def test_mistake_in_the_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "realtime.toml"
    file.write_text("port = ")

    assert assert_one_line(run("serve", "--config", str(file)), 2)


@pytest.mark.parametrize("flags", [("--device", "tpu"), ("--no-such-flag",), ("--port", "x")])
def test_flag_that_is_none_is_exit_code_2(flags: tuple[str, ...]) -> None:
    done = run("serve", *flags)

    assert done.returncode == 2
    assert flags[0] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_port_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        line = assert_one_line(run("serve", "--model", "echo", "--port", str(taken.getsockname()[1])), 2)

    assert "--port" in line


@pytest.mark.slow
def test_unknown_model_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    done = run("serve", "--port", "0", "--model", str(tmp_path / "no-such-model"))

    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert "no-such-model" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.slow
async def test_signal_closes_clients_with_1001_and_ends_with_exit_code_0(how: signal.Signals) -> None:
    with serving() as server:
        async with connected(server.websocket_url) as peer:
            await peer.restyle(1)
            server.process.send_signal(how)
            assert await peer.closed() == 1001
        assert server.process.wait(PATIENCE_S) == 0

        assert "Traceback" not in (errors := server.errors())
        assert "graceful shutdown exceeded" not in errors, "every connection ended by itself"


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


@pytest.mark.slow
def test_start_says_the_address_on_standard_output_and_nothing_but_that() -> None:
    with serving() as server:
        assert server.url in server.said
        assert server.stop() == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
        assert all(line.startswith("INFO realtime") for line in server.errors().splitlines())


@pytest.mark.slow
def test_start_beyond_loopback_says_a_token_and_keeps_it_out_of_the_log() -> None:
    with serving("--host", "0.0.0.0", "--log-level", "debug") as server:
        _, _, token = server.url.partition("?token=")
        assert len(token) >= 32
        server.stop()

        assert token not in server.errors()


def test_doctor_says_a_line_for_everything_that_it_looked_at() -> None:
    done = run("doctor")

    assert done.returncode in (0, 1)
    assert "python" in done.stdout
    assert "Traceback" not in done.stderr
