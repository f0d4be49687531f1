"""What the processes of engines without a model have in common: imported once, by the process that they are forked
from, which signals that are meant for the server do not end.

Must not start threads, which no fork takes with it.
"""

from __future__ import annotations

import signal

from ..engine import echo, load
from ..process import STOP_SIGNALS
from . import child

__all__ = ["child", "echo", "load"]

for number in STOP_SIGNALS:
    signal.signal(number, signal.SIG_IGN)
