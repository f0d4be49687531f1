"""What was predicted of a GPU, what is wanted and what was measured, from the numbers of the parts.

Predictions were computed before any run on a GPU, for an H100 and, in brackets, an H200, ±30 %. Must not measure.
"""

from __future__ import annotations

from typing import Any

Parts = dict[str, Any]
Row = tuple[str, str, float, float | None, bool]
"""Name, prediction, limit, what was measured, and whether the limit is a least."""
SD_TURBO = "sd-turbo_1_step"
COMPUTED_SHARES = {
    ("nets", "controlnet"): 0.27,
    ("nets", "depth"): 0.30,
    ("nets", "union"): 0.31,
    ("nets", "adapter"): 0.056,
    ("sdxl_nets", "controlnet"): 0.38,
    ("sdxl_nets", "union"): 0.41,
    ("sdxl_nets", "adapter"): 0.032,
    ("contexts", "negative"): 0.05,
    ("contexts", "picture"): 0.01,
    ("contexts", "both"): 0.06,
}
"""What nets and contexts add to a frame of 512×512 with one step and TAESD, as shares of it, by part and kind.
Of nets it is their arithmetic, counted on networks without weights; of contexts it is estimated.
"""
ROWS = 8
LIVE = "50"
"""Milliseconds of p95 below which a stream is live."""


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
    for part in ("engine", "aoti", "compile"):
        arms = at(parts, part, "scenarios", SD_TURBO) or {}
        found += [
            numbers["ms_per_frame"]["median"]
            for name, numbers in arms.items()
            if name.startswith("ours ") and name.endswith(f"batch {batch}")
        ]
    return min(found, default=None)


def exact(parts: Parts, number: str) -> list[float]:
    """A number of every rung that was held against eager mode."""
    found = [at(part, "exactness") or at(part, "rungs", "exactness") or {} for part in parts.values()]
    return [float(rung[number]) for rungs in found for rung in rungs.values()]


def over(value: float | None, other: float | None) -> float | None:
    """A ratio of what was measured; None where one of them was not."""
    return round(value / other, 4) if value is not None and other else None


def host(parts: Parts, rung: str) -> float | None:
    """What a frame keeps the engine's thread busy."""
    return at(parts, "engine", "scenarios", SD_TURBO, f"ours {rung}, batch 1", "host_ms_per_frame", "median")


def streams(parts: Parts) -> int | None:
    """The most streams of 30 fps that are live, on graphs or packages; 0 where none of what was tried is."""
    runs = [run for part in ("streams", "packed_streams") for run in (at(parts, part, "scenarios") or {}).values()]
    if not runs:
        return None
    return max((run["clients"] for run in runs if run["carried"].get(LIVE)), default=0)


def total(found: Any, *names: str) -> int | None:
    """The sum of some counts, where lists and objects count what is in them; None where there is nothing."""
    if not found:
        return None
    return sum(value if isinstance(value := found.get(name, 0), int) else len(value) for name in names)


def engine_rows(parts: Parts) -> list[Row]:
    """The engine alone."""
    one, eight, twelve = best(parts, 1), best(parts, 8), streams(parts)
    stream_diffusion = arm(parts, "engine", SD_TURBO, "StreamDiffusion")
    stock = at(parts, "engine", "scenarios", SD_TURBO, "diffusers", "ms_per_frame", "median")
    thread = over(host(parts, "graphs"), host(parts, "off"))
    return [
        ("B1 SD-Turbo 512, batch 1, ms", "graphs 8.6 (8.2), packages 6.5 (6.2)", 7, one, False),
        ("B1 ... next", "5, with what is planned", 5, one, False),
        ("B1 ... the aim", "missed", 3.5, one, False),
        ("B1 ... to StreamDiffusion", "graphs 0.5, packages 0.4", 0.45, over(one, stream_diffusion), False),
        ("B1 ... to diffusers with KL-VAE and a prompt a frame", "0.05 to 0.1", 0.10, over(one, stock), False),
        ("B2 batch 8, ms a frame", "graphs 4.9 (4.5), packages 3.9 (3.6)", 4.5, eight, False),
        ("B2 ... next, ms a frame", "3.2, with what is planned", 3, eight, False),
        ("B2 ... the aim, ms a frame", "missed", 2.2, eight, False),
        ("B3 streams of 30 fps with p95 below 50 ms", "graphs 4, packages 6", 8, twelve, True),
        ("B3 ... next", "10, with what is planned", 10, twelve, True),
        ("B3 ... the aim", "missed", 12, twelve, True),
        ("B4 engine's thread, graphs to eager", "0.03 to 0.05", 0.1, thread, False),
        ("B5 two steps, ms", "graphs 15", 33, arm(parts, "steps", "sd-turbo_2_step", "ours"), False),
        ("B5 four steps, ms", "graphs 28", 33, arm(parts, "steps", "sd-turbo_4_step", "ours"), False),
        ("B9 SDXL-Turbo 512, ms", "graphs 15", 12, arm(parts, "sdxl", "sdxl-turbo_1_step", "ours"), False),
    ]


