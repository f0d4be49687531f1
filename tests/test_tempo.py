"""A tempo as it comes in, and its beats."""

from __future__ import annotations

import pytest

from realtime.errors import ParamsError
from realtime.tempo import Tempo

SECOND_NS = 1_000_000_000


def test_tempo_tells_how_long_ago_its_newest_beat_was() -> None:
    tempo = Tempo.of(120, 0.1, 10 * SECOND_NS)

    assert tempo.wire(10 * SECOND_NS) == {"bpm": 120.0, "since_s": 0.1}
    assert tempo.wire(10 * SECOND_NS + 700_000_000) == {"bpm": 120.0, "since_s": 0.3}


@pytest.mark.parametrize(("bpm", "kept"), [(1, 30), (10**400, 300), (400.0, 300), (97.5, 97.5)])
def test_tempo_is_brought_within_its_bounds(bpm: float, kept: float) -> None:
    assert Tempo.of(bpm, None, 0).bpm == kept


@pytest.mark.parametrize("bpm", [None, "120", True, float("nan"), float("inf"), [120]])
def test_what_is_no_tempo_is_refused(bpm: object) -> None:
    with pytest.raises(ParamsError, match="30 to 300"):
        Tempo.of(bpm, None, 0)


@pytest.mark.parametrize("since_s", [None, "1", float("nan"), float("inf"), 1e300])
def test_beat_of_no_time_is_now(since_s: object) -> None:
    assert Tempo.of(120, since_s, 5 * SECOND_NS).since_s(5 * SECOND_NS) == 0
