"""How a worker on another machine is called: by the name of a method of `WorkerActor`.

Must not know Ray, or any method.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol


class Link(Protocol):
    """The way to one worker. Any thread; a call does not wait for its answer."""

    def call(self, method: str, *arguments: object) -> Future[Any]:
        """Call a method of the worker.

        Returns:
            Its answer. Raises whatever came instead of one: the worker is gone, or has raised.
        """
        ...
