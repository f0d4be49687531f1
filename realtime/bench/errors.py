"""The error of a measurement that can't be made, and a check of scenario names."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import RealtimeError


class BenchError(RealtimeError):
    """The measurement could not be made."""


def check_names(wanted: Iterable[str], known: Iterable[str], what: str = "scenario") -> None:
    """Check that all names are known.

    Args:
        what: the names' kind, for the message.

    Raises:
        BenchError: one is not.
    """
    names = list(known)
    for name in wanted:
        if name not in names:
            raise BenchError(f"there is no {what} {name!r}; there are {', '.join(names)}")
