"""What hints cost: each is measured, beside what each frame costs anyway."""

from __future__ import annotations

from benchmarks.hints import bench
from benchmarks.hints.bench import MADE, hints_bench


def test_each_hint_has_its_time_and_its_share_of_decoding() -> None:
    answer = hints_bench(repetitions=1)

    for side in map(str, bench.SIDES_PX):
        took, shares = answer["ms"][side], answer["of_decoding"][side]
        assert set(shares) == {hint.value for hint in MADE}
        assert all(abs(shares[name] * took["decode"] - took[name]) < 1e-9 for name in shares)
        assert min(took.values()) > 0
