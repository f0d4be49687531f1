"""Sources that are read: real files and streams, on a clock that waiting moves."""

from __future__ import annotations

import socket
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from realtime.errors import SourceError
from realtime.frame import Format
from realtime.media import codec, decoding, source
from realtime.media.opening import Opening, SourceKind, opening_of
from realtime.media.source import HELD_EVERY_S, LIVE_FPS_MAX, read
from realtime.planes import UPRIGHT, Matrix, Orientation, Planes
from tests.fakes.clips import a_clip, a_grey, greys

PIXELS_MAX = 2**22


class Clock:
    """Time that passes by waiting only; it is set to stop once `until_s` have passed."""

    def __init__(self, until_s: float) -> None:
        self.now_s = 100.0
        self._end_s = 100.0 + until_s
        self.stopping = cast(
            threading.Event, SimpleNamespace(wait=self._wait, is_set=lambda: self.now_s >= self._end_s)
        )

    def monotonic(self) -> float:
        return self.now_s

    def _wait(self, timeout: float) -> bool:
        self.now_s += timeout
        return self.now_s >= self._end_s


def played(
    opening: Opening, monkeypatch: pytest.MonkeyPatch, until_s: float = 60.0, max_pixels: int = PIXELS_MAX
) -> list[tuple[float, Planes]]:
    """When each picture was offered, in seconds, and its planes. The end has a None in their place."""
    clock = Clock(until_s)
    monkeypatch.setattr(source, "time", SimpleNamespace(monotonic=clock.monotonic))
    offered: list[tuple[float, Planes]] = []
    read(opening, lambda planes, _: offered.append((clock.now_s - 100.0, planes)), clock.stopping, max_pixels)
    offered.append((clock.now_s - 100.0, cast(Planes, None)))
    return offered


def times_of(offered: list[tuple[float, Planes]]) -> list[float]:
    return [round(time_s, 3) for time_s, _ in offered]


TENTHS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
"""Five frames, and the end when the last one has been shown."""


@pytest.mark.parametrize(
    ("name", "codec_name", "container_format", "options"),
    [
        pytest.param("clip.mp4", "libx264", None, {}, id="a duration"),
        pytest.param("clip.webm", "libvpx", None, {"live": "1"}, id="WebM as a browser records it"),
        pytest.param("clip.mkv", "libx264", "matroska", {"live": "1"}, id="Matroska without a duration"),
        pytest.param("clip.h264", "libx264", "h264", {}, id="no timestamps: H.264"),
        pytest.param("clip.gif", "gif", None, {}, id="GIF"),
        pytest.param("clip.ts", "libx264", "mpegts", {}, id="MPEG-TS, which begins at 1.4 s"),
    ],
)
def test_recordings_are_played_at_their_own_pace(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    codec_name: str,
    container_format: str | None,
    options: dict[str, str],
) -> None:
    kind = "rgb8" if codec_name == "gif" else "yuv420p"
    file = a_clip(tmp_path / name, greys(5, kind=kind), codec_name, container_format=container_format, options=options)

    assert times_of(played(opening_of(str(file)), monkeypatch)) == pytest.approx(TENTHS, abs=0.02)


def test_motion_jpeg_without_any_time_is_played_at_25_fps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_clip(tmp_path / "clip.mjpeg", greys(5, kind="yuvj420p"), "mjpeg", container_format="mjpeg")

    assert times_of(played(opening_of(str(file)), monkeypatch)) == pytest.approx([0.04 * i for i in range(6)])


@pytest.mark.parametrize("first", [50, -3])
def test_late_and_early_starts_begin_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """What is before zero is cut off by an edit list, and not shown."""
    options = {"avoid_negative_ts": "disabled"}
    file = a_clip(tmp_path / "clip.mp4", greys(8), first=first, options=options, max_b_frames=0)
    offered = played(opening_of(str(file)), monkeypatch)
    levels = [int(planes.y[0, 0]) for _, planes in offered[:-1]]

    assert times_of(offered)[:5] == pytest.approx(TENTHS[:5], abs=0.01)
    assert levels[0] == pytest.approx(16 + 219 / 255 * (100 if first < 0 else 40), abs=3)
    assert len(levels) == (5 if first < 0 else 8)


def test_still_is_held_and_not_played_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "still.png"
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(file)
    openings: list[object] = []
    open_container = av.open
    monkeypatch.setattr(av, "open", lambda *a, **k: openings.append(a) or open_container(*a, **k))

    offered = played(opening_of(str(file)), monkeypatch, until_s=10.0)

    assert times_of(offered[:-1]) == pytest.approx([HELD_EVERY_S * index for index in range(20)])
    assert len({id(planes) for _, planes in offered[:-1]}) == 1, "it is decoded once"
    assert len(openings) == 1


def a_cover(container: Any) -> None:
    cover = container.add_stream("png", rate=1)
    cover.width, cover.height, cover.pix_fmt, cover.disposition = 32, 32, "rgb24", Disposition.attached_pic
    frame = a_grey(200, 32, 32, "rgb24")
    frame.pts, frame.time_base = 0, Fraction(1)
    container.mux(cover.encode(frame) + cover.encode(None))


