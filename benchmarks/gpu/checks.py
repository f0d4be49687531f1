"""What comes first: the tests that run where there is a GPU, and what machine this is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .working import Found, Setting

ROOT = Path(__file__).resolve().parents[2]
FACTS = ("name", "driver_version", "pstate", "clocks.sm", "clocks.mem", "clocks.max.sm", "power.draw", "power.limit",
         "temperature.gpu", "memory.total", "memory.used")  # fmt: skip
"""What nvidia-smi is asked for."""


def tests(setting: Setting, found: Found) -> None:
    """`tests/gpu`, by pytest alone; on the CPU its twins, without the one that builds a package, as a part does."""
    import pytest

    options = ["-c", str(ROOT / "tests/gpu/alone.ini"), "--confcutdir", str(ROOT / "tests/gpu"), "-q"]
    chosen = ["-m", "not gpu", "-k", "not package"] if setting.machine().device.type != "cuda" else ["-m", "gpu"]
    told = _Told(lambda: setting.keep(found), found)
    code = pytest.main([*options, *chosen, str(ROOT / "tests/gpu")], plugins=[told])
    found["exit_code"] = int(code)


class _Told:
    """A plugin of pytest that keeps each test's outcome as soon as it is known."""

    def __init__(self, keep: Callable[[], None], found: Found) -> None:
        self._keep = keep
        self._found = found
        found |= {"passed": 0, "skipped": {}, "failed": {}}

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = str(report.nodeid).rpartition("/")[2]
        if report.failed:
            lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E ")]
            self._found["failed"][name] = " ".join(lines[:1])[:300] or str(report.longrepr)[-300:]
        elif report.skipped:
            self._found["skipped"][name] = str(report.longrepr[2] if report.longrepr else "")[:200]
        elif report.when == "call":
            self._found["passed"] += 1
        self._keep()


def machine(setting: Setting, found: Found) -> None:
    """The accelerator; arithmetic, memory and launches; clocks and power as they are found."""
    from ..engine.bench import machine_name, measure_floors

    here = setting.machine()
    found["accelerator"] = machine_name(here)
    found["dtype"] = str(here.dtype).removeprefix("torch.")
    found["as_found"] = smi_facts()
    setting.keep(found)
    found["floors"] = measure_floors(here, setting.seconds)
    found["after_work"] = smi_facts()


def smi_facts() -> dict[str, str]:
    """Driver, clocks, power and memory as nvidia-smi tells them; nothing where it does not."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {}
    command = [tool, f"--query-gpu={','.join(FACTS)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(FACTS, (value.strip() for value in said.splitlines()[0].split(",")), strict=False))
