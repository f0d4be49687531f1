"""Measurements that ship: `realtime bench`. The last line printed is one JSON object.

Must not know the server's inside: it is started as its own process and spoken to over real sockets.
"""

from __future__ import annotations

from .scenarios import server_bench

__all__ = ["server_bench"]
