"""Makes in a child process what would stall a server: `python -m realtime.engine.rungs.builder`, started by `Builder`.

Exporting, compiling and converting networks holds the interpreter for seconds, patches PyTorch's globals and wants all
cores. Measured on the embedded model: with a conversion in a thread beside them, frames took up to 4 s and the event
loop stood still for 0.6 s; with one in a child process both are as without.

Must not know engines, rows or who wants what is made.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config import ModelConfig
from .toolchain import name_cuda

if TYPE_CHECKING:
    from ..models.load import Model
    from .compile import Signature

_log = logging.getLogger(__name__)

#: The child gives way to the server, whose process group's scheduling it shares.
NICENESS = 10

COMMAND = (sys.executable, "-m", "realtime.engine.rungs.builder")


class Builder:
    """A child process at work. It ends when it is done, when it is closed, and when this process ends in any way.

    Args:
        config: names the model; the child loads it by itself. Nothing else of a whole configuration leaves the process.
        order: what to make, as `main` reads it.
    """

    def __init__(self, config: ModelConfig, order: dict[str, Any], command: Sequence[str] = COMMAND) -> None:
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
        self._send(json.dumps({"config": settings, "niceness": NICENESS, **order}) + "\n")

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
    """The child: reads one order from its input, says on its output what is done, and ends with its input."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.platform != "win32":
        os.nice(order["niceness"])
    if order["make"] == "packages":
        name_cuda(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]))

    import torch

    from ..models.load import load_model
    from .compile import Signature

    torch.set_num_threads(order["threads"])
    model = load_model(ModelConfig(**order["config"]))
    if order["make"] == "openvino":
        _convert(model)
    elif order["make"] == "openvino shapes":
        _prove(model, order["shapes"])
    else:
        _build(model, [Signature.parse(wire) for wire in order["signatures"]])


def _end_with_parent() -> None:
    while sys.stdin.read(4096):
        pass
    if sys.platform == "win32":
        os._exit(1)
    os.killpg(0, signal.SIGKILL)


def _convert(model: Model) -> None:
    from .openvino.backend import OpenVinoBackend

    OpenVinoBackend(model, _unheard)


def _prove(model: Model, wires: Sequence[list[Any]]) -> None:
    """Try compilations for fixed shapes, and tell the parent about each that is right."""
    from .openvino.backend import OpenVinoBackend
    from .openvino.known import Shapes

    backend = OpenVinoBackend(model, _unheard)
    for wire in wires:
        backend.prove(Shapes.parse(wire))
        print(json.dumps({"proven": wire}), flush=True)


def _unheard(stage: str, percent: float | None) -> None:
    """Progress that nobody waits for."""


def _build(model: Model, signatures: Sequence[Signature]) -> None:
    """Compile what is not in the cache, and tell the parent about each package."""
    from ..regions import Regions
    from . import aoti
    from .folder_cache import cache_folder
    from .packages import PackageCache

    cache, regions = PackageCache(cache_folder("aoti")), Regions.of_model(model)
    for signature in signatures:
        module, example = regions.region(signature.kind, signature.guided), signature.example(model.device)
        key = aoti.key_of(module, example)
        if cache.find(key) is None:
            cache.make(key, functools.partial(aoti.build, module, example))
        print(json.dumps({"built": signature.wire()}), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # at a regular end the interpreter would wait for the thread that reads its input
