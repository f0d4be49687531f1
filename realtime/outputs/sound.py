"""Sound on its way out: blocks that know when they are heard become one line of samples without gaps.

Pure: time is passed in. Must not know where sound comes from or goes.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from .records import SOUND_CHANNELS, SOUND_RATE, Samples

TOLERANCE_S = 0.06
"""How far a block may be from the end of the one before and still follow it: timestamps of live sound jitter."""
GRACE_S = 1.5
"""Sound that has not come by then is silence. FFmpeg reads the sound of an MP4 up to a second behind its pictures."""
GAP_MAX_S = 30.0
"""A block that is further ahead is none of this output's: timestamps that wrapped around, for example."""
BLOCKS_MAX = 1000
"""Blocks that wait, about 20 s: more are those of an output that takes nothing."""


class SoundLine:
    """Puts blocks one behind the other, with silence where none is.

    Args:
        grace_s: how long sound is waited for; 0 where none is expected.
    """

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self.grace_s = grace_s
        self._blocks: deque[tuple[float, Samples]] = deque(maxlen=BLOCKS_MAX)
        self._next = 0
        """The number of the first sample that was not given out."""

    def put(self, samples: Samples, at_s: float) -> None:
        """Add a block that begins to be heard at this time of the output. Any thread."""
        self._blocks.append((at_s, samples))

    def take(self, now_s: float) -> Samples | None:
        """The samples that follow those of the last call, as many as there are; None where there are none.

        Args:
            now_s: time of the output: what is older by the grace is silence.
        """
        taken: list[Samples] = []
        while self._blocks:
            at_s, samples = self._blocks.popleft()
            off = round(at_s * SOUND_RATE) - self._next
            if off > GAP_MAX_S * SOUND_RATE:
                continue
            if off > TOLERANCE_S * SOUND_RATE:
                taken.append(_silence(off))
            elif off < -TOLERANCE_S * SOUND_RATE:
                samples = samples[:, -off:]
                off = 0
            else:
                off = 0
            taken.append(samples)
            self._next += off + samples.shape[1]
        if (missing := round((now_s - self.grace_s) * SOUND_RATE) - self._next) > 0:
            taken.append(_silence(missing))
            self._next += missing
        found = np.concatenate(taken, axis=1) if taken else _silence(0)
        return found if found.shape[1] else None


def _silence(count: int) -> Samples:
    return np.zeros((SOUND_CHANNELS, count), np.float32)
