"""Short recordings with sound and subtitles, written by PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

RATE = 48000
CHAPTER: Any = {"id": 1, "start": 0, "time_base": Fraction(1, 1000), "metadata": {"title": "all of it"}}
SRT = "1\n00:00:00,200 --> 00:00:00,800\nHello there\n\n"


def a_film(
    file: Path,
    seconds: float = 10.0,
    *,
    fps: int = 25,
    durations: Sequence[int] = (10,),
    sound: str | None = "aac",
    subtitles: bool = False,
    rotation: int = 0,
    flickers: bool = False,
    chapters: bool = False,
    container_format: str | None = None,
) -> Path:
    """A film of 64 x 48: a bright part grows from the left; its title is "a film".

    Args:
        durations: of frames, in turn, in tenths of 1/fps.
        sound: codec of a sine of 440 Hz; None for silence.
        rotation: of its display matrix.
        chapters: whether it has one, of all of it.
        flickers: whether each frame has another brightness.
    """
    with av.open(str(file), "w", format=container_format) as container:
        video: Any = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 10 * fps)
        video.codec_context.options = {"preset": "ultrafast"}
        if rotation:
            video.set_display_rotation(rotation)
        audio: Any = container.add_stream(sound, rate=RATE, layout="mono") if sound else None
        if subtitles:
            words = file.with_suffix(".srt")
            words.write_text(SRT)
            source = av.open(str(words))
            texts = container.add_stream_from_template(source.streams.subtitles[0])
            texts.metadata["language"] = "eng"
        container.metadata["title"] = "a film"
        if chapters:
            container.set_chapters([{**CHAPTER, "end": round(1000 * seconds)}])
        count, pts = round(seconds * fps), 0
        for index in range(count):
            pixels = np.full((48, 64, 3), 40 + (30 * (index % 3) if flickers else 0), np.uint8)
            pixels[:, : 2 + index * 62 // count] = 200
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = pts, Fraction(1, 10 * fps)
            pts += durations[index % len(durations)]
            container.mux(video.encode(frame))
        if audio is not None:
            for begin in range(0, round(RATE * seconds), 1024):
                at = np.arange(begin, min(begin + 1024, round(RATE * seconds)))
                wave = (0.5 * np.sin(2 * np.pi * 440 / RATE * at)).astype(np.float32)
                tone = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                tone.sample_rate, tone.pts, tone.time_base = RATE, begin, Fraction(1, RATE)
                container.mux(audio.encode(tone))
            container.mux(audio.encode(None))
        container.mux(video.encode(None))
        if subtitles:
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = texts
                    container.mux(packet)
            source.close()
    return file


def pictures_of(file: Path) -> list[npt.NDArray[np.uint8]]:
    """All frames, decoded."""
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def times_of(file: Path) -> list[float]:
    """When the frames are shown, in seconds."""
    with av.open(str(file)) as container:
        return [round(frame.time, 6) for frame in container.decode(video=0)]


def packets_of(file: Path, kind: str) -> list[bytes]:
    """What the packets of the first stream of sound or subtitles hold."""
    with av.open(str(file)) as container:
        return [bytes(packet) for packet in container.demux(**{kind: 0}) if packet.size]
