"""What was predicted of a GPU, what is wanted and what was measured, from the numbers of the parts.

Predictions were written down before any run on a GPU. Must not measure.
"""

from __future__ import annotations

from typing import Any

Parts = dict[str, Any]
SD_TURBO = "sd-turbo_1_step"


def at(found: Any, *path: str) -> Any:
    """What lies at a path of keys; None where there is nothing."""
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def arm(parts: Parts, part: str, scenario: str, starts: str, number: str = "ms_per_frame") -> float | None:
    """The best of the arms of a comparison whose names start so."""
    arms = at(parts, part, "scenarios", scenario) or {}
    values = [found[number]["median"] for name, found in arms.items() if name.startswith(starts) and number in found]
    return min(values, default=None)


def best(parts: Parts, batch: int) -> float | None:
    """Our best time of a frame of SD-Turbo at this batch, whatever the rung."""
    found: list[float] = []
    for part in ("sd_turbo", "aoti", "compile"):
        arms = at(parts, part, "scenarios", SD_TURBO) or {}
        found += [
            numbers["ms_per_frame"]["median"]
            for name, numbers in arms.items()
            if name.startswith("ours ") and name.endswith(f"batch {batch}")
        ]
    return min(found, default=None)


def exact(parts: Parts, number: str) -> list[float]:
    """A number of every rung that was held against eager mode."""
    rungs = [rung for part in parts.values() for rung in (at(part, "rungs", "exactness") or {}).values()]
    return [float(rung[number]) for rung in rungs]


def over(value: float | None, other: float | None) -> float | None:
    """A ratio of what was measured; None where one of them was not."""
    return round(value / other, 4) if value is not None and other else None


def host(parts: Parts, rung: str) -> float | None:
    """What a frame keeps the engine's thread busy."""
    return at(parts, "sd_turbo", "scenarios", SD_TURBO, f"ours {rung}, batch 1", "host_ms_per_frame", "median")


def engine_rows(parts: Parts) -> list[tuple[str, str, float, float | None, bool]]:
    """The engine alone: name, prediction, limit, measured, and whether the limit is a least."""
    one, eight = best(parts, 1), best(parts, 8)
    stream_diffusion = arm(parts, "sd_turbo", SD_TURBO, "StreamDiffusion")
    stock = at(parts, "sd_turbo", "scenarios", SD_TURBO, "diffusers", "ms_per_frame", "median")
    return [
        ("B1 SD-Turbo 512, batch 1, ms", "4.5 to 8", 5.3, one, False),
        ("B1 ... to StreamDiffusion", "0.22 to 0.35", 0.30, over(one, stream_diffusion), False),
        ("B1 ... to diffusers with KL-VAE and a prompt a frame", "0.05 to 0.1", 0.10, over(one, stock), False),
        ("B1 ... past the goal, ms", "not before compiled graphs", 3.5, one, False),
        ("B2 batch 8, ms a frame", "2.4 to 3.2", 3.3, eight, False),
        ("B2 ... past the goal, ms a frame", "not before compiled graphs", 2.2, eight, False),
        (
            "B4 engine's thread, graphs to eager",
            "0.05 to 0.15",
            0.1,
            over(host(parts, "graphs"), host(parts, "off")),
            False,
        ),
        ("B5 two steps, ms", "6 to 10", 33.0, arm(parts, "steps", "sd-turbo_2_step", "ours"), False),
        ("B5 four steps (LCM), ms", "12 to 20", 33.0, arm(parts, "lcm", "lcm_4_step", "ours"), False),
        (
            "B9 SDXL-Turbo 512, whole frame, ms",
            "10 to 16",
            12.0,
            arm(parts, "sdxl", "sdxl-turbo_1_step", "ours"),
            False,
        ),
    ]


def served_rows(parts: Parts) -> list[tuple[str, str, float, float | None, bool]]:
    """Streams, prompts, starts and exactness; as `engine_rows`."""
    runs = at(parts, "streams", "scenarios") or {}
    carried = [run["clients"] for run in runs.values() if run["carried"]["66"]]
    prompts = at(parts, "streams", "prompts") or {}
    cold, warm = (at(parts, "aoti", "cold_start", cache) or {} for cache in ("empty", "warm"))
    compiled, again = (at(parts, "compile", "cold_start", cache) or {} for cache in ("empty", "warm"))
    started = over(cold.get("first_frame_s"), compiled.get("first_frame_s"))
    restarted = over(warm.get("settled_s"), again.get("settled_s"))
    return [
        ("B3 streams of 30 fps with p95 below 66 ms", "8 to 10", 8, max(carried, default=None), True),
        ("B3 ... past the goal: p95 of twelve, ms", "40 to 80", 50, at(runs, "12_streams", "latency_ms", "p95"), False),
        ("B6 new prompt, frames until it shows, p95", "1 to 2", 2, at(prompts, "new", "frames", "p95"), False),
        ("B6 known prompt, frames until it shows, p95", "1", 1, at(prompts, "known", "frames", "p95"), False),
        ("B7 first frame, empty cache, aoti to torch.compile", "0.05 to 0.2", 0.1, started, False),
        ("B7 compiled frames, warm cache, aoti to torch.compile", "0.2 to 0.5", 0.25, restarted, False),
        (
            "B8 largest difference of latents to eager, relative",
            "1e-3",
            1e-2,
            max(exact(parts, "latents_relative"), default=None),
            False,
        ),
        (
            "B8 largest difference of pictures to eager, relative",
            "1e-3",
            1e-2,
            max(exact(parts, "relative"), default=None),
            False,
        ),
        ("B8 replays bit for bit", "all", 1, min(exact(parts, "repeats_bit_for_bit"), default=None), True),
    ]


def number(row: tuple[str, str, float, float | None, bool]) -> str:
    """A goal's, as it stands before its name."""
    return row[0].split()[0]


def goals(parts: Parts) -> dict[str, dict[str, Any]]:
    """Each goal with its prediction, what is wanted, what was measured, and whether that is met."""
    return {
        name: {
            "predicted": predicted,
            "wanted": f"at {'least' if at_least else 'most'} {limit:g}",
            "measured": value,
            "ok": None if value is None else value >= limit if at_least else value <= limit,
        }
        for name, predicted, limit, value, at_least in sorted(engine_rows(parts) + served_rows(parts), key=number)
    }
