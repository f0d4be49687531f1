"""What ships is what a user runs: what compares it with others stays in `benchmarks/`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.test_layers import imported

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "realtime").rglob("*.py"))
COMPARING = {
    *("stock", "demo", "demo_server", "floor", "floors", "side_by_side", "contenders", "rivals", "encoders"),
    *("rtc", "rtc_runs", "tables", "engine_tables", "webrtc_tables", "plots", "headline", "draw", "comparison"),
    *("coldstart", "busy", "echo_server", "stand_in", "shapes", "likeness", "goals", "targets"),
}
"""Names of modules and packages that compare ours with others, or draw what came of it."""


def test_the_wheel_is_the_package_and_the_built_client() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert wheel == {"packages": ["realtime"], "artifacts": ["realtime/server/static/**"]}


def test_no_module_that_ships_compares_us_with_others() -> None:
    names = {part for file in MODULES for part in file.relative_to(ROOT).with_suffix("").parts}

    assert not names & COMPARING


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_ships_imports_neither_comparisons_nor_what_tests_are_made_of(file: Path) -> None:
    assert not imported(file) & {"benchmarks", "tests", "unittest", "pytest"}
    assert "streamdiffusion" not in file.read_text().lower()
