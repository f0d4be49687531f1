"""A session that is played over HTTP, and by remotes beside its own client."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator, Iterator

import cv2
import httpx2
import numpy as np
import pytest
from PIL import Image

from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until
from tests.server.peer import Peer, connected, dialled, http_client

NIGHT = {"name": "night", "look": {"prompt": "ink drawing, night", "strength": 0.8}, "transition_s": 3.0}
DAY = {"name": "day", "look": {"prompt": "watercolour"}}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=20)) as one:
        yield one


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(server.url) as one:
        yield one


@pytest.fixture
async def peer(server: RunningServer) -> AsyncIterator[Peer]:
    async with connected(server.websocket_url, session="here") as one:
        yield one
    await until(lambda: server.service.session("here") is None)


async def told(peer: Peer, kind: str) -> dict[str, object]:
    """The next text of a kind."""
    while True:
        message = await peer.receive()
        if isinstance(message, dict) and message["type"] == kind:
            return message


async def test_pads_that_are_put_are_there_and_called_by_number_and_name(http: httpx2.AsyncClient, peer: Peer) -> None:
    put = await http.put("/api/sessions/here/pads", json={"pads": [DAY, NIGHT]})
    assert (put.status_code, put.json()["pads"], put.json()["pad"]) == (200, [DAY, NIGHT], None)

    by_name = (await http.post("/api/sessions/here/command", json={"command": "pad", "pad": "night"})).json()
    news = await told(peer, "params")
    by_number = (await http.post("/api/sessions/here/command", json={"command": "pad", "pad": 1})).json()

    assert (by_name["pad"], by_name["params"]["prompt"], by_name["params"]["strength"]) == (
        2,
        "ink drawing, night",
        0.8,
    )
    assert 0 < by_name["gliding_s"] <= 3, "its own time"
    assert news["params"]["prompt"] == "ink drawing, night"  # type: ignore[index]
    assert (by_number["pad"], by_number["params"]["prompt"], by_number["params"]["strength"]) == (1, "watercolour", 0.8)
    assert by_number["params"]["transition_s"] == 0, "a pad's time is not that of everything"


async def test_command_takes_the_time_that_it_is_given(http: httpx2.AsyncClient, peer: Peer) -> None:
    await http.put("/api/sessions/here/pads", json={"pads": [NIGHT]})

    answer = await http.post("/api/sessions/here/command", json={"command": "pad", "pad": 1, "transition_s": 40})

    assert 30 < answer.json()["gliding_s"] <= 40


async def test_client_is_told_what_others_command_and_not_what_it_does_itself(
    http: httpx2.AsyncClient, peer: Peer
) -> None:
    await http.post("/api/sessions/here/command", json={"command": "black"})
    black = await told(peer, "state")
    await peer.websocket.send('{"type": "command", "command": "on_air"}')
    await peer.websocket.send('{"type": "command", "command": "tempo", "bpm": 90}')
    await peer.websocket.send('{"type": "command", "command": "fly"}')
    await told(peer, "error")
    own = [text for text in peer.texts if text["type"] == "state"]
    await http.post("/api/sessions/here/command", json={"command": "tempo", "bpm": 128, "since_s": 0.1})
    tempo = await told(peer, "state")

    assert black == {"type": "state", "air": "black"}, "and nothing that it may have changed itself meanwhile"
    assert len(own) == 1, "that of the other"
    assert tempo["tempo"]["bpm"] == 128  # type: ignore[index]
    assert (await http.get("/api/sessions/here")).json()["tempo"]["bpm"] == 128


@pytest.mark.parametrize("is_its_own", [True, False])
async def test_crossfader_that_others_moved_is_told_to_a_client_that_comes_back(is_its_own: bool) -> None:
    with running(a_config(resume_s=60)) as server:
        async with connected(server.websocket_url, session="away") as peer:
            await peer.websocket.send('{"type": "command", "command": "crossfade", "at": 0.25}')
            await peer.websocket.send('{"type": "command", "command": "fly"}')
            await told(peer, "error")
        async with http_client(server.url) as http:
            if not is_its_own:
                body = {"command": "crossfade", "at": 1, "transition_s": 2}
                assert (await http.post("/api/sessions/away/command", json=body)).status_code == 200
            async with connected(server.websocket_url, session="away") as again:
                ready = again.texts[0]

    assert ready.get("crossfade") == (None if is_its_own else {"at": 1.0, "transition_s": 2.0})


async def test_crossfader_is_moved_for_the_studio_which_says_where_its_own_is(
    server: RunningServer, http: httpx2.AsyncClient, peer: Peer
) -> None:
    async with dialled(f"{server.websocket_url}?watch=here") as remote:
        await told(remote, "state")
        await peer.websocket.send('{"type": "command", "command": "crossfade", "at": 0.25}')
        seen = await told(remote, "state")
        body = {"command": "crossfade", "at": 7, "transition_s": 2}
        answer = await http.post("/api/sessions/here/command", json=body)
        moved = await told(peer, "state")

    assert seen["crossfade"] == {"at": 0.25, "transition_s": 0.0}
    assert answer.json()["crossfade"] == {"at": 1.0, "transition_s": 2.0}
    assert moved == {"type": "state", "crossfade": {"at": 1.0, "transition_s": 2.0}}, "and not its own before"


async def test_seed_by_chance_is_another_one(http: httpx2.AsyncClient, peer: Peer) -> None:
    before = (await http.get("/api/sessions/here")).json()["params"]["seed"]

    answer = await http.post("/api/sessions/here/command", json={"command": "seed"})

    assert answer.json()["params"]["seed"] != before


async def test_remote_hears_the_state_when_it_comes_and_when_it_changes(
    server: RunningServer, http: httpx2.AsyncClient, peer: Peer
) -> None:
    await http.put("/api/sessions/here/pads", json={"pads": [DAY, NIGHT]})
    async with dialled(f"{server.websocket_url}?watch=here") as remote:
        first = await told(remote, "state")
        await remote.websocket.send('{"type": "command", "command": "pad", "pad": 2}')
        second = await told(remote, "state")

    assert (first["pad"], first["pads"], second["pad"]) == (None, 1, 2)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "the body must be"),
        ({"command": "fly"}, 422, "there is no command 'fly'"),
        ({"command": "pad", "pad": "noon"}, 422, "there is no pad 'noon'"),
        ({"command": "pad"}, 422, "there is no pad 'None'"),
        ({"command": "tempo"}, 422, "bpm must be a number"),
        ({"command": "crossfade"}, 422, "at must be a number"),
        ({"command": "crossfade", "at": 1, "transition_s": -1}, 422, "transition_s"),
        ({"command": "seed", "transition_s": -1}, 422, "transition_s"),
    ],
)
async def test_command_that_is_none_says_why(
    http: httpx2.AsyncClient, peer: Peer, body: dict[str, object], status: int, says: str
) -> None:
    answer = await http.post("/api/sessions/here/command", json=body)

    assert answer.status_code == status
    assert says in answer.json()["detail"]


async def test_pads_of_more_than_may_be_are_refused(http: httpx2.AsyncClient, peer: Peer) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG")
    picture = base64.b64encode(file.getvalue()).decode()
    most = [{"name": f"{number}", "look": {"prompt": "ink"}, "picture": picture} for number in range(100)]

    full = await http.put("/api/sessions/here/pads", json={"pads": most})
    many = await http.put("/api/sessions/here/pads", json={"pads": [*most, DAY]})
    large = await http.put("/api/sessions/here/pads", content=b" " * (2 * 2**20 + 1))
    nested = await http.put("/api/sessions/here/pads", json={"pads": [[]] * 9000})

    assert [answer.status_code for answer in (full, many, large, nested)] == [200, 422, 413, 400]
    assert len((await http.get("/api/sessions/here/pads")).json()["pads"]) == 100


async def test_code_of_an_address_is_read_back(http: httpx2.AsyncClient) -> None:
    text = "http://192.168.1.5:8777/remote?session=show&ticket=" + "a1B-_" * 30

    answer = await http.post("/api/qr", content=text.encode())
    svg = answer.text
    side = int(re.findall(r'viewBox="0 0 (\d+)', svg)[0])
    modules = np.full((side, side), 255, np.uint8)
    for x, y in re.findall(r"M(\d+) (\d+)h1v1", svg):
        modules[int(y), int(x)] = 0
    picture = np.kron(modules, np.ones((8, 8), np.uint8))

    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == text


async def test_code_of_nothing_or_too_much_is_refused(http: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(http.post("/api/qr"), http.post("/api/qr", content=b"x" * 1025))

    assert [answer.status_code for answer in answers] == [422, 413]
