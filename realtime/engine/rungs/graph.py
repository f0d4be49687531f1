"""One graph: a region at one picture size and batch, with buffers at fixed addresses for its inputs.

Inputs are copied into the buffers, unless a buffer holds the same tensors already: a prompt's are copied only when the
batch's composition changes. Outputs are copied after each replay, since all graphs share one memory pool, which the
next replay overwrites.

Must not know which graphs there are, or when one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import is_
from typing import NamedTuple

import torch

from ..backend import Backend
from ..denoisers.contexts import CONTEXTS
from ..denoisers.residuals import CONTROL, FEATURES
from ..regions import Call, Inputs, Outputs, Run
from ..staging import join_into, join_on_host
from .capture import Capture, Replay

MORE = frozenset({CONTROL, FEATURES, *CONTEXTS})
"""Columns of a step that plain frames have not."""


class CallForm(NamedTuple):
    """A form of calls.

    Attributes:
        group: which have a number of graphs together: those of a kind, plain ones and those that ask for more apart.
        inputs: names and shapes, see `GraphKey.form`.
    """

    group: tuple[str, bool]
    inputs: tuple[tuple[str, tuple[int, ...]], ...]


class GraphKey(NamedTuple):
    """What one graph of a picture size can run.

    Attributes:
        plain, guided: numbers of places.
        form: the inputs' names, and their shapes without the batch, which differ by the length of prompts.
    """

    kind: str
    plain: int
    guided: int
    form: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def call_form(self) -> CallForm:
        """What graphs for different numbers of rows have in common."""
        return CallForm((self.kind, self.asks_more), self.form)

    @property
    def places(self) -> int:
        """Number of rows that it has a place for."""
        return self.plain + self.guided

    @property
    def asks_more(self) -> bool:
        """Whether its calls are there for those only who ask for nets, a negative prompt or pictures."""
        return "/" in self.kind or any(name in MORE for name, _ in self.form)

    @classmethod
    def of(cls, call: Call, sizes: Sequence[int]) -> GraphKey:
        """The key of a call where graphs have so many places."""
        form = tuple((name, tuple(column[0].shape[1:])) for name, column in sorted(call.columns.items()))
        return cls(call.kind, batch_size_for(call.plain, sizes), batch_size_for(call.guided, sizes), form)


class InputBuffer:
    """One input of graphs, in memory at a fixed address. Graphs of fewer places have its first ones.

    Args:
        batch: [places, …].
    """

    def __init__(self, batch: torch.Tensor) -> None:
        self.batch = batch
        self._held: list[torch.Tensor | None] = [None] * len(batch)

    def fill(self, parts: list[tuple[int, Sequence[torch.Tensor]]]) -> None:
        """Copy tensors [1, …] into the batch, but for parts whose places hold the same objects already.

        Args:
            parts: the index of the first place, and the tensors from there on.
        """
        for start, rows in parts:
            places = slice(start, start + len(rows))
            if all(map(is_, rows, self._held[places])):
                continue
            self._held[places] = [None] * len(rows)  # as long as the part is incomplete
            join_into(self.batch[places], rows)
            self._held[places] = rows


class RegionGraph:
    """The graph of one region at one picture size, which `capture` makes.

    Args:
        call: one of those that it is to run.
        key: of that call; its places are in the order [plain, guided, second rows].
        buffer: the buffer for an input's name, least number of places, and a tensor of that form.
        under: runs the region.

    Attributes:
        shape: of its calls.
        answer: the callable that is captured.
    """

    def __init__(
        self,
        call: Call,
        key: GraphKey,
        buffer: Callable[[str, int, torch.Tensor], InputBuffer],
        under: Backend,
    ) -> None:
        plain, guided = key.plain, key.guided
        self.shape = replace(call.shape, batch=plain + guided, guided=guided)
        self._starts = (0, plain, plain + guided)
        rows = call.plain + call.guided
        self._places = {
            name: plain + guided * (2 if len(column) > rows else 1) for name, column in call.columns.items()
        }
        self._buffers = {name: buffer(name, self._places[name], column[0]) for name, column in call.columns.items()}
        self._replay: Replay | None = None
        self.answer = self.answered_by(under)

    def answered_by(self, under: Backend) -> Run:
        """The callable that `under` runs this graph's calls by now."""
        return under.answer(self.shape, self.inputs())

    def capture(self, capture: Capture) -> None:
        """Capture the call. Any thread: what is in the buffers does not matter.

        Raises:
            RuntimeError: see `Capture`.
        """
        inputs, answer = self.inputs(), self.answer
        with torch.inference_mode():
            self._replay = capture.capture(lambda: answer(**inputs))

    def run(self, call: Call) -> Outputs:
        """Run a call by a replay, in memory that no later call writes into. Only once it is captured."""
        assert self._replay is not None
        self._fill(call)
        starts = self._starts
        ends = starts[0] + call.plain, starts[1] + call.guided
        join = joining(call)
        return {name: join([out[: ends[0]], out[starts[1] : ends[1]]]) for name, out in self._replay().items()}

    def inputs(self) -> Inputs:
        """What it reads, by name."""
        return {name: buffer.batch[: self._places[name]] for name, buffer in self._buffers.items()}

    def _fill(self, call: Call) -> None:
        rows = call.plain + call.guided
        for name, column in call.columns.items():
            parts = (column[: call.plain], column[call.plain : rows], column[rows:])
            self._buffers[name].fill([(start, part) for start, part in zip(self._starts, parts, strict=True) if part])


def joining(call: Call) -> Callable[[list[torch.Tensor]], torch.Tensor]:
    """Concatenates outputs where a call wants them. It always copies, also a single part: replays overwrite outputs."""
    return join_on_host if call.to_host else torch.cat


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
    """The smallest of `sizes` that is at least `rows`; 0 for no rows.

    Above the largest it is twice one of them: nets are asked twice for a row with a second one.
    """
    return next(size for size in (*sizes, *(2 * size for size in sizes)) if size >= rows) if rows else 0
