"""What makes a bench short where what it finds is not the point: few pictures, and servers that scenarios share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from types import ModuleType

import pytest

from realtime.bench import runs, server, servers
from realtime.bench.servers import Process

Start = Callable[..., AbstractContextManager[Process]]


def draw_few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing as many as a real bench has takes longer than a short run."""
    monkeypatch.setattr(runs, "PICTURES", 2)
    monkeypatch.setattr(server, "NOISY", 8)


@contextmanager
def sharing_servers(*users: ModuleType) -> Iterator[None]:
    """Start one server of each kind for all scenarios of these modules: each start takes longer than a short run.

    Args:
        users: modules that have `servers.start` or `servers.serving`.
    """
    with ExitStack() as stack, pytest.MonkeyPatch.context() as monkeypatch:

        def shared(start: Start) -> Start:
            started = functools.cache(lambda *command: stack.enter_context(start(*command)))
            return lambda *command: nullcontext(started(*command))

        for start in (servers.start, servers.serving):
            once = shared(start)
            for user in users:
                if hasattr(user, start.__name__):
                    monkeypatch.setattr(user, start.__name__, once)
        yield
