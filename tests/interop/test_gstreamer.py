"""GStreamer's webrtcbin publishes by WHIP: libnice for ICE, and a certificate that is RSA."""

from __future__ import annotations

import functools
import json
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.servers import RunningServer

from .driver import (
    ARRIVED,
    CLIENTS,
    FIGURES,
    LONG,
    TRIES,
    Client,
    all_peers_gone,
    all_received,
    assert_bars,
    assert_quick,
    connects,
    frames_a_second,
    missing,
    received,
    snapshot,
    started,
    wait_until,
)

pytestmark = pytest.mark.interop

SYSTEM_PYTHON = Path("/usr/bin/python3")
"""Debian's bindings are for Debian's Python, not for that of a virtual environment."""
NEEDED = "webrtcbin nicesink vp8enc openh264enc h264parse rtpvp8pay rtph264pay dtlssrtpenc"
LOOK = f"""
import gi
for name, version in {{"Gst": "1.0", "GstSdp": "1.0", "GstWebRTC": "1.0", "Nice": "0.1"}}.items():
    gi.require_version(name, version)
from gi.repository import Gst
Gst.init(None)
absent = [name for name in "{NEEDED}".split() if Gst.ElementFactory.find(name) is None]
assert not absent, absent
"""
CODECS = pytest.mark.parametrize("codec", ["VP8", "H264"])


@functools.cache
def _what_is_missing() -> str | None:
    if not SYSTEM_PYTHON.exists():
        return "no system Python found"
    looked = subprocess.run([SYSTEM_PYTHON, "-c", LOOK], capture_output=True, text=True, check=False)
    return None if looked.returncode == 0 else f"no GStreamer with webrtcbin: {looked.stderr.strip()[-300:]}"


def publisher(url: str, codec: str, **options: Any) -> AbstractContextManager[Client]:
    if (what := _what_is_missing()) is not None:
        missing(what)
    command = [SYSTEM_PYTHON, CLIENTS / "whip_gstreamer.py", json.dumps({"url": url, "codec": codec, **options})]
    return started(command, PYTHONPATH="")


@CODECS
def test_every_try_connects(server: RunningServer, codec: str) -> None:
    with publisher(f"{server.url}/whip", codec, tries=TRIES) as client:
        times_ms = connects(client, TRIES)
        client.event("done")
    FIGURES.add("GStreamer webrtcbin, WHIP", codec, connect_ms=times_ms)
    assert_quick(times_ms)
    all_peers_gone(server)


@CODECS
def test_video_arrives_at_its_rate_and_as_it_is(server: RunningServer, codec: str) -> None:
    session = f"gst-{codec}"
    with publisher(f"{server.url}/whip?session={session}", codec) as client:
        client.event("connected")
        wait_until(lambda: received(server, session) >= 10, "frames come in")
        fps = frames_a_second(server, session, 10 if LONG else 3)
        assert_bars(snapshot(server, session))
        arrived = all_received(server, session, client)
    FIGURES.add("GStreamer webrtcbin, WHIP", codec, fps=fps)
    assert not LONG or fps >= 20
    assert arrived >= ARRIVED
    all_peers_gone(server)
