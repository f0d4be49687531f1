"""Which picture sizes have CUDA graphs, and which of their batches: those that are in use and fit into memory.

Must not know how a graph is made.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

SIZES_KEPT = 16
"""Largest number of picture sizes that have graphs: the pool is shared, so a further one takes tens of MB."""
FORMS_KEPT = 6
"""Forms of one group that have graphs, at one size, beside those of the warm-up: whoever lengthens prompts and
adds pictures and nets, in all ways, would bring about hundreds.
"""
SIZES_KNOWN = 256
"""Sizes of which it is known how often they were called."""
IDLE_S = 10.0
"""A size, or a form, that was not called for so long gives its place to another."""

Key = TypeVar("Key", bound=Hashable)
Graph = TypeVar("Graph")
Form: TypeAlias = tuple[Hashable, Hashable]
"""Of calls: a group that has `FORMS_KEPT`, and which it is."""


@dataclass(slots=True, eq=False)
class Size(Generic[Key, Graph]):
    """One picture size.

    Attributes:
        graphs: by what they can run.
        making: those that are being made, by the same key, each with what ends when it is.
        calls: number of calls without a graph, by the same key.
        is_expected: whether it was announced.
        expected: kinds and forms that get graphs at their first call.
        undone: keys that get none, while those of other keys do their work.
        called_s: when it was called last.
        forms: those with graphs that are not expected, and when each was called last, the newest last.
    """

    graphs: dict[Key, Graph] = field(default_factory=dict)
    making: dict[Key, tuple[Graph, Future[None]]] = field(default_factory=dict)
    calls: Counter[Key] = field(default_factory=Counter)
    is_expected: bool = False
    expected: set[Form] = field(default_factory=set[Form])
    undone: set[Key] = field(default_factory=set)
    called_s: float = 0.0
    forms: OrderedDict[Form, float] = field(default_factory=OrderedDict[Form, float])
    _refused_from: int | None = None
    _more_refused_from: int | None = None

    @property
    def is_kept(self) -> bool:
        """Whether it has a place among those that have graphs."""
        return bool(self.graphs or self.making)

    @property
    def kept(self) -> tuple[Key, ...]:
        """Keys that have a graph, or get one."""
        return (*self.graphs, *self.making)

    def drop(self) -> None:
        """Give its place up. What is being made is thrown away when it is."""
        self.graphs.clear()
        for _, future in self.making.values():
            future.cancel()
        self.making.clear()
        self.forms.clear()

    def note(self, form: Form) -> None:
        """A call of a kind and form."""
        if form in self.forms:
            self.forms[form] = self.called_s
            self.forms.move_to_end(form)

    def idle_form(self, form: Form) -> Form | None:
        """The form whose graphs have to go before another one, of the same group, may have some; None where none has.

        Raises:
            LookupError: all are in use.
        """
        others = [other for other in self.forms if other[0] == form[0]]
        if form in self.forms or form in self.expected or len(others) < FORMS_KEPT:
            return None
        if self.called_s - self.forms[others[0]] < IDLE_S:
            raise LookupError
        return others[0]

    def drop_form(self, form: Form, keys: Collection[Key]) -> None:
        """Give a form's place up.

        Args:
            keys: of its graphs, made and being made; those are thrown away when they are.
        """
        del self.forms[form]
        for key in keys:
            self.graphs.pop(key, None)
            if (making := self.making.pop(key, None)) is not None:
                making[1].cancel()

    def refuse(self, places: int, asks_more: bool) -> None:
        """Have no graphs from now on for batches of so many places and more: of what asks for more than plain
        frames do, or of all."""
        if asks_more:
            self._more_refused_from = places
        else:
            self._refused_from = places

    def refuses(self, places: int, asks_more: bool) -> bool:
        """Whether a batch of so many places gets no graph."""
        limits = (self._refused_from, self._more_refused_from if asks_more else None)
        return any(limit is not None and places >= limit for limit in limits)


class Sizes(Generic[Key, Graph]):
    """All sizes. Those with graphs are at most `kept`; a newcomer waits until one of them is idle.

    Args:
        on_drop: called before a size's graphs are dropped.
        clock: monotonic seconds.
        kept: largest number of sizes with graphs; None for `SIZES_KEPT`.
    """

    def __init__(
        self,
        on_drop: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        kept: int | None = None,
    ) -> None:
        self._on_drop = on_drop
        self._clock = clock
        self._kept = SIZES_KEPT if kept is None else kept
        self._sizes: OrderedDict[tuple[int, int], Size[Key, Graph]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._with_graphs)

    def called(self, width: int, height: int) -> Size[Key, Graph]:
        """The size of a call, or of one that is announced."""
        size = self._sizes.setdefault((width, height), Size())
        self._sizes.move_to_end((width, height))
        size.called_s = self._clock()
        if len(self._sizes) > SIZES_KNOWN:
            oldest = next(place for place, other in self._sizes.items() if not other.is_kept)
            del self._sizes[oldest]
        return size

    def has_room_for(self, size: Size[Key, Graph]) -> bool:
        """Whether a size may have graphs: it has some already, there is room, or one that is idle has made room."""
        with_graphs = self._with_graphs
        if size.is_kept or len(with_graphs) < self._kept:
            return True
        oldest = with_graphs[0]
        if size.called_s - oldest.called_s < IDLE_S:
            return False
        self._on_drop()
        oldest.drop()
        return True

    def clear(self) -> None:
        """Drop everything."""
        self._sizes.clear()

    @property
    def _with_graphs(self) -> list[Size[Key, Graph]]:
        """Those with graphs, the least recently called first."""
        return [size for size in self._sizes.values() if size.is_kept]
