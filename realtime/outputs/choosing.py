"""Which H.264 encoder this machine's pictures go through: found once, in a process that a driver may break.

`python -m realtime.outputs.choosing` is that process. Must not know who encodes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from functools import cache

from .h264 import SOFTWARE, Trial, trials

PROGRAM = (sys.executable, "-m", "realtime.outputs.choosing")
TRIAL_TIMEOUT_S = 60.0


@cache
def found_encoders() -> tuple[Trial, ...]:
    """What the trials have found, the one that is taken last; asked once a process. Takes about a second."""
    try:
        ran = subprocess.run(PROGRAM, capture_output=True, text=True, timeout=TRIAL_TIMEOUT_S, check=True)
        return tuple(Trial(**fields) for fields in json.loads(ran.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return (Trial(SOFTWARE, None, "the trial of the encoders broke off: software's is taken"),)


def chosen_encoder() -> str:
    """FFmpeg's name of the encoder that is taken."""
    last = found_encoders()[-1]
    return last.name


if __name__ == "__main__":
    print(json.dumps([asdict(trial) for trial in trials()]))
