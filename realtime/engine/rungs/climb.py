"""An engine's way to a faster rung: the upgrade that runs beside it, and another one when the weights have changed.

Must not know rows, LoRAs' files, or how a rung works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .rung import Start
from .upgrade import Upgrade, Work

if TYPE_CHECKING:
    from ...config import ModelConfig
    from ..backend import Backend
    from ..state import RungState


class Climb:
    """The upgrade of an engine. Engine's thread, but for `beside`.

    Args:
        config: names the model.
        make_upgrade: makes an upgrade of the model of a configuration.
        start: what the model was started with.

    Attributes:
        upgrade: the newest; None where there is none.
    """

    def __init__(self, config: ModelConfig, make_upgrade: Callable[[ModelConfig], Upgrade], start: Start) -> None:
        self._config = config
        self._make_upgrade = make_upgrade
        self._start = start
        self.upgrade: Upgrade | None = None

    @property
    def copies_weights(self) -> bool:
        """Whether something faster has copies of the weights, and is made anew when they change."""
        return self._start.anew is not None

    def beside(self, rung: RungState) -> RungState:
        """See `Upgrade`. Any thread."""
        return rung if self.upgrade is None else self.upgrade.beside(rung)

    def begin(self) -> None:
        """Start the upgrade, if there is one."""
        self._begin(self._start.upgrade)

    def begin_anew(self, loras: Sequence[str]) -> Backend | None:
        """The model's weights have changed in place.

        Args:
            loras: those in force, see `ModelConfig`.

        Returns:
            What runs calls from now on; None where what runs them has the new weights already.
        """
        self._config = self._config.model_copy(update={"loras": tuple(loras)})
        if self._start.anew is None:
            if self.upgrade is not None:
                self.upgrade.goes_on_with(self._config)
            return None
        if self.upgrade is not None:
            self.upgrade.retire()
        start = self._start.anew()
        self._begin(start.upgrade)
        return start.backend

    def close(self) -> None:
        """See `Upgrade`."""
        if self.upgrade is not None:
            self.upgrade.close()

    def _begin(self, work: Work | None) -> None:
        if work is not None:
            self.upgrade = self._make_upgrade(self._config)
            self.upgrade.start(work)
