"""Rows to batches, and pictures to the host: on the CPU without a copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from realtime.engine import staging
from realtime.engine.staging import join, join_into, join_on_host, to_host

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


def test_what_is_joined_on_the_host_shares_no_memory() -> None:
    parts = [torch.ones(1, 2), torch.ones(0, 2), 2 * torch.ones(2, 2)]

    joined, single = join_on_host(parts), join_on_host(parts[:1])

    assert joined.tolist() == [[1, 1], [2, 2], [2, 2]]
    assert single.data_ptr() != parts[0].data_ptr()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16, torch.bool])
def test_rows_come_into_pinned_memory_without_threads(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [torch.arange(6).reshape(1, 3, 2).to(dtype), torch.ones(1, 2, 3).to(dtype).transpose(1, 2)]
    empty, expected, asked = torch.empty, torch.cat(rows), list[bool]()

    def pinned(*shape: Any, pin_memory: bool, **options: Any) -> torch.Tensor:
        asked.append(pin_memory)
        return empty(*shape, **options)

    monkeypatch.setattr(torch, "empty", pinned)
    monkeypatch.setattr(torch, "cat", lambda *args, **options: pytest.fail("PyTorch's copies wake OpenMP's threads"))

    assert torch.equal(staging._pinned(rows), expected) and asked == [True]