def test_cover_of_a_song_is_a_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = tmp_path / "song.m4a"
    with av.open(str(song), "w", format="mp4") as container:
        sound: Any = container.add_stream("aac", rate=8000)
        sound.layout = "mono"
        a_cover(container)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(sound.encode(frame) + sound.encode(None))

    offered = played(opening_of(str(song)), monkeypatch, until_s=3.0)

    assert len(offered) == 1 + 3.0 / HELD_EVERY_S
    assert offered[0][1].y.shape == (32, 32)


def a_stream(disposition: Disposition, codec_context: object = "a decoder") -> Any:
    return SimpleNamespace(disposition=disposition, codec_context=codec_context)


def test_video_is_shown_rather_than_its_cover_or_thumbnails() -> None:
    cover, thumbnails = a_stream(Disposition.attached_pic), a_stream(Disposition.timed_thumbnails)
    video, other = a_stream(Disposition.default), a_stream(Disposition.original)
    container: Any = SimpleNamespace(streams=SimpleNamespace(video=[cover, thumbnails, video, other]))

    assert decoding.stream_of(container) is video


def test_pictures_that_stay_long_are_offered_again_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "slides.gif"
    slides = [Image.fromarray(np.full((16, 16), level, np.uint8)) for level in (50, 150)]
    slides[0].save(file, save_all=True, append_images=slides[1:], duration=[2000, 1000])

    times = times_of(played(opening_of(str(file)), monkeypatch))

    assert times == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])


def test_what_sets_its_own_pace_is_read_as_it_comes_within_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_clip(tmp_path / "clip.ts", greys(5), container_format="mpegts")

    assert times_of(played(Opening(str(file), SourceKind.PIPE), monkeypatch)) == pytest.approx(
        [index / LIVE_FPS_MAX for index in (0, 1, 2, 3, 4, 4)], abs=1e-3
    )


def test_recording_that_is_late_leaves_out_frames_that_no_other_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every picture takes three times as long as it lasts: 60 of 80 are B-frames that nothing refers to."""
    frames = [a_grey(40 + 2 * index) for index in range(80)]
    encoding = {"x264opts": "bframes=3:b-adapt=0:b-pyramid=none:keyint=80:scenecut=0:sync-lookahead=0"}
    file = a_clip(tmp_path / "clip.mp4", frames, encoding=encoding)
    clock = Clock(60.0)
    monkeypatch.setattr(source, "time", SimpleNamespace(monotonic=clock.monotonic))
    levels: list[int] = []

    def take(planes: Planes, captured_us: int) -> None:
        levels.append(int(planes.y[0, 0]))
        clock.now_s += 0.3

    read(opening_of(str(file)), take, clock.stopping, PIXELS_MAX)

    assert 20 <= len(levels) < 60
    assert levels == sorted(levels)
    assert levels[-1] >= 16 + 219 / 255 * (40 + 2 * 75)


# -- what the container says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 9))
def test_still_is_turned_as_its_exif_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    exif = Image.Exif()
    exif[0x112] = number
    file = tmp_path / "photo.jpg"
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(file, exif=exif)

    (_, planes), *_ = played(opening_of(str(file)), monkeypatch, until_s=0.1)

    assert planes.orientation == Orientation.from_exif(number)


def test_pixel_aspect_of_the_container_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_clip(tmp_path / "dv.mp4", greys(2), sample_aspect_ratio=Fraction(16, 15))

    (_, planes), *_ = played(opening_of(str(file)), monkeypatch)

    assert planes.pixel_aspect == pytest.approx(16 / 15)
    assert planes.orientation == UPRIGHT


def test_untagged_hd_is_bt_709(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_clip(tmp_path / "hd.mp4", greys(1, width=1280, height=720))

    (_, planes), *_ = played(opening_of(str(file)), monkeypatch, until_s=0.1)

    assert planes.matrix is Matrix.BT709


@pytest.mark.parametrize("codec_name", ["libvpx", "libvpx-vp9"])
def test_transparent_webm_shows_white_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec_name: str) -> None:
    picture = np.zeros((64, 96, 4), np.uint8)
    picture[:, 48:, 3] = 255
    frame = av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format="yuva420p")
    file = a_clip(tmp_path / "alpha.webm", [frame], codec_name, encoding={"auto-alt-ref": "0"})

    (_, planes), *_ = played(opening_of(str(file)), monkeypatch, until_s=0.1)

    shown = codec.decode(planes, Format.PLANES, 96, 64, PIXELS_MAX)
    assert shown[:, :44].min() > 245
    assert shown[:, 52:].max() < 10


# -- limits ---------------------------------------------------------------------------------------------------------


def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was decoded from now on."""
    pictures: list[str] = []
    planes_of = decoding.planes_of
    monkeypatch.setattr(
        decoding, "planes_of", lambda frame, **how: pictures.append(str(frame)) or planes_of(frame, **how)
    )
    return pictures


