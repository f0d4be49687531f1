"""Reads a regular expression into the states of an automaton, by Thompson's construction.

A subset, see `linear_regex`; what would need more is refused in words. Must not know how states are gone through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

STATES_MAX = 256
"""Of an expression, whose repetitions are written out."""
REPEATS_MAX = 64
"""In braces."""
DEPTH_MAX = 32
"""Of groups in groups."""
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
class Node:
    """A state: takes one character and goes on, or goes on in several ways without one.

    Attributes:
        takes: None where it takes none.
        then: numbers of the states behind it.
    """

    takes: Matches | None
    then: list[int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the automaton: where it begins, and the state behind which it ends, which has no way on yet."""

    first: int
    last: int


_CLASSES: dict[str, Matches] = {"w": is_word, "d": str.isdecimal, "s": str.isspace}


@dataclass
class Parser:
    """Reads an expression into states, by recursive descent."""

    pattern: str
    at: int = 0
    depth: int = 0
    states: list[Node] = field(default_factory=list[Node])

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

    def whole(self, *, is_marked: bool) -> Stretch:
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
        self.states.append(Node(takes, list(then)))
        return len(self.states) - 1

    def _nothing(self) -> Stretch:
        number = self._state(None)
        return Stretch(number, number)

    def _joined(self, one: Stretch, other: Stretch) -> Stretch:
        self.states[one.last].then.append(other.first)
        return Stretch(one.first, other.last)

    @property
    def _next(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self) -> str:
        char = self._next
        if not char:
            raise ValueError("ends in the middle")
        self.at += 1
        return char

    def _choice(self) -> Stretch:
        part = self._sequence()
        while self._next == "|":
            self.at += 1
            part = self._either(part, self._sequence())
        return part

    def _either(self, one: Stretch, other: Stretch) -> Stretch:
        first, last = self._state(None, one.first, other.first), self._state(None)
        for part in (one, other):
            self.states[part.last].then.append(last)
        return Stretch(first, last)

    def _sequence(self) -> Stretch:
        part = self._nothing()
        while self._next not in ("", "|", ")"):
            part = self._joined(part, self._repeated())
        return part

    def _repeated(self) -> Stretch:
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

    def _loop(self, one: Stretch) -> Stretch:
        around = self._state(None, one.first)
        self.states[one.last].then.append(around)
        last = self._state(None)
        self.states[around].then.append(last)
        return Stretch(around, last)

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

    def _atom(self) -> Stretch:
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

    def _taking(self, takes: Matches) -> Stretch:
        last = self._state(None)
        return Stretch(self._state(takes, last), last)

    def _group(self) -> Stretch:
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
