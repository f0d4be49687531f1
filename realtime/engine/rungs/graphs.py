"""CUDA graphs of a model's regions, and the rung `graphs`: one launch a call where eager mode has hundreds.

A graph has fixed memory and one batch size. There are graphs for most batch sizes (`batch_sizes`), to which ticks are
filled; any other batch runs in the next larger one, whose outputs for the empty places are discarded (rows do not
influence one another).
Inputs are copied into fixed buffers, unless a buffer holds the same tensors already: a prompt's are copied only when
the batch's composition changes. Outputs are copied after each replay, since all graphs share one memory pool, which the
next replay overwrites.

Must not know rows or recipes, or what a region computes.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from operator import is_
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch

from .. import Batches
from ..backend import Backend, EagerBackend
from ..regions import Call, Inputs, Kind, Outputs, Run
from ..staging import join_into, join_on_host
from .capture import Capture, CudaCapture
from .graph_sizes import Size, Sizes
from .rung import Rung, Start

if TYPE_CHECKING:
    from .. import Progress
    from ..models.load import Model
    from ..state import CallShape, RungState

_log = logging.getLogger(__name__)

EAGER_CALLS = 2
"""Calls of one batch and picture size that run without a graph before one is captured, so that sizes that occur while
somebody drags a slider get none. A size that was announced by `prepare` is captured at its first call.
"""


class GraphBackend:
    """Implements `Backend`: replays calls of another backend, which runs them itself until there is a graph.

    A picture size that can't be captured stays with the other backend; a batch for which memory does not suffice runs
    in smaller ones. Both are logged.

    Args:
        under: the other backend.
        capture: makes the graphs.
        max_rows: the largest batch.
        device: of the model.
    """

    def __init__(self, under: Backend, capture: Capture, max_rows: int, device: torch.device) -> None:
        self.regions = under.regions
        self._under = under
        self._capture = capture
        self._device = device
        self._batch_sizes = batch_sizes(max_rows)
        self._sizes: Sizes[_Key, _Graph] = Sizes(capture.release)
        self._most_work = math.inf
        self._buffers: weakref.WeakValueDictionary[tuple[object, ...], _Buffer] = weakref.WeakValueDictionary()

    @property
    def rung(self) -> RungState:
        """See `Backend`: that of the backend under the graphs, which may change, with this rung's name."""
        under, batches = self._under.rung, ", ".join(map(str, self._batch_sizes))
        return replace(under, name="graphs", what=f"graphs: CUDA graphs for batches of {batches} over {under.what}")

    @property
    def batches(self) -> Batches:
        """See `Backend`."""
        return Batches(self._batch_sizes, self._most_work)

    def prepare(self, width: int, height: int) -> tuple[int, ...]:
        """See `Backend`: graphs of this size are captured at their first call, the largest of several first: smaller
        ones find room in the memory that it leaves to the pool.
        """
        self._sizes.called(width, height).is_expected = True
        return (1, *reversed(self._batch_sizes[1:]))

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        size = self._sizes.called(call.width, call.height)
        key = _Key.of(call, self._batch_sizes)
        graph = size.graphs.get(key)
        if graph is None and not size.refuses(key.places):
            size.calls[key] += 1
            if (_expects(size, key) or size.calls[key] > EAGER_CALLS) and self._sizes.has_room_for(size):
                graph = self._captured(call, size, key)
        elif graph is not None and (answer := graph.answered_by(self._under)) is not graph.answer:
            graph = self._captured_again(call, size, key, graph, answer)
        if graph is not None:
            return graph.run(call)
        most = max((batch for batch in self._batch_sizes if not size.refuses(batch)), default=0)
        return self._in_pieces(call, most) if most and size.refuses(key.places) else self._under.run(call)

    def _in_pieces(self, call: Call, most: int) -> Outputs:
        """Run a call of which the batch is too large for a graph in several of at most so many rows."""
        # What is on its way to the host can't be joined there before it has come.
        made = [self.run(replace(piece, to_host=False)) for piece in call.pieces(most)]
        join = _joining(call)
        return {name: join([outputs[name] for outputs in made]) for name in made[0]}

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """See `Backend`."""
        return self._under.answer(call, inputs)

    def close(self) -> None:
        """See `Backend`."""
        self._capture.release()
        self._sizes.clear()
        self._under.close()

    def _captured(self, call: Call, size: _Size, key: _Key) -> _Graph | None:
        try:
            size.graphs[key] = _Graph(call, key.plain, key.guided, self._buffer, self._under, self._capture)
        except RuntimeError as error:
            self._capture.release()
            is_short = isinstance(_first(error), torch.OutOfMemoryError)
            size.refused_from = key.places if is_short else 0
            if is_short:
                most = max((batch for batch in self._batch_sizes if batch < key.places), default=1)
                self._most_work = min(self._most_work, call.width * call.height * most)
            size.graphs = {other: graph for other, graph in size.graphs.items() if not size.refuses(other.places)}
            what = (
                "runs without CUDA graphs" if not size.graphs else f"has CUDA graphs for fewer than {key.places} rows"
            )
            _log.warning("%dx%d %s, slower: %s", call.width, call.height, what, _cause(error))
            return None
        return size.graphs[key]

    def _captured_again(self, call: Call, size: _Size, key: _Key, graph: _Graph, answer: Run) -> _Graph:
        """Replace a graph by one of the callable that `under` answers with now; keep it if that can't be captured."""
        try:
            newer = _Graph(call, key.plain, key.guided, self._buffer, self._under, self._capture)
        except RuntimeError as error:
            why = _cause(error)
            _log.warning("%s runs uncompiled, slower: what was compiled can't be captured: %s", key.kind, why)
            graph.answer = answer  # so that it is not tried again
            return graph
        self._capture.release()
        size.graphs[key] = newer
        return newer

    def _buffer(self, name: str, rows: int, like: torch.Tensor) -> _Buffer:
        """The buffer of an input of this name, shape and dtype, shared by all graphs that have such an input."""
        key = (name, rows, like.shape[1:], like.dtype)
        buffer = self._buffers.get(key)
        if buffer is None:
            buffer = _Buffer(torch.zeros(rows, *like.shape[1:], dtype=like.dtype, device=self._device))
            self._buffers[key] = buffer
        return buffer


