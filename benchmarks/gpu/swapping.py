"""The longest time without a picture while a server's model changes: 30 fps, over real sockets to a server of its own.

Must not know how a model is changed.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from .working import Found, Setting

CHANGES, DRY_CHANGES = 4, 2
BEFORE_S, BEHIND_S = 2.0, 1.5
"""Pictures are looked at from so long before a change is asked for, until so long behind its end."""
DISSOLVE_S = 0.5
LEFT_S = 3.0
"""Of the part's time, so that it ends by itself."""
END_S = 60.0
"""A change is over by then."""
NAMES = ("first", "second")


def swap(setting: Setting, found: Found) -> None:
    """Between two folders of one random model, there and back; the engine has a process of its own."""
    from realtime.bench.pictures import photo_jpegs
    from realtime.bench.servers import serving

    folder = setting.output / "models_to_change"
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        with suppress(FileExistsError):
            (folder / name).symlink_to(setting.model("sd-turbo").absolute(), target_is_directory=True)
    side, is_cuda = setting.machine().side_px, setting.machine().device.type == "cuda"
    options = ("--accelerate", "graphs" if is_cuda else "off", "--model-folder", str(folder), "--engine-process")
    patch = {"width": side, "height": side, "skip_unchanged": False, "num_inference_steps": 1}
    settings = {"REALTIME_CACHE": str(setting.cache)}
    with serving(str(folder / NAMES[0]), *options, settings=settings) as process:
        done: list[Found] = found.setdefault("changes", [])

        def tell(change: Found) -> bool:
            done.append(change)
            found["longest_gap_ms"] = max(change["gap_ms"] for change in done)
            found["dropped"] = sum(change["dropped"] for change in done)
            setting.keep(found)
            another_s = max(change["took_s"] for change in done) + BEFORE_S + BEHIND_S + LEFT_S
            if len(done) < changes and setting.rest_s < another_s:
                found["note"] = f"{len(done)} of {changes} changes: {setting.rest_s:.0f} s were left"
            return len(done) < changes and "note" not in found

        changes = DRY_CHANGES if setting.dry else CHANGES
        asyncio.run(_changes(process.url, process.websocket_url, photo_jpegs(8, side, side), patch, tell))


async def _changes(
    url: str, websocket_url: str, pictures: Sequence[bytes], patch: dict[str, Any], tell: Callable[[Found], bool]
) -> None:
    """Change the model there and back, under a camera that never stops.

    Args:
        tell: gets what each change took, and says whether there is to be another.
    """
    from realtime.bench.capacity import FPS
    from realtime.bench.pacer import Camera, Pacer, quiet
    from realtime.client import connect

    loop = asyncio.get_running_loop()
    times_s: list[float] = []
    dropped: list[int] = []
    sending: set[asyncio.Task[int]] = set()

    async with connect(websocket_url, patience_s=0, keep=None) as stream:

        def note(message: dict[str, Any]) -> None:
            if message["type"] == "dropped":
                dropped.extend(message["seqs"])

        def fire() -> None:
            task = asyncio.create_task(stream.send(pictures[len(times_s) % len(pictures)]))
            sending.add(task)
            task.add_done_callback(sending.discard)

        async def receive() -> None:
            async for _ in stream.pictures():
                times_s.append(time.monotonic())

        stream.on_message = note
        await stream.update(**patch)
        receiving = asyncio.create_task(receive())
        with quiet():
            pacer = Pacer(loop, [(Camera(FPS), fire)], time.monotonic_ns(), time.monotonic_ns() + 3600 * 10**9)
            try:
                for name in itertools.cycle(reversed(NAMES)):
                    await asyncio.sleep(BEFORE_S)
                    asked_s, dropped_before = time.monotonic(), len(dropped)
                    took_s = await asyncio.to_thread(_change, url, name)
                    await asyncio.sleep(BEHIND_S)
                    before = [at_s for at_s in times_s if asked_s - BEFORE_S <= at_s < asked_s]
                    change = {
                        "took_s": round(took_s, 2),
                        "gap_ms": _longest_ms([at_s for at_s in times_s if at_s >= asked_s]),
                        "gap_before_ms": _longest_ms(before),
                        "dropped": len(dropped) - dropped_before,
                    }
                    if not tell(change):
                        break
            finally:
                pacer.done.cancel()
                receiving.cancel()
                await asyncio.gather(receiving, *sending, return_exceptions=True)


def _change(url: str, name: str) -> float:
    """Change the model, and wait until that is done; how long it took."""
    from realtime.operate import Asked

    server, begun_s = Asked(url), time.monotonic()
    server.ask("POST", "/api/model", {"name": name, "dissolve_s": DISSOLVE_S})
    while time.monotonic() - begun_s < END_S:
        change = server.ask("GET", "/api/models")["swap"]
        if change["state"] == "failed":
            raise RuntimeError(change["reason"])
        if change["state"] == "done":
            return time.monotonic() - begun_s
        time.sleep(0.1)
    raise TimeoutError(f"the model is not {name} after {END_S:g} s")


def _longest_ms(times_s: Sequence[float]) -> float:
    gaps = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    return round(1000 * max(gaps, default=0.0), 1)
