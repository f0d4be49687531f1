"""realtime.bench.rounds: how often something is made, and what of it counts."""

from __future__ import annotations

import pytest

from realtime.bench import rounds


def test_a_slow_round_is_warmed_up_once_and_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, made = [0.0], list[float]()

    def slow() -> None:
        made.append(now_s[0])
        now_s[0] += 8.0

    monkeypatch.setattr(rounds.time, "perf_counter", lambda: now_s[0])

    assert rounds.timed(slow, 2, 2.0) == {"p50_ms": 8000.0, "p95_ms": 8000.0, "ms_per_frame": 4000.0}
    assert len(made) == 2
