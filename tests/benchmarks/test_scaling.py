"""The simulation of many GPUs, where its answer is known without it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.scaling.bench import CARDS, CODEC_MS, FPS, MOST_DROPPED, P95_MS
from benchmarks.scaling.cameras import Ticks, capacity, watch
from benchmarks.scaling.fleet import by_name, come_and_go, home, lost

ROOT = Path(__file__).parents[2]


def test_a_camera_alone_waits_for_its_tick_only() -> None:
    seen = watch(Ticks(10, 10), 1, 30, 10, codec_ms=2)

    assert seen.p95_ms == pytest.approx(12, abs=0.1) and seen.dropped == 0


def test_more_than_an_engine_makes_is_dropped_and_the_newest_frame_wins() -> None:
    ticks = Ticks(10, 10)  # 100 pictures a second

    seen = watch(ticks, 10, 30, 20, codec_ms=0)

    assert seen.dropped == pytest.approx(1 - ticks.most_fps / 300, abs=0.02)
    assert seen.p95_ms < 150, "nobody's frames wait in a line"


def test_padded_ticks_carry_fewer_cameras() -> None:
    every, padded = (capacity(Ticks(6.5, 3.9, batches=batches), 30, 50, 0.01, 1.5) for batches in ((), (1, 2, 4, 8)))

    assert 4 <= padded < every <= 8


def test_tick_of_eight_takes_what_was_given() -> None:
    assert Ticks(6.5, 3.9).seconds(8) == pytest.approx(8 * 3.9e-3)
    assert Ticks(6.5, 3.9, batches=(1, 8)).seconds(2) == pytest.approx(8 * 3.9e-3)


def test_nobody_is_refused_while_there_is_room_and_somebody_where_there_is_none() -> None:
    assert come_and_go(20, 8, 0.7).refused == 0
    crowded = come_and_go(20, 8, 1.3, turns=20)

    assert crowded.refused == pytest.approx(1 - 1 / 1.3, abs=0.05) and crowded.most == 8


def test_room_that_is_left_takes_up_what_is_lost() -> None:
    assert lost(10, 8, 0.9, 1) == 0
    assert lost(10, 8, 1.0, 1) == pytest.approx(0.1)
    assert lost(10, 8, 0.5, 10) == 1


def test_names_lie_evenly_and_only_those_of_a_lost_front_end_move() -> None:
    names = [f"front-{number}" for number in range(8)]
    before = {f"s{number}": home(f"s{number}", names) for number in range(4000)}
    after = {session: home(session, names[1:]) for session in before}

    assert max(Counter(before.values()).values()) < 1.2 * 4000 / 8
    assert all(after[session] == where for session, where in before.items() if where != names[0])
    spread, moved = by_name(4000, 8)
    assert spread.mean == 500 and moved == pytest.approx(1 / 8, abs=0.03)


def test_the_page_says_what_the_simulation_says() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text()

    for name, ticks in CARDS.items():
        if ticks.max_rows > 1:
            sessions = capacity(ticks, FPS, P95_MS, MOST_DROPPED, CODEC_MS)
            assert f"| {name} | {FPS:g} | {sessions} |" in page
