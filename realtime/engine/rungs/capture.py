"""Calls that are captured once and replayed: CUDA's graphs, and what stands for them on a CPU.

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
    """Turns a call over fixed memory into one that is replayed."""

    def capture(self, call: Callable[[], Outputs]) -> Replay:
        """Run `call` and keep what it launched.

        Returns:
            Does it all again, into the same outputs: they hold until any graph is replayed.
        """
        ...

    def release(self) -> None:
        """Graphs are about to be dropped: wait until the device is not in one of them."""
        ...


class CudaCapture:
    """`torch.cuda.CUDAGraph`s with one pool of memory.

    They are replayed on the stream that is current then, one after the other, never side by side. The allocator takes
    no capture into a pool in which one failed, or whose graphs are all gone: then there is a new one.
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
                call()  # libraries set themselves up on their first call on a stream, which can't be captured
                # The other threads of the process may go on talking to CUDA: hence thread_local.
                with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                    outputs = call()
            self._in_pool.add(graph)
        except BaseException:
            self._failed.append(graph)  # the allocator still counts it as under way, and asks it whose memory is whose
            self._in_pool.clear()
            raise
        finally:
            here.wait_stream(self._stream)

        def replay() -> Outputs:
            graph.replay()
            return outputs

        return replay

    def release(self) -> None:
        """See `Capture`."""
        torch.cuda.current_stream(self._device).synchronize()


class Rerun:
    """Stands for `CudaCapture` on a CPU, for tests and dry runs: it makes nothing faster.

    As in a shared pool, a replay destroys the outputs of all graphs but its own.
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
        """See `Capture`: nothing runs on its own here."""
