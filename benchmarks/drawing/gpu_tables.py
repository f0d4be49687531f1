"""Tables in Markdown of what was measured on a GPU. Each figure has its place before it is measured.

Must not know documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime.config import VARIANT_NAMES

from ..gpu.goals import COMPUTED_SHARES, ROWS, SD_TURBO, at, expected, goals
from ..gpu.plan import BATCHES, BUILDS, RUNS
from ..gpu.serving import LIVE_P95_MS, STREAMS
from .engine_tables import arm_name
from .tables import VERDICTS, Answer, Row, figure, spread, table

NOTHING: Answer = {"parts": {}, "runs": {}}
"""The answer of no run."""
OPEN = "not yet"
ENDS = (BATCHES[0], BATCHES[-1])
RUNGS = {"off": "regions", "graphs": "regions", "aoti": "aoti"}
"""Rungs, and the part that has the times of their regions."""
REGIONS = {"opening_ms": "opening", "step_ms": "step", "closing_ms": "closing", "tick_ms": "tick"}
COMPUTED = {
    ("graphs", 1, "tick_ms"): "8.6 (8.2)",
    ("graphs", 8, "tick_ms"): "4.9 (4.5)",
    ("aoti", 1, "step_ms"): "4.7",
    ("aoti", 1, "tick_ms"): "6.5 (6.2)",
    ("aoti", 8, "tick_ms"): "3.9 (3.6)",
}
"""Milliseconds a frame as they were computed for an H100, and an H200."""
ARMS = (
    *(f"ours graphs, batch {batch}" for batch in BATCHES),
    *(f"ours off, batch {batch}" for batch in ENDS),
    "StreamDiffusion",
    "diffusers, TAESD",
    "diffusers",
)
VARIANTS = (
    "as served",
    "cuDNN's attention",
    "cudnn.benchmark",
    "contiguous",
    *VARIANT_NAMES,
    "products, tuned",
)
KINDS = ("encode", "step", "decode")
LADDERS = ("ladder to 1", "ladder to 4", "ladder to 8")


def value(found: Any, *path: str) -> str:
    """A number at a path of keys, or that there is none yet."""
    number = at(found, *path)
    return OPEN if number is None else figure(number) if isinstance(number, float) else str(number)


def goals_table(answer: Answer) -> str:
    """What was predicted of a GPU, what is wanted and what was measured."""
    held: Mapping[str, Any] = answer.get("goals") or goals(answer["parts"])
    rows = [
        [
            name,
            goal["predicted"],
            goal["wanted"],
            OPEN if goal["measured"] is None else str(goal["measured"]),
            VERDICTS[goal["ok"]],
        ]
        for name, goal in held.items()
    ]
    return table(["goal", "predicted, H100 (H200)", "wanted", "measured", ""], rows)


def times_table(answer: Answer) -> str:
    """A frame of SD-Turbo's shape with each rung and batch, and with others."""
    parts = answer["parts"]
    rows: list[Row] = []
    for arm in (*ARMS, *(f"ours aoti, batch {batch}" for batch in ENDS), "ours compile, batch 1"):
        part = "aoti" if arm.startswith("ours aoti") else "compile" if arm.startswith("ours compile") else "engine"
        found = at(parts, part, "scenarios", SD_TURBO, arm) or {}
        ms = spread(found["ms_per_frame"]) if "ms_per_frame" in found else OPEN
        others = [value(found, number, "median") for number in ("pipelined_ms_per_frame", "host_ms_per_frame")]
        rows.append([arm_name(arm), ms, *(others if arm.startswith("ours") else ("", ""))])
    return table(["SD-Turbo, 512×512, 1 step", "ms a frame", "pipelined", "host"], rows)


def regions_table(answer: Answer) -> str:
    """Where a frame's time goes, beside what was computed."""
    rows: list[Row] = []
    for rung, part in RUNGS.items():
        for batch in ENDS:
            cells: list[str] = []
            for name in REGIONS:
                computed = COMPUTED.get((rung, batch, name))
                cells.append(
                    value(answer["parts"], part, "regions", rung, f"batch_{batch}", name)
                    + (f", computed {computed}" if computed else "")
                )
            rows.append([arm_name(f"ours {rung}, batch {batch}").removeprefix("ours, "), *cells])
    return table(["ms a frame", *REGIONS.values()], rows)