def test_video_with_too_many_pixels_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_clip(tmp_path / "clip.mp4", greys(2, width=128, height=96))
    pictures = decoded(monkeypatch)

    with pytest.raises(SourceError, match=r"128 x 96 pixels; .* 12287 in all: .*--max-pixels 12288") as refused:
        played(opening_of(str(file)), monkeypatch, max_pixels=128 * 96 - 1)

    assert refused.value.is_final
    assert pictures == []


def grown(tmp_path: Path, factor: int) -> tuple[Path, int]:
    """Video that becomes so much wider, after more than FFmpeg reads to know it; and its pixels before."""
    small, large, both = (tmp_path / f"{name}.h264" for name in ("small", "large", "both"))
    a_clip(small, greys(10, width=64) * 8, container_format="h264", max_b_frames=0)
    a_clip(large, greys(10, width=64 * factor), container_format="h264", max_b_frames=0)
    both.write_bytes(small.read_bytes() + large.read_bytes())
    return both, 64 * 64


def test_video_that_grows_too_large_on_the_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, max_pixels = grown(tmp_path, 2)
    pictures = decoded(monkeypatch)

    with pytest.raises(SourceError, match="128 x 64 pixels"):
        played(opening_of(str(file)), monkeypatch, max_pixels=max_pixels)

    assert all("64x64" in picture for picture in pictures)


def test_video_that_grows_far_too_large_is_refused_by_the_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, max_pixels = grown(tmp_path, 16)

    offered = played(opening_of(str(file)), monkeypatch, max_pixels=max_pixels)

    assert {planes.y.shape for _, planes in offered[:-1]} == {(64, 64)}


def test_damaged_packets_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_clip(tmp_path / "clip.avi", greys(10, kind="rgb24"), "png")
    data = file.read_bytes()
    parts = data.split(b"\x89PNG")
    file.write_bytes(b"\x89PNG".join(parts[:4]) + b"\0PNG" + parts[4] + b"\0PNG" + b"\x89PNG".join(parts[5:]))

    levels = [int(planes.y[0, 0]) for _, planes in played(opening_of(str(file)), monkeypatch)[:-1]]

    assert 6 <= len(levels) < 10
    assert (levels[0], levels[-1]) == pytest.approx((16 + 219 / 255 * 40, 16 + 219 / 255 * 220), abs=1)


# -- what can't be shown --------------------------------------------------------------------------------------------


def refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> SourceError:
    with pytest.raises(SourceError) as found:
        played(opening_of(str(file)), monkeypatch)
    return found.value


def test_sound_alone_is_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))

    error = refused(tmp_path / "sound.wav", monkeypatch)

    assert str(error) == "it holds no video; give a file or stream that does"
    assert error.is_final


def test_codec_that_is_unknown_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_clip(tmp_path / "clip.mp4", greys(2))
    file.write_bytes(file.read_bytes().replace(b"avc1", b"zzzz"))

    error = refused(file, monkeypatch)

    assert "codec that this FFmpeg doesn't decode; convert it to H.264" in str(error)
    assert error.is_final


def test_encrypted_video_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "76" * 16, "encryption_kid": "a7" * 16}
    file = a_clip(tmp_path / "clip.mp4", greys(3), options=options)

    error = refused(file, monkeypatch)

    assert str(error) == "it is encrypted; give one without copy protection"
    assert error.is_final


def test_animated_webp_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "animated.webp"
    pictures = [Image.fromarray(np.full((16, 16, 3), level, np.uint8)) for level in (0, 90)]
    pictures[0].save(file, save_all=True, append_images=pictures[1:])

    assert "is it animated? Convert it to MP4 or GIF" in str(refused(file, monkeypatch))


def test_colours_that_cant_be_shown_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_clip(tmp_path / "clip.mp4", greys(2), colorspace=14)

    assert "its colours are ICtCp" in str(refused(file, monkeypatch))


def test_tiles_of_heic_are_said() -> None:
    tile = a_stream(Disposition.dependent)
    container: Any = SimpleNamespace(streams=SimpleNamespace(video=[tile, tile]))

    with pytest.raises(SourceError, match="HEIC"):
        decoding.stream_of(container)


# -- streams --------------------------------------------------------------------------------------------------------


@contextmanager
def sending(data: bytes) -> Iterator[str]:
    """Sends these bytes to whoever connects, and keeps the connection open."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(data)
                ended.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        thread.join()


def test_stream_with_rare_key_frames_shows_its_first_picture(tmp_path: Path) -> None:
    """A key frame and 39 pictures that need it: what FFmpeg reads to know the stream is not thrown away."""
    frames = [a_grey(40 + 4 * index) for index in range(40)]
    file = a_clip(tmp_path / "stream.ts", frames, container_format="mpegts", gop_size=250, max_b_frames=0)
    levels: list[int] = []
    stopping = threading.Event()

    def take(planes: Planes, captured_us: int) -> None:
        levels.append(int(planes.y[0, 0]))
        if len(levels) == 10:
            stopping.set()

    with sending(file.read_bytes()) as url:
        read(opening_of(url), take, stopping, PIXELS_MAX)

    assert levels[0] == pytest.approx(16 + 219 / 255 * 40, abs=3)
