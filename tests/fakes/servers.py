"""Servers on real sockets: in a process, or in a thread of this one."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psutil
from fastapi import FastAPI

from realtime.config import Config
from realtime.engine import Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.prompts import Layers
from realtime.server.app import create_app, make_server
from realtime.server.engine_host import Load
from realtime.server.http import Server, listen
from realtime.server.service import Service

from .waiting import PATIENCE_S


def a_config(**fields: Any) -> Config:
    """The echo engine on a free port of this machine, forgetting sessions at once, without decoders' processes."""
    return Config(**{"model": "echo", "port": 0, "resume_s": 0.0, "decoder_process": "off", **fields})


def echo_load(**options: Any) -> Load:
    """Loads an echo engine with these options."""

    def load(config: Config, progress: Progress) -> Engine:
        return EchoEngine(max_rows=config.max_rows, **options)

    return load


def load_seeing(config: Config, progress: Progress) -> Engine:
    """Loads an echo engine that hears pictures, and does nothing with them."""
    engine = EchoEngine(max_rows=config.max_rows)
    engine.info = replace(engine.info, hears_pictures=True)
    return engine


def load_adapted(config: Config, progress: Progress) -> Engine:
    """Loads an echo engine that hears references and has a negative scale, and does nothing with them."""
    engine = EchoEngine(max_rows=config.max_rows)
    engine.info = replace(engine.info, reference_layers=tuple(Layers), hears_negative=True)
    return engine


@dataclass
class ServerProcess:
    """`realtime serve` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    said: str
    environment: dict[str, str]

    @property
    def websocket_url(self) -> str:
        return re.sub(r"^http(.*/).*", r"ws\1ws", self.url)

    @property
    def memory(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)

    def errors(self) -> str:
        """What it said on standard error; it must have ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()


def command(*arguments: str, program: Sequence[str] = ("-m", "realtime")) -> list[str]:
    """The command line, run by this interpreter."""
    return [sys.executable, *program, *arguments]


@contextmanager
def serving(*flags: str, model: str = "echo", program: Sequence[str] = ("-m", "realtime")) -> Iterator[ServerProcess]:
    """`realtime serve` while the block runs."""
    arguments = command("serve", "--model", model, "--port", "0", *flags, program=program)
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"https?://\S+", said)
        assert found, said
        yield ServerProcess(process, found[0], said, dict(os.environ))
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class RunningServer:
    """The whole server in a thread of its own, on a real socket."""

    def __init__(self, config: Config, load: Load, token: str | None = None) -> None:
        self.app: FastAPI = create_app(config, load, token, back_off_s=(0.0,))
        self.server: Server = make_server(self.app, config)
        self._socket: socket.socket = listen(config)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self.server.run, args=([self._socket],), name="server")

    @property
    def service(self) -> Service:
        return self.app.state.service

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the server did not stop"


@contextmanager
def running(
    config: Config | None = None, load: Load | None = None, token: str | None = None
) -> Iterator[RunningServer]:
    """A server while the block runs."""
    server = RunningServer(config or a_config(), load or echo_load(), token)
    server.start()
    try:
        yield server
    finally:
        server.stop()