def served_rows(parts: Parts) -> list[Row]:
    """Prompts, starts, exactness, and whether it works at all."""
    prompts = at(parts, "streams", "prompts") or {}
    cold, (compiled, again) = (
        at(parts, "aoti", "rungs", "aoti") or {},
        (at(parts, "compile", "cold_start", cache) or {} for cache in ("empty", "warm")),
    )
    first = [max(times) for times in (at(parts, "sizes", "first_calls") or {}).values()]
    steps = [at(parts, part, "packages", "step", "seconds") for part in ("build_1", "build_8")]
    return [
        ("B6 new prompt, frames until it shows, p95", "1 to 2", 2, at(prompts, "new", "frames", "p95"), False),
        ("B6 known prompt, frames until it shows, p95", "1", 1, at(prompts, "known", "frames", "p95"), False),
        (
            "B7 first frame, aoti to torch.compile",
            "0.05 to 0.2",
            0.1,
            over(cold.get("first_frame_s"), compiled.get("first_frame_s")),
            False,
        ),
        (
            "B7 compiled frames, warm cache, aoti to torch.compile",
            "0.2 to 0.5",
            0.25,
            over(cold.get("settled_s"), again.get("settled_s")),
            False,
        ),
        (
            "B7 building the longest package, s",
            "100 to 150",
            150,
            max((one for one in steps if one is not None), default=None),
            False,
        ),
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
        (
            "C1 hazards: pictures that are mixed up or broken",
            "0",
            0,
            total(at(parts, "hazards", "hazards"), "wrong", "failures"),
            False,
        ),
        ("C2 tests on the device that fail", "0", 0, total(parts.get("tests"), "failed"), False),
        ("C3 longest call at a new size, ms", "100 to 300", 300, max(first, default=None), False),
        ("C4 longest gap while the model changes, ms", "40 to 60", 67, at(parts, "swap", "longest_gap_ms"), False),
    ]


def expected(part: str, kind: str, count: int) -> float:
    """What a tick of eight rows of which so many want this takes, to a plain one, by `COMPUTED_SHARES`."""
    return round(1 + COMPUTED_SHARES[part, kind] * count / ROWS, 3)


def looks_rows(parts: Parts) -> list[Row]:
    """What nets and contexts cost: ticks in which some of eight rows want them, to plain ones."""

    def row(name: str, part: str, kind: str, count: int, limit: float) -> Row:
        measured = at(parts, part, f"{part.removeprefix('sdxl_')}_to_plain", f"{kind}, {count} of {ROWS}")
        return name, f"{expected(part, kind, count):g}", limit, measured, False

    return [
        row("D1 tick with a ControlNet on 8 of 8 rows, to plain", "nets", "controlnet", 8, 1.35),
        row("D1 ... on 4 of 8", "nets", "controlnet", 4, 1.2),
        row("D1 ... on 1 of 8", "nets", "controlnet", 1, 1.1),
        row("D2 tick with depth and a ControlNet on 8 of 8 rows, to plain", "nets", "depth", 8, 1.4),
        row("D3 tick with a T2I-Adapter on 8 of 8 rows, to plain", "nets", "adapter", 8, 1.1),
        row("D4 tick with a negative prompt on 8 of 8 rows, to plain", "contexts", "negative", 8, 1.1),
        row("D5 tick with a reference picture on 8 of 8 rows, to plain", "contexts", "picture", 8, 1.05),
        row("D6 SDXL: tick with a union on 8 of 8 rows, to plain", "sdxl_nets", "union", 8, 1.5),
    ]


def number(row: Row) -> str:
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
        for name, predicted, limit, value, at_least in sorted(
            engine_rows(parts) + served_rows(parts) + looks_rows(parts), key=number
        )
    }
