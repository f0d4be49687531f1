"""The calls whose form no network was converted for, which PyTorch answers: what to say of them.

Must not know what answers them.
"""

from __future__ import annotations

from collections.abc import Iterable


class Unconverted:
    """Notes such calls, on the engine's thread. `str`, from any thread, tells people of them; empty without any."""

    def __init__(self) -> None:
        self._said: tuple[str, ...] = ()

    def note(self, kind: str, beyond: Iterable[str]) -> None:
        """Note a call.

        Args:
            kind: of its region.
            beyond: names of its inputs that the converted network of this kind does not take; none where there is no
                network of this kind.
        """
        one = " with ".join(filter(None, (kind, " and ".join(sorted(beyond)))))
        if one not in self._said:
            self._said = (*self._said, one)  # swapped whole: other threads read it

    def __str__(self) -> str:
        """For example `decode with matte in PyTorch`."""
        return f"{', '.join(self._said)} in PyTorch" if self._said else ""
