"""How long pictures stay away while the model changes, where the device works on its own: as long as two frames."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from realtime.engine_process.engine import load_engine_process
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until
from tests.server.peer import http_client
from tests.server.test_swaps import BLACK, WHITE, Camera, Models, all_are_answered, cameras, change, folder, serving

__all__ = ["folder"]  # a fixture
pytestmark = pytest.mark.slow

FRAMES, TRIES = 2, 8
"""A busy machine may keep pictures away at any time: of so many changes one at least is as it is to be."""


def longest_gap(client: Camera, first: int) -> int:
    """The longest way from a picture to the next, in frames of the camera, from so many pictures on. What holds up the
    whole process holds up the camera too.
    """
    return int(max(np.diff(client.seqs[first:])))


async def gaps(server: RunningServer, names: tuple[str, str]) -> list[int]:
    """The longest gap of each change, until one is as it is to be; no frame is lost in any."""
    found: list[int] = []
    async with cameras(server) as (client,), http_client(server.url) as http:
        await until(lambda: len(client.seqs) > 10)
        for name in itertools.islice(itertools.cycle(names), TRIES):
            first = len(client.seqs) - 1
            assert (await change(http, name, dissolve_s=0.2))["state"] == "done"
            count = len(client.seqs)
            await until(lambda count=count: len(client.seqs) > count + 10)
            found.append(longest_gap(client, first))
            if found[-1] <= FRAMES:
                break
        await client.stop()
    assert all_are_answered(client)
    return found


async def test_pictures_stay_away_for_two_frames_at_most_between_two_engines() -> None:
    with serving(Models()) as server:
        found = await gaps(server, (WHITE, BLACK))

    assert found[-1] <= FRAMES, found


async def test_pictures_stay_away_for_two_frames_at_most_between_two_checkpoints(folder: Path) -> None:
    """In processes of their own, as on a GPU; only that there the next model is loaded beside the one that serves by
    cores that this one does not need.
    """
    config = a_config(
        model=str(folder / "ink"), model_folders=(folder,), engine_process=True, accelerate="off", device="cpu"
    )
    with running(config, load_engine_process) as server:
        found = await gaps(server, ("neon", "ink"))

    assert found[-1] <= FRAMES, found
