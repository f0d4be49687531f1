r"""Regular expressions that are searched for in time proportional to the text, whatever the two are.

A subset: characters, `.`, classes, groups, `|`, `*`, `+`, `?`, `{m,n}`, `\w`, `\d`, `\s`; at the ends `\b`, `^`, `$`.
What would need more (references, look-around) is refused. Case is ignored. Must not know what is searched, or why.

Sources: Thompson's construction, whose sets of states are kept once they were met (Cox, "Regular Expression Matching
Can Be Simple And Fast", 2007). An expression may make a set that is new of each character: so sets are bits, and a step
is a table's look-up for eight states (Navarro and Raffinot, "Compact DFA Representation for Fast Regular Expression
Search", 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

STATES_MAX = 256
"""Of an expression, whose repetitions are written out."""
REPEATS_MAX = 64
"""In braces."""
DEPTH_MAX = 32
"""Of groups in groups."""
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
_SPECIAL = frozenset("\\.[]()|*+?{}^$")

Matches = Callable[[str], bool]
"""Whether a state takes this character, which is folded."""


def folded(text: str) -> str:
    """The text without case, of the same length."""
    return "".join(lower if len(lower := char.lower()) == 1 else char for char in text)


def is_word(char: str) -> bool:
    r"""Whether `\w` takes it."""
    return char.isalnum() or char == "_"


@dataclass(slots=True)
class _Node:
    """A state: takes one character and goes on, or goes on in several ways without one.

    Attributes:
        takes: None where it takes none.
        then: numbers of the states behind it.
    """

    takes: Matches | None
    then: list[int]


class _TakingNode(NamedTuple):
    """A state that takes a character."""

    takes: Matches
    then: list[int]


class _Closures:
    """What states that take a character are reached without one, as bits.

    Attributes:
        taking: these states, in the order of their bits.
    """

    def __init__(self, states: Sequence[_Node]) -> None:
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


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A piece of the automaton: where it begins, and the state behind which it ends, which has no way on yet."""

    first: int
    last: int


