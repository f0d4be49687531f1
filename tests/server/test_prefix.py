"""Behind a reverse proxy, under a path: with and without the prefix taken off, by option and by header."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from aiortc import RTCPeerConnection

from tests.fakes.servers import RunningServer, a_config, running
from tests.server.peer import connected, http_client

TOKEN = "t"
UNDER = {"x-forwarded-prefix": "/studio/one"}
BY_TOKEN = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(ice_addresses=("127.0.0.1",)), token=TOKEN) as one:
        yield one


@pytest.fixture(scope="module")
def rooted() -> Iterator[RunningServer]:
    with running(a_config(root_path="/studio/one/", ice_addresses=("127.0.0.1",)), token=TOKEN) as one:
        yield one


async def offered(http: httpx2.AsyncClient, path: str, **headers: str) -> httpx2.Response:
    peer = RTCPeerConnection()
    peer.addTransceiver("video", direction="sendonly")
    await peer.setLocalDescription(await peer.createOffer())
    try:
        headers = {"content-type": "application/sdp", **BY_TOKEN, **headers}
        return await http.post(path, content=peer.localDescription.sdp, headers=headers)
    finally:
        await peer.close()


@pytest.mark.parametrize("path", ["/whip?session=a", "/studio/one/whip?session=a"])
@pytest.mark.parametrize("is_by_option", [False, True])
async def test_location_of_a_peer_is_where_its_client_finds_it(
    server: RunningServer, rooted: RunningServer, path: str, is_by_option: bool
) -> None:
    headers = {} if is_by_option else UNDER
    async with http_client((rooted if is_by_option else server).url) as http:
        answer = await offered(http, path, **headers)
        location = answer.headers["location"]

        assert (answer.status_code, location.startswith("/studio/one/whip/")) == (201, True)
        assert (await http.delete(location, headers={**BY_TOKEN, **headers})).status_code == 200


async def test_page_is_found_with_its_token_and_its_slash(rooted: RunningServer) -> None:
    async with http_client(rooted.url) as http:
        bare = await http.get("/studio/one?token=t")
        page = await http.get("/studio/one/?token=t&x=1")

    assert (bare.status_code, bare.headers["location"]) == (307, "/studio/one/?token=t")
    assert (page.status_code, page.headers["location"]) == (303, "/studio/one/?x=1")


async def test_sockets_and_routes_are_found_with_and_without_the_prefix(rooted: RunningServer) -> None:
    for url in (f"ws://127.0.0.1:{rooted.port}/studio/one/ws", rooted.websocket_url):
        async with connected(url, additional_headers=BY_TOKEN):
            pass
    async with http_client(rooted.url, headers=BY_TOKEN) as http:
        for path in ("/studio/one/api/config", "/api/config"):
            assert (await http.get(path)).status_code == 200


async def test_prefix_opens_no_door(rooted: RunningServer) -> None:
    async with http_client(rooted.url) as http:
        for path in ("/studio/one/api/config", "/studio/one/studio/one/api/config", "/studio/onewhip/api/config"):
            assert (await http.get(path)).status_code == 401


@pytest.mark.parametrize(
    "said", ["//evil.example", "https://evil.example", "/a b", "/a?b", "/" + "x" * 100, "x", "/a//b"]
)
async def test_header_that_is_no_path_is_not_taken(server: RunningServer, said: str) -> None:
    async with http_client(server.url) as http:
        page = await http.get("/?token=t", headers={"x-forwarded-prefix": said})

    assert page.headers["location"] == "/"
