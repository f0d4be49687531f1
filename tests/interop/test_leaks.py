"""A server in a process of its own keeps nothing of foreign publishers: neither those who went nor what they sent."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from tests.fakes.servers import ServerProcess, serving

from .driver import FIGURES, FPS, LONG, connects, node, wait_until

pytestmark = pytest.mark.interop

CYCLES = 100 if LONG else 40
GROWTH_S = 60 if LONG else 12
SOUND_SPEED = 10
"""Sound that nobody reads grows slowly: at ten times its rate by 2 MB a second."""
KEPT_MB_PER_S = 2
MOST_MB = KEPT_MB_PER_S * GROWTH_S / 3
TRIES = 4


def holdings(server: ServerProcess) -> tuple[int, int]:
    """Files, sockets among them, and threads."""
    process = psutil.Process(server.process.pid)
    return process.num_fds(), process.num_threads()


def growth_mb(server: ServerProcess) -> float:
    """By how much its memory grows in `GROWTH_S`."""
    before = server.memory
    time.sleep(GROWTH_S)
    return (server.memory - before) / 1e6


def test_connects_and_ends_leave_no_socket_and_no_thread(h264_file: Path) -> None:
    with serving("--ice-address", "127.0.0.1") as server:

        def cycle(times: int) -> None:
            options = {
                "url": f"{server.url}whip",
                "frames": str(h264_file),
                "fps": FPS,
                "audio": 1,
                "candidates": False,
            }
            with node("whip_libdatachannel.mjs", "node-datachannel", tries=times, **options) as client:
                connects(client, times)
                client.event("done")

        cycle(10)  # pools of threads fill
        time.sleep(1)
        files, threads = holdings(server)
        cycle(CYCLES)

        def is_as_before() -> bool:
            now = holdings(server)
            # A pool may grow by a thread now and then; what each of the connects leaves would be many more.
            return now[0] <= files + CYCLES / 8 and now[1] <= threads + CYCLES / 8

        wait_until(is_as_before, "as many files and threads as before")
        now = holdings(server)
    more = f"files {files} before, {now[0]} after; threads {threads}, {now[1]}"
    FIGURES.add("libdatachannel, WHIP", f"{CYCLES} connects and ends", more=more)


def test_what_is_sent_is_not_kept(h264_file: Path) -> None:
    with serving("--ice-address", "127.0.0.1") as server:
        options = {"url": f"{server.url}whip", "frames": str(h264_file), "fps": FPS, "audio": SOUND_SPEED}
        with node("whip_libdatachannel.mjs", "node-datachannel", candidates=False, **options) as client:
            client.event("connected")
            time.sleep(8)
            grown_mb = [growth_mb(server)]
            while grown_mb[-1] >= MOST_MB and len(grown_mb) < TRIES:  # the decoder's memory levels off; a leak doesn't
                grown_mb.append(growth_mb(server))
            client.leave()
    FIGURES.add(
        "libdatachannel, WHIP", f"{GROWTH_S} s, sound at {SOUND_SPEED} times its rate", more=f"{grown_mb[-1]:+.1f} MB"
    )
    assert grown_mb[-1] < MOST_MB, grown_mb
