"""Runs the parts of a run in processes, holds each to its limit, and all of them to the run's deadline.

A part that hangs, breaks or kills its process costs only itself: the next one gets a new process. Must not know what is
measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .plan import MARGIN_S, Part, kept_for
from .working import part_file

COMMAND = (sys.executable, "-m", "benchmarks.gpu", "--work")
GRACE_S = 3.0
"""How long a process that is to end may take, before it is killed."""

Measured = dict[str, dict[str, Any]]


class Worker:
    """A process that measures: see `working`. It leads a session, so that it ends with all that it started.

    Args:
        command: starts it.
        environment: what it sees.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.is_there = True

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def begin(self, part: Part, limit_s: float) -> None:
        """Ask for a part."""
        assert self._process.stdin is not None
        try:
            # Without limit, any that JSON has.
            request = {"part": part.name, "measures": part.measures, "limit_s": min(limit_s, 1e6)}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which `wait` sees

    def wait(self, timeout_s: float) -> str | None:
        """Wait for the answer to `begin`: why there is no more to be found, or an empty text. None: not yet."""
        try:
            line = self._answers.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None
        if line:
            return str(json.loads(line)["note"])
        self.is_there = False
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return f"its process ended with {how}; what it said stands in the log"

    def ask_to_end(self) -> None:
        """Tell it to end, with the servers and compilers that it has started."""
        self.is_there = False
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)

    def end(self) -> None:
        """End it, with all that it has started, and wait for that."""
        self.ask_to_end()
        if self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
        self._signal(signal.SIGKILL)  # what it started may be there still
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Running:
    """One run.

    Args:
        parts: in their order.
        output: of the parts' files.
        dry: tiny shapes.
        budget_s: the run is over after that, whatever becomes of its parts.
        start: starts a process.
        on_measured: called with all that was found so far, whenever there is more.
        clock: seconds.

    Attributes:
        measured: what each part has found, how long it took, and why there is no more of it.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        output: Path,
        *,
        dry: bool,
        budget_s: float,
        start: Callable[[], Worker],
        on_measured: Callable[[Measured], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.measured: Measured = {}
        self._parts = parts
        self._output = output
        self._dry = dry
        self._start = start
        self._on_measured = on_measured
        self._clock = clock
        self._end_s = clock() + budget_s - MARGIN_S
        self._workers: dict[str, Worker] = {}
        self._beside: dict[str, tuple[Part, float, float]] = {}

    @property
    def rest_s(self) -> float:
        """Seconds that are left."""
        return self._end_s - self._clock()

    def run(self) -> Measured:
        """Measure all parts that there is time for."""
        try:
            for part in self._parts:
                part_file(self._output, part.name).unlink(missing_ok=True)
            for part in self._parts:
                if part.is_beside:
                    self._begin_beside(part)
            ahead = [part for part in self._parts if not part.is_beside]
            for place, part in enumerate(ahead):
                self._run(part, ahead[place + 1 :])
            self._finish(list(self._beside), 0.0)
        finally:
            for worker in self._workers.values():
                worker.ask_to_end()
            for worker in self._workers.values():
                worker.end()
        return self.measured

    def _needs_s(self, part: Part) -> float:
        return part.dry_needs_s if self._dry else part.needs_s

    def _begin_beside(self, part: Part) -> None:
        cores = os.cpu_count() or 1
        if cores < part.cores:
            return self._tell(part, note=f"left out: it needs {part.cores} cores, and there are {cores}")
        if self.rest_s < self._needs_s(part):
            return self._leave_out(part)
        limit_s = min(part.limit_s, self.rest_s)
        self._worker(part).begin(part, limit_s)
        self._beside[part.name] = (part, self._clock(), self._clock() + limit_s)

    def _run(self, part: Part, later: Sequence[Part]) -> None:
        self._finish(part.after, self._needs_s(part) + kept_for(list(later), self._dry))
        # Tiny shapes have no limit but the run's: two busy cores may take any time.
        free_s = self.rest_s - kept_for(list(later), self._dry)
        limit_s = free_s if self._dry else min(part.limit_s, free_s)
        if limit_s < self._needs_s(part):
            return self._leave_out(part)
        print(f"== {part.name}, {limit_s:.0f} s at most", file=sys.stderr, flush=True)
        begin_s, worker = self._clock(), self._worker(part)
        worker.begin(part, limit_s)
        note = self._wait(part, worker, begin_s + limit_s)
        self._tell(part, note=note, took_s=self._clock() - begin_s)
        if note or not any(other.process == part.process for other in later):
            self._workers.pop(part.process).end()

    def _wait(self, part: Part, worker: Worker, end_s: float) -> str:
        """Wait for an answer until a moment; why there is none, or what the part says of its end."""
        begin_s = self._clock()
        while (note := worker.wait(min(1.0, max(0.0, end_s - self._clock())))) is None:
            if self._clock() >= end_s:
                worker.end()
                return f"ended after {self._clock() - begin_s:.0f} s"
            self._tell_meanwhile(part)
        return note

    def _worker(self, part: Part) -> Worker:
        worker = self._workers.get(part.process)
        if worker is None or not worker.is_there:
            if worker is not None:
                worker.end()
            worker = self._workers[part.process] = self._start()
        return worker

    def _finish(self, names: Sequence[str], kept_s: float) -> None:
        """Wait for parts beside, as long as that leaves so much time; the rest of them is ended."""
        for name in names:
            if (begun := self._beside.pop(name, None)) is None:
                continue
            part, begin_s, end_s = begun
            worker = self._workers[part.process]
            note = self._wait(part, worker, min(end_s, self._end_s - kept_s))
            if note.startswith("ended after"):
                note = f"ended after {self._clock() - begin_s:.0f} s"
            self._tell(part, note=note, took_s=self._clock() - begin_s)
            self._workers.pop(part.process).end()

    def _leave_out(self, part: Part) -> None:
        kept = self._needs_s(part)
        self._tell(part, note=f"left out: {max(0.0, self.rest_s):.0f} s were left, and it needs {kept:.0f}")

    def _tell(self, part: Part, *, note: str = "", took_s: float | None = None) -> None:
        found = self._found(part)
        if took_s is not None:
            found["took_s"] = round(took_s, 1)
        if note:
            found["note"] = note
        self.measured[part.name] = found
        self._on_measured(self.measured)

    def _tell_meanwhile(self, part: Part) -> None:
        """Put down what a part and those beside have found by now: this process may be ended too."""
        for one in (part, *(one for one, _, _ in self._beside.values())):
            found = self._found(one) | {"note": "goes on"}
            if found != self.measured.get(one.name):
                self.measured[one.name] = found
                self._on_measured(self.measured)

    def _found(self, part: Part) -> dict[str, Any]:
        file = part_file(self._output, part.name)
        return json.loads(file.read_text()) if file.exists() else {}
