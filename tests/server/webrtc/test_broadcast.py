"""One encoding for all who take it: driven by a session, without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from realtime.channel import Channel
from realtime.params import Params
from realtime.server.webrtc import broadcast
from realtime.server.webrtc.broadcast import PACKETS_MAX, Broadcaster, Outbound
from realtime.session import Session
from tests.fakes.frames import a_job, a_result
from tests.fakes.waiting import PATIENCE_S


class Stage:
    """A session whose pictures the test makes, and a broadcaster."""

    def __init__(self, broadcaster: Broadcaster) -> None:
        self.broadcaster = broadcaster
        self.session = Session("s", Params(width=64, height=64), 2**20)
        self._channel: Channel = self.session.attach(lambda: None, takes_encoded=False)
        self._seq = 0

    def picture(self) -> None:
        self._seq += 1
        self.session.deliver(self._channel, a_result(a_job(self._seq, self.session.params)), 0)

    def taker(self, codec: str = "VP8") -> Outbound:
        outbound = Outbound()
        outbound.codec = codec
        outbound.packetizer = self.broadcaster.add(self.session, outbound)  # type: ignore[attr-defined]
        return outbound


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage]:
    async with asyncio.TaskGroup() as tasks:
        made = Stage(Broadcaster(tasks))
        yield made
        made.broadcaster.stop()


async def packet(outbound: Outbound) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        return await outbound.recv()


async def test_takers_of_the_same_codec_share_packets() -> None:
    async with stage() as s:
        one, two, other = s.taker(), s.taker(), s.taker("H264")
        s.picture()

        assert await packet(one) is await packet(two)
        assert (await packet(other)).is_keyframe
        assert s.broadcaster.encodings == 2


async def test_late_taker_begins_with_a_key_frame_though_no_picture_comes() -> None:
    async with stage() as s:
        early = s.taker()
        s.picture()
        await packet(early)
        late = s.taker()

        assert (await packet(late)).is_keyframe


async def test_still_session_sends_its_last_picture_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "STILL_EVERY_S", 0.02)
    async with stage() as s:
        taker = s.taker()
        s.picture()
        first, second = await packet(taker), await packet(taker)

        assert second.pts > first.pts
        assert not second.is_keyframe


async def test_key_frames_are_rationed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "STILL_EVERY_S", 0.01)
    monkeypatch.setattr(broadcast, "KEY_FRAME_EVERY_S", 60.0)
    async with stage() as s:
        taker = s.taker()
        s.picture()
        got = [await packet(taker)]
        for _ in range(5):
            taker.request_key_frame()
            s.picture()
            got.append(await packet(taker))

        assert [one.is_keyframe for one in got] == [True, False, False, False, False, False]


async def test_taker_that_falls_behind_starts_anew_with_a_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "KEY_FRAME_EVERY_S", 0.0)
    async with stage() as s:
        slow, quick = s.taker(), s.taker()
        for _ in range(PACKETS_MAX + 4):
            s.picture()
            await packet(quick)

        assert (await packet(slow)).is_keyframe
        assert len(slow._packets) < PACKETS_MAX


async def test_encoding_ends_with_its_last_taker() -> None:
    async with stage() as s:
        one, two = s.taker(), s.taker()
        s.broadcaster.remove(one)
        assert s.broadcaster.encodings == 1
        s.broadcaster.remove(two)
        s.broadcaster.remove(two)

        assert s.broadcaster.encodings == 0
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert s.session._viewers == ()


async def test_taker_with_a_bad_line_moves_to_a_thinner_encoding_and_leaves_the_others_alone() -> None:
    async with stage() as s:
        good, bad = s.taker(), s.taker()
        s.picture()
        await packet(good)
        await packet(bad)
        before = good.encoding

        bad.bitrate_control.sent(asyncio.get_running_loop().time(), 10**7)
        bad.packetizer.target_bitrate = 100_000  # type: ignore[attr-defined]
        s.picture()

        assert good.encoding is before
        assert bad.encoding is not before
        assert (await packet(bad)).is_keyframe
        assert s.broadcaster.encodings == 2


async def test_encoding_that_breaks_ends_its_takers_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage() as s:
        healthy = s.taker("H264")
        broken = s.taker()

        def fail(*arguments: object) -> None:
            raise RuntimeError("no codec")

        monkeypatch.setattr(broken.encoding._encoder, "encode", fail)  # type: ignore[union-attr]
        s.picture()
        with pytest.raises(broadcast.MediaStreamError):
            await packet(broken)

        assert (await packet(healthy)).is_keyframe
        assert s.broadcaster.encodings == 1
    assert "an encoding failed" in caplog.text


async def test_stopped_track_gives_no_more() -> None:
    outbound = Outbound()
    waiting = asyncio.create_task(outbound.recv())
    await asyncio.sleep(0)

    outbound.stop()

    with pytest.raises(broadcast.MediaStreamError):
        await waiting


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_packets_are_cut_to_what_a_network_takes(codec: str) -> None:
    async with stage() as s:
        s.session.update({"width": 512, "height": 512})
        taker = s.taker(codec)
        s.picture()

        payloads, _ = taker.packetizer.pack(await packet(taker))  # type: ignore[attr-defined]

        assert payloads
        assert all(len(payload) <= 1300 for payload in payloads)
