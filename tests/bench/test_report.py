"""What a result says of the machine that it is from."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.bench import report

MACHINES = {
    "Zen 3": ("fpu sse2 avx avx2 fma", "AMD EPYC, 2 cores, AVX2"),
    "Zen 4": ("fpu avx2 avx512f avx512_bf16", "AMD EPYC, 2 cores, AVX-512, bfloat16"),
    "Skylake": ("fpu avx2 avx512f", "AMD EPYC, 2 cores, AVX-512"),
    "old": ("fpu sse2", "AMD EPYC, 2 cores"),
}


@pytest.mark.parametrize(("flags", "wanted"), MACHINES.values(), ids=MACHINES)
def test_processor_is_named_with_what_a_models_speed_depends_on(
    flags: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_each_core = f"model name\t: AMD EPYC\nvmx flags\t: avx2\nflags\t\t: {flags}\n"
    monkeypatch.setattr(Path, "exists", lambda self: True)
    monkeypatch.setattr(Path, "read_text", lambda self: 2 * of_each_core)
    monkeypatch.setattr(report.os, "cpu_count", lambda: 2)

    assert report.header("a bench")["device"] == wanted
