"""Turns of those who bring pictures for prompts: who brings many waits himself."""

from __future__ import annotations

import asyncio

import pytest

from realtime.server.turns import ADDRESS_SHARE, IN_LINE_MAX, WORK_SHARE, WORK_SPAN_S, NotTaken, Turns


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_who_comes_behind_one_that_floods_waits_for_one_picture_and_not_for_all() -> None:
    turns, read, first_may_end = Turns(), list[str](), asyncio.Event()

    async def bring(sender: str) -> None:
        async with turns.turn(sender):
            if not read:
                read.append(sender)
                await first_may_end.wait()
            else:
                read.append(sender)

    tasks = [asyncio.create_task(bring("flood")) for _ in range(50)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(bring("ann")))
    await asyncio.sleep(0)
    first_may_end.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert read == ["flood"] * IN_LINE_MAX + ["ann"]
    refused = [error for error in results if isinstance(error, NotTaken)]
    assert (len(refused), refused[0].status) == (50 - IN_LINE_MAX, 429)


async def test_a_sender_that_has_had_its_share_waits_and_others_do_not() -> None:
    clock = Clock()
    turns = Turns(clock)

    async with turns.turn("ann"):
        clock.now_s += WORK_SHARE * WORK_SPAN_S + 1  # a second more than there is at once
    with pytest.raises(NotTaken, match=f"the next in {round(1 / WORK_SHARE)} s"):
        async with turns.turn("ann"):
            raise AssertionError("not read")
    async with turns.turn("bob"):
        pass
    clock.now_s += 1 / WORK_SHARE
    async with turns.turn("ann"):
        pass


async def test_an_address_has_its_share_whatever_names_its_sessions_give_themselves() -> None:
    clock = Clock()
    turns, brought = Turns(clock), 0

    with pytest.raises(NotTaken, match="bring the next in"):
        for brought in range(1, 1000):
            async with turns.turn(f"name {brought}", "192.0.2.1"):
                clock.now_s += 0.1
    async with turns.turn("somebody else", "192.0.2.2"):
        pass

    longest_s = ADDRESS_SHARE * WORK_SPAN_S / (1 - ADDRESS_SHARE)  # it fills up meanwhile
    assert brought <= longest_s / 0.1 + 2


async def test_a_picture_that_could_not_be_read_counts_and_leaves_the_line() -> None:
    clock = Clock()
    turns = Turns(clock)

    for _ in range(2 * IN_LINE_MAX):
        with pytest.raises(ValueError):
            async with turns.turn("ann"):
                clock.now_s += 0.1
                raise ValueError
    clock.now_s -= 2 * IN_LINE_MAX * 0.1
    assert turns._work.spend("ann", WORK_SHARE * WORK_SPAN_S) > 0
    assert turns._in_line == {}
