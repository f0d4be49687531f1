"""Firefox on a host of its own: over 127.0.0.1 its ICE fails, so that server and browser get a network each."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from .driver import CLIENTS, FIGURES, LONG, SHOWN_FPS, TRIES, assert_quick, missing, started

pytestmark = pytest.mark.interop

SERVER, BROWSER = "10.77.0.1", "10.77.0.2"
PORT = 8777
TOKEN = "interop"
NAMES = (f"realtime-server-{os.getpid()}", f"realtime-browser-{os.getpid()}")
"""Another run's hosts are not ours to take down."""


def ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class Host:
    """A network namespace."""

    name: str

    def command(self, *arguments: str) -> list[str]:
        """What runs something there."""
        return ["ip", "netns", "exec", self.name, *arguments]


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts with a cable between them; needs root."""
    server, browser = NAMES
    if shutil.which("ip") is None or not all(ip("netns", "add", name) for name in NAMES):
        for name in NAMES:
            ip("netns", "del", name)
        pytest.skip("no network namespaces can be made here")
    try:
        assert ip("link", "add", "cable", "netns", server, "type", "veth", "peer", "name", "cable", "netns", browser)
        for name, address in zip(NAMES, (SERVER, BROWSER), strict=True):
            assert ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            assert ip("-n", name, "link", "set", "cable", "up")
            assert ip("-n", name, "link", "set", "lo", "up")
        yield Host(server), Host(browser)
    finally:
        for name in NAMES:
            ip("netns", "del", name)


@contextmanager
def serving_on(host: Host) -> Iterator[None]:
    options = ("--model", "echo", "--host", SERVER, "--port", str(PORT), "--token", TOKEN, "--max-sessions", "50")
    command = host.command(sys.executable, "-m", "realtime", "serve", *options)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert re.search(r"http://", process.stdout.readline())
        yield
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def called(hosts: tuple[Host, Host], calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What came of each call of browser.js, in Firefox on the one host, against a server on the other."""
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if binary is None:
        missing("no Firefox found")
    server, browser = hosts
    address = f"http://{SERVER}:{PORT}"
    pages = [f"{address}/?token={TOKEN}", f"{address}/docs"]
    options = json.dumps({"binary": binary, "pages": pages, "calls": calls})
    command = browser.command(sys.executable, str(CLIENTS / "firefox.py"), options)
    with serving_on(server), started(command) as client:
        events = [client.event("called") for _ in calls]
        # Ended too early, it would leave Firefox behind.
        assert client.wait() == 0, client.said
        return events


def test_every_try_connects_and_the_video_runs(hosts: tuple[Host, Host]) -> None:
    tries = [{"session": f"try{number}", "codec": "VP8"} for number in range(TRIES)]
    *connected, seen = called(hosts, [*tries, {"session": "seen", "codec": "VP8", "seconds": 10 if LONG else 3}])
    times_ms = [one["ms"] for one in connected]
    FIGURES.add("Firefox, /rtc", "VP8, fake camera, on another host", connect_ms=times_ms, fps=seen["fps"])

    assert_quick(times_ms)
    assert seen["fps"] > SHOWN_FPS, seen
    assert seen["width"] == 512


@contextmanager
def relaying_on(host: Host) -> Iterator[dict[str, Any]]:
    """A TURN server, and the configuration of a peer that may use nothing else."""
    binary = shutil.which("turnserver")
    if binary is None:
        missing("no coturn found")
    options = ("-n", "--log-file=stdout", "--pidfile=", f"--listening-ip={SERVER}", f"--relay-ip={SERVER}")
    options += ("--lt-cred-mech", "--user=ann:secret", "--realm=test", "--no-tls", "--no-dtls", "--no-cli")
    process = subprocess.Popen(host.command(binary, *options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        turn = {"urls": f"turn:{SERVER}:3478?transport=udp", "username": "ann", "credential": "secret"}
        yield {"iceServers": [turn], "iceTransportPolicy": "relay"}
    finally:
        process.terminate()
        process.wait(20)


def test_video_runs_through_a_relay_and_nothing_else(hosts: tuple[Host, Host]) -> None:
    with relaying_on(hosts[0]) as configuration:
        (seen,) = called(hosts, [{"session": "relayed", "codec": "VP8", "seconds": 5, "configuration": configuration}])
    FIGURES.add("Firefox, /rtc", "through coturn alone", connect_ms=[seen["ms"]], fps=seen["fps"])

    assert seen["fps"] > SHOWN_FPS, seen
