"""Peer connections from end to end: an unpatched aiortc client, a real server, real packets on loopback."""

from __future__ import annotations

import asyncio
import threading
import time

import aioice.ice
import pytest
from aiortc import RTCRtpSender

from realtime.frame import Format
from realtime.media import codec
from realtime.server.webrtc import seams
from realtime.server.webrtc.decoder import Decoded, EncodedFrame, VideoDecoder
from realtime.server.webrtc.peers import Peers
from tests.fakes.servers import RunningServer, a_config, echo_load, running
from tests.fakes.waiting import until
from tests.server.peer import connected, dialled, http_client
from tests.server.webrtc.conftest import LOOPBACK
from tests.server.webrtc.rtc_peer import Camera, RtcPeer, Silence, dialled_rtc, rtc_peer, watching


def peers_of(server: RunningServer) -> Peers:
    return server.app.state.peers


def prefer(peer: RtcPeer, codec: str) -> None:
    wanted = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType == f"video/{codec}"]
    for transceiver in peer.connection.getTransceivers():
        if transceiver.kind == "video":
            transceiver.setCodecPreferences(wanted)


# -- both ways -----------------------------------------------------------------------------------------------------


async def test_pictures_come_back_in_the_size_of_the_params(server: RunningServer) -> None:
    camera = Camera(160, 120, level=200)
    async with dialled_rtc(server.url, camera=camera, width=192, height=64) as peer:
        bright = await peer.picture(lambda picture: picture.shape == (64, 192, 3) and picture.mean() > 180)
        camera.level = 60
        dark = await peer.picture(lambda picture: picture.mean() < 90)

    # Luma 200 and 60 of the limited range, 16 to 235.
    assert abs(float(bright.mean()) - (200 - 16) * 255 / 219) < 6
    assert abs(float(dark.mean()) - (60 - 16) * 255 / 219) < 6


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_both_codecs_go_both_ways(server: RunningServer, codec: str) -> None:
    async with rtc_peer(server.url) as peer:
        peer.connection.addTrack(Camera())
        peer.open_control()
        prefer(peer, codec)
        await peer.dial("/rtc?session=s")
        await peer.text("ready")
        await peer.patch(width=128, height=96, skip_unchanged=False)
        await peer.picture()

        first = next(line for line in peer.response.text.splitlines() if line.startswith("a=rtpmap"))

    assert codec in first
    assert server.service.session("s").stats.received > 0


@pytest.mark.slow
async def test_text_messages_go_over_the_control_channel_as_over_a_websocket(server: RunningServer) -> None:
    async with dialled_rtc(server.url) as peer:
        peer.say(type="params", params={"prompt": "ink", "seed": 5})
        confirmed = await peer.text("params")
        peer.say(type="params", params={"strength": 7})
        refused = await peer.text("error")
        peer.say(type="command", command="explode")
        unknown = await peer.text("error")
        stats = await peer.text("stats")

    assert (confirmed["params"]["prompt"], confirmed["params"]["seed"]) == ("ink", 5)
    assert (refused["code"], refused["field"]) == ("invalid_params", "strength")
    assert unknown["code"] == "unknown_command"
    assert stats["sessions"] == 1
    assert not [text for text in peer.texts if text["type"] == "dropped"]


async def test_video_is_shown_as_it_is_while_its_sender_says_so(server: RunningServer) -> None:
    async with dialled_rtc(server.url, session="blank", skip_unchanged=False) as peer:
        await peer.picture()
        session = server.service.session("blank")
        assert session is not None

        def shown_with() -> float:
            assert session.newest is not None
            return session.newest.job.params.strength

        for is_as_is in (True, False, True):
            peer.say(type="video", as_is=is_as_is)
            await until(lambda wanted=0.0 if is_as_is else session.params.strength: shown_with() == wanted)
        peer.say(type="video", as_is="yes")
        assert (await peer.text("error"))["code"] == "bad_message"
        assert session.params.strength > 0, "what is in force is as it was"

    async with dialled_rtc(server.url, session="blank", skip_unchanged=False):
        await until(lambda: shown_with() == session.params.strength)


async def test_remote_has_no_video_to_speak_of(server: RunningServer) -> None:
    async with dialled_rtc(server.url, session="blank", skip_unchanged=False) as peer:
        await peer.picture()
        session = server.service.session("blank")
        assert session is not None
        async with connected(f"{server.websocket_url}?watch=blank", size=None) as remote:
            await remote.say(type="video", as_is=True)
            await remote.say(type="params", params={"seed": 4242})
            await until(lambda: session.newest is not None and session.newest.job.params.seed == 4242)
        assert session.newest is not None
        assert session.newest.job.params.strength == session.params.strength


