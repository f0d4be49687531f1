"""The client for programs, against the real server: frames, params, and what happens after a cut."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from realtime.client import (
    ConnectionLostError,
    RefusedError,
    SessionEndedError,
    Stream,
    WireError,
    connect,
    now_us,
)
from realtime.frame import Air, Format
from tests.fakes.pictures import a_jpeg, encoded, pixels
from tests.fakes.servers import RunningServer, a_config, echo_load, load_seeing, running
from tests.fakes.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config(resume_s=30)) as one:
        yield one


async def test_example_of_the_readme_works(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.update(prompt="watercolor", strength=0.6, width=64, height=64)
        picture = await stream.restyle(a_jpeg())

    assert (picture.seq, picture.params_version, picture.format) == (1, 1, Format.JPEG)
    assert Format.sniff(picture.data) is Format.JPEG
    assert 0 < picture.engine_us <= picture.round_trip_us
    assert stream.params["prompt"] == "watercolor"


async def test_ready_tells_params_and_session(server: RunningServer) -> None:
    async with connect(f"{server.websocket_url}?session=mine") as stream:
        assert stream.ready["session"] == "mine"
        assert stream.params["version"] == 0


async def test_pictures_come_while_frames_go_out(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.update(width=64, height=64)
        captured_us = now_us()
        sent = await stream.send(a_jpeg(), captured_us=captured_us)
        async with asyncio.timeout(PATIENCE_S):
            picture = await anext(aiter(stream.pictures()))

    assert picture.seq == sent
    assert picture.round_trip_us <= now_us() - captured_us


async def test_repeat_has_the_picture_before_and_says_so(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.update(width=64, height=64)
        first, again = await stream.restyle(a_jpeg()), await stream.restyle(a_jpeg())
        await stream.update(seed=1)
        anew = await stream.restyle(a_jpeg())

    assert [picture.is_repeat for picture in (first, again, anew)] == [False, True, False]
    assert (again.seq, again.format, again.data) == (2, first.format, first.data)
    assert (again.params_version, anew.params_version) == (1, 2)


async def test_pictures_end_with_the_connection(server: RunningServer) -> None:
    async with connect(f"{server.websocket_url}?session=short") as stream:
        session = next(one for one in server.service.sessions if one.name == "short")
        server.service.host._loop.call_soon_threadsafe(server.service.dismiss, session)
        async with asyncio.timeout(PATIENCE_S):
            assert [picture async for picture in stream.pictures()] == []


async def test_refused_patch_is_an_error_that_names_the_field(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(RefusedError, match="strength") as caught:
            await stream.update(strength=7)
        params = await stream.update(strength=0.7)

    assert (caught.value.code, caught.value.field) == ("invalid_params", "strength")
    assert (params["strength"], params["version"]) == (0.7, 1)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("x" * 70_000, RefusedError), (object(), TypeError), (float("nan"), ValueError)],
    ids=["too long", "no JSON", "not finite"],
)
async def test_patch_that_can_not_be_sent_is_refused_here_and_not_waited_for(
    server: RunningServer, value: object, kind: type[Exception]
) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(kind):
            await stream.update(prompt=value)
        params = await stream.update(prompt="comic")

    assert (params["prompt"], params["version"], stream.connections) == ("comic", 1, 1)


async def test_glide_tells_the_target_at_once_and_how_long_it_takes(server: RunningServer) -> None:
    told: list[dict[str, Any]] = []
    async with connect(server.websocket_url, on_message=told.append) as stream:
        params = await stream.glide(5, prompt="ink", strength=0.7)
        cut = await stream.glide(0, prompt="oil", strength=0.2)
        with pytest.raises(RefusedError) as refused:
            await stream.glide(61, prompt="neon")

    glided, at_once = (message for message in told if message["type"] == "params")
    assert (params["prompt"], params["transition_s"], cut["prompt"]) == ("ink", 0, "oil")
    assert 4 < glided["gliding_s"] <= 5 and "gliding_s" not in at_once
    assert refused.value.field == "transition_s"


async def test_name_of_a_file_is_no_frame(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(TypeError, match=r"bytes or an array of pixels, no str"):
            await stream.send("picture.jpg")  # type: ignore[arg-type]


async def test_messages_are_told(server: RunningServer) -> None:
    told: list[dict[str, Any]] = []
    async with connect(server.websocket_url, on_message=told.append) as stream:
        await stream.command("explode")
        await stream.restyle(a_jpeg())

    assert [message["code"] for message in told if message["type"] == "error"] == ["unknown_command"]


async def test_refused_frame_is_an_error(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(RefusedError) as caught:
            await stream.restyle(a_jpeg()[:-300])

    assert caught.value.code == "invalid_frame"


async def test_frame_that_is_dropped_is_an_error_and_not_a_wait_without_end(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.command("freeze")
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(RefusedError) as caught:
                await stream.restyle(a_jpeg())

    assert caught.value.code == "paused"


@pytest.mark.parametrize("data", [b"", b"junk", encoded(pixels(), "GIF")])
async def test_what_is_no_picture_is_not_sent(server: RunningServer, data: bytes) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(ValueError, match="JPEG, PNG or WebP"):
            await stream.send(data)


async def test_connection_that_ends_for_good_says_why(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream._websocket.send("no json")
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(WireError, match="no JSON object"):
                await stream.restyle(a_jpeg())


async def test_array_is_sent_as_a_picture_and_comes_back_as_one(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.update(width=64, height=64)
        picture = await stream.restyle(pixels(64, 64))

    assert np.abs(picture.pixels().astype(int) - pixels(64, 64)).mean() < 12


@pytest.mark.parametrize("output_format", ["jpeg", "png", "webp"])
async def test_transparent_picture_comes_back_with_its_opacity(server: RunningServer, output_format: str) -> None:
    key = np.zeros((64, 64), np.uint8)
    key[:, :32] = 255
    async with connect(server.websocket_url) as stream:
        await stream.update(width=64, height=64, matte="drawn", beyond="key", output_format=output_format)
        picture = await stream.restyle(np.dstack([pixels(64, 64), key]))
        again = await stream.restyle(np.dstack([pixels(64, 64), key]))

    assert picture.is_stacked is (output_format == "jpeg")
    assert picture.rgba().shape == (64, 64, 4)
    assert np.abs(picture.rgba()[..., 3].astype(int) - key).mean() <= 4
    assert np.abs(picture.pixels()[:, :32].astype(int) - pixels(64, 64)[:, :32]).mean() < 12
    assert again.is_repeat and again.is_stacked is picture.is_stacked


async def test_opaque_picture_is_opaque(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        await stream.update(width=64, height=64)
        picture = await stream.restyle(pixels(64, 64))

    assert (picture.rgba()[..., 3] == 255).all()


@pytest.mark.parametrize(("shape", "kind"), [((8, 8), "uint8"), ((8, 8, 3), "float32"), ((8, 8, 2), "uint8")])
async def test_array_that_is_no_picture_is_refused_here(
    server: RunningServer, shape: tuple[int, ...], kind: str
) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(ValueError, match="RGB"):
            await stream.send(np.zeros(shape, kind))


async def test_frame_that_is_too_large_is_refused_here_and_costs_no_connection(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(RefusedError, match="make it smaller"):
            await stream.send(a_jpeg() + bytes(5 * 2**20))
        await stream.restyle(a_jpeg())

    assert stream.connections == 1


# After a cut


async def cut(stream: Stream) -> None:
    """Cut the connection as a network does, and wait until the stream has noticed."""
    stream._websocket.transport.abort()
    async with asyncio.timeout(PATIENCE_S):
        await stream._until(lambda: not stream._is_open)


async def test_stream_comes_back_to_its_session(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream, asyncio.timeout(PATIENCE_S):
        await stream.update(width=64, height=64, prompt="ink")
        before = (stream.session, (await stream.restyle(a_jpeg())).params_version)
        await cut(stream)
        picture = await stream.restyle(a_jpeg(seed=1))

    assert (stream.session, picture.params_version) == before
    assert (stream.connections, stream.params["prompt"]) == (2, "ink")


async def test_loop_over_pictures_goes_on_after_a_cut(server: RunningServer) -> None:
    seqs: list[int] = []
    async with connect(server.websocket_url) as stream, asyncio.timeout(PATIENCE_S):
        await stream.update(width=64, height=64)
        await stream.send(a_jpeg())
        async for picture in stream.pictures():
            seqs.append(picture.seq)
            if len(seqs) == 3:
                break
            await cut(stream)
            await stream.send(a_jpeg(seed=len(seqs)))

    assert (seqs, stream.connections) == ([1, 2, 3], 3)


async def test_frames_under_way_are_counted_as_lost_and_a_restyled_one_is_sent_again() -> None:
    config = a_config(model="echo:200", resume_s=30)
    with running(config, echo_load(tick_ms=200)) as server:
        async with connect(server.websocket_url) as stream, asyncio.timeout(PATIENCE_S):
            await stream.update(width=64, height=64)
            restyled = asyncio.create_task(stream.restyle(a_jpeg()))
            await asyncio.sleep(0)  # it has sent its frame when it waits for the first time
            assert stream._unsettled
            await cut(stream)
            picture = await restyled

    assert (stream.lost, picture.seq, stream.connections) == (1, 2, 2)


async def test_session_that_was_forgotten_is_told_again() -> None:
    with running(a_config(resume_s=0)) as server:
        async with connect(server.websocket_url) as stream, asyncio.timeout(PATIENCE_S):
            await stream.update(width=64, height=64, prompt="ink")
            await stream.command("black")
            await cut(stream)
            picture = await stream.restyle(a_jpeg())
            session = server.service.session(stream.session)

    assert (picture.params_version, stream.params["prompt"]) == (1, "ink")
    assert session is not None and (session.params.width, session.air) == (64, Air.BLACK)


async def test_session_that_is_taken_over_is_not_taken_back(server: RunningServer) -> None:
    url = f"{server.websocket_url}?session=shared"
    async with connect(url) as first, asyncio.timeout(PATIENCE_S), connect(url) as second:
        assert [picture async for picture in first.pictures()] == []
        with pytest.raises(SessionEndedError, match="another connection"):
            await first.restyle(a_jpeg())
        await second.restyle(a_jpeg())


async def test_stream_without_patience_ends_with_its_connection(server: RunningServer) -> None:
    async with connect(server.websocket_url, patience_s=0) as stream, asyncio.timeout(PATIENCE_S):
        await cut(stream)
        with pytest.raises(ConnectionLostError, match="cut"):
            await stream.restyle(a_jpeg())


async def test_server_that_stays_away_ends_the_stream_and_its_waiters() -> None:
    with running() as server:
        async with connect(server.websocket_url, patience_s=0.01) as stream, asyncio.timeout(PATIENCE_S):
            server.stop()
            with pytest.raises(ConnectionLostError, match="no server answers"):
                await stream.restyle(a_jpeg())
            with pytest.raises(ConnectionLostError):
                await stream.update(strength=0.5)


# Back-pressure


async def test_slow_loop_gets_the_newest_pictures(server: RunningServer) -> None:
    async with connect(server.websocket_url, keep=1) as stream, asyncio.timeout(PATIENCE_S):
        await stream.update(width=64, height=64)
        for number in range(5):
            await stream.credit()
            await stream.send(a_jpeg(seed=number))
        await stream._until(lambda: not stream._unsettled)
        picture = await anext(aiter(stream.pictures()))

    assert picture.seq == 5
    assert stream.skipped >= 1


async def test_credit_is_given_when_a_frame_is_answered_and_not_before() -> None:
    with running(a_config(model="echo:100"), echo_load(tick_ms=100)) as server:
        async with connect(server.websocket_url) as stream, asyncio.timeout(PATIENCE_S):
            await stream.update(width=64, height=64)
            for number in range(2):
                await stream.credit()
                await stream.send(a_jpeg(seed=number))
            waiting = asyncio.create_task(stream.credit())
            await asyncio.sleep(0)
            assert not waiting.done()
            await waiting
            assert len(stream._unsettled) < 2


async def test_live_source_is_restyled_to_its_end(server: RunningServer) -> None:
    frames = (a_jpeg(seed=number) for number in range(6))
    async with connect(server.websocket_url, keep=None) as stream, asyncio.timeout(PATIENCE_S):
        await stream.update(width=64, height=64)
        seqs = [picture.seq async for picture in stream.restyle_all(frames)]

    assert seqs[-1] == 6 and seqs == sorted(seqs)
    assert not stream._unsettled


async def test_source_that_fails_ends_the_loop(server: RunningServer) -> None:
    def broken() -> Iterator[bytes]:
        yield a_jpeg()
        raise OSError("the camera is gone")

    async with connect(server.websocket_url) as stream, asyncio.timeout(PATIENCE_S):
        with pytest.raises(OSError, match="camera"):
            async for _ in stream.restyle_all(broken()):
                pass


async def test_token_is_brought() -> None:
    with running(token="secret") as server:
        async with connect(server.websocket_url, token="secret") as stream:
            await stream.restyle(a_jpeg())


def test_client_needs_no_server_and_no_torch() -> None:
    code = (
        "import sys, realtime.client\n"
        "heavy = {'torch', 'fastapi', 'uvicorn', 'cv2', 'realtime.server', 'realtime.engine'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- pictures for prompts ------------------------------------------------------------------------------------------


async def test_picture_is_brought_and_named_and_brought_again_where_it_is_forgotten() -> None:
    with running(a_config(resume_s=0), load_seeing) as server:
        async with connect(server.websocket_url) as stream, asyncio.timeout(PATIENCE_S):
            with pytest.raises(RefusedError, match="cut off"):
                await stream.bring(encoded(pixels(), "PNG")[:60])
            reference = await stream.bring(pixels(80, 64))
            await stream.update(prompt=[{"picture": reference}, {"text": "ink"}], width=64, height=64)
            server.service.references._kept.clear()
            await cut(stream)
            await stream.restyle(a_jpeg())
            session = server.service.session(stream.session)

            assert session is not None and session.params.pictures == {reference}
            assert reference in server.service.references


async def test_model_that_hears_words_refuses_pictures(server: RunningServer) -> None:
    async with connect(server.websocket_url) as stream:
        with pytest.raises(RefusedError, match="hears words"):
            await stream.bring(pixels(64, 64))
        assert (await stream.restyle(a_jpeg())).data
