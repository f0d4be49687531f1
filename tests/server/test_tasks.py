"""What ends with a group of tasks is gone with it, without the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from realtime.client import connect
from realtime.server.tasks import Tasks
from tests.fakes.pictures import encoded, pixels
from tests.fakes.servers import running
from tests.fakes.waiting import until


class Large:
    """What a connection knows."""


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def raise_error(error: Exception) -> None:
    raise error


async def run_group(kept: list[weakref.ref[Large]], error: Exception | None, inner: asyncio.Event) -> None:
    large = Large()
    kept.append(weakref.ref(large))
    async with Tasks() as tasks:
        if error is not None:
            tasks.create_task(raise_error(error))
        inner.set()
        await asyncio.Event().wait()
    assert large


async def end_by_error(kept: list[weakref.ref[Large]]) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await run_group(kept, ValueError("a"), asyncio.Event())
    assert [str(error) for error in caught.value.exceptions] == ["a"]
    del caught


async def end_by_cancelling(kept: list[weakref.ref[Large]]) -> None:
    inner = asyncio.Event()
    task = asyncio.create_task(run_group(kept, None, inner))
    await inner.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


@pytest.mark.usefixtures("_no_collector")
async def test_group_that_ends_by_an_error_leaves_nothing() -> None:
    kept: list[weakref.ref[Large]] = []

    await asyncio.create_task(end_by_error(kept))

    assert [ref() for ref in kept] == [None]


@pytest.mark.usefixtures("_no_collector")
async def test_group_that_is_cancelled_leaves_nothing() -> None:
    kept: list[weakref.ref[Large]] = []

    await asyncio.create_task(end_by_cancelling(kept))

    assert [ref() for ref in kept] == [None]


async def test_group_without_an_error_ends_as_its_tasks_do() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    async with Tasks() as tasks:
        tasks.create_task(work())
        tasks.create_task(work())

    assert done == [1, 1]


async def test_connection_that_has_ended_leaves_no_channel() -> None:
    """With it, its last pictures would be kept."""
    with running() as server:
        for index in range(3):
            async with connect(server.url, session=f"s{index}") as stream:
                await stream.send(encoded(pixels()))
                await anext(aiter(stream.pictures()))

        gc.disable()
        try:
            async with connect(server.url, session="last") as stream:
                await stream.send(encoded(pixels()))
                await anext(aiter(stream.pictures()))
                (channel,) = [
                    weakref.ref(session.channel) for session in server.service.sessions if session.channel is not None
                ]
            del stream
            await until(lambda: channel() is None)
        finally:
            gc.enable()