async def test_camera_may_change_its_size_between_two_frames(server: RunningServer) -> None:
    camera = Camera(160, 120)
    async with dialled_rtc(server.url, camera=camera) as peer:
        await peer.picture()
        camera.width, camera.height, camera.level = 322, 242, 220
        picture = await peer.picture(lambda picture: picture.mean() > 200)

    assert picture.shape == (96, 128, 3)


async def test_too_many_pixels_are_refused_once_a_second_and_cost_nobody_anything() -> None:
    with running(a_config(ice_addresses=LOOPBACK, max_pixels=64 * 64)) as server:
        begun_s = time.monotonic()
        async with dialled_rtc(server.url, camera=Camera(128, 96)) as peer:
            error = await peer.text("error")
            await until(lambda: server.service.session("s").stats.dropped["invalid"] > 10)
            more = [text for text in peer.texts if text["type"] == "error"]
            took_s = time.monotonic() - begun_s

    assert error["code"] == "too_many_pixels"
    assert len(more) <= took_s


@pytest.mark.slow
async def test_freeze_holds_the_picture(server: RunningServer) -> None:
    camera = Camera(level=60)
    async with dialled_rtc(server.url, camera=camera) as peer:
        await peer.picture(lambda picture: picture.mean() < 90)
        peer.say(type="command", command="freeze")
        await until(lambda: server.service.session("s").frozen)
        camera.level = 220
        await until(lambda: server.service.session("s").stats.dropped["paused"] > 20)
        held = await peer.picture()

    assert held.mean() < 90


async def test_session_is_taken_over_between_transports_with_its_params(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="s") as websocket:
        await websocket.patch(prompt="ink", width=96, height=64, skip_unchanged=False)
        async with rtc_peer(server.url) as peer:
            peer.connection.addTrack(Camera())
            peer.open_control()
            await peer.dial("/rtc?session=s")
            ready = await peer.text("ready")
            assert await websocket.closed() == 1000
            picture = await peer.picture()

            async with dialled(server.websocket_url, session="s") as back:
                again = await back.text("ready")
                end = await peer.text("closed")

    assert ready["params"]["prompt"] == again["params"]["prompt"] == "ink"
    assert picture.shape == (64, 96, 3)
    assert end["code"] == 1000


async def test_loading_is_told_over_the_control_channel() -> None:
    go_on = threading.Event()

    def load(config: object, progress: object) -> object:
        progress("download", 40.0)  # type: ignore[operator]
        assert go_on.wait(20)
        return echo_load()(config, progress)  # type: ignore[arg-type]

    with running(a_config(ice_addresses=LOOPBACK), load) as server:  # type: ignore[arg-type]
        async with rtc_peer(server.url) as peer:
            peer.connection.addTrack(Camera())
            peer.open_control()
            await peer.dial("/rtc")
            loading = await peer.text("loading")
            go_on.set()
            await peer.text("ready")

    assert (loading["stage"], loading["percent"]) == ("download", 40.0)


async def test_full_server_lets_a_peer_wait_in_line_and_tells_its_place() -> None:
    with running(a_config(ice_addresses=LOOPBACK, max_sessions=1, max_waiting=1)) as server:
        async with dialled(server.websocket_url) as first, rtc_peer(server.url) as peer:
            await first.text("ready")
            peer.connection.addTrack(Camera())
            peer.open_control()
            await peer.dial("/rtc")
            queued = await peer.text("queued")
            await first.websocket.close()
            await peer.text("ready")

    assert (queued["position"], queued["size"]) == (1, 1)


async def test_session_of_a_peer_that_left_waits_for_it(server: RunningServer) -> None:
    async with dialled_rtc(server.url, prompt="kept"):
        pass
    await until(lambda: server.service.session("s").channel is None)

    async with rtc_peer(server.url) as peer:
        peer.connection.addTrack(Camera())
        peer.open_control()
        await peer.dial("/rtc?session=s")
        ready = await peer.text("ready")

    assert ready["params"]["prompt"] == "kept"


async def test_engine_that_fails_is_the_reason_that_the_last_message_gives() -> None:
    def fault(job: object) -> None:
        raise RuntimeError("broken")

    with running(a_config(ice_addresses=LOOPBACK), echo_load(fault=fault)) as server:
        async with rtc_peer(server.url) as peer:
            peer.connection.addTrack(Camera())
            peer.open_control()
            await peer.dial("/rtc")
            end = await peer.text("closed")

    assert end["code"] == 1011


