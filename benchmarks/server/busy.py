"""Other work on a machine that is measured: a process on each core that does nothing but count.

Must not know what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

COUNT = """
import os, pathlib
os.nice(19)
group = pathlib.Path("/proc/self/autogroup")
if group.exists():  # Linux weighs sessions first, and processes only within theirs
    group.write_text("19")
print(flush=True)
count = 0
while True:
    count += 1
"""


@contextmanager
def busy_cores() -> Generator[int]:
    """Keep every core busy meanwhile, at the lowest priority, as a build in the background does; how many there are.

    At the same priority a core's time is shared evenly, and what is measured is how the kernel does that.
    """
    cores = os.cpu_count() or 1
    with ExitStack() as stack:
        for _ in range(cores):
            command = [sys.executable, "-c", COUNT]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        yield cores
