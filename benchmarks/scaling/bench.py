"""`python -m benchmarks scaling`: 10, 100 and 1,000 GPUs, by what was measured of the server and computed of cards.

Must not measure anything itself: every assumption stands here, with its source.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realtime.bench import report
from realtime.bench.measures import Measures

from .cameras import Ticks, capacity, watch
from .fleet import by_name, come_and_go, lost

CARDS = {
    "H100, graphs": Ticks(8.6, 4.9, batches=(1, 2, 4, 8)),
    "H100, packages": Ticks(6.5, 3.9, batches=(1, 2, 4, 8)),
    "H100, packages, every batch": Ticks(6.5, 3.9),
    "RTX 4090, packages": Ticks(15.6, 12.0, batches=(1, 2, 4, 8)),
    "two CPU cores held to AVX2, tiny at 384×384": Ticks(20.0, 20.0, max_rows=1),
}
"""SD-Turbo's shape at 512×512, one step, TAESD. GPUs: computed, ±30 %, from arithmetic and memory traffic; no kernel of
ours has run on one. The CPU's line is measured (`results/server-tiny-avx2.json`)."""
FPS, P95_MS, MOST_DROPPED = 30.0, 50.0, 0.01
CPU_FPS, CPU_P95_MS = 20.0, 100.0
"""What is asked of the embedded model on a CPU."""
CODEC_MS = 1.5
"""To open and seal a JPEG of 512×512: 0.5 ms each on a quiet core, and their waiting (`results/capacity-cpu.json`)."""
SERVER_MS = 1.5
"""Processor time of the server for a frame of 512×512, JPEG both ways, no engine (`results/capacity-cpu.json`)."""
LOOP_MS = 0.2
"""Of it on the event loop, which is one thread: messages, mailboxes, counters."""
FRAME_KB = 40.0
"""Of a JPEG of 512×512 at quality 85, each way."""
VIDEO_MBIT_S = 2.5
"""Of a stream of H.264, each way."""
FLEETS = (10, 100, 1000)
GPUS_A_MACHINE = 8
LOADS = (0.8, 0.9, 0.95)
DETECTED_S = {"process on the same machine": 0.1, "machine, by a heartbeat of 250 ms and a deadline of 1 s": 1.25}


def scaling_bench(output: Path | None = None) -> Measures:
    """Compute all tables. Returns the JSON object."""
    cards = {name: _card(name, ticks) for name, ticks in CARDS.items()}
    card = "H100, packages, every batch"
    each = int(cards[card]["sessions"])
    answer = report.header("scaling") | {
        "kind": "simulated, of computed times a tick on GPUs",
        "assumed": {"fps": FPS, "p95_ms": P95_MS, "most_dropped": MOST_DROPPED, "codec_ms": CODEC_MS, "card": card},
        "cards": cards,
        "fleets": {str(gpus): _fleet(gpus, each) for gpus in FLEETS},
        "front_end": _front_end(),
        "noticed_s": DETECTED_S,
    }
    _show(answer)
    report.put_out(answer, output)
    return answer


def _card(name: str, ticks: Ticks) -> dict[str, Any]:
    is_cpu = ticks.max_rows == 1
    fps, p95_ms = (CPU_FPS, CPU_P95_MS) if is_cpu else (FPS, P95_MS)
    sessions = capacity(ticks, fps, p95_ms, MOST_DROPPED, CODEC_MS)
    full, over = (watch(ticks, max(1, count), fps, 20.0, CODEC_MS) for count in (sessions, sessions + 2))
    return {
        "fps": fps,
        "most_fps": round(ticks.most_fps, 1),
        "sessions": sessions,
        "p95_ms": round(full.p95_ms, 1),
        "two_more": {"p95_ms": round(over.p95_ms, 1), "dropped": round(over.dropped, 3)},
    }


def _fleet(gpus: int, each: int) -> dict[str, Any]:
    front = _front_end()
    most = gpus * each
    rows: dict[str, Any] = {}
    for load in LOADS:
        spread = come_and_go(gpus, each, load)
        rows[f"{load:.0%}"] = {
            "sessions": round(most * load),
            "refused": round(spread.refused, 4),
            "without_room_after_a_gpu": round(lost(gpus, each, load, 1), 3),
            "without_room_after_a_machine": round(lost(gpus, each, load, min(GPUS_A_MACHINE, gpus)), 3),
        }
    front_ends = max(1, -(-most // front["streams_a_process"]))
    spread, moved = by_name(most, front_ends)
    return {
        "sessions_at_most": most,
        "loads": rows,
        "front_ends": front_ends,
        "fullest_front_end_to_mean": round(spread.most / spread.mean, 2),
        "moved_when_one_is_lost": round(moved, 3),
        "gbit_s_each_way": round(most * FPS * FRAME_KB * 8 / 1e6, 1),
    }


def _front_end() -> dict[str, Any]:
    """What one front end carries: its event loop is the limit where pictures are opened and sealed at the engines."""
    return {
        "streams_a_core_with_codecs": int(1000 / (SERVER_MS * FPS)),
        "streams_a_process": int(0.7 * 1000 / (LOOP_MS * FPS)),
        "mbit_s_a_stream_each_way": round(FPS * FRAME_KB * 8 / 1e3, 1),
        # A relay takes in and sends out what goes either way.
        "turn_gbit_s_of_100_streams": round(2 * 2 * 100 * VIDEO_MBIT_S / 1e3, 2),
    }


def _show(answer: dict[str, Any]) -> None:
    cards = (
        [name, f"{card['fps']:g}", str(card["sessions"]), f"{card['p95_ms']:.1f}", f"{card['two_more']['dropped']:.1%}"]
        for name, card in answer["cards"].items()
    )
    columns = ("engine", "fps each", "sessions", "p95 ms", "dropped with two more")
    report.show_table("what one engine carries (simulated; GPUs' times computed)", columns, cards)
    rows = (
        [
            gpus,
            load,
            f"{row['sessions']}",
            f"{row['refused']:.2%}",
            f"{row['without_room_after_a_gpu']:.1%}",
            f"{row['without_room_after_a_machine']:.1%}",
        ]
        for gpus, fleet in answer["fleets"].items()
        for load, row in fleet["loads"].items()
    )
    columns = ("GPUs", "load", "sessions", "refused", "no room: a GPU lost", f"no room: {GPUS_A_MACHINE} lost")
    report.show_table("a fleet, sessions that stay ten minutes", columns, rows)
    fronts = (
        [
            gpus,
            str(fleet["front_ends"]),
            str(fleet["fullest_front_end_to_mean"]),
            f"{fleet['moved_when_one_is_lost']:.1%}",
        ]
        for gpus, fleet in answer["fleets"].items()
    )
    report.show_table("front ends by name", ("GPUs", "front ends", "fullest to mean", "moved when one is lost"), fronts)
