"""Makes in a child process what would stall a server: `python -m realtime.engine.rungs.builder`, started by `Builder`.

Exporting, compiling and converting networks holds the interpreter for seconds, patches PyTorch's globals and wants all
cores. Measured on the embedded model: with a conversion in a thread beside them, frames took up to 4 s and the event
loop stood still for 0.6 s; with one in a child process both are as without.

Must not know engines, rows, or what is made: a task is the function of the rung that wants it made.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...config import ModelConfig
from .toolchain import name_cuda

_log = logging.getLogger(__name__)

NICENESS = 10
"""The child gives way to the server, whose process group's scheduling it shares."""

COMMAND = (sys.executable, "-m", "realtime.engine.rungs.builder")


class Task(NamedTuple):
    """What a child process is to do: a function of a module, called with the model and by name with the arguments.

    Attributes:
        function: what it yields goes to the parent, as JSON objects.
        arguments: as JSON has them.
    """

    function: Callable[..., Iterable[Mapping[str, Any]]]
    arguments: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """Where the child finds the function: `module:function`."""
        return f"{self.function.__module__}:{self.function.__qualname__}"


class Builder:
    """A child process at work. It ends when it is done, when it is closed, and when this process ends in any way.

    Args:
        config: names the model; the child loads it by itself. Nothing else of a whole configuration leaves the process.
    """

    def __init__(self, config: ModelConfig, task: Task, command: Sequence[str] = COMMAND) -> None:
        import torch  # not with this module: the child sets things up before

        self._scratch = tempfile.TemporaryDirectory(prefix="realtime-builder-", ignore_cleanup_errors=True)
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  `dispose` closes it
        # Inductor's own cache goes with the child: killed while it writes, it would leave half files for the next.
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": self._scratch.name}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            process_group=0,  # with its compilers, so that they end together; a session would lose the niceness
        )
        settings = config.model_dump(mode="json", include=set(ModelConfig.model_fields))
        order = {
            "config": settings,
            "niceness": NICENESS,
            "threads": torch.get_num_threads(),
            "function": task.name,
            "arguments": task.arguments,
        }
        self._send(json.dumps(order) + "\n")

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended already: `messages` ends, and `outcome` says why

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the child says, until it ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # libraries print too
                yield json.loads(line)

    def outcome(self) -> str:
        """Wait for the end: empty where all went well, else why it did not."""
        code = self._process.wait()
        if code == 0:
            return ""
        if code < 0:
            return f"the builder was ended by {signal.Signals(-code).name}"
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        _log.debug("the builder said:\n%s", "\n".join(lines))
        return lines[-1] if lines else f"the builder ended with {code}"

    def close(self) -> None:
        """End the child and its compilers, where they still run. From any thread, and as often as you like."""
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()
            else:
                # It may have ended just now, and another thread be about to learn that.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def dispose(self) -> None:
        """End it and remove its files."""
        self.close()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()
        self._scratch.cleanup()


def main() -> None:
    """The child: reads one order from its input, says on its output what its task says, and ends with its input."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.platform != "win32":
        os.nice(order["niceness"])
    name_cuda(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]))  # where there is one

    import torch

    from ..models.load import load_model

    torch.set_num_threads(order["threads"])
    model = load_model(ModelConfig(**order["config"]))
    module, _, function = order["function"].partition(":")
    for message in getattr(importlib.import_module(module), function)(model, **order["arguments"]):
        print(json.dumps(message), flush=True)


def _end_with_parent() -> None:
    while sys.stdin.read(4096):
        pass
    if sys.platform == "win32":
        os._exit(1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
    os._exit(0)  # at a regular end the interpreter would wait for the thread that reads its input
