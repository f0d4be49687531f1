"""Measurements that ship: `realtime bench`. The last line printed is one JSON object.

The server is started as its own process and spoken to over real sockets. Of its inside only two parts are known, which
are also measured alone: the receive path of WebRTC and the video encoder.
"""

from __future__ import annotations

from .scenarios import server_bench
from .webrtc import webrtc_bench

__all__ = ["server_bench", "webrtc_bench"]
