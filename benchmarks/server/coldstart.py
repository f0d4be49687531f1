"""How long a server takes from the start of its process to the first restyled frame at a client, and to its last rung.

Must not know what a rung is: only its name, and when a server says another.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from realtime.bench import report
from realtime.bench.errors import BenchError, check_names
from realtime.bench.measures import Measures
from realtime.bench.pictures import photo_jpegs
from realtime.bench.servers import Process, serve_command, start
from realtime.client import ClientError, Stream, connect
from realtime.config import Accelerate
from realtime.engine.state import RungState

from .. import console
from ..comparison import Comparison
from ..repeats import Numbers

READY_TIMEOUT_S = 600.0
OFF = Accelerate.OFF.value
LIMIT_S = 8.0
"""To the first restyled frame, the embedded model on a CPU, on a rung that does not let it wait."""
FRAME_EVERY_S, LOOK_EVERY, QUIET_S = 0.05, 4, 6.0
"""While a server climbs: how long after an answer the next frame is sent, how many go by between two looks at its rung,
and how long it says the same in the end. A rung may be made only for what has been in use for some seconds."""
CLIMB_TIMEOUT_S = 600.0


def coldstart_bench(
    model: str = "tiny",
    rungs: Sequence[str] = (Accelerate.AUTO.value,),
    repetitions: int = 3,
    *,
    options: Sequence[str] = (),
    output: Path | None = None,
) -> Measures:
    """Start servers over and over, on each rung with an empty and with a warm cache, beside eager.

    Args:
        model: as in `realtime serve`.
        rungs: values of `--accelerate`; `off` is run in any case.
        repetitions: of every arm, in turns.
        options: further ones of `realtime serve`.
        output: a file that gets the JSON object too.

    Returns:
        The JSON object.

    Raises:
        BenchError: a server did not start, or there is no such rung.
    """
    check_names(rungs, [rung.value for rung in Accelerate], "rung")
    comparison = Comparison(repetitions)
    with tempfile.TemporaryDirectory(prefix="realtime-bench-") as folder:
        arms: dict[str, Callable[[], Numbers]] = {OFF: partial(_start, model, OFF, options, Path(folder) / OFF)}
        for rung in rungs:
            if rung != OFF:
                cache = Path(folder) / rung
                arms[f"{rung}, empty cache"] = partial(_start_empty, model, rung, options, Path(folder))
                arms[f"{rung}, warm cache"] = partial(_start, model, rung, options, cache)
                report.progress(f"warming the cache of {rung}")
                _start(model, rung, options, cache)
        runs = comparison.compare("first_frame", arms)
    for arm, found in runs.items():
        if arm != OFF:
            comparison.relate(f"{arm} / {OFF}", found, runs[OFF], "first_picture_s")
        if model == "tiny" and not arm.startswith(Accelerate.OPENVINO.value):
            median = comparison.measured["first_frame"][arm]["first_picture_s"]["median"]
            comparison.want(f"{arm}: first_picture_s", median, LIMIT_S)
    about = report.header("coldstart") | {
        "model": model,
        "settings": {"repetitions": repetitions, "options": list(options)},
    }
    return console.conclude(about, comparison, output)


def _start_empty(model: str, rung: str, options: Sequence[str], folder: Path) -> Numbers:
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        return _start(model, rung, options, Path(cache))


def _start(model: str, rung: str, options: Sequence[str], cache: Path) -> Numbers:
    begin_s = time.monotonic()
    command = (*serve_command(model), "--accelerate", rung, *options)
    with start(*command, settings={"REALTIME_CACHE": str(cache)}) as process:
        listening_s = time.monotonic() - begin_s
        found = asyncio.run(_first(process, begin_s))
        return {"listening_s": round(listening_s, 3)} | found


async def _first(process: Process, begin_s: float) -> Numbers:
    # Different ones: the answer to the same picture again would be a repeat, made without the model.
    first, second = photo_jpegs(2, 256, 256)
    try:
        async with connect(process.websocket_url, ready_timeout_s=READY_TIMEOUT_S) as stream:
            ready_s = time.monotonic() - begin_s
            await stream.restyle(first)
            first_s = time.monotonic() - begin_s
            await stream.restyle(second)
            again_s = time.monotonic() - begin_s - first_s
            rung = await asyncio.to_thread(process.rung)
            climbs = rung is not None and rung.climbs
            climbed_s = await climb(process, stream, (first, second)) - begin_s if climbs else ready_s
    except (OSError, ClientError) as error:
        raise BenchError(f"no first picture: {error}") from error
    return {
        "ready_s": round(ready_s, 3),
        "first_picture_s": round(first_s, 3),
        "next_picture_ms": round(again_s * 1000, 1),
        "highest_rung_s": round(climbed_s, 3),
    }


async def climb(process: Process, stream: Stream, pictures: Sequence[bytes]) -> float:
    """Send frames until the server has said the same rung for a while, and makes none; when it said that first.

    Raises:
        BenchError: it climbs for ever.
    """
    rung: RungState | None = None
    since_s = time.monotonic()
    end_s = since_s + CLIMB_TIMEOUT_S
    for number, picture in enumerate(itertools.cycle(pictures)):
        await stream.restyle(picture)
        await asyncio.sleep(FRAME_EVERY_S)
        if number % LOOK_EVERY:
            continue
        now_s = time.monotonic()
        if now_s > end_s:
            break
        if (said := await asyncio.to_thread(process.rung)) != rung:
            rung, since_s = said, now_s
        elif said is not None and said.doing is None and now_s - since_s > QUIET_S:
            return since_s
    raise BenchError(f"the server still climbs after {CLIMB_TIMEOUT_S:g} s: {rung}")
