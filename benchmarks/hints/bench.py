"""What making each hint takes, beside decoding the frame that it is made of: processor time of one thread.

Must not know nets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from realtime.bench import report
from realtime.control import Hint
from realtime.frame import Format
from realtime.media import codec
from realtime.media.hint_makers import MAKERS
from realtime.params import OutputFormat

from ..calm.photographs import photograph

SIDES_PX = (256, 512, 1024)
QUALITY = 85
MADE = [hint for hint in MAKERS if hint is not Hint.PICTURE]


def quickest_ms(make: Callable[[], object], repetitions: int) -> float:
    """Milliseconds of processor time of the quickest of some calls: what others do on this machine only adds to it."""

    def once() -> int:
        begun_ns = time.thread_time_ns()
        make()
        return time.thread_time_ns() - begun_ns

    return min(once() for _ in range(repetitions)) / 1e6


def hints_bench(*, repetitions: int = 20, output: Path | None = None) -> dict[str, Any]:
    """Make each hint of a photograph at several sizes.

    Args:
        repetitions: of each.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object: `ms` by side and hint, and `of_decoding`, the same in units of decoding the frame as JPEG.
    """
    cv2.setNumThreads(1)
    took: dict[str, dict[str, float]] = {}
    shares: dict[str, dict[str, float]] = {}
    for side in SIDES_PX:
        picture = photograph("astronaut", side)
        _, jpeg = codec.encode(picture, OutputFormat.JPEG, QUALITY)
        decoding = quickest_ms(lambda: codec.decode(jpeg, Format.JPEG, side, side, side * side), repetitions)  # noqa: B023
        of_side = {hint.value: quickest_ms(lambda: MAKERS[hint](picture), repetitions) for hint in MADE}  # noqa: B023
        took[str(side)] = {"decode": decoding, **of_side}
        shares[str(side)] = {hint: ms / decoding for hint, ms in of_side.items()}
        report.progress(f"{side}: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in took[str(side)].items()))
    answer: dict[str, Any] = report.header("hints") | {"ms": took, "of_decoding": shares}
    report.put_out(answer, output)
    return answer
