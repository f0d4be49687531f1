"""Captures a call once to replay it: by CUDA graphs, and by a stand-in for them on a CPU.

Must not know what a call does, or when one is captured.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Protocol

import torch

from ..regions import Outputs

Replay = Callable[[], Outputs]


class Capture(Protocol):
    """Turns a call that reads fixed memory into a `Replay`."""

    def capture(self, call: Callable[[], Outputs]) -> Replay:
        """Run `call` and record what it launches.

        Returns:
            Launches it again and returns the outputs, always the same tensors; valid until any capture is replayed.

        Raises:
            RuntimeError: the call can't be captured, or memory does not suffice.
        """
        ...

    def release(self) -> None:
        """Wait until no graph runs on the device. To be called before graphs are dropped."""
        ...


class CudaCapture:
    """Captures `torch.cuda.CUDAGraph`s that share one memory pool.

    They must be replayed one after the other, on the current stream. A new pool is begun where ending a capture failed
    in the last one or all of its graphs are gone: the allocator accepts no capture into such a pool. A capture that
    could be ended though its call failed, as for lack of memory, is undone, and its memory is the pool's again.
    Source: PyTorch's notes on CUDA semantics, "CUDA Graphs"; its `CUDAGraph.cpp` and `CachingHostAllocator.h`.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool: Any = None
        self._in_pool: weakref.WeakSet[torch.cuda.CUDAGraph] = weakref.WeakSet()
        self._failed: list[torch.cuda.CUDAGraph] = []

    def capture(self, call: Callable[[], Outputs]) -> Replay:
        """See `Capture`."""
        here = torch.cuda.current_stream(self._device)
        graph = torch.cuda.CUDAGraph()
        if not self._in_pool:
            self._pool = torch.cuda.graph_pool_handle()
        self._stream.wait_stream(here)
        try:
            # `torch.cuda.graph` does not go back to the stream before if the capture fails; this does.
            with torch.cuda.stream(self._stream):
                call()  # a library's first call on a stream initialises it, which can't be captured
                outputs = self._recorded(graph, call)
            self._in_pool.add(graph)
        finally:
            here.wait_stream(self._stream)

        def replay() -> Outputs:
            graph.replay()
            return outputs

        return replay

    def _recorded(self, graph: torch.cuda.CUDAGraph, call: Callable[[], Outputs]) -> Outputs:
        """Record a call in a graph; returns its outputs."""
        inside: BaseException | None = None
        try:
            # `thread_local`, as other threads of the process may call CUDA meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                try:
                    return call()
                except BaseException as error:
                    inside = error
                    raise
        except BaseException as error:
            if error is inside:  # and not one that ending the capture has raised
                graph.reset()
            else:
                self._failed.append(graph)  # kept alive: the allocator counts it as capturing, and still calls it
                self._in_pool.clear()
            raise

    def release(self) -> None:
        """See `Capture`."""
        torch.cuda.current_stream(self._device).synchronize()


class Rerun:
    """Stands in for `CudaCapture` on a CPU, for tests and dry runs: a replay calls again, and is no faster.

    As with a shared pool, a replay destroys the outputs of all other captures.
    """

    def __init__(self) -> None:
        self._outputs: list[weakref.ref[torch.Tensor]] = []

    def capture(self, call: Callable[[], Outputs]) -> Replay:
        """See `Capture`."""
        outputs = {name: output.clone() for name, output in call().items()}
        self._outputs += [weakref.ref(output) for output in outputs.values()]

        def replay() -> Outputs:
            for reference in self._outputs:
                if (output := reference()) is not None:
                    output.fill_(float("nan") if output.is_floating_point() else 0)
            for name, result in call().items():
                outputs[name].copy_(result)
            return outputs

        return replay

    def release(self) -> None:
        """See `Capture`: nothing is asynchronous here."""