def works_table(answer: Answer) -> str:
    """Tests, hazards and exactness."""
    tests, told = at(answer["parts"], "tests") or {}, at(answer["parts"], "hazards", "hazards") or {}
    failed = ", ".join(f"`{name}`" for name in tests.get("failed", {})) or ("none" if tests else OPEN)
    rows: list[Row] = [
        ["tests that passed", value(tests, "passed")],
        ["tests that failed", failed],
        ["ticks, two in flight, everything mixed", value(told, "ticks")],
        ["pictures held against eager mode's, alone", value(told, "pictures")],
        ["mixed up or broken; failed", f"{value(told, 'wrong')}; {value(told, 'failures')}"],
        ["relative difference, median; largest", f"{value(told, 'median')}; {value(told, 'largest')}"],
    ]
    exactness = {**(at(answer["parts"], "engine", "exactness") or {})} | (
        at(answer["parts"], "aoti", "exactness") or {}
    )
    rungs = [("graphs", batch) for batch in (1, 3, 8)] + [("aoti", batch) for batch in ENDS]
    for rung, batch in rungs:
        exact = exactness.get(f"{rung}, batch {batch}")
        latents = value(exact, "latents_relative")
        rows.append([f"latents of {rung}, batch {batch}, to eager's, relative", latents])
    return table(["does it work", ""], rows)


def streams_table(answer: Answer) -> str:
    """Streams of 30 fps on graphs and on packages."""
    rows: list[Row] = []
    for part, rung in {"streams": "graphs", "packed_streams": "packages"}.items():
        for count in sorted(STREAMS):
            run = at(answer["parts"], part, "scenarios", f"{count}_streams")
            live = at(run, "carried", f"{LIVE_P95_MS:g}")
            dropped = None if run is None else 1 - run["delivered"] / run["sent"]
            rows.append(
                [
                    f"{count}, {rung}",
                    value(run, "latency_ms", "p50"),
                    value(run, "latency_ms", "p95"),
                    value(run, "fps_slowest_client"),
                    OPEN if dropped is None else f"{dropped:.1%}",
                    OPEN if live is None else "yes" if live else "no",
                ]
            )
    head = [
        "streams of 30 fps",
        "p50 ms",
        "p95",
        "slowest, fps",
        "without a picture",
        f"live: p95 < {LIVE_P95_MS:g} ms",
    ]
    prompts: list[Row] = []
    for part, rung in {"streams": "graphs", "packed_streams": "packages"}.items():
        for kind in ("new", "known"):
            cells = [value(answer["parts"], part, "prompts", kind, of, "p95") for of in ("ms", "frames")]
            prompts.append([f"{kind}, {rung}", *cells])
    return f"{table(head, rows)}\n{table(['a prompt, until it shows', 'ms, p95', 'frames'], prompts)}"


def variants_table(answer: Answer) -> str:
    """Each region otherwise than it is served, alone in a graph."""
    found: Mapping[str, Any] = at(answer["parts"], "variants", "variants") or {}
    rows: list[Row] = []
    for name in VARIANTS:
        told = found.get(name, {})
        # A variant that was measured leaves out the regions that it does not change.
        cells = [
            value(told, f"batch_{batch}", f"{kind}_ms")
            if not told or f"{kind}_ms" in told.get(f"batch_{batch}", {})
            else ""
            for batch in ENDS
            for kind in KINDS
        ]
        first = [at(told, f"batch_{batch}", f"{kind}_first_call_ms") for batch in ENDS for kind in KINDS]
        calls = [one for one in first if one is not None]
        longest = figure(max(calls)) if calls else OPEN if not told else ""
        rows.append([name, *cells, longest, told.get("note", "")])
    head = [f"{kind}, batch {batch}" for batch in ENDS for kind in KINDS]
    whole: list[Row] = [
        [way, *(value(answer["parts"], "one_graph", "one_graph", way, f"batch_{batch}") for batch in ENDS)]
        for way in ("one graph", "three graphs")
    ]
    ways = table(["all of a frame of one step, ms a frame", *(f"batch {batch}" for batch in ENDS)], whole)
    return f"{table(['ms a frame', *head, 'longest first call', ''], rows)}\n{ways}"


