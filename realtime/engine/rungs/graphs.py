"""CUDA graphs of a model's regions: one launch where eager mode has hundreds.

A graph works on fixed memory at one batch size. So there are some batch sizes; a batch between two of them takes the
larger one, and what comes out for the empty places is thrown away (no row sees another, so nothing in an empty
place can touch a real one). Inputs are copied into fixed buffers, unless they hold the same tensors already: what
belongs to a prompt is copied when the batch's composition changes. Outputs are copied out behind each replay, since
all graphs share one pool of memory and the next replay writes over it.

Must not know rows or recipes, or what a region does.
"""

from __future__ import annotations

import logging
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import is_
from typing import TYPE_CHECKING

import torch

from ..backend import Backend, EagerBackend
from ..regions import Call, Inputs, Kind, Outputs, Run
from ..staging import join_into
from .capture import Capture, CudaCapture
from .rung import Rung, Start

if TYPE_CHECKING:
    from .. import Progress
    from ..models.load import Model
    from ..state import CallShape, RungState

_log = logging.getLogger(__name__)

EAGER_CALLS = 2
"""Calls of a batch and picture size that eager mode answers before a graph is captured: a size that somebody only drags
a slider across is not worth one. One that was prepared for is, at once.
"""
SIZES_KEPT = 4
"""Picture sizes whose graphs are kept, the last ones used."""


class GraphBackend:
    """Implements `Backend`: replays the regions of another one, which answers itself until there is a graph.

    A size for which memory does not suffice, or whose capture fails, stays with the other backend; the log says so.

    Args:
        under: runs the same regions without graphs.
        max_rows: the largest batch.
        device: of the model.
    """

    def __init__(self, under: Backend, capture: Capture, max_rows: int, device: torch.device) -> None:
        self.regions = under.regions
        self._under = under
        self._capture = capture
        self._device = device
        self._batch_sizes = batch_sizes(max_rows)
        self._sizes: OrderedDict[tuple[int, int], _Size] = OrderedDict()
        self._buffers: weakref.WeakValueDictionary[tuple[object, ...], _Buffer] = weakref.WeakValueDictionary()

    @property
    def rung(self) -> RungState:
        """What runs; what is under the graphs may change while frames flow."""
        under, batches = self._under.rung, ", ".join(map(str, self._batch_sizes))
        return replace(under, name="graphs", what=f"graphs: CUDA graphs for batches of {batches} over {under.what}")

    def prepare(self, width: int, height: int) -> tuple[int, ...]:
        """See `Backend`: graphs of this size are captured at the first call."""
        self._size(width, height).is_expected = True
        return self._batch_sizes

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        size = self._size(call.width, call.height)
        key = (call.kind, batch_size_for(call.plain, self._batch_sizes), batch_size_for(call.guided, self._batch_sizes))
        graph = size.graphs.get(key)
        if graph is None and not size.is_refused:
            size.calls[key] += 1
            if size.is_expected or size.calls[key] > EAGER_CALLS:
                graph = self._captured(call, size, key)
        elif graph is not None and (answer := graph.answered_by(self._under)) is not graph.answer:
            graph = self._captured_again(call, size, key, graph, answer)
        return self._under.run(call) if graph is None else graph.run(call)

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """See `Backend`."""
        return self._under.answer(call, inputs)

    def close(self) -> None:
        """See `Backend`."""
        self._capture.release()
        self._sizes.clear()
        self._under.close()

    def _size(self, width: int, height: int) -> _Size:
        size = self._sizes.setdefault((width, height), _Size())
        self._sizes.move_to_end((width, height))
        if len(self._sizes) > SIZES_KEPT:
            if next(iter(self._sizes.values())).graphs:
                self._capture.release()
            self._sizes.popitem(last=False)
        return size

    def _captured(self, call: Call, size: _Size, key: tuple[Kind, int, int]) -> _Graph | None:
        try:
            size.graphs[key] = _Graph(call, key[1], key[2], self._buffer, self._under, self._capture)
        except RuntimeError as error:  # too little memory is one of them
            self._capture.release()
            size.graphs.clear()
            size.is_refused = True
            _log.warning("%dx%d runs without CUDA graphs, slower: %s", call.width, call.height, _cause(error))
            return None
        return size.graphs[key]

    def _captured_again(
        self, call: Call, size: _Size, key: tuple[Kind, int, int], graph: _Graph, answer: Run
    ) -> _Graph:
        """Something faster is under the graphs by now. Where that can't be captured the old graph stays."""
        try:
            newer = _Graph(call, key[1], key[2], self._buffer, self._under, self._capture)
        except RuntimeError as error:
            why = _cause(error)
            _log.warning("%s runs uncompiled, slower: what was compiled can't be captured: %s", key[0], why)
            graph.answer = answer  # trying once is enough to know
            return graph
        self._capture.release()
        size.graphs[key] = newer
        return newer

    def _buffer(self, name: str, rows: int, like: torch.Tensor) -> _Buffer:
        """Graphs that have this input in this shape share its buffer: a prompt's is as large for all picture sizes."""
        key = (name, rows, like.shape[1:], like.dtype)
        buffer = self._buffers.get(key)
        if buffer is None:
            buffer = _Buffer(torch.zeros(rows, *like.shape[1:], dtype=like.dtype, device=self._device))
            self._buffers[key] = buffer
        return buffer


