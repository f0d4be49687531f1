"""The program as users start it, a camera that does not wait, and the client for programs."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import urllib.request
from collections.abc import Iterator

import pytest

from realtime.client import Picture, connect
from realtime.frame import STAGES
from tests.fakes.pictures import a_jpeg
from tests.fakes.servers import ServerProcess, serving
from tests.fakes.waiting import PATIENCE_S

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """One that takes 25 ms a tick."""
    with serving(model="echo:25") as one:
        yield one
        assert one.stop() == 0


async def test_camera_faster_than_the_engine_stays_live(server: ServerProcess) -> None:
    """60 fps into an engine of 25 ms: no picture is old, and every frame is answered or reported."""
    frames, told = 120, set[int]()
    pictures: list[Picture] = []
    sent = 0
    behind: list[int] = []
    """How many frames had followed a picture's own when it came."""
    async with connect(server.websocket_url, keep=None) as stream:
        await stream.update(width=64, height=64)
        stream.on_message = lambda message: told.update(message.get("seqs", ()))

        async def camera() -> None:
            nonlocal sent
            loop = asyncio.get_running_loop()
            begin = loop.time()
            for number in range(frames):
                await asyncio.sleep(begin + number / 60 - loop.time())
                sent = await stream.send(a_jpeg(seed=number))

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(camera())
            async for picture in stream.pictures():
                pictures.append(picture)
                behind.append(sent - picture.seq)
                if picture.seq == frames:
                    break
        async with asyncio.timeout(PATIENCE_S):
            await stream._until(lambda: len(told) + len(pictures) >= frames)

    seqs = [picture.seq for picture in pictures]
    assert seqs == sorted(seqs)
    assert told.isdisjoint(seqs)
    assert told | set(seqs) == set(range(1, frames + 1))
    # Two ticks and what a busy machine adds; a queue would be 20 behind at half time, and 40 at the end.
    assert statistics.median(behind[len(behind) // 2 :]) < 20


async def test_patch_from_another_controller_shows_in_the_picture_the_snapshot_and_the_numbers(
    server: ServerProcess,
) -> None:
    async def delivered() -> float:
        metrics = (await asyncio.to_thread(fetch, f"{server.url}metrics")).decode()
        return float(re.findall(r"^realtime_frames_delivered_total (\S+)$", metrics, re.MULTILINE)[0])

    before = await delivered()
    async with connect(f"{server.websocket_url}?session=show") as stream:
        patch = json.dumps({"params": {"prompt": "neon", "width": 64, "height": 64}}).encode()
        await asyncio.to_thread(fetch, f"{server.url}api/sessions/show", patch)
        picture = await stream.restyle(a_jpeg())
        sessions = json.loads(await asyncio.to_thread(fetch, f"{server.url}api/sessions"))["sessions"]
        snapshot = await asyncio.to_thread(fetch, f"{server.url}api/sessions/show/snapshot")
        after = await delivered()

    (show,) = [session for session in sessions if session["session"] == "show"]
    assert picture.params_version == 1
    assert stream.params["prompt"] == "neon"
    assert show["params"]["prompt"] == "neon"
    assert set(show["stats"]["stage_ms"]) == set(STAGES)
    assert b'"prompt": "neon"' in snapshot
    assert after - before == 1


def fetch(url: str, patch: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=patch, method="PATCH" if patch else "GET")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE_S) as answer:
        return answer.read()


async def test_sessions_with_params_of_their_own_do_not_mix(server: ServerProcess) -> None:
    async def user(number: int) -> None:
        async with connect(server.websocket_url) as stream:
            await stream.update(width=64 + 8 * number, height=64, output_format="png", seed=number)
            for _ in range(20):
                picture = await stream.restyle(a_jpeg(seed=number))
                assert int.from_bytes(picture.data[16:20], "big") == 64 + 8 * number
            assert stream.params["seed"] == number

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(user(number))
