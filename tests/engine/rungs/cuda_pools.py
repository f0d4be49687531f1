"""Stand-ins for what `torch.cuda` has of pools and captures."""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

CPU = torch.device("cpu")
"""Of the tensors of captures whose graphs are stand-ins."""


class Pools:
    """Stands for what `torch.cuda` does in a capture: which pools it takes.

    Source: `beginAllocateToPool` and `create_or_incref_pool` in PyTorch's `CUDACachingAllocator.cpp` and
    `CachingHostAllocator.h`, and `CUDAGraph::capture_end`, which leaves a capture under way where ending it fails.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.graphs: dict[int, list[weakref.ref[Any]]] = {}
        self.streams: list[str] = []
        self.emptied = 0
        self.under_way: set[int] = set()
        self.error: RuntimeError | None = None
        self._handles = itertools.count(1)
        names, pools = itertools.count(1), self

        def stream() -> Any:
            return SimpleNamespace(wait_stream=lambda other: None, synchronize=lambda: None, name=next(names))

        class Graph:
            """Stands for `torch.cuda.CUDAGraph`."""

            pool = 0

            def capture_begin(self, pool: int, capture_error_mode: str) -> None:
                assert capture_error_mode == "thread_local"
                if pool in pools.under_way:
                    raise RuntimeError("beginAllocateToPool: already recording to mempool_id")
                if pool in pools.graphs and not any(reference() for reference in pools.graphs[pool]):
                    raise RuntimeError("use_count > 0 INTERNAL ASSERT FAILED")
                self.pool = pool
                pools.under_way.add(pool)
                pools.graphs.setdefault(pool, []).append(weakref.ref(self))

            def capture_end(self) -> None:
                if pools.error is not None:
                    raise pools.error
                pools.under_way.remove(self.pool)

            def replay(self) -> None:
                pass

            def reset(self) -> None:
                pass

        stand_ins = {
            "graph_pool_handle": lambda: next(self._handles),
            "current_stream": lambda device: stream(),
            "stream": self._on,
            "Stream": lambda device: stream(),
            "CUDAGraph": Graph,
            "empty_cache": self._empty_cache,
        }
        for name, stand_in in stand_ins.items():
            monkeypatch.setattr(torch.cuda, name, stand_in)

    @contextlib.contextmanager
    def _on(self, stream: Any) -> Iterator[None]:
        self.streams.append(stream.name)
        yield

    def _empty_cache(self) -> None:
        self.emptied += 1
