"""Runs of cameras against a server, and their numbers by name.

Must not know which runs there are, or what is wanted of them.
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
    """How long each run takes: the overload run, and all others."""

    seconds: float
    overload_seconds: float

    @property
    def warmup_s(self) -> float:
        """Before each: frames are sent and not counted."""
        return min(2.0, self.seconds / 2)


class Runs:
    """The runs made so far, each kept under its name.

    Args:
        plan: lengths.
        tick_ms: of the echo engine; None where another model is measured, which makes pictures of its own size.
        raw: a CSV file of every frame.

    Attributes:
        pictures: what cameras send.
        measured: by the run's name.
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
        """One run of some cameras against a server.

        Args:
            pictures: others than the usual ones.
            side_px: of the echo engine's answers.
            seconds: another length than the plan's.
            tick_ms: of an echo engine of another speed.
            skip_unchanged: as in `drive`.
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
