"""The process that sends: `python -m realtime.outputs.child`. Pictures come by its input, what it says goes out.

It is one of its own as connecting and FFmpeg's first bytes hold Python's lock, as a driver may break it, as one that
hangs can be killed, and as pyvirtualcam is under the GPL. Must not know sessions. Says nothing by standard error: what
FFmpeg says may hold the address.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

from .opening import sink_of
from .records import OutputSpec, SinkReport, records
from .sink import Sink, SinkError


def serve(received: IO[bytes], said: IO[bytes], open_sink: Callable[[OutputSpec], Sink] = sink_of) -> None:
    """Send all that comes, until there is no more."""

    def say(message: SinkReport) -> None:
        said.write(message.line())
        said.flush()

    spec = OutputSpec.parse(received.readline())
    try:
        sink = open_sink(spec)
        say(SinkReport())
        last = None
        for record in records(received.read, spec):
            if record.samples is not None:
                sink.sound(record.samples)
                continue
            last = record.picture if record.picture is not None else last
            if last is not None:
                sink.picture(last, record.number)
        sink.close()
    except SinkError as error:
        say(SinkReport(str(error), error.is_final, error.is_encoders))


ORPHAN_S = 15.0
"""A receiver that takes nothing must not keep this process once the other has gone; what is left is sent by then."""
LOOK_EVERY_S = 1.0


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    time.sleep(ORPHAN_S)
    os._exit(1)


def main() -> None:
    """Serve the process that has started this one."""
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches all of a terminal; the end of input is the end
        signal.signal(number, signal.SIG_IGN)
    sys.stderr = None
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
