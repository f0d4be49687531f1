"""Rows to batches, and pictures to the host: on the CPU without a copy."""

from __future__ import annotations

import torch

from realtime.engine.staging import join, join_into, to_host

CPU = torch.device("cpu")


def test_one_row_is_its_own_batch_and_several_are_joined() -> None:
    rows = [torch.full((1, 3), float(i)) for i in range(3)]

    assert join(rows[:1], CPU) is rows[0]
    assert join(rows, CPU).tolist() == [[0.0] * 3, [1.0] * 3, [2.0] * 3]


def test_rows_are_joined_into_memory_that_stays() -> None:
    batch = torch.zeros(4, 2)
    address = batch.data_ptr()

    join_into(batch[1:3], [torch.ones(1, 2), 2 * torch.ones(1, 2)])

    assert batch.tolist() == [[0, 0], [1, 1], [2, 2], [0, 0]] and batch.data_ptr() == address


def test_what_is_on_the_host_is_not_copied_there() -> None:
    picture = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)

    assert to_host(picture).data_ptr() == picture.data_ptr()