def builds_table(answer: Answer) -> str:
    """How long packages take to build, stage by stage."""
    rows: list[Row] = []
    for part in BUILDS:
        for kind in ("step", "encode", "decode"):
            told = at(answer["parts"], part, "packages", kind) or {}
            stages: Mapping[str, float] = told.get("stages_s", {})
            longest = ", ".join(f"`{name}` {seconds:g}" for name, seconds in list(stages.items())[:5])
            rows.append([f"{kind}, batch {part.rpartition('_')[2]}", value(told, "seconds"), longest])
    return table(["package", "s", "stages, s: one may contain others"], rows)


def sizes_table(answer: Answer) -> str:
    """First calls at a new size, and memory."""
    calls: Mapping[str, list[float]] = at(answer["parts"], "sizes", "first_calls") or {
        f"a new size, batch {batch}": [] for batch in ENDS
    }
    rows = [[name, " · ".join(map(figure, times)) or OPEN] for name, times in calls.items()]
    memory: Mapping[str, Any] = at(answer["parts"], "sizes", "memory") or {}
    for name in ("with both engines", *LADDERS):
        told = ", ".join(f"{of.removesuffix('_mb')} {mb:.0f} MB" for of, mb in memory.get(name, {}).items())
        rows.append([f"memory: {name}", told or OPEN])
    return table(["", "first calls, ms; what more memory"], rows)


LOOKS = {"nets": "SD-Turbo", "contexts": "SD-Turbo", "sdxl_nets": "SDXL-Turbo"}
"""Parts, and the shape that they are of."""
STEERED = (1, 4, 8)
"""Rows of eight; contexts are measured on the first and the last of these."""
KIND_NAMES = {
    "controlnet": "ControlNet",
    "depth": "depth and ControlNet",
    "union": "union",
    "adapter": "T2I-Adapter",
    "negative": "negative prompt",
    "picture": "reference picture",
    "both": "both",
}


def looks_table(answer: Answer) -> str:
    """Ticks of eight rows of which some are steered, or hear contexts, beside plain ones, and what was computed."""
    rows: list[Row] = []
    for part, shape in LOOKS.items():
        name = part.removeprefix("sdxl_")
        plain = value(answer["parts"], part, f"{name}_tick_ms", "plain")
        what = "plain, beside contexts" if part == "contexts" else "plain"
        rows.append([f"{shape}, {what}", plain, *[""] * len(STEERED)])
        for kind in (kind for of, kind in COMPUTED_SHARES if of == part):
            cells: list[str] = []
            for count in STEERED:
                if part == "contexts" and count not in (STEERED[0], STEERED[-1]):
                    cells.append("")
                    continue
                arm = f"{kind}, {count} of {ROWS}"
                ms, ratio = (value(answer["parts"], part, f"{name}_{of}", arm) for of in ("tick_ms", "to_plain"))
                cells.append(f"{ms}, {ratio}, computed {expected(part, kind, count):g}")
            rows.append([f"{shape}, {KIND_NAMES[kind]}", "", *cells])
    head = ["512×512, 1 step, eight rows a tick", "ms", *(f"{count} of {ROWS}: ms, to plain" for count in STEERED)]
    return table(head, rows)


def runs_table(answer: Answer) -> str:
    """The runs, and what there was no time, memory or library for."""
    rows: list[Row] = []
    for run, plan in RUNS.items():
        told = answer["runs"].get(str(run), {})
        without = "; ".join(f"{name}: {note}" for name, note in told.get("without", {}).items())
        rows.append([f"{run}: {plan.answers}", value(told, "took_s"), value(told, "accelerator"), without])
    return table(["run", "s", "on", "without"], rows)
