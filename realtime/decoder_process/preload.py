"""What decoders' processes have in common: imported once, by the process that they are forked from.

Must not start threads, which no fork takes with it, nor import torch.
"""

from __future__ import annotations

import signal

from ..media import codec, source, video
from ..process import STOP_SIGNALS
from . import child, fetching, pictures

__all__ = ["child", "codec", "fetching", "pictures", "source", "video"]

for number in STOP_SIGNALS:
    signal.signal(number, signal.SIG_IGN)
