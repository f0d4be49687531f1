"""The command line: help and mistakes in this process, starts and signals in one of their own."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from realtime import __version__
from realtime import cli as command_line
from realtime.cli import app
from realtime.config import Config
from realtime.process import STOP_SIGNALS
from tests.fakes.frames import a_message
from tests.fakes.servers import command, serving
from tests.fakes.waiting import PATIENCE_S
from tests.server.peer import connected

A_MINUTE, A_MINUTE_S = "echo:60000", 60
"""The longest tick that there is: who waits for its end waits longer than a slow machine takes for anything else."""


Invoke = Callable[..., Result]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=240, check=False)


def assert_one_line(done: Result, code: int) -> str:
    assert done.exit_code == code, done.exception
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """The command line in this process, which keeps its loggers and the interpreter's settings."""
    monkeypatch.setattr(command_line, "_log_to_stderr", lambda level: None)
    interval_s = sys.getswitchinterval()
    yield lambda *arguments: CliRunner().invoke(app, arguments)
    sys.setswitchinterval(interval_s)


@pytest.mark.parametrize(
    "arguments", [("--help",), *((name, "--help") for name in ("serve", "run", "models", "bench"))]
)
def test_help_is_there(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    done = invoke(*arguments)

    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def test_help_doctor_and_mistakes_import_nothing_heavy() -> None:
    light = [
        ["--help"],
        *([name, "--help"] for name in ("serve", "run", "models", "bench", "workers")),
        ["serve", "--port", "x"],
        ["run", "in.mp4", "out.mp4", "--strength", "3"],
        ["doctor"],
    ]
    code = (
        "import sys\nfrom realtime.cli import app\n"
        f"for arguments in {light!r}:\n"
        "    try: app(arguments)\n"
        "    except SystemExit: pass\n"
        "    heavy = {'torch', 'diffusers', 'transformers', 'fastapi', 'uvicorn', 'cv2'} & set(sys.modules)\n"
        "    if heavy: sys.exit(f'{arguments} imports {heavy}')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_mistake_ends_the_process_with_exit_code_2_and_one_line() -> None:
    done = run("serve", "--port", "70000")

    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "port" in line


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
        (("--host", "203.0.113.1"), "can't listen on 203.0.113.1, port 8777: this machine has no such address; give"),
        (
            ("--host", "no-such-host.invalid"),
            "there is no host of this name; give an address of this machine with --host",
        ),
        (("--host", "a" * 64 + ".example"), "there is no host of this name"),
        (("--token", "a", "--token-file", "b"), "give --token or --token-file"),
        (("--token-file", "no-such-file"), "the token file no-such-file can't be read: No such file or directory"),
    ],
)
def test_mistake_in_the_configuration_is_one_line_and_exit_code_2(
    invoke: Invoke, flags: tuple[str, ...], said: str
) -> None:
    assert said in assert_one_line(invoke("serve", *flags), 2)


@pytest.mark.slow
def test_mistake_that_shows_when_the_model_is_loaded_is_one_line_and_exit_code_2_too() -> None:
    done = run("serve", "--port", "0", "--sampler", "dpm")

    assert done.returncode == 2
    assert "dpm" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nonsense", "there is no model 'nonsense': give a preset"),
        ("missing.safetensors", "there is no file missing.safetensors"),
        ("weights.ckpt", "can run code"),
        ("{folder}", "not a diffusers folder"),
        ("{folder}/pointer.safetensors", "a Git LFS pointer"),
    ],
)
def test_model_that_is_none_is_told_before_any_address(invoke: Invoke, tmp_path: Path, model: str, said: str) -> None:
    (tmp_path / "pointer.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")

    assert said in assert_one_line(invoke("serve", "--port", "0", "--model", model.format(folder=tmp_path)), 2)


def test_mistake_in_the_environment_is_one_line_and_exit_code_2(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTIME_PORT", "http")

    assert "port" in assert_one_line(invoke("serve"), 2)


def test_mistake_in_the_file_is_one_line_and_exit_code_2(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "realtime.toml"
    file.write_text("port = ")

    assert assert_one_line(invoke("serve", "--config", str(file)), 2)


@pytest.mark.parametrize("flags", [("--device", "tpu"), ("--no-such-flag",), ("--port", "x")])
def test_flag_that_is_none_is_exit_code_2(invoke: Invoke, flags: tuple[str, ...]) -> None:
    done = invoke("serve", *flags)

    assert done.exit_code == 2
    assert flags[0] in done.stderr


def test_port_in_use_is_one_line_and_exit_code_2(invoke: Invoke) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        line = assert_one_line(invoke("serve", "--model", "echo", "--port", str(taken.getsockname()[1])), 2)

    assert "another program has this port; end it, or choose another port with --port" in line


@pytest.mark.parametrize(("name", "said"), [("no-such-model", "give a preset"), ("echo:soon", "write echo:MS")])
def test_unknown_model_is_one_line_before_any_address_is_said(invoke: Invoke, name: str, said: str) -> None:
    line = assert_one_line(invoke("serve", "--port", "0", "--model", name), 2)

    assert name in line
    assert said in line


@dataclass(frozen=True)
class Life:
    """A server's, with a client, from its start to a signal: what was said, and how the two ended."""

    url: str
    said: str
    said_later: str
    errors: str
    close_code: int
    exit_code: int


async def live(how: signal.Signals) -> Life:
    with serving() as server:
        async with connected(server.websocket_url) as peer:
            await peer.restyle(1)
            server.process.send_signal(how)
            close_code = await peer.closed()
        exit_code = server.process.wait(PATIENCE_S)
        assert server.process.stdout is not None
        return Life(server.url, server.said, server.process.stdout.read(), server.errors(), close_code, exit_code)


@pytest.fixture(scope="module", params=STOP_SIGNALS)
def life(request: pytest.FixtureRequest) -> Life:
    return asyncio.run(live(request.param))


@pytest.mark.slow
def test_signal_closes_clients_with_1001_and_ends_with_exit_code_0(life: Life) -> None:
    assert life.close_code == 1001
    assert life.exit_code == 0
    assert "Traceback" not in life.errors
    assert "graceful shutdown exceeded" not in life.errors, "every connection ended by itself"


@pytest.mark.slow
def test_start_says_the_address_on_standard_output_and_nothing_but_that(life: Life) -> None:
    assert life.url in life.said
    assert life.said_later == ""
    assert all(line.startswith("INFO realtime") for line in life.errors.splitlines())


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
def test_start_beyond_loopback_says_a_token_and_keeps_it_out_of_the_log() -> None:
    with serving("--host", "0.0.0.0", "--log-level", "debug") as server:
        _, _, token = server.url.partition("?token=")
        assert len(token) >= 32
        server.stop()

        assert token not in server.errors()


def test_doctor_says_a_line_for_everything_that_it_looked_at(invoke: Invoke) -> None:
    done = invoke("doctor")

    assert isinstance(done.exception, SystemExit | None)
    assert done.exit_code in (0, 1)
    assert "python" in done.stdout