class LinearRegex:
    """An expression. Searching keeps what it has met: one thread at a time.

    Attributes:
        states: how many it has.

    Raises:
        ValueError: it is none of the subset, takes the empty text, or has more than `STATES_MAX` states; in words.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        parser = _Parser(pattern)
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


_CLASSES: dict[str, Matches] = {"w": is_word, "d": str.isdecimal, "s": str.isspace}


@dataclass
class _Parser:
    """Reads an expression into states, by recursive descent."""

    pattern: str
    at: int = 0
    depth: int = 0
    states: list[_Node] = field(default_factory=list[_Node])

    def starts(self, mark: str) -> bool:
        """Take this mark at the begin, if it is there."""
        if not self.pattern.startswith(mark):
            return False
        self.pattern = self.pattern.removeprefix(mark)
        return True

    def ends(self, mark: str) -> bool:
        """Take this mark at the end, if it is there and no backslash is before it."""
        rest = self.pattern.removesuffix(mark)
        slashes = len(rest) - len(rest.rstrip("\\"))
        if rest == self.pattern or slashes % 2:
            return False
        self.pattern = rest
        return True

    def whole(self, *, is_marked: bool) -> _Stretch:
        """The whole expression.

        Args:
            is_marked: whether there was a mark at an end of it, which would be one of an alternative alone.
        """
        part = self._sequence() if is_marked else self._choice()
        if self._next == "|":
            raise ValueError("has a choice beside \\b, ^ or $: put it in a group, as \\b(?:one|other)\\b")
        if self.at < len(self.pattern):
            raise ValueError("has a ) without its (")
        return part

    def _state(self, takes: Matches | None, *then: int) -> int:
        if len(self.states) >= STATES_MAX:
            raise ValueError(f"has more than {STATES_MAX} states, its repetitions written out: make it shorter")
        self.states.append(_Node(takes, list(then)))
        return len(self.states) - 1

    def _nothing(self) -> _Stretch:
        number = self._state(None)
        return _Stretch(number, number)

    def _joined(self, one: _Stretch, other: _Stretch) -> _Stretch:
        self.states[one.last].then.append(other.first)
        return _Stretch(one.first, other.last)

    @property
    def _next(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self) -> str:
        char = self._next
        if not char:
            raise ValueError("ends in the middle")
        self.at += 1
        return char

    def _choice(self) -> _Stretch:
        part = self._sequence()
        while self._next == "|":
            self.at += 1
            part = self._either(part, self._sequence())
        return part

    def _either(self, one: _Stretch, other: _Stretch) -> _Stretch:
        first, last = self._state(None, one.first, other.first), self._state(None)
        for part in (one, other):
            self.states[part.last].then.append(last)
        return _Stretch(first, last)

    def _sequence(self) -> _Stretch:
        part = self._nothing()
        while self._next not in ("", "|", ")"):
            part = self._joined(part, self._repeated())
        return part

    def _repeated(self) -> _Stretch:
        begin = self.at
        part = self._atom()
        behind = self.at
        match self._next:
            case "*":
                least, most = 0, None
            case "+":
                least, most = 1, None
            case "?":
                least, most = 0, 1
            case "{":
                least, most = self._counts()
            case _:
                return part
        if self.pattern[behind] != "{":
            self.at += 1
        if self._next in ("*", "+", "?", "{"):
            raise ValueError("repeats a repetition: put it in a group")
        after = self.at
        made = self._nothing()
        for number in range(max(least, most or 0) + (most is None)):
            self.at = begin
            one = self._atom()  # anew, with states of its own
            if number >= least:
                one = self._loop(one) if most is None else self._either(one, self._nothing())
            made = self._joined(made, one)
        self.at = after
        return made

    def _loop(self, one: _Stretch) -> _Stretch:
        around = self._state(None, one.first)
        self.states[one.last].then.append(around)
        last = self._state(None)
        self.states[around].then.append(last)
        return _Stretch(around, last)

    def _counts(self) -> tuple[int, int | None]:
        end = self.pattern.find("}", self.at)
        least, comma, most = self.pattern[self.at + 1 : max(end, 0)].partition(",")
        if not (least.isascii() and least.isdecimal()) or (most and not (most.isascii() and most.isdecimal())):
            raise ValueError("has braces that count nothing: write {2}, {2,} or {2,5}")
        counts = int(least), int(most) if most else None if comma else int(least)
        if max(counts[0], counts[1] or 0) > REPEATS_MAX or (counts[1] is not None and counts[1] < counts[0]):
            raise ValueError(f"repeats from {counts[0]} to {counts[1]} times: {REPEATS_MAX} are the most")
        self.at = end + 1
        return counts

    def _atom(self) -> _Stretch:
        char = self._take()
        if char == "(":
            return self._group()
        if char == "[":
            return self._taking(self._class())
        if char == ".":
            return self._taking(lambda char: True)
        if char == "\\":
            return self._taking(self._escaped())
        if char in _SPECIAL:
            raise ValueError(f"has a {char} where nothing is: write \\{char} for the character itself")
        return self._taking(_equal(char))

    def _taking(self, takes: Matches) -> _Stretch:
        last = self._state(None)
        return _Stretch(self._state(takes, last), last)

    def _group(self) -> _Stretch:
        if self.pattern.startswith("?", self.at):
            if not self.pattern.startswith("?:", self.at):
                raise ValueError("looks around, or names a group: only (…) and (?:…) are possible")
            self.at += 2
        if self.depth >= DEPTH_MAX:
            raise ValueError(f"has more than {DEPTH_MAX} groups in groups: make it simpler")
        self.depth += 1
        part = self._choice()
        self.depth -= 1
        if self._next != ")":
            raise ValueError("has a ( without its )")
        self.at += 1
        return part

    def _escaped(self) -> Matches:
        char = self._take()
        if (takes := _CLASSES.get(char)) is not None:
            return takes
        if (takes := _CLASSES.get(char.lower())) is not None:
            return lambda one, takes=takes: not takes(one)
        if char.isalnum():
            raise ValueError(f"has \\{char}: only \\w, \\d, \\s are possible, and \\b at its begin or end")
        return _equal(char)

    def _class(self) -> Matches:
        is_negated = self._next == "^"
        self.at += is_negated
        takes: list[Matches] = []
        while self._next != "]" or not takes:
            char = self._take()
            one = self._escaped() if char == "\\" else _equal(char)
            if self._next == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                one = _between(char, self._take())
            takes.append(one)
        self.at += 1
        return lambda char: any(one(char) for one in takes) is not is_negated


def _equal(wanted: str) -> Matches:
    wanted = folded(wanted)
    return lambda char: char == wanted


def _between(first: str, last: str) -> Matches:
    if last < first or "\\" in (first, last):
        raise ValueError(f"has a range from {first} to {last}: write it from the lower to the higher character")
    return lambda char: first <= char <= last or first <= char.upper() <= last
