"""The process that measures: asked for one part after another, it keeps what each finds in a file.

Whatever a part raises ends that part alone: a device that has too little memory, or what is not installed. Must not
know how much time there is for all, or which parts there are.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from ..engine.machine import Machine
    from .engines import Engines

Found = dict[str, Any]


@dataclass
class Setting:
    """What a part gets.

    Attributes:
        name: of the part.
        models: keeps the random models.
        output: gets files.
        cache: of what is compiled.
        dry: tiny shapes.
        limit_s: the process is ended after that.
        shared: what parts of one process leave for the next: see `engines`.
    """

    name: str
    models: Path
    output: Path
    cache: Path
    dry: bool
    limit_s: float
    shared: Shared
    begin_s: float = field(default_factory=time.monotonic)

    @property
    def rest_s(self) -> float:
        """Seconds until the part is ended."""
        return self.limit_s - (time.monotonic() - self.begin_s)

    @property
    def seconds(self) -> float:
        """Of each arm, in each repetition."""
        return 0.05 if self.dry else 0.7

    def keep(self, found: Found) -> None:
        """Write down what has been found so far, whole or not at all."""
        file = part_file(self.output, self.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = file.with_suffix(".part")
        whole.write_text(json.dumps(found, indent=1))
        whole.replace(file)

    def machine(self) -> Machine:
        """The one that this is run on."""
        return self.shared.machine

    def model(self, shape: str) -> Path:
        """The folder of a random model of this shape. Where several processes want it, the first one makes it."""
        import fcntl

        from ..engine.bench import make_model

        self.models.mkdir(parents=True, exist_ok=True)
        with (self.models / f"{shape}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return make_model(shape, self.machine(), self.models)

    def engines(self) -> Engines:
        """SD-Turbo's shape in eager mode and in graphs, loaded once for all parts of this process."""
        if self.shared.engines is None:
            from .engines import Engines

            self.shared.engines = Engines(self.model("sd-turbo"), self.machine())
        return self.shared.engines


class Shared:
    """What the parts of one process share.

    Attributes:
        engines: loaded by the first part that wants them.
    """

    def __init__(self, dry: bool) -> None:
        self._dry = dry
        self.engines: Engines | None = None

    @cached_property
    def machine(self) -> Machine:
        """Where everything runs."""
        from realtime.config import Device, Dtype

        from ..engine.bench import find_machine

        return find_machine(Device.AUTO, Dtype.AUTO, self._dry)


def part_file(output: Path, name: str) -> Path:
    """Where a part keeps what it finds."""
    return output / "parts" / f"{name}.json"


def work(models: Path, output: Path, dry: bool) -> None:
    """Answer requests on standard input, a line of JSON each, until it ends; parts print to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    watch_parent()
    with tempfile.TemporaryDirectory(prefix="realtime-gpu-") as scratch:
        from realtime.engine.rungs.toolchain import name_cuda

        name_cuda(Path(scratch))  # before torch is imported
        serve(sys.stdin, answers, models, output, dry)


def watch_parent() -> None:
    """End this process, and all that it has started, when who asks it for parts is gone: a killed one can't end it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        if os.getpgid(0) == os.getpid():  # it leads a session of its own, see `Worker`
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def serve(requests: TextIO, answers: TextIO, models: Path, output: Path, dry: bool) -> None:
    """Measure what is asked for.

    Args:
        requests: lines `{"part": name, "measures": "module:function", "limit_s": seconds}`.
        answers: gets a line `{"part": name, "note": why there is no more, or empty}` behind each.
    """
    shared = Shared(dry)
    cache = Path(os.environ["REALTIME_CACHE"])
    for line in requests:
        request = json.loads(line)
        name: str = request["part"]
        setting = Setting(name, models, output, cache, dry, request["limit_s"], shared)
        found: Found = {}
        note = attempt(request["measures"], setting, found)
        setting.keep(found)
        answers.write(json.dumps({"part": name, "note": note}) + "\n")
        answers.flush()


def attempt(measures: str, setting: Setting, found: Found) -> str:
    """Run a part; why it ended before its end, in one line, or nothing."""
    module, _, function = measures.partition(":")
    try:
        measure: Callable[[Setting, Found], None] = getattr(
            importlib.import_module(f".{module}", __package__), function
        )
        measure(setting, found)
    except Exception as error:
        traceback.print_exc()
        return f"ended by {type(error).__name__}: {(str(error).strip() or 'without words').splitlines()[0]}"
    return ""
