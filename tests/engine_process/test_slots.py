"""Pictures in memory that is shared."""

from __future__ import annotations

import multiprocessing

import numpy as np
import psutil
import pytest

from realtime.engine_process.slots import Slots


def turn(slots: Slots, slot: int) -> None:
    slots.picture(slot, (2, 3))[:] += 1


def test_picture_that_another_process_writes_is_seen_here_and_no_other() -> None:
    slots = Slots(3, 6)
    for slot in range(3):
        slots.picture(slot, (2, 3))[:] = 10 * slot
    process = multiprocessing.get_context("spawn").Process(target=turn, args=(slots, 1))
    process.start()
    process.join()

    seen = [int(value) for slot in range(3) for value in np.unique(slots.picture(slot, (2, 3)))]
    slots.close()

    assert seen == [0, 11, 20]


def test_slot_holds_the_largest_picture_and_not_a_pixel_more() -> None:
    slots = Slots(1, 64 * 64)

    assert slots.picture(0, (32, 128)).shape == (32, 128, 3)
    with pytest.raises(ValueError):
        slots.picture(0, (128, 128))
    slots.close()


def test_memory_is_taken_as_slots_are_written_to() -> None:
    before = psutil.Process().memory_full_info().uss
    slots = Slots(64, 2**20)
    slots.picture(3, (64, 64))[:] = 1

    assert psutil.Process().memory_full_info().uss - before < 2**24
    slots.close()


def test_closed_slots_give_everything_back() -> None:
    before = psutil.Process().num_fds()
    Slots(2, 64).close()

    assert psutil.Process().num_fds() == before
