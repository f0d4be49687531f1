"""Where a trial runs.

Must not know who is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Machine:
    """Where all contenders run.

    Attributes:
        side_px: of their pictures.
        small: random models of few channels; only to see that everything runs.
        exact: the number format was asked for: no rung may calculate in less.
    """

    device: torch.device
    dtype: torch.dtype
    side_px: int
    small: bool
    exact: bool = False

    def wait(self) -> None:
        """Until the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def waited(self, make: Callable[[], object]) -> Callable[[], None]:
        """The same, until the device is done with it."""

        def make_and_wait() -> None:
            make()
            self.wait()

        return make_and_wait