async def test_server_that_stops_says_so(own_server: RunningServer) -> None:
    async with dialled_rtc(own_server.url) as peer:
        own_server.server.should_exit = True
        end = await peer.text("closed")

    assert end["code"] == 1001


@pytest.mark.parametrize(("message", "code"), [("no JSON", 1002), (b"binary", 1002)])
async def test_control_message_that_is_none_ends_the_connection(
    server: RunningServer, message: str | bytes, code: int
) -> None:
    async with dialled_rtc(server.url) as peer:
        peer.control.send(message)  # type: ignore[union-attr]
        end = await peer.text("closed")

    assert end["code"] == code


async def test_flood_of_texts_ends_the_connection_and_nobody_elses(server: RunningServer) -> None:
    async with dialled_rtc(server.url, session="rude") as rude, dialled_rtc(server.url, session="other") as other:
        for seed in range(1500):
            rude.say(type="params", params={"seed": seed})
        end = await rude.text("closed")
        other.say(type="params", params={"prompt": "still here"})
        confirmed = await other.text("params")

    assert (end["code"], end["reason"]) == (1002, "texts come faster than they can be read: send fewer")
    assert confirmed["params"]["prompt"] == "still here"


# -- in ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_whip_publishes_to_an_ordinary_session_and_its_audio_is_thrown_away(server: RunningServer) -> None:
    async with rtc_peer(server.url) as peer:
        peer.connection.addTrack(Silence())
        peer.connection.addTrack(Camera(level=200))
        response = await peer.dial("/whip?session=obs")
        assert response.status_code == 201, response.text
        await until(lambda: (session := server.service.session("obs")) is not None and session.newest is not None)
        session = server.service.session("obs")
        session.update({"prompt": "by HTTP"})
        await until(lambda: session.newest.job.params.prompt == "by HTTP")
        await until(lambda: session.stats.received > 40)
        assert not [thread for thread in threading.enumerate() if thread.name == "audio-decoder"]

    assert "a=recvonly" in response.text
    assert "a=sendrecv" not in response.text
    assert abs(float(session.newest.picture.mean()) - (200 - 16) * 255 / 219) < 6


