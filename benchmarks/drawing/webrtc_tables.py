"""Tables in Markdown of what WebRTC costs and gains.

Must not know documents, or how it was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .tables import Answer, Row, compared, figure, ratios, spread, table

DELAYS = (
    ("receive_30fps", "stock", "", "received one way, 30 fps: stock"),
    ("receive_30fps", "ours", "", "… released on the marker bit"),
    ("receive_15fps", "stock", "", "received one way, 15 fps: stock"),
    ("receive_15fps", "ours", "", "… released on the marker bit"),
    ("echo", "stock", "", "there and back, 30 fps: stock at both ends"),
    ("echo", "stock_server", "", "… stock server, client that releases on the marker bit"),
    ("echo", "ours", "", "… our server, the same client"),
    ("echo", "ours_split", "in_", "our server one way, in"),
    ("echo", "ours_split", "out_", "our server one way, out"),
)
"""Comparison, arm, what its numbers' names begin with, and what that is for people."""
CPU_ARMS = {"stock": "stock", "stock_at_our_bitrate": "stock, held at our bitrate", "ours": "ours"}
CODECS = ("VP8", "H264")
CONTENTS = {"webcam": "webcam", "diffusion": "restyled"}


def delays_table(answer: Answer) -> str:
    """How long pictures are on their way."""
    found = compared(answer)
    rows: list[Row] = []
    for comparison, arm, begins, words in DELAYS:
        numbers = found[comparison][arm]
        rows.append([words, *(spread(numbers[f"{begins}{share}_ms"]) for share in ("p50", "p95"))])
    return table(["latency, ms", "p50", "p95"], rows)


def overload_table(answer: Answer) -> str:
    """A camera that is too fast for the model."""
    rows = [
        [arm, *(spread(numbers[name]) for name in ("last_p50_ms", "slope_ms_per_s", "fps"))]
        for arm, numbers in compared(answer)["overload"].items()
    ]
    return table(["", "latency at the end, p50 ms", "its growth, ms/s", "fps"], rows)


def encoders_table(answer: Answer) -> str:
    """What a picture takes to encode, and how it looks."""
    found = compared(answer)
    clips = [found[f"encoders_{content}"] for content in CONTENTS]
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "ms": lambda numbers: figure(numbers["p50_ms"]["median"]),
        "p95": lambda numbers: figure(numbers["p95_ms"]["median"]),
        "dB": lambda numbers: f"{numbers['psnr_db']['median']:.1f}",
    }
    head = [""] + [
        f"{words}: {column}" if column == "ms" else column for words in CONTENTS.values() for column in columns
    ]
    rows = [[arm, *(cell(clip[arm]) for clip in clips for cell in columns.values())] for arm in clips[0]]
    return table(head, rows)


def viewers_table(answer: Answer) -> str:
    """What viewers of one session cost the server."""
    arms = compared(answer)["viewers"]
    added = "per_added_viewer"
    counts = [arm.removeprefix("ours_") for arm in arms if arm.startswith("ours_") and not arm.endswith(added)]
    rows: list[Row] = []
    for side, words in {"ours": "ours: one encoding", "stock": "stock `MediaRelay`: an encoding each"}.items():
        used = [figure(arms[f"{side}_{count}"]["server_cpu_ms_per_s"]["median"]) for count in counts]
        each = figure(arms[f"{side}_{counts[-1]}"]["viewer_mbit_per_s"]["median"])
        rows.append([words, *used, spread(arms[f"{side}_{added}"]["ms_per_s"]), each])
    return table(["viewers", *counts, "each further one", "Mbit/s each"], rows)


def cpu_table(answer: Answer) -> str:
    """What a frame of an echo costs the server, ms of its processor."""
    found = compared(answer)
    rows: list[Row] = []
    for arm, words in CPU_ARMS.items():
        numbers = [found[f"cpu_{codec}"][arm] for codec in CODECS]
        cells = [(spread(n["server_cpu_ms_per_frame"]), figure(n["received_mbit_per_s"]["median"])) for n in numbers]
        rows.append([words, *(cell for pair in cells for cell in pair)])
    for name, words in {"cpu": "ours to stock", "cpu_at_our_bitrate": "ours to stock at our bitrate"}.items():
        rows.append([words, *(cell for codec in CODECS for cell in (spread(ratios(answer)[f"{name}_{codec}"]), ""))])
    return table(["", *(cell for codec in CODECS for cell in (codec, "Mbit/s out"))], rows)
