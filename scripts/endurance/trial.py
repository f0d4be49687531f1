"""A server of one's own for the length of a run, and what may be left of it: nothing.

Must not know what is done to the server meanwhile.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from realtime.bench.report import header
from realtime.client import ClientError

from .census import shared_files
from .errors import EnduranceError, leaves
from .report import Report
from .subject import Subject


async def try_out(
    name: str,
    model: str,
    options: tuple[str, ...],
    work: Callable[[Subject, Report], Awaitable[None]],
    *,
    spawns: bool = False,
) -> Report:
    """Run a server while `work` does. What must come and never came ends it: that is a problem too.

    Args:
        spawns: see `Subject`.
    """
    before = shared_files()
    report = Report(header(name))
    with tempfile.TemporaryDirectory(prefix=f"realtime-{name}-") as folder:
        subject = Subject(Path(folder), model, options, spawns=spawns)
        try:
            await subject.start()
            await work(subject, report)
        except* (EnduranceError, ClientError) as group:
            report.problems += [str(error) for error in leaves(group)]
        finally:
            subject.close()
    if left := shared_files() - before:
        report.problems.append(f"shared memory is left: {', '.join(map(str, left))}")
    return report
