r"""Regular expressions that are searched for in time proportional to the text, whatever the two are.

A subset: characters, `.`, classes, groups, `|`, `*`, `+`, `?`, `{m,n}`, `\w`, `\d`, `\s`; at the ends `\b`, `^`, `$`.
What would need more (references, look-around) is refused. Case is ignored. Must not know what is searched, or why.

Sources: Thompson's construction, whose sets of states are kept once they were met (Cox, "Regular Expression Matching
Can Be Simple And Fast", 2007). An expression may make a set that is new of each character: so sets are bits, and a step
is a table's look-up for eight states (Navarro and Raffinot, "Compact DFA Representation for Fast Regular Expression
Search", 2001).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from .regex_syntax import Matches, Node, Parser, is_word

KEPT_MAX = 4096
"""Steps from one set of states to the next that are kept; then they are forgotten all at once."""
CHARS_KEPT_MAX = 1024
"""Characters of which is kept what states take them; then they are forgotten all at once."""
MATCH_MAX_CHARS = 200
"""Of a match whose place is wanted."""
PLACES_MAX_STEPS = 20_000
"""Characters that are looked at for the places in a text; those after that are not found."""
_PART_BITS = 8
"""States whose ways on are looked up at once."""


class _TakingNode(NamedTuple):
    """A state that takes a character."""

    takes: Matches
    then: list[int]


class _Closures:
    """What states that take a character are reached without one, as bits.

    Attributes:
        taking: these states, in the order of their bits.
    """

    def __init__(self, states: Sequence[Node]) -> None:
        self._states = states
        self.taking = [_TakingNode(state.takes, state.then) for state in states if state.takes is not None]
        numbers = [number for number, state in enumerate(states) if state.takes is not None]
        self._bits = {number: 1 << bit for bit, number in enumerate(numbers)}

    def of(self, first: int, end: int) -> int:
        """From this state.

        Args:
            first: its number.
            end: of the whole expression, which has the bit behind all others.
        """
        waiting, found = [first], {first}
        while waiting:
            state = self._states[waiting.pop()]
            if state.takes is None:
                new = [number for number in state.then if number not in found]
                found.update(new)
                waiting += new
        reached = sum(self._bits.get(number, 0) for number in found)
        return reached | (1 << len(self.taking) if end in found else 0)


class LinearRegex:
    """An expression. Searching keeps what it has met: one thread at a time.

    Attributes:
        states: how many it has.

    Raises:
        ValueError: it is none of the subset, takes the empty text, or has more than `STATES_MAX` states; in words.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        parser = Parser(pattern)
        self._begins_word, self._begins_text = parser.starts("\\b"), parser.starts("^")
        self._ends_word, self._ends_text = parser.ends("\\b"), parser.ends("$")
        is_marked = self._begins_word or self._begins_text or self._ends_word or self._ends_text
        part = parser.whole(is_marked=is_marked)
        closures = _Closures(parser.states)
        self.states = len(parser.states)
        self._takes = [state.takes for state in closures.taking]
        self._end = 1 << len(self._takes)
        self._ways = [closures.of(state.then[0], part.last) for state in closures.taking]
        self._start = closures.of(part.first, part.last)
        if self._start & self._end:
            raise ValueError("takes the empty text, which is everywhere: let it want one character at least")
        self._kept: dict[tuple[int, str, bool], int] = {}
        self._taking: dict[str, int] = {}
        self._parts: dict[tuple[int, int], int] = {}

    def is_in(self, text: str) -> bool:
        """Whether it is anywhere in a text, which is `folded`."""
        states = 0
        begins, ends = self._beginnings(text), self._endings(text)
        kept, end = self._kept, self._end
        for at, char in enumerate(text):
            if not (states or begins[at]):
                continue
            after = kept.get((states, char, begins[at]))
            states = after if after is not None else self._step(states, char, begins=begins[at])
            if states & end and ends[at + 1]:
                return True
        return False

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it is in a text, which is `folded`: the longest at each place, from the left, none over another, of
        `MATCH_MAX_CHARS` at most.

        Yields:
            Begin and end.
        """
        at, left = 0, PLACES_MAX_STEPS
        begins, ends = self._beginnings(text), self._endings(text)
        while at < len(text) and left > 0:
            seen, end = self._longest(text, at, ends) if begins[at] else (0, None)
            left -= seen
            if end is not None:
                yield at, end
            at = end or at + 1

    def _longest(self, text: str, begin: int, ends: Sequence[bool]) -> tuple[int, int | None]:
        """How many characters were looked at, and the end of the longest match that begins here."""
        states, found, at = self._start, None, begin
        for at in range(begin, min(len(text), begin + MATCH_MAX_CHARS)):
            states = self._step(states, text[at])
            if not states:
                break
            if states & self._end and ends[at + 1]:
                found = at + 1
        return at + 1 - begin, found

    def _step(self, states: int, char: str, *, begins: bool = False) -> int:
        """The states behind a character, as bits; the last one is the end.

        Args:
            begins: whether a match may begin with it.
        """
        key = states, char, begins
        if (after := self._kept.get(key)) is None:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            if begins:
                states |= self._start
            after = self._behind(states & self._taking_of(char))
            self._kept[key] = after
        return after

    def _taking_of(self, char: str) -> int:
        """The states that take a character."""
        if (taking := self._taking.get(char)) is None:
            if len(self._taking) >= CHARS_KEPT_MAX:
                self._taking.clear()
            taking = sum(1 << number for number, takes in enumerate(self._takes) if takes(char))
            self._taking[char] = taking
        return taking

    def _behind(self, states: int) -> int:
        """Where these states go on to, having taken a character."""
        after = 0
        for part, some in enumerate(states.to_bytes(len(self._takes) // _PART_BITS + 1, "little")):
            if some:
                ways = self._parts.get((part, some))
                after |= ways if ways is not None else self._of_part(part, some)
        return after

    def _of_part(self, part: int, some: int) -> int:
        """The ways on of some of eight states; kept, as there are few of them."""
        ways = 0
        for bit in range(_PART_BITS):
            if some >> bit & 1:
                ways |= self._ways[part * _PART_BITS + bit]
        self._parts[part, some] = ways
        return ways

    def _beginnings(self, text: str) -> Sequence[bool]:
        """Whether a match may begin, at each place."""
        if self._begins_text:
            return (not self._begins_word or _boundaries(text)[0], *(False,) * len(text))
        return _boundaries(text) if self._begins_word else (True,) * (len(text) + 1)

    def _endings(self, text: str) -> Sequence[bool]:
        """Whether a match may end, before each place, and at the end."""
        if self._ends_text:
            return *(False,) * len(text), not self._ends_word or _boundaries(text)[-1]
        return _boundaries(text) if self._ends_word else (True,) * (len(text) + 1)


@lru_cache(maxsize=16)
def _boundaries(text: str) -> tuple[bool, ...]:
    """Whether a word begins or ends, before each character, and at the end. Kept, as many ask for the same texts."""
    words = (False, *map(is_word, text), False)
    return tuple(before is not behind for before, behind in pairwise(words))
