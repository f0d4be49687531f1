"""The figures that a reader wants first, out of the results of all benches.

Must not know documents, or measure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .tables import VERDICTS, Row, figure, ratios, table


class Figure(NamedTuple):
    """One of them.

    Attributes:
        words: what it is.
        result: the file that has it.
        name: of its target there, of its ratio, or of how many streams were carried.
        unit: behind the number.
    """

    words: str
    result: str
    name: str
    unit: str = ""


FIGURES = (
    Figure("what the server adds to a frame of 512×512, p50", "server-cpu", "one_client_512_added_p50_ms", " ms"),
    Figure("share of the engine's rate that is delivered", "server-cpu", "throughput_2x_echo_10_of_capacity"),
    Figure("four cameras of 30 fps, 10 ms engine: p50", "server-cpu", "four_clients_staggered_p50_ms", " ms"),
    Figure(
        "… to StreamDiffusion's demo server around the same engine", "server-beside", "demo_4_clients_p50_ms_to_demo"
    ),
    Figure("a still camera: frames that are run are cut by", "server-cpu", "still_runs_cut_by", " times"),
    Figure(
        "twice the possible load: latency grows by",
        "server-cpu",
        "overload_latency_slope_ms_per_s",
        " ms a second",
    ),
    Figure("streams of 30 fps that a 10 ms engine carries, p95 below 66 ms", "capacity-cpu", "p95_below_66_ms"),
    Figure("embedded model, one step, by WebSocket, AVX2 only: 256×256", "server-tiny-avx2", "rungs_256_fps", " fps"),
    Figure("… 384×384, its default", "server-tiny-avx2", "rungs_384_fps", " fps"),
    Figure("… 512×512", "server-tiny-avx2", "rungs_512_fps", " fps"),
    Figure("… with AVX-512 and bfloat16: 384×384", "server-tiny-cpu", "rungs_384_fps", " fps"),
    Figure("… 256×256, to eager mode", "server-tiny-cpu", "rungs_256_fps_to_eager", " times"),
    Figure(
        "start of the process to the first picture, empty cache",
        "coldstart-cpu",
        "auto, empty cache: first_picture_s",
        " s",
    ),
    Figure(
        "SD-Turbo's shape, 512×512, one step: a frame's time to diffusers' with TAESD",
        "engine-cpu",
        "sd-turbo_1_step: ours openvino, batch 1 / diffusers, TAESD",
    ),
    Figure("WebRTC, there and back: p50 to stock aiortc's", "webrtc-delays-cpu", "echo_p50_to_stock"),
)


def headline_table(results: Path) -> str:
    """Each figure with what was wanted of it, and every target of any bench that was missed.

    Args:
        results: the folder of the benches' JSON objects.
    """
    figures = table(["", "measured", "wanted", "", "from"], [_row(wanted, results) for wanted in FIGURES])
    return f"{figures}\n{_missed(results)}"


def _missed(results: Path) -> str:
    targets = [
        (file.stem, name, target)
        for file in sorted(results.glob("*.json"))
        for name, target in json.loads(file.read_text()).get("targets", {}).items()
    ]
    missed = [
        f"- `{result}`: {name}, {figure(target['value'])} ({target['wanted']} {target['limit']:g})\n"
        for result, name, target in targets
        if not target["ok"]
    ]
    return f"Missed, of {len(targets)} targets in all results: {len(missed)}.\n\n{''.join(missed)}"


def _row(wanted: Figure, results: Path) -> Row:
    file = results / f"{wanted.result}.json"
    answer: Mapping[str, Any] = json.loads(file.read_text()) if file.exists() else {"scenarios": {}}
    cells: Sequence[str] = ("not measured yet", "", "")
    if target := answer.get("targets", {}).get(wanted.name):
        limit = f"{target['wanted']} {target['limit']:g}"
        cells = (f"{figure(target['value'])}{wanted.unit}", limit, VERDICTS[target["ok"]])
    elif ratio := ratios(answer).get(wanted.name):
        cells = (f"{figure(ratio['median'])}{wanted.unit}", "", "")
    elif (streams := answer.get("streams", {}).get(wanted.name)) is not None:
        cells = (str(streams), "", "")
    return [wanted.words, *cells, f"`{wanted.result}`"]
