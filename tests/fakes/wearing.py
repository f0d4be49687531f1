"""An engine without weights that wears LoRAs, and remembers which it has worn."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from realtime.config import Config
from realtime.engine import Engine, LoraChange, Progress
from realtime.engine.echo import EchoEngine
from realtime.errors import ModelError


class WearingEngine(EchoEngine):
    """Refuses what has "sdxl" in its name at once, and what has "heavy" only when it is put on.

    Attributes:
        worn: what was in force, one after the other; first what it was loaded with.
    """

    def __init__(self, loras: Sequence[str] = (), tick_ms: float = 2.0) -> None:
        super().__init__(tick_ms)
        self.info = replace(self.info, takes_loras=True)
        self.worn: list[tuple[str, ...]] = [tuple(loras)]
        self.asked: list[tuple[str, ...]] = []

    def ready_loras(self, loras: Sequence[str]) -> LoraChange:
        self.asked.append(tuple(loras))
        if unfit := [one for one in loras if "sdxl" in one]:
            raise ModelError(f"LoRA {unfit[0]}: it is made for another model")
        return LoraChange(lambda: self._put(tuple(loras)), tuple(f"{one} is odd" for one in loras if "odd" in one))

    def _put(self, loras: tuple[str, ...]) -> Future[None]:
        done = Future[None]()
        if any("heavy" in one for one in loras):
            done.set_exception(ModelError("LoRA heavy: layer x overflows"))
        else:
            self.worn.append(loras)
            done.set_result(None)
        return done


class Wardrobe:
    """Loads such engines; in the order in which they were loaded."""

    def __init__(self) -> None:
        self.engines: list[WearingEngine] = []

    def __call__(self, config: Config, progress: Progress) -> Engine:
        self.engines.append(WearingEngine(config.loras))
        return self.engines[-1]
