"""A process from its first instruction to its exit code: standard streams that never fail, signals that end a server
in order, and an end that no running thread can spoil.

The standard library only, as this runs before anything is imported. Must not know what is served.
"""

from __future__ import annotations

import _thread
import io
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
"""The signals that end a server: Ctrl-C, `kill`, a terminal that closes, and Ctrl-Break on Windows."""

PATIENCE_S = 2.0
"""How long after its first signal a server's process is left at the latest, whatever it does then."""


def run(command: Callable[[], object]) -> NoReturn:
    """Run a command and leave the process with its exit code; 1 where it raises."""
    try:
        command()
        code = 0
    except SystemExit as end:
        code = _code_of(end)
    except BaseException:
        traceback.print_exc()
        code = 1
    leave(code)


def _code_of(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def leave(code: int) -> NoReturn:
    """End the process now: flush the standard streams, remove the folder through which processes are forked, no more.

    The interpreter's own end is not for a process that has run an engine: a thread that comes back from C++ beside it
    is unwound, which C++ answers by `terminate called without an active exception`.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    _remove_folder()
    os._exit(code)


def _remove_folder() -> None:
    if (module := sys.modules.get("multiprocessing.process")) is not None:
        folder = module.current_process()._config.get("tempdir")
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


# -- a server's -----------------------------------------------------------------------------------------------------


def prepare_to_serve() -> None:
    """Make standard streams that never fail, and let signals end the process at once, with exit code 0: until there is
    a server, nothing needs an end in order.
    """
    _open_closed_streams()
    sys.stdout, sys.stderr = _lossy(sys.stdout), _lossy(sys.stderr)
    for number in STOP_SIGNALS:
        if not is_ignored_hangup(number):
            signal.signal(number, _end_at_once)


def is_ignored_hangup(number: int) -> bool:
    """True for SIGHUP in a process that was started to outlive its terminal, as by `nohup`."""
    return number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(0)


class Patience:
    """What signals mean to the process of a running server, which ends in order by itself: the first begins
    `PATIENCE_S`, the second ends the process at once. Both leave with exit code 0.

    Called by signal handlers, which may interrupt anything: it takes no lock and writes nothing.
    """

    def __init__(self) -> None:
        self._has_begun = False

    def __call__(self) -> None:
        """Hear a signal."""
        if self._has_begun:
            os._exit(0)
        self._has_begun = True
        _thread.start_new_thread(_end_late, ())  # `threading.Thread.start` takes locks


def _end_late() -> NoReturn:
    time.sleep(PATIENCE_S)
    os._exit(0)


# -- standard streams -----------------------------------------------------------------------------------------------


def _open_closed_streams() -> None:
    """Open those of the descriptors 0 to 2 that are closed, or the next socket would be somebody's standard output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, descriptor)  # unlike the first, for child processes too
            if nowhere != descriptor:
                os.close(nowhere)


class _LossyRaw(io.RawIOBase):
    """A raw stream that drops what can't be written: to a closed pipe, to a full disk."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            written = self._raw.write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


def _lossy(stream: TextIO | None) -> TextIO:
    """A text stream to the same place that drops what can't be written there; to nowhere for None."""
    if stream is None:
        return open(os.devnull, "w")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # without a buffer where Python runs unbuffered
    if not isinstance(raw, io.RawIOBase):
        return stream
    return io.TextIOWrapper(io.BufferedWriter(_LossyRaw(raw)), stream.encoding, "backslashreplace", line_buffering=True)
