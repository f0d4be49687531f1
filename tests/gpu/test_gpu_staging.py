"""Copies to the device and back: right though nothing waits for them. The twin of tests/engine/test_staging."""

from __future__ import annotations

import torch

from realtime.engine.staging import join, join_into, to_host
from tests.gpu.places import Place


def wait(place: Place) -> None:
    if place.device.type == "cuda":
        torch.cuda.synchronize()


def test_rows_become_a_batch_on_the_device_whatever_happens_to_them_later(place: Place) -> None:
    rows = [torch.full((1, 64, 64, 3), i, dtype=torch.uint8) for i in range(5)]

    batches = [join(rows, place.device) for _ in range(20)]
    wait(place)

    assert all(batch.device.type == place.device.type for batch in batches)
    assert all(batch[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4] for batch in batches)


def test_one_row_that_is_there_already_is_its_own_batch(place: Place) -> None:
    row = torch.ones(1, 3, device=place.device)

    assert join([row], place.device) is row


def test_memory_that_stays_is_filled_in_the_order_of_the_calls(place: Place) -> None:
    batch = torch.zeros(4, 256, 256, device=place.device)
    address, seen = batch.data_ptr(), list[torch.Tensor]()

    for value in range(50):
        join_into(batch[1:3], [torch.full((1, 256, 256), float(value)), torch.full((1, 256, 256), value + 0.5)])
        seen.append(batch[:, 0, 0].clone())
    wait(place)

    assert batch.data_ptr() == address
    assert [one.tolist() for one in seen] == [[0.0, value, value + 0.5, 0.0] for value in range(50)]


def test_pictures_that_are_held_on_the_host_are_not_written_by_later_copies(place: Place) -> None:
    held = [to_host(torch.full((128, 128, 3), value, dtype=torch.uint8, device=place.device)) for value in range(64)]
    for _ in range(64):
        to_host(torch.full((128, 128, 3), 255, dtype=torch.uint8, device=place.device))
    wait(place)

    assert all(one.device.type == "cpu" for one in held)
    assert [(int(one.min()), int(one.max())) for one in held] == [(value, value) for value in range(64)]


def test_copies_are_not_waited_for(gpu: Place) -> None:
    host = to_host(torch.ones(8, device=gpu.device))

    assert host.is_pinned()
