"""Captures a call once to replay it: by CUDA graphs, and by a stand-in for them on a CPU.

Calls may be captured in another thread than that which replays, one after the other. Must not know what a call does, or
when one is captured.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from traceback import clear_frames
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

    They must be replayed one after the other, on one stream, and may be while another is captured: that runs nothing.
    What runs before it, once, is on a stream of its own, as cuBLAS has a workspace for each: graphs have that of the
    stream that they were captured on. A new pool is begun where ending a capture failed
    in the last one or all of its graphs are gone: the allocator accepts no capture into such a pool. A capture that
    could be ended though its call failed, as for lack of memory, is undone, and its memory is the pool's again.
    Source: PyTorch's notes on CUDA semantics, "CUDA Graphs"; its `CUDAGraph.cpp` and `CachingHostAllocator.h`.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream, self._warm_up = torch.cuda.Stream(device), torch.cuda.Stream(device)
        self._has_workspace = False
        self._pool: Any = None
        self._in_pool: weakref.WeakSet[torch.cuda.CUDAGraph] = weakref.WeakSet()
        self._failed: list[torch.cuda.CUDAGraph] = []

    def capture(self, call: Callable[[], Outputs]) -> Replay:
        """See `Capture`. An error that is raised holds no memory of the device, whoever keeps it."""
        try:
            try:
                return self._captured(call)
            except torch.OutOfMemoryError as error:
                let_go(error)
                torch.cuda.empty_cache()  # a capture can't take what other streams have left
                return self._captured(call)
        except Exception as error:
            let_go(error)
            raise

    def _captured(self, call: Callable[[], Outputs]) -> Replay:
        """Not `torch.cuda.graph`, which waits for all that the device has to do, and empties all caches, each time."""
        graph = torch.cuda.CUDAGraph()
        others = list(self._in_pool)  # alive until this one is among them
        if not others:
            self._pool = torch.cuda.graph_pool_handle()
        self._warm_up.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._warm_up):
            call()  # what libraries do at a first call can't be captured
        with torch.cuda.stream(self._stream):
            if not self._has_workspace:
                self._has_workspace = True
                one = torch.ones(1, 1, device=self._device)
                torch.mm(one, one)  # cuBLAS takes its workspace here, and not out of the pool
            outputs = self._recorded(graph, call)
        self._in_pool.add(graph)

        def replay() -> Outputs:
            graph.replay()
            return outputs

        return replay

    def _recorded(self, graph: torch.cuda.CUDAGraph, call: Callable[[], Outputs]) -> Outputs:
        """Record a call in a graph, on the current stream; returns its outputs."""
        # `thread_local`, as other threads of the process call CUDA meanwhile.
        graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
        try:
            outputs = call()
        except BaseException:
            self._end(graph)
            graph.reset()
            raise
        self._end(graph)
        return outputs

    def _end(self, graph: torch.cuda.CUDAGraph) -> None:
        """End a capture. Where that fails, the allocator counts it as under way for ever."""
        try:
            graph.capture_end()
        except BaseException:
            self._failed.append(graph)  # kept alive: the allocator still calls it
            self._in_pool.clear()
            raise

    def release(self) -> None:
        """See `Capture`."""
        torch.cuda.current_stream(self._device).synchronize()


def let_go(error: BaseException) -> None:
    """Free what was calculated until an error, and those before it, were raised: tracebacks hold it else."""
    while (before := error.__context__) is not None:
        clear_frames(error.__traceback__)
        error = before
    clear_frames(error.__traceback__)


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
