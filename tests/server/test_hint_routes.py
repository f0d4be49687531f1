"""What nets are shown, as small pictures by HTTP: which, how often made, and what there is none of."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from realtime.config import Config
from realtime.control import INPUT, Hint, HintKey
from realtime.engine import ControlInfo, Engine, Progress
from realtime.engine.echo import EchoEngine
from realtime.frame import HINT_VIEW_PX, Result
from realtime.params import Params
from realtime.server import hint_views
from realtime.server.hint_views import EVERY_S, KEPT, WORK_SHARE, WORK_SPAN_S, HintViews
from realtime.server.turns import NotTaken
from realtime.session import Session
from tests.fakes.frames import a_job, a_result
from tests.fakes.pictures import encoded
from tests.fakes.servers import RunningServer, a_config, running
from tests.server.peer import Peer, connected, http_client

SHAPE = {"width": 256, "height": 128}
NETS = {"edges": Hint.CANNY, "squares": Hint.COLOUR, "far": Hint.DEPTH, "itself": Hint.PICTURE}


def load(config: Config, progress: Progress) -> Engine:
    engine = EchoEngine()
    engine.info = replace(engine.info, controls=tuple(ControlInfo(name, hint, name) for name, hint in NETS.items()))
    return engine


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(max_sessions=8), load) as one:
        yield one


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(server.url) as one:
        yield one


def halves(left: int, right: int) -> bytes:
    """A picture with one upright edge in its middle."""
    picture = np.full((128, 256, 3), left, np.uint8)
    picture[:, 128:] = right
    return encoded(picture, quality=95)


def pixels_of(answer: httpx2.Response) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg" and answer.headers["cache-control"] == "no-store"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


async def shown(peer: Peer, control: list[dict[str, Any]]) -> None:
    """Has a picture restyled under these nets."""
    await peer.patch(**SHAPE, control=control, skip_unchanged=False)
    await peer.restyle(1, halves(20, 230))


async def test_a_net_is_seen_what_it_is_shown_of_the_newest_frame_also_while_it_does_not_act(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    async with connected(server.websocket_url, session="seen") as peer:
        await shown(peer, [{"net": "edges"}])

        edges = pixels_of(await http.get("/api/sessions/seen/hint?net=edges"))
        squares = pixels_of(await http.get("/api/sessions/seen/hint?net=squares"))
        itself = pixels_of(await http.get("/api/sessions/seen/hint?net=itself"))

    assert edges.shape == (HINT_VIEW_PX // 2, HINT_VIEW_PX, 3)
    assert edges[:, 92:100].max() > 60 and max(edges[:, :86].max(), edges[:, 106:].max()) < 40
    for picture in (squares, itself):
        assert abs(int(picture[40, 40, 0]) - 20) < 8 and abs(int(picture[40, 150, 0]) - 230) < 8


async def test_a_picture_is_shown_in_the_inputs_place(server: RunningServer, http: httpx2.AsyncClient) -> None:
    kept = (await http.put("/api/pictures", content=halves(200, 100))).json()["id"]
    async with connected(server.websocket_url, session="other") as peer:
        await shown(peer, [])

        itself = pixels_of(await http.get(f"/api/sessions/other/hint?net=itself&source={kept}"))

    assert abs(int(itself[40, 40, 0]) - 200) < 8


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("net=wind", "no net 'wind'"),
        (f"net=edges&source={'0' * 32}", "no picture"),
        ("net=edges&source=../x", "no picture"),
    ],
)
async def test_what_there_is_not_is_said(
    server: RunningServer, http: httpx2.AsyncClient, query: str, said: str
) -> None:
    async with connected(server.websocket_url, session="empty"):
        answer = await http.get(f"/api/sessions/empty/hint?{query}")

        early = await http.get("/api/sessions/empty/hint?net=edges")

    assert answer.status_code == 404 and said in answer.json()["detail"]
    assert (early.status_code, early.content) == (204, b"")
    assert (await http.get("/api/sessions/nobody/hint?net=edges")).status_code == 404


def a_result_of(number: int, **fields: Any) -> Result:
    params = Params(width=64, height=64)
    return a_result(replace(a_job(number, params, picture=np.full((64, 64, 3), number, np.uint8)), **fields))


async def test_hints_are_made_when_there_is_something_new_and_no_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(newest: Result, key: HintKey, reference: object) -> bytes:
        made.append(newest.job.number)
        return bytes([newest.job.number])

    monkeypatch.setattr(hint_views, "_made", make)
    now = [0.0]
    views, session = HintViews(clock=lambda: now[0]), Session("s", Params(), 2**22)
    key = HintKey(Hint.CANNY, INPUT)

    assert await views.of(session, key, None) is None
    session.newest = a_result_of(1)
    assert await asyncio.gather(*(views.of(session, key, None) for _ in range(3))) == [b"\1"] * 3
    session.newest = a_result_of(2)
    assert await views.of(session, key, None) == b"\1", "too early"
    now[0] += EVERY_S
    assert await views.of(session, key, None) == b"\2"
    now[0] += 10
    assert await views.of(session, key, None) == b"\2", "nothing new"
    assert made == [1, 2]


async def test_what_frames_have_brought_is_not_made_again_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    views, session, key = HintViews(), Session("s", Params(), 2**22), HintKey(Hint.CANNY, INPUT)
    own = np.full((64, 64, 3), 90, np.uint8)
    session.newest = a_result_of(1, hints={key: own})

    jpeg = await views.of(session, key, None)

    assert jpeg is not None and abs(np.asarray(Image.open(io.BytesIO(jpeg))).astype(int) - 90).max() < 4
    for number in range(2 * KEPT):
        await views.of(session, HintKey(Hint.CANNY, f"{number:032x}"), own)
    assert len(views._views[session].kept) == KEPT  # pyright: ignore[reportPrivateUsage]


async def test_what_the_engine_made_is_shown_and_nothing_before_it_did() -> None:
    now = [0.0]
    views, session = HintViews(clock=lambda: now[0]), Session("s", Params(), 2**22)
    of_input, of_picture = HintKey(Hint.POSE, INPUT), HintKey(Hint.POSE, "a" * 32)
    session.newest = a_result_of(1)
    assert await views.of(session, of_input, None) is None

    for number in (2, 3):
        made = np.full((96, 192, 3), 40 * number, np.uint8)
        session.newest = replace(a_result_of(number), hints={of_input: made, of_picture: made // 2})
        now[0] += EVERY_S
        for key, level in ((of_input, 40 * number), (of_picture, 20 * number if number == 2 else 40)):
            jpeg = await views.of(session, key, None)
            assert jpeg is not None
            seen = np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)
            assert seen.shape == (96, 192, 3) and np.abs(seen - level).max() < 4


async def test_who_asks_for_ever_other_hints_is_told_to_wait_and_pays_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    paid: list[tuple[str, int]] = []
    monkeypatch.setattr(hint_views, "_timed", lambda job, key, reference: (b"jpeg", 10**8))
    now = [0.0]
    views = HintViews(lambda session, ns: paid.append((session.name, ns)), clock=lambda: now[0])
    greedy, other = Session("greedy", Params(), 2**22), Session("other", Params(), 2**22)
    greedy.newest = other.newest = a_result_of(1)
    keys = [HintKey(Hint.CANNY, f"{number:032x}") for number in range(60)]

    one_by_one: list[object] = []
    for key in keys[:10]:
        try:
            one_by_one.append(await views.of(greedy, key, np.zeros((64, 64, 3), np.uint8)))
        except NotTaken as error:
            one_by_one.append(error.status)
    greedy.newest = a_result_of(2)
    again = await views.of(greedy, keys[3], np.zeros((64, 64, 3), np.uint8))
    together = await asyncio.gather(
        *(views.of(other, key, np.zeros((64, 64, 3), np.uint8)) for key in keys), return_exceptions=True
    )
    now[0] += 60
    later = await views.of(greedy, keys[50], np.zeros((64, 64, 3), np.uint8))

    made = round(WORK_SHARE * WORK_SPAN_S / 0.1)
    assert one_by_one == [b"jpeg"] * (made + 1) + [429] * (9 - made)
    assert paid[: made + 1] == [("greedy", 10**8)] * (made + 1)
    assert again == later == b"jpeg"
    assert [isinstance(one, NotTaken) for one in together] == [False] * KEPT + [True] * (len(keys) - KEPT)


async def test_a_hint_that_could_not_be_made_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    views, session, key = HintViews(), Session("s", Params(), 2**22), HintKey(Hint.CANNY, INPUT)
    session.newest = a_result_of(1)

    def fail(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(hint_views, "_made", fail)
        with pytest.raises(MemoryError):
            await views.of(session, key, None)

    assert await views.of(session, key, None)
