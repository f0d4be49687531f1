"""Runs tasks that would stall a server in a child process: `python -m realtime.engine.rungs.builder`, see `Builder`.

Exporting, compiling and converting networks holds the GIL for seconds, patches PyTorch's globals and uses all cores.
Measured on the embedded model: with a conversion in a thread of the server, frames took up to 4 s and the event loop
was blocked for 0.6 s; with one in a child process both are as without.

Must not know engines, rows, or what a task makes.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import shutil
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
"""The child's niceness, above the server's. It works within one session only (Linux's autogroups)."""

COMMAND = (sys.executable, "-m", "realtime.engine.rungs.builder")


class Task(NamedTuple):
    """What a child process is to do.

    Attributes:
        function: of a module's top level, called with the model and `arguments` as keywords; it yields messages for
            the parent, JSON objects.
        arguments: JSON values.
    """

    function: Callable[..., Iterable[Mapping[str, Any]]]
    arguments: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """The function as `module:function`, by which the child imports it."""
        return f"{self.function.__module__}:{self.function.__qualname__}"


class Builder:
    """A child process that runs a task. It ends with the task, by `close`, and when this process ends in any way.

    Args:
        config: which model the child loads. Only the fields of `ModelConfig` are passed, whatever subclass it is.
        task: what it does with the model.
        command: starts the child.
    """

    def __init__(self, config: ModelConfig, task: Task, command: Sequence[str] = COMMAND) -> None:
        import torch  # not with this module: the child sets environment variables before it imports torch

        self._scratch = tempfile.TemporaryDirectory(prefix="realtime-builder-", ignore_cleanup_errors=True)
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  `dispose` closes it
        # A cache of its own for Inductor: a child that is killed while it writes would leave half files for the next.
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": self._scratch.name}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            process_group=0,  # killed together with its compilers; in a new session niceness would have no effect
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
            pass  # the child has ended: `messages` ends, and `outcome` returns why

    def messages(self) -> Iterator[dict[str, Any]]:
        """The task's messages, until the child ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # libraries print too
                yield json.loads(line)

    def outcome(self) -> str:
        """Wait until the child has ended.

        Returns:
            Empty if the task succeeded, else the reason: the last line of the child's standard error, or its signal.
        """
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
        """Kill the child and its compilers if they still run. Any thread, any number of times."""
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()
            else:
                # The child may have ended since `poll`.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def dispose(self) -> None:
        """Kill the child, wait for it, and remove its files."""
        self.close()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # an order that the child did not wait for is still in it
                    pipe.close()
        self._scratch.cleanup()

    def abandon(self) -> None:
        """Kill the child and remove its files, while another thread may still read what it says."""
        self.close()
        self._process.wait()
        self._scratch.cleanup()


def main() -> None:
    """The child's main function: reads one order from standard input, prints the task's messages as lines of JSON.

    Kills itself and its compilers when standard input ends, which is when the parent does.
    """
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.platform != "win32":
        os.nice(order["niceness"])
    name_cuda(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]))

    import torch

    from ..models.load import load_model

    torch.set_num_threads(order["threads"])
    # A server is beside it on the same GPU, and no task encodes a prompt.
    model = load_model(ModelConfig(**order["config"]), hears=False)
    module, _, function = order["function"].partition(":")
    for message in getattr(importlib.import_module(module), function)(model, **order["arguments"]):
        print(json.dumps(message), flush=True)


def _end_with_parent() -> None:
    while sys.stdin.read(4096):
        pass
    shutil.rmtree(os.environ["TORCHINDUCTOR_CACHE_DIR"], ignore_errors=True)  # a parent that was killed can't
    if sys.platform == "win32":
        os._exit(1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
    os._exit(0)  # at a regular end the interpreter would wait for the thread that reads its input
