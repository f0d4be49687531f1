"""libwebrtc, in Node, reads by WHEP what libdatachannel publishes by WHIP."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.servers import RunningServer

from .driver import (
    BARS,
    FIGURES,
    FPS,
    GONE_S,
    LONG,
    SHOWN_FPS,
    TRIES,
    Client,
    all_peers_gone,
    assert_quick,
    node,
    received,
    wait_until,
)

pytestmark = pytest.mark.interop

FIRST_FRAME_MS = 500 if LONG else 2500
KEY_FRAME_MS = 1000 if LONG else 5000
POINTS = [[(2 * bar + 1) / (2 * len(BARS)), 0.2] for bar in range(len(BARS))]


@contextmanager
def published(server: RunningServer, session: str, frames: Path) -> Iterator[None]:
    options = {"url": f"{server.url}/whip?session={session}", "frames": str(frames), "fps": FPS, "audio": 1}
    with node("whip_libdatachannel.mjs", "node-datachannel", **options) as client:
        client.event("connected")
        wait_until(lambda: received(server, session) >= 10, "frames come in")
        yield


def reader(server: RunningServer, session: str, **options: Any) -> AbstractContextManager[Client]:
    url = f"{server.url}/whep?session={session}"
    return node("whep_wrtc.mjs", "@roamhq/wrtc", url=url, points=POINTS, **options)


def test_every_try_connects_and_soon_sees_a_picture(server: RunningServer, h264_file: Path) -> None:
    with published(server, "tries", h264_file), reader(server, "tries", tries=TRIES) as client:
        events = [client.event("connected") for _ in range(TRIES)]
        client.event("done")
    times_ms, frames_ms = [event["ms"] for event in events], [event["frame_ms"] for event in events]
    more = f"first frame {statistics.median(frames_ms):.0f} ms after (worst {max(frames_ms):.0f})"
    FIGURES.add("libwebrtc in Node, WHEP", events[0]["codec"], connect_ms=times_ms, more=more)
    assert_quick(times_ms)
    assert statistics.median(frames_ms) < FIRST_FRAME_MS, frames_ms
    all_peers_gone(server)


def test_three_readers_share_an_encoding_that_ends_with_them(server: RunningServer, h264_file: Path) -> None:
    peers = server.app.state.peers
    with published(server, "three", h264_file):
        assert peers.encodings == 0, "nobody watches yet"
        with reader(server, "three", readers=3) as client:
            _, *late = [client.event("connected") for _ in range(3)]
            assert peers.encodings == 1
            assert peers.count == 1 + 3
            time.sleep(10 if LONG else 3)
            # To libwebrtc a machine without time looks like a line without room.
            assert peers.encodings == 1 or not LONG, "no reader was moved to an encoding of its own"
            client.leave()
            seen = [client.event("seen") for _ in range(3)]
            wait_until(lambda: peers.encodings == 0, "the encoding ends with the last reader")
            assert peers.count == 1
    rates = [one["fps"] for one in seen]
    late_ms = max(event["frame_ms"] for event in late)
    FIGURES.add(
        "libwebrtc in Node, WHEP",
        "three readers, one encoding",
        more=f"each reads {min(rates):.1f} fps or more; "
        f"those who came late had their first frame after {late_ms:.0f} ms",
    )
    assert late_ms < KEY_FRAME_MS
    assert min(rates) >= SHOWN_FPS, rates
    for one in seen:
        assert (one["width"], one["height"]) == (512, 512)
        assert np.abs(np.asarray(one["colours"]) - np.asarray(BARS)).max() < 30, one["colours"]
    all_peers_gone(server)


def test_a_killed_reader_is_gone_soon_and_its_encoding_too(server: RunningServer, h264_file: Path) -> None:
    peers = server.app.state.peers
    with published(server, "killed", h264_file), reader(server, "killed", readers=1) as client:
        client.event("connected")
        assert peers.encodings == 1
        client.kill()
        took_s = wait_until(lambda: peers.encodings == 0 and peers.count == 1, "the reader is gone")
    FIGURES.add("libwebrtc in Node, WHEP", "killed", more=f"gone after {took_s:.1f} s")
    assert took_s <= GONE_S
