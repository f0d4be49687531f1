"""CUDA graphs of a model's regions, and the rung `graphs`: one launch a call where eager mode has hundreds.

A graph has fixed memory and one batch size. There are graphs for most batch sizes (`batch_sizes`), to which ticks are
filled; any other batch runs in the next larger one, whose outputs for the empty places are discarded (rows do not
influence one another). While frames flow, graphs are made in a thread of their own: to make one takes ten times as long
as a tick, in which other sessions would have no picture.

Must not know rows or recipes, or what a region computes.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from .. import Batches
from ..backend import FRAME, Backend, EagerBackend
from ..device_memory import sizes_with_graphs
from ..forms import KEPT_S, Forms
from ..regions import Call, Inputs, Outputs, Run
from .capture import Capture, CudaCapture, let_go
from .frame_graph import graph_class
from .graph import GraphKey, InputBuffer, RegionGraph, batch_sizes, joining
from .graph_sizes import SIZES_KEPT, Size, Sizes
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

BEHIND_CAPTURES_S = 0.5
"""How long a call that lacks memory beside captures waits for their end: half of the least that a tick may take before
the engine is taken for one that hangs."""

_Size: TypeAlias = "Size[GraphKey, RegionGraph]"


class AtOnce(Executor):
    """Has done what it is asked for when it returns."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor`."""
        future = Future[Any]()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class GraphBackend:
    """Implements `Backend`: replays calls of another backend, which runs them itself until there is a graph.

    A picture size that can't be captured stays with the other backend; a batch for which memory does not suffice runs
    in smaller ones. Both are logged.

    Args:
        under: the other backend.
        capture: makes the graphs.
        max_rows: the largest batch.
        device: of the model.
        maker: where they are made, one after the other; shut down by `close`.
        sizes_kept: see `Sizes`.
        frame_graphs: see the attribute.

    Attributes:
        frame_graphs: whether frames of one step have a graph for all that is done to them; may change between calls.
    """

    def __init__(
        self,
        under: Backend,
        capture: Capture,
        max_rows: int,
        device: torch.device,
        maker: Executor | None = None,
        sizes_kept: int | None = None,
        *,
        frame_graphs: bool = True,
    ) -> None:
        self.regions = under.regions
        self.frame_graphs = frame_graphs
        self.forms = Forms(KEPT_S)
        self._under = under
        self._capture = capture
        self._device = device
        self._maker = maker or AtOnce()
        self._batch_sizes = batch_sizes(max_rows)
        self._sizes: Sizes[GraphKey, RegionGraph] = Sizes(capture.release, kept=sizes_kept)
        self._making: set[Future[None]] = set()
        self._is_preparing = False
        self._most_work = math.inf
        self._buffers: weakref.WeakValueDictionary[tuple[object, ...], InputBuffer] = weakref.WeakValueDictionary()

    @property
    def rung(self) -> RungState:
        """See `Backend`: that of the backend under the graphs, which may change, with this rung's name."""
        under, batches = self._under.rung, ", ".join(map(str, self._batch_sizes))
        return replace(under, name="graphs", what=f"graphs: CUDA graphs for batches of {batches} over {under.what}")

    @property
    def batches(self) -> Batches:
        """See `Backend`."""
        return Batches(self._batch_sizes, self._most_work)

    @property
    def takes_frames(self) -> bool:
        """See `Backend`: not while those graphs are made that every frame has use for."""
        return self.frame_graphs and not self._is_preparing

    def run_frames(self, call: Call) -> Outputs | None:
        """See `Backend`: by a graph, once there is one."""
        size = self._sizes.called(call.width, call.height)
        graph = self._graph(call, size, GraphKey.of(call, self._batch_sizes))
        return None if graph is None else graph.run(call)

    @property
    def is_making(self) -> bool:
        """Whether graphs are being made; the next calls that they can run are replayed."""
        return bool(self._making)

    def prepare(self, width: int, height: int) -> tuple[int, ...]:
        """See `Backend`: graphs of this size are captured at their first call, the largest of several first: smaller
        ones find room in the memory that it leaves to the pool. Until `prepared` calls wait for them, and have the form
        that they ask for: nothing stays of those before.
        """
        self._is_preparing = True
        self.forms = Forms()
        self._sizes.called(width, height).is_expected = True
        return (1, *reversed(self._batch_sizes[1:]))

    def prepared(self) -> None:
        """See `Backend`."""
        self._is_preparing = False
        self.forms = Forms(KEPT_S)

    def run(self, call: Call) -> Outputs:
        """See `Backend`."""
        size = self._sizes.called(call.width, call.height)
        key = GraphKey.of(call, self._batch_sizes)
        if (graph := self._graph(call, size, key)) is not None:
            return graph.run(call)
        most = max((batch for batch in self._batch_sizes if not size.refuses(batch, key.asks_more)), default=0)
        is_refused = size.refuses(key.places, key.asks_more)
        return self._in_pieces(call, most) if most and is_refused else self._without(call, size, key)

    def _without(self, call: Call, size: _Size, key: GraphKey) -> Outputs:
        """Run a call without a graph. While one is captured, PyTorch's allocator gives back nothing that is cached for
        other streams: where memory is short then, it need not be behind that.
        """
        was_making = self.is_making
        try:
            return self._under.run(call)
        except torch.OutOfMemoryError as error:
            if not (was_making or self.is_making):
                raise
            let_go(error)
        wait(tuple(self._making), BEHIND_CAPTURES_S)
        graph = self._graph(call, size, key)
        return self._under.run(call) if graph is None else graph.run(call)

    def _submit(self, graph: RegionGraph) -> Future[None]:
        """Have a graph made; one that is thrown away meanwhile is made to its end all the same."""
        future = self._maker.submit(graph.capture, self._capture)
        self._making.add(future)
        future.add_done_callback(self._making.discard)
        return future

    def _in_pieces(self, call: Call, most: int) -> Outputs:
        """Run a call of which the batch is too large for a graph in several of at most so many rows."""
        # What is on its way to the host can't be joined there before it has come.
        made = [self.run(replace(piece, to_host=False)) for piece in call.pieces(most)]
        join = joining(call)
        return {name: join([outputs[name] for outputs in made]) for name in made[0]}

    def answer(self, call: CallShape, inputs: Inputs) -> Run:
        """See `Backend`."""
        return self._under.answer(call, inputs)

    def close(self) -> None:
        """See `Backend`; waits for the graph that is being made."""
        self._maker.shutdown(cancel_futures=True)
        self._capture.release()
        self._sizes.clear()
        self._under.close()

    def _graph(self, call: Call, size: _Size, key: GraphKey) -> RegionGraph | None:
        """The graph for a call, if there is one; has one made that is worth it."""
        self._take(call, size, key)
        size.note(key.call_form)
        if self._wants_one(size, key) and key not in size.making:
            graph = graph_class(key.kind)(call, key, self._buffer, self._under)
            size.making[key] = graph, self._submit(graph)
            self._take(call, size, key)
        return size.graphs.get(key)

    def _wants_one(self, size: _Size, key: GraphKey) -> bool:
        """Whether calls of a key are worth a graph, or another one, as the other backend has a faster answer now."""
        if size.refuses(key.places, key.asks_more) or key in size.undone:
            return False
        if (graph := size.graphs.get(key)) is not None:
            return graph.answered_by(self._under) != graph.answer
        size.calls[key] += 1
        if self._is_preparing:
            size.expected.add(key.call_form)
        is_worth_it = _expects(size, key) or size.calls[key] > EAGER_CALLS
        return is_worth_it and self._sizes.has_room_for(size) and self._has_room_for_form(size, key)

    def _has_room_for_form(self, size: _Size, key: GraphKey) -> bool:
        """Whether calls of this form may have graphs; drops those of a form that is idle, where there are too many."""
        form = key.call_form
        if form in size.expected:
            return True
        try:
            idle = size.idle_form(form)
        except LookupError:
            return False
        if idle is not None:
            self._capture.release()
            size.drop_form(idle, [other for other in size.kept if other.call_form == idle])
        size.forms[form] = size.called_s
        return True

    def _take(self, call: Call, size: _Size, key: GraphKey) -> None:
        """Use the graph of a key from now on that has been made."""
        graph, future = size.making.get(key, (None, None))
        if graph is None or future is None or not (future.done() or self._is_preparing):
            return
        error = future.exception()
        del size.making[key]
        if isinstance(error, RuntimeError):
            self._do_without(call, size, key, graph, error)
            for form in [form for form in size.forms if all(other.call_form != form for other in size.kept)]:
                del size.forms[form]
        elif error is not None:
            raise error
        elif not size.refuses(key.places, key.asks_more):
            if key in size.graphs:
                self._capture.release()
            size.graphs[key] = graph

    def _do_without(self, call: Call, size: _Size, key: GraphKey, graph: RegionGraph, error: RuntimeError) -> None:
        """Go on with the graph that there is, else with those of smaller batches, as a graph can't be captured."""
        why, is_short = _cause(error), isinstance(_first(error), torch.OutOfMemoryError)
        if key in size.graphs:
            _log.warning("%s runs uncompiled, slower: what was compiled can't be captured: %s", key.kind, why)
            size.graphs[key].answer = graph.answer  # so that it is not tried again
            return
        if key.kind == FRAME:
            size.undone.add(key)
            _log.warning("frames of %dx%d take three graphs, not one: %s", call.width, call.height, why)
            return
        if size.refuses(key.places, key.asks_more):
            return
        size.refuse(key.places if is_short else 0, key.asks_more)
        if is_short and not key.asks_more:
            most = max((batch for batch in self._batch_sizes if batch < key.places), default=1)
            self._most_work = min(self._most_work, call.width * call.height * most)
        self._capture.release()
        size.graphs = {
            other: graph for other, graph in size.graphs.items() if not size.refuses(other.places, other.asks_more)
        }
        left = [other for other in size.graphs if other.asks_more or not key.asks_more]
        what = f"has CUDA graphs for fewer than {key.places} rows" if left else "runs without CUDA graphs"
        more = "what asks for nets, negative prompts or pictures at " if key.asks_more else ""
        of = f"{more}{call.width}x{call.height}"
        _log.warning("%s %s, slower: %s", of, what, why)

    def _buffer(self, name: str, rows: int, like: torch.Tensor) -> InputBuffer:
        """The buffer of an input of this name, shape and dtype, shared by all graphs that have such an input: what nets
        add to a batch of 8 takes 0.1 GB for Stable Diffusion, and four times that for SDXL.
        """
        key = (name, like.shape[1:], like.dtype)
        buffer = self._buffers.get(key)
        if buffer is None or len(buffer.batch) < rows:
            buffer = InputBuffer(torch.zeros(rows, *like.shape[1:], dtype=like.dtype, device=self._device))
            self._buffers[key] = buffer  # graphs of fewer rows keep theirs
        return buffer