async def test_peer_ends_at_once_while_its_decoder_is_at_work_and_the_loop_never_waits(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def decode(self: VideoDecoder, frame: EncodedFrame) -> list[Decoded]:
        begun.set()
        assert go_on.wait(60)
        return []

    monkeypatch.setattr(VideoDecoder, "decode", decode)
    try:
        async with rtc_peer(server.url) as peer, http_client(server.url) as http:
            peer.connection.addTrack(Camera())
            await peer.dial("/whip?session=obs")
            await until(begun.is_set)
            waiting = next(iter(peers_of(server)._resources.values())).peer.intake
            await until(lambda: waiting.lost > 0)  # type: ignore[union-attr]
            deleted = await http.delete(peer.location)
            alive = await http.get("/healthz")
    finally:
        go_on.set()

    assert (deleted.status_code, alive.status_code) == (200, 200)


async def test_second_publisher_of_a_session_is_refused_while_the_first_sends(server: RunningServer) -> None:
    async with rtc_peer(server.url) as first, rtc_peer(server.url) as second:
        for peer in (first, second):
            peer.connection.addTrack(Camera())
        await first.dial("/whip?session=obs")
        await until(lambda: (session := server.service.session("obs")) is not None and session.stats.received > 5)
        refused = await second.dial("/whip?session=obs")

    assert refused.status_code == 409


# -- out -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_whep_viewers_share_one_encoding_that_ends_with_the_last_of_them(server: RunningServer) -> None:
    async with dialled_rtc(server.url) as publisher:
        await publisher.picture()
        async with watching(server.url) as one, watching(server.url) as two, watching(server.url) as three:
            for viewer in (one, two, three):
                await viewer.picture()
            shared = peers_of(server).encodings
            watched = server.service.viewers.count
        await until(lambda: server.service.viewers.count == 0)

    await until(lambda: peers_of(server).encodings == 0)
    assert (shared, watched) == (1, 3)


async def test_viewer_of_a_session_that_stands_still_sees_its_last_picture(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="s") as websocket:
        await websocket.restyle(1)
        async with watching(server.url) as viewer:
            picture = await viewer.picture()

    assert picture.shape[2] == 3


@pytest.mark.slow
async def test_black_is_seen_by_every_kind_of_viewer_though_the_session_stands_still(server: RunningServer) -> None:
    async with (
        connected(server.websocket_url, session="s") as websocket,
        watching(server.url) as whep,
        dialled(f"{server.websocket_url}?watch=s") as watching_too,
    ):
        answer = await websocket.restyle(1)
        await watching_too.picture()
        await websocket.say(type="command", command="black")
        seen = await watching_too.picture()
        seen_by_whep = [(await whep.picture()).max() for _ in range(3)]  # the first was on its way
        await websocket.say(type="command", command="on_air")
        again = await watching_too.picture()

    assert seen_by_whep[-1] <= 16
    assert codec.decode(seen.data, Format.JPEG, 64, 64, 2**24).max() == 0
    assert (seen.seq, again.seq) == (1, 1)
    assert again.data == answer.data


async def test_new_connection_is_told_what_is_on_air(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="s") as websocket:
        await websocket.say(type="command", command="bypass")
        await websocket.restyle(1)
    async with dialled(f"{server.websocket_url}?session=s") as websocket:
        ready = await websocket.text("ready")

    assert ready["air"] == "bypass"


async def test_viewer_leaves_when_the_session_ends(server: RunningServer) -> None:
    async with connected(server.websocket_url, session="s") as websocket:
        await websocket.restyle(1)
        async with watching(server.url) as viewer:
            await viewer.picture()
            server.service.host._loop.call_soon_threadsafe(server.service.dismiss, server.service.session("s"))
            await until(lambda: viewer.connection.connectionState == "closed")


@pytest.mark.slow
async def test_websocket_viewer_gets_the_pictures_of_a_video_session_encoded_once(server: RunningServer) -> None:
    async with (
        dialled_rtc(server.url, output_format="png") as publisher,
        dialled(f"{server.websocket_url}?watch=s") as one,
        dialled(f"{server.websocket_url}?watch=s") as two,
    ):
        await publisher.picture()
        ready = await one.text("ready")
        pictures = [await one.picture(), await two.picture()]
        publisher.say(type="params", params={"prompt": "new"})
        told = await one.text("params")
        stats = await one.text("stats")

    assert ready["session"] == "s"
    assert {picture.format for picture in pictures} <= {1, 2}
    assert told["params"]["prompt"] == "new"
    assert stats["sessions"] == 1


async def test_websocket_viewer_of_no_session_may_come_back_later(server: RunningServer) -> None:
    async with dialled(f"{server.websocket_url}?watch=nobody") as viewer:
        code = await viewer.closed()

    assert code == 1013


async def test_viewers_are_limited() -> None:
    with running(a_config(ice_addresses=LOOPBACK, max_viewers=1)) as server:
        async with connected(server.websocket_url, session="s") as websocket:
            await websocket.restyle(1)
            async with watching(server.url) as viewer, rtc_peer(server.url) as late:
                await viewer.picture()
                assert server.service.viewers.of("s") == {"websocket": 0, "mjpeg": 0, "whep": 1}
                late.connection.addTransceiver("video", direction="recvonly")
                refused = await late.dial("/whep?session=s")
                async with dialled(f"{server.websocket_url}?watch=s") as second:
                    code = await second.closed()
            await until(lambda: server.service.viewers.count == 0)
            async with dialled(f"{server.websocket_url}?watch=s") as third:
                await third.text("ready")

    assert (refused.status_code, code) == (503, 1013)
    assert refused.headers["retry-after"]


@pytest.mark.slow
async def test_ends_leave_no_task_and_no_thread_behind(own_server: RunningServer) -> None:
    def tasks() -> int:
        return len(asyncio.all_tasks(own_server.service.host._loop))

    async def cycle() -> None:
        async with dialled_rtc(own_server.url) as peer:
            await peer.picture()
            async with watching(own_server.url) as viewer:
                await viewer.picture()
        await until(lambda: peers_of(own_server).count == 0)

    await cycle()
    before = tasks()
    await cycle()

    await until(lambda: tasks() <= before)
    await until(lambda: not [thread for thread in threading.enumerate() if thread.name == "video-decoder"])
    assert peers_of(own_server).encodings == 0
    assert own_server.service.viewers.count == 0


@pytest.mark.slow
async def test_peer_that_answers_no_more_is_gone_and_its_session_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seams, "CONSENT_EVERY_S", 0.1)
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.1)  # the server sets it, for the process: back to what it was
    with running(a_config(ice_addresses=LOOPBACK, resume_s=5.0)) as server:
        async with dialled_rtc(server.url, "kept", prompt="ink") as peer:
            await peer.picture()
            for transport in peer.connection._RTCPeerConnection__iceTransports:  # type: ignore[attr-defined]
                for protocol in transport._connection._protocols:
                    protocol.transport.abort()  # as a browser that was killed: nothing is said
            await until(lambda: peers_of(server).count == 0)

        assert server.service.session("kept").params.prompt == "ink"
