"""Frames between the network and a decoder."""

from __future__ import annotations

import asyncio

from realtime.server.webrtc.decoder import EncodedFrame
from realtime.server.webrtc.intake import BYTES_MAX, FRAMES_MAX, KEY_FRAME_EVERY_S, Intake


def a_frame(number: int, size: int = 10) -> EncodedFrame:
    return EncodedFrame("VP8", bytes(size), number)


async def test_frames_come_out_in_order() -> None:
    intake = Intake(lambda: None)
    for number in range(FRAMES_MAX):
        intake.put(a_frame(number))

    taken = [await intake.take() for _ in range(FRAMES_MAX)]

    assert [(frame.timestamp, has_gap) for frame, has_gap in taken] == [(n, False) for n in range(FRAMES_MAX)]
    assert intake.lost == 0


async def test_frame_that_comes_later_is_waited_for() -> None:
    intake = Intake(lambda: None)
    taking = asyncio.create_task(intake.take())
    await asyncio.sleep(0)

    intake.put(a_frame(1))

    assert (await taking)[0].timestamp == 1


async def test_where_too_many_wait_the_newest_wins_and_the_gap_is_told_once() -> None:
    intake = Intake(lambda: None)
    for number in range(FRAMES_MAX + 2):
        intake.put(a_frame(number))

    assert await intake.take() == (a_frame(FRAMES_MAX), True)
    assert await intake.take() == (a_frame(FRAMES_MAX + 1), False)
    assert intake.lost == FRAMES_MAX


async def test_bytes_that_wait_are_limited() -> None:
    intake = Intake(lambda: None)
    for number in range(4):
        intake.put(a_frame(number, BYTES_MAX // 3))

    assert (await intake.take())[0].timestamp == 3
    assert intake.lost == 3


async def test_bytes_of_frames_that_were_taken_count_no_more() -> None:
    intake = Intake(lambda: None)
    for number in range(20):
        intake.put(a_frame(number, BYTES_MAX))
        await intake.take()

    assert intake.lost == 0


async def test_key_frames_are_asked_for_now_and_then_only() -> None:
    times_s = iter([0.0, 0.1, KEY_FRAME_EVERY_S, KEY_FRAME_EVERY_S + 0.1])
    requests: list[str] = []
    intake = Intake(lambda: requests.append("PLI"), lambda: next(times_s))
    for _ in range(4):
        intake.request_key_frame()

    assert requests == ["PLI"] * 2
