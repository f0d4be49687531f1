"""`/rtc`, `/whip` and `/whep` as HTTP: what RFC 9725 and the WHEP draft want, status by status."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from realtime.server.webrtc import admission, peer, publisher
from realtime.server.webrtc.candidates import TAKEN_MAX
from realtime.server.webrtc.sdp import SDP_MAX_BYTES
from tests.fakes.servers import RunningServer, a_config, echo_load, running
from tests.fakes.waiting import until
from tests.server.peer import connected, http_client
from tests.server.webrtc.conftest import LOOPBACK
from tests.server.webrtc.rtc_peer import SDP, Camera, rtc_peer
from tests.server.webrtc.test_sdp import RECVONLY, SENDONLY, VIDEO, offer

FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}
CANDIDATES = "a=ice-ufrag:abcd\r\na=mid:1\r\na=candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host\r\n"
OFFERS = {"rtc": offer(VIDEO), "whip": offer(SENDONLY), "whep": offer(RECVONLY)}
PATHS = list(OFFERS)


@pytest.fixture
async def http(server: RunningServer) -> AsyncGenerator[httpx2.AsyncClient]:
    async with http_client(server.url) as client:
        yield client


async def opened(http: httpx2.AsyncClient, path: str = "whip") -> httpx2.Response:
    response = await http.post(f"/{path}?session=s", content=OFFERS[path], headers=SDP)
    assert response.status_code == 201, response.text
    return response


@pytest.mark.parametrize("path", ["rtc", "whip"])
async def test_offer_is_answered_with_201_location_and_etag(http: httpx2.AsyncClient, path: str) -> None:
    response = await opened(http, path)

    assert response.headers["content-type"] == "application/sdp"
    assert response.headers["location"].startswith(f"/{path}/")
    assert len(response.headers["location"]) > 30
    assert response.headers["etag"].strip('"')
    assert response.text.startswith("v=0")
    assert "a=candidate" in response.text
    assert response.text.count("a=fingerprint:") == response.text.count("a=fingerprint:sha-256") >= 1
    assert "a=setup:passive" in response.text


async def test_publisher_is_answered_recvonly_and_viewer_sendonly(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    publisher = await http.post("/whip", content=offer(VIDEO), headers=SDP)
    async with connected(server.websocket_url, session="s"):
        viewer = await opened(http, "whep")

    assert "a=recvonly" in publisher.text
    assert "a=sendonly" in viewer.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", SDP, 400),
        (b"hello", SDP, 400),
        (b"\xff\xfe", SDP, 400),
        (b"v=0" + b" " * SDP_MAX_BYTES, SDP, 413),
        (OFFERS["rtc"].encode(), {"content-type": "application/json"}, 415),
        (OFFERS["rtc"].encode(), {}, 415),
        (offer(VIDEO.replace("H264", "H265").replace("VP8", "AV1")).encode(), SDP, 422),
    ],
)
async def test_bad_offer_gets_its_status_and_a_sentence(
    server: RunningServer, http: httpx2.AsyncClient, path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    async with connected(server.websocket_url, session="s"):
        name = "s" if path == "whep" else "new"
        response = await http.post(f"/{path}?session={name}", content=content, headers=headers)

    # The viewer's last offer fails already in its direction, which is the same status.
    assert response.status_code == status
    assert len(response.json()["detail"]) > 10
    assert server.app.state.peers.count == 0


async def test_h264_profile_that_nobody_here_decodes_is_a_plain_422(http: httpx2.AsyncClient) -> None:
    only_high = VIDEO.replace("42e01f", "640c1f").replace("VP8", "VP9")

    response = await http.post("/whip", content=offer(only_high), headers=SDP)

    assert response.status_code == 422
    assert "H.264" in response.json()["detail"]


@pytest.mark.parametrize("name", ["a b", "ü", "x" * 65])
async def test_session_name_that_is_none_is_a_400(http: httpx2.AsyncClient, name: str) -> None:
    response = await http.post("/whip", params={"session": name}, content=OFFERS["whip"], headers=SDP)

    assert response.status_code == 400


@pytest.mark.parametrize(("query", "status"), [("?session=nobody", 404), ("", 400)])
async def test_viewer_of_no_session_is_refused(http: httpx2.AsyncClient, query: str, status: int) -> None:
    response = await http.post(f"/whep{query}", content=OFFERS["whep"], headers=SDP)

    assert response.status_code == status


# -- the resource --------------------------------------------------------------------------------------------------


async def test_delete_ends_the_peer_once(server: RunningServer, http: httpx2.AsyncClient) -> None:
    location = (await opened(http)).headers["location"]

    assert (await http.delete(location)).status_code == 200
    assert (await http.delete(location)).status_code == 404
    assert server.app.state.peers.count == 0


async def test_peer_is_found_at_its_own_address_only(http: httpx2.AsyncClient) -> None:
    location = (await opened(http)).headers["location"]

    assert (await http.delete(location.replace("/whip/", "/rtc/"))).status_code == 404
    assert (await http.patch("/whip/nobody", content=CANDIDATES, headers=FRAGMENT)).status_code == 404
    assert (await http.get(location)).status_code == 204


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({**FRAGMENT, "if-match": "ETAG"}, CANDIDATES, 204),
        ({**FRAGMENT, "if-match": "ETAG"}, "a=ice-ufrag:abcd\r\na=end-of-candidates\r\n", 204),
        ({**FRAGMENT, "if-match": "ETAG"}, CANDIDATES.replace("127.0.0.1", "x.local"), 204),
        (FRAGMENT, CANDIDATES, 428),
        ({**FRAGMENT, "if-match": '"other"'}, CANDIDATES, 412),
        ({**FRAGMENT, "if-match": "*"}, CANDIDATES, 422),
        ({**FRAGMENT, "if-match": "ETAG"}, CANDIDATES.replace("abcd", "restart"), 422),
        ({**FRAGMENT, "if-match": "ETAG"}, CANDIDATES + CANDIDATES * 64, 422),
        ({**FRAGMENT, "if-match": "ETAG"}, "hello", 400),
        ({**FRAGMENT, "if-match": "ETAG"}, CANDIDATES.strip() + " raddr x rport y", 400),
        ({"content-type": "application/sdp", "if-match": "ETAG"}, CANDIDATES, 415),
    ],
)
async def test_patch_trickles_or_says_why_not(
    http: httpx2.AsyncClient, headers: dict[str, str], content: str, status: int
) -> None:
    answered = await opened(http)
    tag = answered.headers["etag"]
    given = {name: tag if value == "ETAG" else value for name, value in headers.items()}

    response = await http.patch(answered.headers["location"], content=content, headers=given)

    assert response.status_code == status
    assert "etag" not in response.headers


async def test_few_candidates_are_checked_however_many_come(server: RunningServer, http: httpx2.AsyncClient) -> None:
    answered = await opened(http)
    many = "".join(f"a=candidate:1 1 udp 1 192.0.2.{n} 5000 typ host\r\n" for n in range(40))
    headers = {**FRAGMENT, "if-match": answered.headers["etag"]}

    response = await http.patch(answered.headers["location"], content="a=mid:1\r\n" + many, headers=headers)

    assert response.status_code == 204
    connection = next(iter(server.app.state.peers._resources.values())).peer._connection
    ice = connection.getTransceivers()[0].receiver.transport.transport
    assert len(ice.getRemoteCandidates()) == TAKEN_MAX


@pytest.mark.parametrize("path", PATHS)
async def test_options_and_get_answer_as_the_rfc_wants(http: httpx2.AsyncClient, path: str) -> None:
    options = await http.options(f"/{path}")
    got = await http.get(f"/{path}")

    assert options.status_code == 200
    assert options.headers["accept-post"] == "application/sdp"
    assert (got.status_code, got.content) == (204, b"")


# -- limits --------------------------------------------------------------------------------------------------------


async def test_full_server_is_a_503_with_a_time_to_come_back() -> None:
    with running(a_config(ice_addresses=LOOPBACK, max_sessions=1)) as server:
        async with connected(server.websocket_url), http_client(server.url) as http:
            refused = [await http.post(f"/{path}", content=OFFERS[path], headers=SDP) for path in ("rtc", "whip")]

    assert [response.status_code for response in refused] == [503, 503]
    assert all(int(response.headers["retry-after"]) > 0 for response in refused)
    assert "1 of 1" in refused[0].json()["detail"]


async def test_flood_of_offers_is_stopped_before_it_costs_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "YIELD_AFTER_S", 60.0)
    with running(a_config(ice_addresses=LOOPBACK, max_sessions=2)) as server:
        async with http_client(server.url) as http:
            flood = (http.post("/rtc", content=OFFERS["rtc"], headers=SDP) for _ in range(12))
            codes = [response.status_code for response in await asyncio.gather(*flood)]

    assert sorted(codes) == [201] * 4 + [503] * 8


async def test_peers_that_never_connect_hold_no_seat_and_make_room_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "YIELD_AFTER_S", 0.0)
    with running(a_config(ice_addresses=LOOPBACK, max_sessions=1)) as server:
        async with http_client(server.url) as http:
            offers = [await http.post(f"/{path}", content=OFFERS[path], headers=SDP) for path in ("whip", "rtc") * 3]
            async with connected(server.websocket_url):
                full = await http.post("/whip", content=OFFERS["whip"], headers=SDP)
            await until(lambda: server.app.state.peers.count == admission.PEERS_PER_SEAT)
            kept = [(await http.get(offer.headers["location"])).status_code for offer in offers]

    assert [offer.status_code for offer in offers] == [201] * 6
    assert kept == [404] * 4 + [204] * 2
    assert full.status_code == 503


async def test_viewers_that_never_connect_hold_no_seat_and_cost_no_encoding() -> None:
    with running(a_config(ice_addresses=LOOPBACK, max_viewers=1)) as server:
        async with connected(server.websocket_url, session="s") as websocket, http_client(server.url) as http:
            await websocket.restyle(1)
            await opened(http, "whep")
            async with rtc_peer(server.url) as viewer:
                viewer.connection.addTransceiver("video", direction="recvonly")
                assert (await viewer.dial("/whep?session=s")).status_code == 201
                await viewer.picture()
                seen = (server.service.viewers.count, server.app.state.peers.encodings)

    assert seen == (1, 1)


async def test_publisher_whose_seat_was_taken_while_it_connected_is_ended() -> None:
    with running(a_config(ice_addresses=LOOPBACK, max_sessions=1)) as server:
        async with rtc_peer(server.url) as late, http_client(server.url) as http:
            late.connection.addTrack(Camera())
            answer = await http.post("/whip?session=late", content=await late.offer(), headers=SDP)
            async with connected(server.websocket_url, session="first"):
                await late.take(answer)
                await until(lambda: server.app.state.peers.count == 0)
                names = [session.name for session in server.service.sessions]

    assert answer.status_code == 201
    assert names == ["first"]


async def test_peer_that_opens_no_control_channel_is_gone(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rtc_peer(server.url) as silent:
        silent.connection.addTrack(Camera())
        await silent.dial("/rtc?session=s")
        await until(lambda: silent.connection.connectionState == "connected")
        monkeypatch.setattr(peer, "CONNECT_S", 0.0)
        async with rtc_peer(server.url) as another:
            another.connection.addTrack(Camera())
            await another.dial("/rtc?session=s")
            await until(lambda: server.app.state.peers.count == 1)

    assert server.service.session("s") is None


async def test_model_that_is_being_loaded_is_a_503_for_who_can_not_be_told_of_it() -> None:
    go_on = threading.Event()

    def load(config: Any, progress: Any) -> Any:
        assert go_on.wait(20)
        return echo_load()(config, progress)

    with running(a_config(ice_addresses=LOOPBACK), load) as server:
        async with http_client(server.url) as http:
            refused = [await http.post(f"/{path}", content=OFFERS[path], headers=SDP) for path in ("whip", "whep")]
        go_on.set()

    assert [response.status_code for response in refused] == [503, 503]


# -- who may -------------------------------------------------------------------------------------------------------


async def test_token_is_needed_and_a_bearer_brings_it() -> None:
    with running(a_config(ice_addresses=LOOPBACK), token="secret") as server:
        async with http_client(server.url) as http:
            without = await http.post("/whip", content=OFFERS["whip"], headers=SDP)
            wrong = await http.post("/whip", content=OFFERS["whip"], headers={**SDP, "authorization": "Bearer x"})
            right = await http.post("/whip", content=OFFERS["whip"], headers={**SDP, "authorization": "Bearer secret"})
            unnamed = await http.delete(right.headers["location"])
            preflight = await http.options("/whip")

    assert [r.status_code for r in (without, wrong, right, unnamed)] == [401, 401, 201, 401]
    assert without.headers["www-authenticate"] == "Bearer"
    assert preflight.status_code == 200


async def test_page_of_an_allowed_origin_may_read_the_answer_and_others_may_not() -> None:
    with running(a_config(ice_addresses=LOOPBACK, allowed_origins=("https://studio.example",))) as server:
        async with http_client(server.url) as http:
            own = {"origin": "https://studio.example"}
            answer = await http.post("/whip", content=OFFERS["whip"], headers={**SDP, **own})
            refused = await http.post("/whip", content="x", headers={**SDP, **own})
            foreign = await http.post(
                "/whip", content=OFFERS["whip"], headers={**SDP, "origin": "https://evil.example"}
            )
            preflight = await http.options("/whip", headers=own)
            plain = await http.options("/whip")

    assert [r.status_code for r in (answer, refused, foreign)] == [201, 400, 403]
    for response in (answer, refused, preflight):
        assert response.headers["access-control-allow-origin"] == "https://studio.example"
        assert {"Location", "ETag", "Link"} <= set(response.headers["access-control-expose-headers"].split(", "))
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in plain.headers
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.slow
async def test_ice_servers_are_told_to_clients_in_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.stun.RETRY_RTO", 0.01)  # nobody answers there
    servers = ("stun:127.0.0.1:3478", "turn:ann:secret@127.0.0.1:3479?transport=udp")
    with running(a_config(ice_addresses=LOOPBACK, ice_servers=servers)) as server:
        async with http_client(server.url) as http:
            config = (await http.get("/api/config")).json()
            links = (await http.post("/whip", content=OFFERS["whip"], headers=SDP)).headers.get_list("link")

    assert config["ice_servers"] == [
        {"urls": "stun:127.0.0.1:3478"},
        {"urls": "turn:127.0.0.1:3479?transport=udp", "username": "ann", "credential": "secret"},
    ]
    assert links == [
        '<stun:127.0.0.1:3478>; rel="ice-server"',
        '<turn:127.0.0.1:3479?transport=udp>; rel="ice-server"; '
        'username="ann"; credential="secret"; credential-type="password"',
    ]


async def test_webrtc_can_be_switched_off() -> None:
    with running(a_config(webrtc=False)) as server:
        async with http_client(server.url) as http:
            refused = await http.post("/rtc", content=OFFERS["rtc"], headers=SDP)
            config = (await http.get("/api/config")).json()

    assert refused.status_code == 404
    assert config["webrtc"] is False


# -- who comes back ------------------------------------------------------------------------------------------------


async def test_publisher_that_crashed_may_come_back_before_it_is_found_dead(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "SILENT_S", 0.5)
    async with rtc_peer(server.url) as first, rtc_peer(server.url) as second:
        camera = Camera()
        first.connection.addTrack(camera)
        await first.dial("/whip?session=obs")
        await until(lambda: (session := server.service.session("obs")) is not None and session.stats.received > 3)
        camera.stop()
        camera.recv = None  # type: ignore[assignment,method-assign]  # it sends no more and says nothing
        peers = server.app.state.peers
        crashed = next(iter(peers._resources.values())).publisher
        await until(lambda: crashed.is_silent)
        second.connection.addTrack(Camera())
        back = await second.dial("/whip?session=obs")
        await until(lambda: peers.count == 1)

    assert back.status_code == 201


async def test_peer_that_never_connects_is_forgotten(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "CONNECT_S", 0.2)
    monkeypatch.setattr(peer, "LOOK_EVERY_S", 0.05)
    async with http_client(server.url) as http:
        await opened(http)

    await until(lambda: server.app.state.peers.count == 0)
    assert server.service.session("s") is None


async def test_full_range_of_ports_is_said(unused_udp_port: int) -> None:
    ports = f"{unused_udp_port}-{unused_udp_port + 1}"  # somebody may have the second
    with running(a_config(ice_addresses=LOOPBACK, udp_ports=ports)) as server:
        async with http_client(server.url) as http:
            answers = [
                await http.post(f"/whip?session={name}", content=OFFERS["whip"], headers=SDP)
                for name in ("a", "b", "c")
            ]

    assert answers[0].status_code == 201
    assert re.search(rf" ({unused_udp_port}|{unused_udp_port + 1}) typ host", answers[0].text)
    assert (answers[2].status_code, "--udp-ports" in answers[2].text) == (503, True)
