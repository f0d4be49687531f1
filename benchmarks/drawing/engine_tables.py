"""Tables in Markdown of the engine alone: times, ratios, what each rung is and how exact.

Must not know documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tables import Answer, Row, compared, figure, ratios, spread, table

RUNGS = {
    "off": "eager",
    "openvino": "OpenVINO",
    "openvino:float32": "OpenVINO in float32",
    "compile": "torch.compile",
    "aoti": "AOTInductor",
}
"""What people call them, where `--accelerate` has other words."""
NUMBERS = {
    "ms_per_frame": "ms a frame",
    "encode_ms": "encoding",
    "step_ms": "steps",
    "decode_ms": "decoding",
    "pipelined_ms_per_frame": "pipelined",
    "host_ms_per_frame": "host",
}


def rung_name(rung: str) -> str:
    """For people."""
    return RUNGS.get(rung, rung)


def arm_name(arm: str) -> str:
    """`ours off, batch 1` for people; one frame a tick goes without saying."""
    if not arm.startswith("ours "):
        return arm
    rung, _, batch = arm.removeprefix("ours ").rpartition(", ")
    return f"ours, {rung_name(rung)}" + ("" if batch == "batch 1" else f", {batch}")


def scenario_name(answer: Answer, name: str) -> str:
    """`sd-turbo_1_step` for people, with the size of its pictures."""
    shape, steps, _ = name.rsplit("_", 2)
    side: int = answer["settings"]["side_px"][shape]
    return f"{shape}, {side}×{side}, {steps} step{'' if steps == '1' else 's'}"


def times_tables(answer: Answer) -> str:
    """What a frame takes with everybody, and in our regions."""
    parts: list[str] = []
    for name, arms in compared(answer).items():
        numbers = [number for number in NUMBERS if any(number in found for found in arms.values())]
        rows: list[Row] = []
        for arm, found in arms.items():
            rest = [figure(found[number]["median"]) if number in found else "" for number in numbers[1:]]
            rows.append([arm_name(arm), spread(found["ms_per_frame"]), *rest])
        parts.append(table([scenario_name(answer, name), *(NUMBERS[number] for number in numbers)], rows))
    return "\n".join(parts)


def times_to_others_tables(answer: Answer) -> str:
    """Each of ours, its time a frame over that of each other."""
    by_scenario: dict[str, dict[str, dict[str, str]]] = {}
    for name, ratio in ratios(answer).items():
        scenario, _, pair = name.partition(": ")
        ours, _, other = pair.partition(" / ")
        by_scenario.setdefault(scenario, {}).setdefault(ours, {})[other] = spread(ratio)
    parts: list[str] = []
    for scenario, rows in by_scenario.items():
        others = list(dict.fromkeys(other for row in rows.values() for other in row))
        head = [f"{scenario_name(answer, scenario)}: time to that of", *map(arm_name, others)]
        parts.append(table(head, [[arm_name(arm), *(row.get(o, "") for o in others)] for arm, row in rows.items()]))
    return "\n".join(parts)


def exactness_table(answer: Answer) -> str:
    """What each rung is, and how far what it makes is from eager mode's."""
    found: Mapping[str, Any] = answer["rungs"]
    rows = [
        [
            f"{shape}: {rung_name(rung)}",
            facts["rungs"][rung]["what"],
            f"{exact['latents_relative']:.1e}" if exact["latents_relative"] else "0",
            f"{exact['relative']:.1e}" if exact["relative"] else "0",
            f"{exact['largest_levels']:g}",
            "yes" if exact["repeats_bit_for_bit"] else "no",
        ]
        for shape, facts in found.items()
        for rung, exact in facts["exactness"].items()
    ]
    head = ["rung", "what runs", "latents, relative", "pictures, relative", "levels of 255, most", "the same twice"]
    return table(head, rows)