class _Key(NamedTuple):
    """What one graph of a picture size can run.

    Attributes:
        plain, guided: numbers of places.
        form: the inputs' names, and their shapes without the batch, which differ by the length of prompts.
    """

    kind: Kind
    plain: int
    guided: int
    form: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def places(self) -> int:
        """Number of rows that it has a place for."""
        return self.plain + self.guided

    @classmethod
    def of(cls, call: Call, sizes: Sequence[int]) -> _Key:
        """The key of a call where graphs have so many places."""
        form = tuple((name, tuple(column[0].shape[1:])) for name, column in sorted(call.columns.items()))
        return cls(call.kind, batch_size_for(call.plain, sizes), batch_size_for(call.guided, sizes), form)


_Size: TypeAlias = "Size[_Key, _Graph]"


def _expects(size: _Size, key: _Key) -> bool:
    """Whether a graph is captured at the first call: `prepare` announced the size, and no other form of it has run
    (the first prompt is the warm-up's; a longer one is typed letter by letter, and gets its graph when it stays).
    """
    return size.is_expected and all(other.kind != key.kind or other.form == key.form for other in size.calls)


class _Buffer:
    """One input of graphs, in memory at a fixed address.

    Args:
        batch: [places, …].
    """

    def __init__(self, batch: torch.Tensor) -> None:
        self.batch = batch
        self._held: list[tuple[int, Sequence[torch.Tensor]]] = []

    def fill(self, parts: list[tuple[int, Sequence[torch.Tensor]]]) -> None:
        """Copy tensors [1, …] into the batch, unless the last call copied the same objects to the same places.

        Args:
            parts: the index of the first place, and the tensors from there on.
        """
        if len(parts) == len(self._held) and all(map(_are_same, parts, self._held)):
            return
        self._held = []  # as long as the batch is incomplete
        for start, rows in parts:
            join_into(self.batch[start : start + len(rows)], rows)
        self._held = parts


def _are_same(one: tuple[int, Sequence[torch.Tensor]], other: tuple[int, Sequence[torch.Tensor]]) -> bool:
    return one[0] == other[0] and len(one[1]) == len(other[1]) and all(map(is_, one[1], other[1]))


class _Graph:
    """The graph of one region at one picture size.

    Args:
        call: the first call; its inputs are used for the capture.
        plain: number of places for rows without a second row.
        guided: number of places for rows with one. Order: [plain, guided, second rows].
        buffer: the buffer for an input's name, number of places, and a tensor of that form.
        under: runs the region.
        capture: makes the graph.

    Raises:
        RuntimeError: the region can't be captured.
    """

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
        """The callable that `under` runs this graph's calls by now."""
        return under.answer(self._shape, self._inputs())

    def _inputs(self) -> Inputs:
        return {name: buffer.batch for name, buffer in self._buffers.items()}

    def run(self, call: Call) -> Outputs:
        self._fill(call)
        starts = self._starts
        ends = starts[0] + call.plain, starts[1] + call.guided
        join = _joining(call)
        return {name: join([out[: ends[0]], out[starts[1] : ends[1]]]) for name, out in self._replay().items()}

    def _fill(self, call: Call) -> None:
        rows = call.plain + call.guided
        for name, column in call.columns.items():
            parts = (column[: call.plain], column[call.plain : rows], column[rows:])
            self._buffers[name].fill([(start, part) for start, part in zip(self._starts, parts, strict=True) if part])


def _joining(call: Call) -> Callable[[list[torch.Tensor]], torch.Tensor]:
    """Concatenates outputs where a call wants them. It always copies, also a single part: replays overwrite outputs."""
    return join_on_host if call.to_host else torch.cat


def _first(error: BaseException) -> BaseException:
    """The first error: ending a failed capture raises a second, uninformative one."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _cause(error: BaseException) -> str:
    """The first error's first line."""
    error = _first(error)
    if isinstance(error, torch.OutOfMemoryError):
        return "too little memory"
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def batch_sizes(max_rows: int) -> tuple[int, ...]:
    """All numbers to 8, every second to 16, every fourth to 32 and so on, and `max_rows`.

    A tick is filled to one of them (`Batches.filled_by`), so the larger they are, the fewer of them lose little.
    """
    sizes, size = list[int](), 1
    while size < max_rows:
        sizes.append(size)
        size += max(1, 2 ** (size.bit_length() - 1) // 4)
    return (*sizes, max_rows)


def batch_size_for(rows: int, sizes: Sequence[int]) -> int:
    """The smallest of `sizes` that is at least `rows`; 0 for no rows."""
    return next(size for size in sizes if size >= rows) if rows else 0


def captured(backend: Backend, model: Model, max_rows: int, avoided: Collection[str]) -> Backend:
    """A backend under CUDA graphs; on other devices, and where graphs are to be avoided, the backend itself."""
    if model.device.type != "cuda" or GRAPHS.name in avoided:
        return backend
    return GraphBackend(backend, CudaCapture(model.device), max_rows, model.device)


def _start(model: Model, max_rows: int, progress: Progress, *, may_wait: bool, avoided: Collection[str]) -> Start:
    return Start(captured(EagerBackend(model), model, max_rows, avoided))


GRAPHS = Rung("graphs", ("cuda",), ("cuda",), _start)
