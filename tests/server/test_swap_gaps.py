"""How long pictures stay away while the model changes, where the device works on its own: as long as two frames."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.fakes.waiting import until
from tests.server.peer import http_client
from tests.server.swapping import BLACK, WHITE, Camera, Models, all_are_answered, cameras, change, serving

pytestmark = pytest.mark.slow

FRAMES, CHANGES, PICTURES = 2, 6, 25


async def pass_by(client: Camera, pictures: int) -> None:
    count = len(client.seqs) + pictures
    await until(lambda: len(client.seqs) >= count)


def longest_gap(client: Camera, first: int) -> int:
    """The longest way from a picture to the next, in frames of the camera, from so many pictures on. What holds up the
    whole process holds up the camera too.
    """
    return int(max(np.diff(client.seqs[first:])))


async def test_pictures_stay_away_for_two_frames_at_most_while_the_model_changes() -> None:
    """Of several changes, as a busy machine keeps pictures away at any time: if the best is worse than all of the times
    between, it is the change that does it.
    """
    between: list[int] = []
    meanwhile: list[int] = []
    with serving(Models()) as server:
        async with cameras(server) as (client,), http_client(server.url) as http:
            await pass_by(client, 10)
            for name in itertools.islice(itertools.cycle((WHITE, BLACK)), CHANGES):
                first = len(client.seqs) - 1
                await pass_by(client, PICTURES)
                between.append(longest_gap(client, first))
                first = len(client.seqs) - 1
                assert (await change(http, name, dissolve_s=0.2))["state"] == "done"
                await pass_by(client, 10)
                meanwhile.append(longest_gap(client, first))
            await client.stop()

    assert all_are_answered(client), "no frame is lost"
    assert min(meanwhile) <= max(FRAMES, *between), (meanwhile, between)
