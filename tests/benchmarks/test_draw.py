"""benchmarks.drawing: what is kept in benchmarks/results is what docs/performance.md shows."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.drawing import draw, engine_tables, gpu_tables, headline, page_tables, plots, tables, webrtc_tables
from benchmarks.gpu import goals, variants

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "benchmarks" / "results"


def test_redrawing_from_the_kept_results_changes_nothing(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "images", tmp_path / "images")
    document = shutil.copy(PAGE, tmp_path)

    assert draw.redraw(Path(document), RESULTS, tmp_path / "images") == []


def test_every_kept_result_is_shown_and_says_how_it_was_made() -> None:
    shown = {name for _, name, _, _ in draw.SECTION.findall(PAGE.read_text())}
    listed = re.findall(r"^\| `results/(\S+)\.json` \|", (ROOT / "benchmarks" / "README.md").read_text(), re.MULTILINE)

    assert {file.stem for file in RESULTS.glob("*.json")} <= shown & set(listed)


def spread_of(median: float, least: float | None = None, most: float | None = None) -> dict[str, float]:
    return {
        "median": median,
        "least": median if least is None else least,
        "most": median if most is None else most,
    }


def a_run(p50: float, p95: float) -> dict[str, object]:
    latency = {"p50": p50, "p95": p95, "p99": p95, "max": p95}
    counts = {"sent": 3, "delivered": 2, "dropped": {"superseded": 1}}
    return {"fps": 30.0, "latency_ms": latency, "interval_ms": {"sd": 1.0}, **counts}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    target = {"wanted": "at most", "limit": 3, "value": 4.0, "ok": False}
    answer = {
        "model": "echo & <co>",
        "version": "1.0",
        "commit": "abc",
        "device": "a CPU",
        "python": "3.11",
        "load_average": [0.5, 1, 2],
        "settings": {"busy": 2},
        "scenarios": {"one": a_run(10, 20)},
        "comparisons": {
            "codec": {"ours": {"ms": spread_of(1.5)}},
            "ratios": {"codec": spread_of(0.5, 0.4, 0.6)},
            "socket": {"ours": {"ms": spread_of(0.25)}, "stock": {"us": spread_of(39020)}},
            "other": {"stock": {"ms": spread_of(2)}},
        },
        "targets": {"limit": target},
    }
    (tmp_path / "some.json").write_text(json.dumps(answer))
    document = tmp_path / "page.md"
    kinds = ("machine", "runs", "targets", "arms", "plot")
    sections = "".join(f"<!-- drawn: some {kind} -->\nold\n<!-- /drawn -->\n" for kind in kinds)
    document.write_text(f"before\n{sections}after\n<!-- drawn: other runs -->\n<!-- /drawn -->\n")
    return document


def test_sections_are_redrawn_and_the_rest_is_left(page: Path) -> None:
    changed = draw.redraw(page, page.parent, page.parent / "images")

    text = page.read_text()
    assert changed == [page.parent / "images" / "some.svg", page]
    assert text.startswith("before\n") and "\nafter\n" in text and "old" not in text
    assert "| `one` | 30.0 | 10.0 | 20.0 | 20.0 | 20.0 | 1.0 | 3 | 2 | 0 | 1 |  |" in text
    assert "\n1.0 (abc) on a CPU, Python 3.11; load at the start 0.5, beside 2 processes that only count.\n" in text
    assert "| `limit` | at most 3 | 4.000 | miss |" in text
    assert "](images/some.svg)" in text
    assert "<!-- drawn: other runs -->\nNot measured yet.\n" in text
    assert draw.redraw(page, page.parent, page.parent / "images") == []


def test_comparisons_of_the_same_numbers_share_a_table_and_ratios_come_last(page: Path) -> None:
    draw.redraw(page, page.parent, page.parent / "images")

    text = page.read_text()
    assert "|  |  | ms |\n| --- | --- | --- |\n| `codec` | ours | 1.50 |\n| `other` | stock | 2.00 |\n\n" in text
    assert "| `socket` | ms | us |\n| --- | --- | --- |\n| ours | 0.250 |  |\n| stock |  | 39020 |\n\n| ours to" in text
    assert "| codec | 0.500 | 0.400 | 0.600 |\n<!-- /drawn -->" in text


def test_streams_carried_are_told_in_words() -> None:
    answer = {"settings": {"fps": 30.0}, "streams": {"p95_below_66_ms": 9, "p95_below_100_ms": 10}}
    assert tables.streams_line(answer) == "Carried of 30 fps: 9 with p95 below 66 ms, 10 with p95 below 100 ms.\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (4909.4, "4909"), (41.17, "41.2"), (1, "1.00"), (0.0171, "0.0171"), (-0.05, "-0.0500")],
)
def test_a_figure_keeps_three_digits_that_count(value: float, text: str) -> None:
    assert tables.figure(value) == text


def test_a_spread_is_left_out_where_there_is_none() -> None:
    assert tables.spread(spread_of(2)) == "2.00"
    assert tables.spread(spread_of(2, 1.5, 30)) == "2.00 (1.50–30.0)"


def test_a_plot_escapes_names_and_knows_the_dark(page: Path) -> None:
    draw.redraw(page, page.parent, page.parent / "images")
    plot = (page.parent / "images" / "some.svg").read_text()
    assert "echo &amp; &lt;co&gt;: latency in ms" in plot and "prefers-color-scheme:dark" in plot
    assert plot.count("<rect") == 2


@pytest.mark.parametrize("section", ["some cake", "some headline", "all runs"])
def test_an_unknown_kind_is_refused(page: Path, section: str) -> None:
    page.write_text(f"<!-- drawn: {section} -->\n<!-- /drawn -->\n")
    with pytest.raises(ValueError, match=section.split()[1]):
        draw.redraw(page, page.parent, page.parent / "images")


@pytest.fixture
def engine() -> dict[str, Any]:
    def arm(ms: float, **more: float) -> dict[str, Any]:
        return {"ms_per_frame": spread_of(ms, ms - 1, ms + 1)} | {n: spread_of(v) for n, v in more.items()}

    exact = {"latents_relative": 2e-5, "relative": 0.0, "largest_levels": 1.0, "repeats_bit_for_bit": False}
    return {
        "settings": {"side_px": {"tiny": 256}},
        "scenarios": {
            "tiny_1_step": {"ours off, batch 1": arm(40, encode_ms=10, step_ms=20), "diffusers": arm(80)},
            "ratios": {"tiny_1_step: ours off, batch 1 / diffusers": spread_of(0.5)},
        },
        "rungs": {"tiny": {"rungs": {"off": {"what": "torch"}}, "exactness": {"off": exact}}},
    }


def test_an_engines_times_ratios_and_exactness_are_tables(engine: dict[str, Any]) -> None:
    times = engine_tables.times_tables(engine)
    assert "| tiny, 256×256, 1 step | ms a frame | encoding | steps |\n" in times
    assert "| ours, eager | 40.0 (39.0–41.0) | 10.0 | 20.0 |\n| diffusers | 80.0 (79.0–81.0) |  |  |\n" in times
    assert "| ours, eager | 0.500 |\n" in engine_tables.times_to_others_tables(engine)
    assert "| tiny: eager | torch | 2.0e-05 | 0 | 1 | no |\n" in engine_tables.exactness_table(engine)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("ours off, batch 1", "ours, eager"),
        ("ours openvino:float32, batch 8", "ours, OpenVINO in float32, batch 8"),
        ("diffusers, TAESD", "diffusers, TAESD"),
    ],
)
def test_arms_have_names_for_people(arm: str, words: str) -> None:
    assert engine_tables.arm_name(arm) == words


def test_latencies_of_others_are_grey_beside_ours() -> None:
    arm = {"p50_ms": spread_of(10), "p95_ms": spread_of(20)}
    plot = plots.arms_plot(
        {"scenarios": {"echo": {"ours": arm, "stock": arm}, "codec": {"ours": {"ms": spread_of(1)}}}}
    )
    assert re.findall(r'rect class="([\w-]+)"', plot) == ["long", "short", "other-long", "other"]
    assert "codec" not in plot, "it has no latency"


def test_an_engines_plot_has_a_bar_and_a_whisker_for_each_arm(engine: dict[str, Any]) -> None:
    plot = plots.times_plot(engine)
    assert plot.count("<rect") == plot.count("<line") == 2
    assert 'class="short"' in plot and 'class="other"' in plot, "ours stand out"
    longest = max(float(width) for width in re.findall(r'width="([\d.]+)" height', plot))
    assert longest == pytest.approx(plots.CHART_PX * 80 / 81, abs=0.1), "the longest whisker fills the chart"


def test_headline_figures_say_what_was_wanted_or_that_they_are_missing(tmp_path: Path) -> None:
    target = {"wanted": "at least", "limit": 30, "value": 63.0, "ok": True}
    answer = {"scenarios": {}, "targets": {"rungs_256_fps": target}}
    (tmp_path / "server-tiny-avx2.json").write_text(json.dumps(answer))
    wanted = next(one for one in headline.FIGURES if (one.result, one.name) == ("server-tiny-avx2", "rungs_256_fps"))

    lines = headline.headline_table(tmp_path).splitlines()

    assert f"| {wanted.words} | 63.0 fps | at least 30 | ok | `server-tiny-avx2` |" in lines
    assert sum("| not measured yet |" in line for line in lines) == len(headline.FIGURES) - 1


def test_every_missed_target_of_any_result_stands_under_the_headline(tmp_path: Path) -> None:
    met = {"wanted": "at most", "limit": 0.5, "value": 0.4, "ok": True}
    missed = met | {"value": 0.6, "ok": False}
    (tmp_path / "some.json").write_text(json.dumps({"scenarios": {}, "targets": {"near": met, "far": missed}}))

    text = headline.headline_table(tmp_path)

    assert text.endswith("Missed, of 2 targets in all results: 1.\n\n- `some`: far, 0.600 (at most 0.5)\n")


GPU_ROWS = {
    "gpu-runs": ["1: does it work, and where does the time go", "2: packages and variants"],
    "gpu-goals": list(goals.goals({})),
    "gpu-works": [
        "tests that failed",
        "mixed up or broken; failed",
        "latents of graphs, batch 3, to eager's, relative",
    ],
    "gpu-times": ["ours, graphs, batch 4", "ours, AOTInductor", "StreamDiffusion"],
    "gpu-regions": ["eager", "graphs, batch 8", "AOTInductor"],
    "gpu-streams": ["12, graphs", "12, packages", "new, graphs"],
    "gpu-variants": list(variants.VARIANTS),
    "gpu-builds": ["step, batch 1", "decode, batch 8"],
    "gpu-sizes": ["a new size, batch 8", "memory: ladder to 4"],
    "gpu-looks": ["SD-Turbo, ControlNet", "SD-Turbo, reference picture", "SDXL-Turbo, union", "SDXL-Turbo, plain"],
}


@pytest.mark.parametrize("kind", list(draw.PLACES))
def test_each_figure_of_a_gpu_has_a_place_before_it_is_measured(kind: str) -> None:
    drawn = draw.PLACES[kind](gpu_tables.NOTHING)

    first = {line.split(" | ")[0].removeprefix("| ") for line in drawn.splitlines()}
    assert set(GPU_ROWS[kind]) <= first
    assert "not yet" in drawn and re.search(rf"<!-- drawn: gpu {kind} -->", PAGE.read_text())


def test_what_a_gpu_was_found_to_do_is_drawn_in_its_place() -> None:
    ms = {"ms_per_frame": spread_of(6.2), "host_ms_per_frame": spread_of(0.3)}
    run = {"clients": 12, "sent": 100, "delivered": 99, "fps_slowest_client": 29.5, "carried": {"50": True}}
    run["latency_ms"] = {"p50": 21.0, "p95": 44.0}
    parts: dict[str, Any] = {
        "tests": {"passed": 12, "failed": {"test_gpu_graphs.py::test_one": "E assert"}},
        "hazards": {"hazards": {"ticks": 200, "pictures": 800, "wrong": 0, "failures": 0, "largest": 0.004}},
        "engine": {"scenarios": {goals.SD_TURBO: {"ours graphs, batch 1": ms}}},
        "regions": {"regions": {"graphs": {"batch_1": {"step_ms": 4.5, "tick_ms": 6.4}}}},
        "streams": {"scenarios": {"12_streams": run}, "prompts": {"new": {"ms": {"p95": 60.5}, "frames": {"p95": 2}}}},
        "variants": {
            "variants": {
                "conv-relu": {"batch_1": {"encode_ms": 0.5, "encode_first_call_ms": 12.5}},
                "contiguous": {"note": "RuntimeError: no"},
            }
        },
        "build_8": {"packages": {"step": {"seconds": 101.5, "stages_s": {"export": 6.0}}}},
        "sizes": {"first_calls": {"520×520, batch 1": [9.0, 120.0]}, "memory": {"ladder to 4": {"reserved_mb": 512.0}}},
        "nets": {
            "nets_tick_ms": {"plain": 39.25, "controlnet, 4 of 8": 45.5},
            "nets_to_plain": {"controlnet, 4 of 8": 1.16},
        },
    }
    run_1 = {"took_s": 401.5, "accelerator": "H200", "without": {"profile": "ended after 45 s"}}
    answer = {"parts": parts, "runs": {"1": run_1}, "goals": goals.goals(parts)}

    drawn = {kind: draw_kind(answer) for kind, draw_kind in draw.PLACES.items()}

    assert "| 402 | H200 | profile: ended after 45 s |" in drawn["gpu-runs"]
    assert "| at most 7 | 6.2 | ok |" in drawn["gpu-goals"]
    assert "`test_gpu_graphs.py::test_one`" in drawn["gpu-works"] and "| 0; 0 |" in drawn["gpu-works"]
    assert "| ours, graphs | 6.20 | not yet | 0.300 |" in drawn["gpu-times"]
    assert "| graphs | not yet | 4.50 | not yet | 6.40, computed 8.6 (8.2) |" in drawn["gpu-regions"]
    assert "| 12, graphs | 21.0 | 44.0 | 29.5 | 1.0% | yes |" in drawn["gpu-streams"]
    assert "| new, graphs | 60.5 | 2 |" in drawn["gpu-streams"]
    assert "| conv-relu | 0.500 |  |  |  |  |  | 12.5 |  |" in drawn["gpu-variants"]
    assert "| contiguous |  |  |  |  |  |  |  | RuntimeError: no |" in drawn["gpu-variants"]
    assert "| step, batch 8 | 102 | `export` 6 |" in drawn["gpu-builds"]
    assert "| 520×520, batch 1 | 9.00 · 120 |" in drawn["gpu-sizes"]
    assert "| memory: ladder to 4 | reserved 512 MB |" in drawn["gpu-sizes"]
    assert "| SD-Turbo, plain | 39.2 |  |  |  |" in drawn["gpu-looks"]
    steered = "not yet, not yet, computed 1.034 | 45.5, 1.16, computed 1.135"
    assert f"| SD-Turbo, ControlNet |  | {steered} |" in drawn["gpu-looks"]


def test_headline_figures_exist_in_the_kept_results() -> None:
    assert "not measured yet" not in headline.headline_table(RESULTS)


def test_webrtc_tables_find_their_numbers_by_comparison_and_arm() -> None:
    viewer = {"server_cpu_ms_per_s": spread_of(70), "viewer_mbit_per_s": spread_of(4.5)}
    added = {"ms_per_s": spread_of(6.5, 6, 7)}
    arms = {f"{side}_{of}": viewer for side in ("ours", "stock") for of in ("0", "8")}
    answer = {"scenarios": {"viewers": arms | {f"{side}_per_added_viewer": added for side in ("ours", "stock")}}}

    text = webrtc_tables.viewers_table(answer)

    assert text.startswith("| viewers | 0 | 8 | each further one | Mbit/s each |\n")
    assert "| ours: one encoding | 70.0 | 70.0 | 6.50 (6.00–7.00) | 4.50 |\n" in text


def test_walks_are_shown_with_what_was_done_and_what_proves_it() -> None:
    walk = {"actions": ["press Camera", "press ink"], "seconds": spread_of(1.5, 1.25, 2.0), "proof": "40 levels"}
    target = {"value": 2, "wanted": "at most", "limit": 2.0, "ok": True}
    answer = {"walks": {"own face": walk}, "targets": {"own face: actions": target}}

    row = page_tables.walks_table(answer).splitlines()[2]

    assert row == "| own face | 2: press Camera, press ink | 2 ok | 1.50 (1.25–2.00) s | 40 levels |"


def test_stage_is_shown_in_a_line() -> None:
    stage = {"played": {"pad": 3, "style": 2}, "fps": [29.0, 30.0], "held_mb": [8.0, 9.5], "slowest_ms": {"draw": 61.0}}

    line = page_tables.stage_line({"model": "tiny", "settings": {"minutes": 10.0}, "stage": stage})

    assert line.startswith("10 minutes of tiny, 5 things played: 29.0 to 30.0 pictures a second")
    assert "8.00 MB held after the first look, 9.50 after the last; longest tasks: draw 61.0 ms." in line
    assert "none of 50 ms" in page_tables.stage_line(
        {"model": "tiny", "settings": {"minutes": 10.0}, "stage": {**stage, "slowest_ms": {}}}
    )
