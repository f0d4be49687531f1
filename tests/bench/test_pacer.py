"""realtime.bench.pacer: when frames are due."""

from __future__ import annotations

from realtime.bench.pacer import Camera, dues


def test_staggered_cameras_are_due_in_turn_and_never_outside_their_time() -> None:
    cameras = [Camera(10, phase=index / 2) for index in range(2)]
    schedule = sorted(due for index, camera in enumerate(cameras) for due in dues(index, camera, 0, 10**9))
    assert [due // 10**6 for due, _ in schedule] == list(range(0, 1000, 50))
    assert [index for _, index in schedule] == [0, 1] * 10
