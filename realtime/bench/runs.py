"""Runs cameras against a server, and keeps the measures of each run by name.

Must not know which runs there are, or targets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import report
from .load import drive
from .measures import Measures, Usage, measure
from .pacer import Camera
from .pictures import photo_jpegs
from .raw import write_raw
from .servers import Process

PICTURES = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """Lengths of runs after their warm-up: of the overload run, and of all others."""

    seconds: float
    overload_seconds: float

    @property
    def warmup_s(self) -> float:
        """Length of each run's warm-up, whose frames do not count."""
        return min(2.0, self.seconds / 2)


class Runs:
    """Runs against servers, and their measures.

    Args:
        plan: lengths.
        tick_ms: of the echo engine; None for another model, whose results have its own size.
        raw: a CSV file, see `write_raw`.

    Attributes:
        pictures: what cameras send, encoded.
        measured: measures by the run's name.
    """

    def __init__(self, plan: Plan, tick_ms: float | None, raw: Path | None = None) -> None:
        self.plan = plan
        self.tick_ms = tick_ms
        self.pictures = photo_jpegs(PICTURES)
        self.measured: dict[str, Measures] = {}
        self._raw = raw

    def run(
        self,
        name: str,
        process: Process,
        cameras: Sequence[Camera],
        *,
        pictures: Sequence[bytes] | None = None,
        side_px: int = 512,
        seconds: float | None = None,
        tick_ms: float | None = None,
        skip_unchanged: bool = False,
    ) -> Measures:
        """Run cameras against a server, and keep the measures under `name`.

        Args:
            pictures: encoded; None for `self.pictures`.
            side_px: width and height of the echo engine's results.
            seconds: length after the warm-up; None for the plan's.
            tick_ms: of the echo engine; None for that of the constructor.
            skip_unchanged: see `drive`.
        """
        warmup_s = self.plan.warmup_s
        seconds = self.plan.seconds if seconds is None else seconds
        report.progress(f"{name}: {len(cameras)} x {cameras[0].fps:.4g} fps for {seconds:g} s")
        usage = Usage(process)
        result = asyncio.run(
            drive(
                process.websocket_url,
                cameras,
                self.pictures if pictures is None else pictures,
                size=(side_px, side_px) if self.tick_ms is not None else None,
                warmup_s=warmup_s,
                seconds=seconds,
                skip_unchanged=skip_unchanged,
                on_begin=usage.begin,
            )
        )
        measures = measure(result)
        measures |= usage.end(measures["sent"], warmup_s + seconds, self.tick_ms if tick_ms is None else tick_ms)
        self.measured[name] = measures
        if self._raw is not None:
            write_raw(self._raw, name, result)
        return measures
