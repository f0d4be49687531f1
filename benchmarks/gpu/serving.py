"""Streams of 30 fps and prompts that change, over real sockets to a server of its own."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from .building import be_quick, built_batches
from .plan import BATCHES
from .working import Found, Setting

if TYPE_CHECKING:
    from realtime.bench.servers import Process

STREAMS = (12, 8, 10, 14, 6)
"""The aim first, then what tells most."""
LIVE_P95_MS = 50.0
RELOAD_S = 25.0
"""What a server may take to load packages."""
STREAM_S, STREAM_DRY_S = 6.0, 0.5
ONE_STEP = {"num_inference_steps": 1}
"""A random model's own would be two."""


def on_graphs(setting: Setting, found: Found) -> None:
    """Without anything compiled."""
    _streams(setting, found, "graphs" if setting.machine().device.type == "cuda" else "off")


def on_packages(setting: Setting, found: Found) -> None:
    """On packages, where none would have to be built while frames are measured."""
    built = built_batches(setting)
    missing = set(BATCHES if setting.machine().device.type == "cuda" else (1,)).difference(built)
    if missing:
        found["note"] = f"left out: there are no packages for batches of {', '.join(map(str, sorted(missing)))}"
        return
    be_quick(setting)
    _streams(setting, found, "aoti" if not setting.dry else "off")


def _streams(setting: Setting, found: Found, rung: str) -> None:
    from realtime.bench.capacity import FPS, Steps, carried
    from realtime.bench.pictures import photo_jpegs
    from realtime.bench.servers import serving

    from .prompts import prompt_changes

    side = setting.machine().side_px
    options = ("--accelerate", rung, "--vae", "full", "--max-sessions", "16", "--max-rows", str(max(BATCHES)))
    raw = setting.output / f"{setting.name}.csv"
    raw.unlink(missing_ok=True)
    with serving(str(setting.model("sd-turbo")), *options, settings={"REALTIME_CACHE": str(setting.cache)}) as process:
        found["rung"] = _wait_for_packages(process) if rung == "aoti" else str(process.rung())
        seconds = STREAM_DRY_S if setting.dry else STREAM_S
        steps = Steps(process, seconds, side, raw, params=ONE_STEP)
        found["scenarios"] = {}
        for place, count in enumerate((1,) if setting.dry else STREAMS):
            if setting.rest_s < 2 * seconds and not setting.dry:
                found["note"] = f"without {count} streams: {setting.rest_s:.0f} s were left"
                break
            measures = steps.run(count)
            measures["carried"][f"{LIVE_P95_MS:g}"] = carried(measures, LIVE_P95_MS)
            found["scenarios"][f"{count}_streams"] = measures
            setting.keep(found)
            if place == 0:  # prompts before the other numbers
                patch: Found = {"width": side, "height": side, "skip_unchanged": False, **ONE_STEP}
                changes, every_s = (2, 0.1) if setting.dry else (10, 0.25)
                changing = prompt_changes(
                    process.websocket_url, photo_jpegs(8, side, side), patch, fps=FPS, changes=changes, every_s=every_s
                )
                found["prompts"] = asyncio.run(changing)
                setting.keep(found)


def _wait_for_packages(process: Process) -> str:
    """Until a server has taken what is in the cache; what it runs on then."""
    end_s = time.monotonic() + RELOAD_S
    while time.monotonic() < end_s:
        rung = process.rung()
        if rung is not None and {made.batch for made in rung.made_for}.issuperset(BATCHES):
            break
        time.sleep(0.25)
    return str(process.rung())