@dataclass(slots=True)
class _Size:
    """What is known of one picture size.

    Attributes:
        graphs: by region and batch sizes of plain and guided rows.
        calls: those that eager mode answered.
        is_expected: pictures of it will come for certain.
        is_refused: it can't be captured.
    """

    graphs: dict[tuple[Kind, int, int], _Graph] = field(default_factory=dict)
    calls: Counter[tuple[Kind, int, int]] = field(default_factory=Counter)
    is_expected: bool = False
    is_refused: bool = False


class _Buffer:
    """One input of graphs, in memory that stays where it is."""

    def __init__(self, batch: torch.Tensor) -> None:
        self.batch = batch
        self._held: list[tuple[int, Sequence[torch.Tensor]]] = []

    def fill(self, parts: list[tuple[int, Sequence[torch.Tensor]]]) -> None:
        """Copy rows [1, …] to where they start, unless these very tensors are there already."""
        if len(parts) == len(self._held) and all(map(_are_same, parts, self._held)):
            return
        self._held = []  # until all of it is there
        for start, rows in parts:
            join_into(self.batch[start : start + len(rows)], rows)
        self._held = parts


def _are_same(one: tuple[int, Sequence[torch.Tensor]], other: tuple[int, Sequence[torch.Tensor]]) -> bool:
    return one[0] == other[0] and len(one[1]) == len(other[1]) and all(map(is_, one[1], other[1]))


class _Graph:
    """One region at one picture size, with places for so many plain and guided rows: [plain, guided, second rows]."""

    def __init__(
        self,
        call: Call,
        plain: int,
        guided: int,
        buffer: Callable[[str, int, torch.Tensor], _Buffer],
        under: Backend,
        capture: Capture,
    ) -> None:
        self._shape = replace(call.shape, batch=plain + guided, guided=guided)
        self._starts = (0, plain, plain + guided)
        rows = call.plain + call.guided
        self._buffers = {
            name: buffer(name, plain + guided * (2 if len(column) > rows else 1), column[0])
            for name, column in call.columns.items()
        }
        self._fill(call)
        inputs = self._inputs()
        answer = self.answer = self.answered_by(under)
        self._replay = capture.capture(lambda: answer(**inputs))

    def answered_by(self, under: Backend) -> Run:
        """What the backend under the graphs would run now."""
        return under.answer(self._shape, self._inputs())

    def _inputs(self) -> Inputs:
        return {name: buffer.batch for name, buffer in self._buffers.items()}

    def run(self, call: Call) -> Outputs:
        self._fill(call)
        starts = self._starts
        ends = starts[0] + call.plain, starts[1] + call.guided
        # `cat` copies: that is what it is here for, also where there is one part.
        return {name: torch.cat([out[: ends[0]], out[starts[1] : ends[1]]]) for name, out in self._replay().items()}

    def _fill(self, call: Call) -> None:
        rows = call.plain + call.guided
        for name, column in call.columns.items():
            parts = (column[: call.plain], column[call.plain : rows], column[rows:])
            self._buffers[name].fill([(start, part) for start, part in zip(self._starts, parts, strict=True) if part])


def _cause(error: BaseException) -> str:
    """What went wrong first: ending a capture that failed raises once more, and that says nothing."""
    while error.__context__ is not None:
        error = error.__context__
    if isinstance(error, torch.OutOfMemoryError):
        return "too little memory"
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def batch_sizes(max_rows: int) -> tuple[int, ...]:
    """1, 2, 4, … and `max_rows`."""
    powers = [2**i for i in range(max_rows.bit_length()) if 2**i < max_rows]
    return (*powers, max_rows)


def batch_size_for(rows: int, sizes: Sequence[int]) -> int:
    """The smallest batch that holds so many rows; 0 for none."""
    return next(size for size in sizes if size >= rows) if rows else 0


def captured(backend: Backend, model: Model, max_rows: int) -> Backend:
    """On CUDA, graphs of what a backend runs; elsewhere the backend itself."""
    if model.device.type != "cuda":
        return backend
    return GraphBackend(backend, CudaCapture(model.device), max_rows, model.device)


def _start(model: Model, max_rows: int, progress: Progress, *, may_wait: bool) -> Start:
    return Start(captured(EagerBackend(model), model, max_rows))


GRAPHS = Rung("graphs", ("cuda",), ("cuda",), _start)
