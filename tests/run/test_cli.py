"""The command line of a run, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.fakes.films import a_film, pictures_of
from tests.fakes.receivers import a_free_port
from tests.fakes.servers import command
from tests.fakes.waiting import PATIENCE_S


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("run", *arguments), capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False
    )


def test_file_is_made_and_said_in_one_line(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mp4", 1), tmp_path / "restyled.mp4"
    look = tmp_path / "look.json"
    look.write_text(json.dumps({"width": 64, "height": 64, "matte": "drawn", "beyond": "key"}))

    done = run(str(film), str(output), "--model", "echo", "--params", str(look))

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{output}: 25 frames in ")
    assert done.stdout.count("\n") == 1
    assert len(pictures_of(output)) == 25


def test_nets_that_are_loaded_for_nothing_are_said(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mp4", 0.2), tmp_path / "restyled.mp4"
    size = ("--width", "64", "--height", "64")

    idle = run(str(film), str(output), "--model", "echo", "--control", "canny", *size)
    missing = run(str(film), str(output), "--model", "echo", "--steer", "canny:0.5", *size)

    assert (idle.returncode, idle.stderr.splitlines()[0]) == (
        0,
        "realtime: --control: nets are loaded, and none steers: name one with --steer",
    )
    assert missing.returncode == 2
    assert missing.stderr == "realtime: --steer canny:0.5: no such net is loaded: add --control canny\n"


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    done = run(str(tmp_path / "film.mp4"), str(tmp_path / "restyled.mp4"), "--model", "echo")

    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"realtime: INPUT {tmp_path / 'film.mp4'}: there is no such file; a camera is camera:0, a URL has ://\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a process can't be sent Ctrl-C")
def test_ctrl_c_ends_what_is_live_in_order(tmp_path: Path) -> None:
    film, port = a_film(tmp_path / "film.ts", 120, container_format="mpegts"), a_free_port()
    output, url = tmp_path / "taken.mp4", f"tcp://127.0.0.1:{port}"
    with socket.create_server(("127.0.0.1", port)) as server:
        running = subprocess.Popen(
            command("run", url, str(output), "--model", "echo", "--width", "64", "--height", "64"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = server.accept()
        with connection:
            threading.Thread(target=sent_whole, args=(connection, film), daemon=True).start()
            assert running.stderr is not None
            lines = iter(running.stderr.readline, "")
            assert any(line.startswith(f"OUTPUT {output}: open by ") for line in lines)
            running.send_signal(signal.SIGINT)
            said, _ = running.communicate(timeout=4 * PATIENCE_S)

    assert running.returncode == 0
    assert said.startswith(f"{output}: ")
    assert len(pictures_of(output)) == int(said.split(": ")[1].split(" ")[0])


def sent_whole(connection: socket.socket, file: Path) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(file.read_bytes())


@pytest.mark.parametrize("output", ["gopher://a.example/key", "http://user:key@a.example/live"])
def test_output_that_is_none_is_said_without_its_secrets(tmp_path: Path, output: str) -> None:
    done = run(str(a_film(tmp_path / "film.mp4", 0.4)), output, "--model", "echo")

    assert (done.returncode, done.stdout) == (2, "")
    assert "rtmp, rtmps, srt, udp and tcp" in done.stderr
    assert "key" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a process can't send itself Ctrl-C")
def test_ctrl_c_before_there_are_frames_ends_it_at_once(tmp_path: Path) -> None:
    film, output = a_film(tmp_path / "film.mp4", 0.4), tmp_path / "restyled.mp4"
    program = (
        "import os, signal\n"
        "from realtime.engine.echo import EchoEngine\n"
        "from realtime.cli import app\n"
        "EchoEngine.from_name = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)\n"
        f"app(['run', {str(film)!r}, {str(output)!r}, '--model', 'echo'])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "realtime: stopped\n")
    assert not output.exists()
