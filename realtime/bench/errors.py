"""What keeps a measurement from being made."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import RealtimeError


class BenchError(RealtimeError):
    """The measurement could not be made."""


def check_names(wanted: Iterable[str], known: Iterable[str], what: str = "scenario") -> None:
    """Refuse names that there are not.

    Args:
        what: they are names of.

    Raises:
        BenchError: there is one.
    """
    names = list(known)
    for name in wanted:
        if name not in names:
            raise BenchError(f"there is no {what} {name!r}; there are {', '.join(names)}")
