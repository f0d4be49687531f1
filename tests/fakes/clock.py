"""A clock that the test steps by hand."""

from __future__ import annotations


class FakeClock:
    """Monotonic nanoseconds that pass when the test says so."""

    def __init__(self, now_ns: int = 1_000_000_000) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def advance_ms(self, milliseconds: float) -> None:
        self.now_ns += int(milliseconds * 1e6)
