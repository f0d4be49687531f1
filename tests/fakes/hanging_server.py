"""`realtime`, whose echo engine hangs for ever at the prompt "hang".

python -m tests.fakes.hanging_server [--give-up-after SECONDS] serve …
"""

from __future__ import annotations

import sys
import time

from realtime.__main__ import main
from realtime.engine.echo import EchoEngine
from realtime.frame import Job


def hang(job: Job) -> None:
    if job.params.prompt == "hang":
        time.sleep(3600)


def hanging(name: str, *, max_rows: int) -> EchoEngine:
    return EchoEngine(0.0, max_rows, hang)


if __name__ == "__main__":
    EchoEngine.from_name = hanging  # type: ignore[method-assign, assignment]
    if sys.argv[1] == "--give-up-after":
        from realtime.server import engine_host

        engine_host.HANGING_S = float(sys.argv[2])
        del sys.argv[1:3]
    main()
