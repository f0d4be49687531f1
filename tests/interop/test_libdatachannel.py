"""libdatachannel publishes by WHIP: what OBS stands on, in the shapes of its offers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.servers import RunningServer

from .driver import (
    ARRIVED,
    FIGURES,
    FPS,
    GONE_S,
    LONG,
    TRIES,
    Client,
    all_peers_gone,
    all_received,
    assert_bars,
    assert_quick,
    connects,
    frames_a_second,
    node,
    received,
    session_view,
    snapshot,
    wait_until,
)

pytestmark = pytest.mark.interop

SHAPES = pytest.mark.parametrize("candidates", [True, False], ids=["as-obs-30.0", "as-obs-30.2"])


def publisher(url: str, frames: Path, **options: Any) -> AbstractContextManager[Client]:
    options = {"fps": FPS, "audio": 1, "candidates": False, **options}
    return node("whip_libdatachannel.mjs", "node-datachannel", url=url, frames=str(frames), **options)


@SHAPES
def test_every_try_connects(server: RunningServer, h264_file: Path, candidates: bool) -> None:
    with publisher(f"{server.url}/whip", h264_file, candidates=candidates, tries=TRIES) as client:
        times_ms = connects(client, TRIES)
        client.event("done")
    shape = "H.264, candidates in the offer (OBS 30.0)" if candidates else "H.264, no candidates (OBS 30.2 on)"
    FIGURES.add("libdatachannel, WHIP", shape, connect_ms=times_ms)
    assert_quick(times_ms)
    all_peers_gone(server)


@SHAPES
def test_video_arrives_at_its_rate_and_as_it_is(server: RunningServer, h264_file: Path, candidates: bool) -> None:
    session = f"obs-{candidates}"
    with publisher(f"{server.url}/whip?session={session}", h264_file, candidates=candidates) as client:
        client.event("connected")
        wait_until(lambda: received(server, session) >= 10, "frames come in")
        fps = frames_a_second(server, session, 10 if LONG else 3)
        stats = session_view(server, session)["stats"]
        assert_bars(snapshot(server, session))
        arrived = all_received(server, session, client)
    FIGURES.add("libdatachannel, WHIP", f"H.264 and Opus, candidates: {candidates}", fps=fps)
    assert not LONG or fps >= 20
    assert arrived >= ARRIVED
    assert stats["fps_out"] >= ARRIVED * stats["fps_in"] > 0
    all_peers_gone(server)


def test_a_killed_publisher_is_gone_soon(server: RunningServer, h264_file: Path) -> None:
    with publisher(f"{server.url}/whip?session=killed", h264_file) as client:
        client.event("connected")
        wait_until(lambda: received(server, "killed") >= 10, "frames come in")
        client.kill()
        took_s = wait_until(lambda: server.app.state.peers.count == 0, "the peer is gone")
    FIGURES.add("libdatachannel, WHIP", "killed", more=f"gone after {took_s:.1f} s")
    assert took_s <= GONE_S
