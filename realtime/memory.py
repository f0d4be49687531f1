"""What a process that serves for weeks does about its memory: what the garbage collector looks at, what malloc keeps.

The standard library only. Must not know what is served.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Source: glibc's malloc.h."""
MMAP_BYTES, TRIM_BYTES = 16 * 2**20, 8 * 2**20
"""glibc raises both by itself to what was freed last, up to 32 and 64 MiB, for each thread's heap: after pictures of
4 million pixels that were made to be dear, a server had grown by 83 MB instead of 16 (measured)."""
ARENAS = max(2, (os.cpu_count() or 1) // 4)
"""Of glibc's heaps for threads, eight a core of its own accord: each keeps the largest of what its threads had at once.
A thread that a pool took on after nine minutes of soak had cost 3.3 MB, with two heaps 0.1 (measured).
"""


def settle(device: str) -> None:
    """Take what there is by now for what stays: call it when an engine has been loaded.

    The garbage collector passes over it: with torch and a model half a million objects, which took 0.5 s at once
    (measured), in which nobody got a picture. Once, until `give_back`: what is under way when a later engine has been
    loaded would be garbage that is never collected (a server whose models were changed while large stills were asked
    for had grown by 20 MB a second, measured). And glibc gives large pictures' memory back when they are gone, and
    shares few heaps among the threads, but where the model calculates on the CPU: there its own intermediate results
    would be given back and fetched again for each frame.

    Args:
        device: of a model that calculates in this process, see `EngineInfo.device`; empty where there is none.
    """
    if not gc.get_freeze_count():
        gc.freeze()
    if sys.platform == "linux" and not device.startswith("cpu"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none, and keep less
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
            mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
            mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Take out of memory what a model has left that is gone: models hold reference cycles. With torch it takes up to
    0.5 s, in which no other thread runs Python.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
