"""Sound on its way out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.outputs.records import SOUND_RATE
from realtime.outputs.sound import GRACE_S, TOLERANCE_S, SoundLine


def block(value: float, seconds: float) -> np.ndarray:
    return np.full((2, round(seconds * SOUND_RATE)), value, np.float32)


def test_blocks_follow_each_other_though_their_times_jitter() -> None:
    line = SoundLine()
    line.put(block(0.1, 0.1), 0.01)
    line.put(block(0.2, 0.1), 0.08)

    taken = line.take(0.3)

    assert taken is not None
    assert taken.shape == (2, round(0.2 * SOUND_RATE))
    assert line.take(0.3) is None


def test_gap_is_silence_of_its_length() -> None:
    line = SoundLine()
    line.put(block(0.1, 0.1), 0.0)
    line.put(block(0.2, 0.1), 0.5)

    taken = line.take(0.6)

    assert taken is not None
    assert taken.shape[1] == round(0.6 * SOUND_RATE)
    assert taken[0, round(0.3 * SOUND_RATE)] == 0


def test_what_overlaps_is_cut() -> None:
    line = SoundLine()
    line.put(block(0.1, 0.5), 0.0)
    line.put(block(0.2, 0.5), 0.25)

    taken = line.take(1.0)

    assert taken is not None
    assert taken.shape[1] == round(0.75 * SOUND_RATE)


def test_what_does_not_come_is_silence_after_the_grace() -> None:
    line = SoundLine()

    assert line.take(GRACE_S) is None
    silence = line.take(GRACE_S + 0.1)

    assert silence is not None
    assert silence.shape[1] == pytest.approx(0.1 * SOUND_RATE, abs=1)
    assert not silence.any()


def test_block_of_another_time_is_dropped() -> None:
    line = SoundLine()
    line.put(block(0.1, 0.1), 95443.7)
    line.put(block(0.2, 0.1), 0.0)

    taken = line.take(0.1)

    assert taken is not None
    assert taken.shape[1] == round(0.1 * SOUND_RATE)


@given(st.lists(st.tuples(st.floats(-1, 5), st.floats(0, 0.3)), max_size=30))
def test_line_is_never_further_from_its_times_than_the_tolerance(blocks: list[tuple[float, float]]) -> None:
    line, given_out = SoundLine(), 0
    for at_s, lasts_s in sorted(blocks):
        line.put(block(0.1, lasts_s), at_s)
        taken = line.take(0.0)
        given_out += 0 if taken is None else taken.shape[1]
        latest = max((at + lasts for at, lasts in blocks), default=0.0)
        assert given_out / SOUND_RATE <= max(0.0, latest) + 30 * 0.3 + TOLERANCE_S
    line.take(10.0)
    assert line.take(10.0) is None