def _expects(size: _Size, key: GraphKey) -> bool:
    """Whether a graph is captured at the first call: `prepare` announced the size, and the form ran in the warm-up, or
    no other one has run (a prompt that is longer than the first is typed letter by letter, and gets its graph when it
    stays). One of whole frames waits: three do the same.
    """
    if key.kind == FRAME:
        return False
    is_only = all(other.kind != key.kind or other.form == key.form for other in size.calls)
    return size.is_expected and (is_only or key.call_form in size.expected)


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


def captured(backend: Backend, model: Model, max_rows: int, avoided: Collection[str]) -> Backend:
    """A backend under CUDA graphs; on other devices, and where graphs are to be avoided, the backend itself."""
    if model.device.type != "cuda" or GRAPHS.name in avoided:
        return backend
    maker = ThreadPoolExecutor(1, "graphs")
    kept = sizes_with_graphs(model.device, SIZES_KEPT)
    return GraphBackend(backend, CudaCapture(model.device), max_rows, model.device, maker, kept)


def _start(model: Model, max_rows: int, progress: Progress, *, may_wait: bool, avoided: Collection[str]) -> Start:
    return Start(captured(EagerBackend(model), model, max_rows, avoided))


GRAPHS = Rung("graphs", ("cuda",), ("cuda",), _start, takes_variants=True)
