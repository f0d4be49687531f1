"""FFmpeg publishes by WHIP: an ICE of its own, and the DTLS server's part."""

from __future__ import annotations

import re
import time
from contextlib import AbstractContextManager

import imageio_ffmpeg
import pytest

from tests.fakes.servers import RunningServer, a_config, running

from .driver import (
    CONNECT_MS,
    FIGURES,
    FPS,
    LONG,
    PATIENCE_S,
    TRIES,
    Client,
    all_peers_gone,
    assert_bars,
    assert_quick,
    received,
    started,
    wait_until,
)

pytestmark = pytest.mark.interop


def publisher(url: str, seconds: float, *options: str) -> AbstractContextManager[Client]:
    return started(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "verbose"),
            *("-re", "-f", "lavfi", "-i", f"smptebars=size=512x512:rate={FPS}"),
            *("-re", "-f", "lavfi", "-i", "anullsrc=sample_rate=48000:channel_layout=stereo"),
            *("-t", str(seconds), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast"),
            *("-tune", "zerolatency", "-profile:v", "baseline", "-g", str(FPS), "-c:a", "libopus"),
            *("-f", "whip", *options, url),
        ]
    )


CONSENT_S = 8.5
"""Consent that is not renewed runs out after 8 s."""


def connect_ms(client: Client) -> float:
    """Until it can send, as it says itself once it is over."""
    found = re.search(r"Muxer state=10, .* elapsed=([\d.]+)ms", client.said)
    assert found, client.said
    return float(found[1])


def test_every_try_connects(server: RunningServer) -> None:
    times_ms: list[float] = []
    for _ in range(TRIES):
        with publisher(f"{server.url}/whip", 0.3) as client:
            assert client.wait() == 0, client.said
        times_ms.append(connect_ms(client))
    FIGURES.add("FFmpeg 9 whip muxer", "H.264 and Opus, setup:passive", connect_ms=times_ms)
    assert_quick(times_ms)
    all_peers_gone(server)


def test_it_connects_as_dtls_client_too(server: RunningServer) -> None:
    with publisher(f"{server.url}/whip", 0.3, "-whip_flags", "dtls_active") as client:
        assert client.wait() == 0, client.said
    took_ms = connect_ms(client)
    FIGURES.add("FFmpeg 9 whip muxer", "-whip_flags dtls_active", connect_ms=[took_ms])
    assert took_ms < 3 * CONNECT_MS
    all_peers_gone(server)


@pytest.mark.parametrize("seconds", [12, pytest.param(40, marks=pytest.mark.skipif(not LONG, reason="a long run"))])
def test_frames_arrive_for_longer_than_consent_lasts(server: RunningServer, seconds: int) -> None:
    session = f"ff-{seconds}"
    with publisher(f"{server.url}/whip?session={session}", seconds) as client:
        wait_until(lambda: received(server, session) > 0, "frames come in")
        found = server.service.session(session)
        assert found is not None
        time.sleep(CONSENT_S)
        count = found.stats.received
        wait_until(lambda: found.stats.received > count + 3, "frames still come in")
        assert client.wait() == 0, client.said
        wait_until(lambda: server.service.session(session) is None, "the session is over")
        count, newest = found.stats.received, found.newest
    FIGURES.add("FFmpeg 9 whip muxer", f"{seconds} s", fps=count / seconds, more=f"{count} of {seconds * FPS} frames")
    assert count >= (0.95 if LONG else 0.5) * seconds * FPS
    assert newest is not None
    assert_bars(newest.picture)
    all_peers_gone(server)


def test_a_bearer_token_lets_it_in_and_nothing_else_does() -> None:
    with running(a_config(ice_addresses=("127.0.0.1",)), token="a-secret") as server:
        with publisher(f"{server.url}/whip?session=mine", PATIENCE_S, "-authorization", "a-secret"):
            wait_until(lambda: received(server, "mine") > 0, "frames come in")
        with publisher(f"{server.url}/whip?session=theirs", 1, "-authorization", "a-guess") as client:
            assert client.wait() != 0
            assert "401" in client.said
        assert server.service.session("theirs") is None
