"""Puts the pieces of a restyled video together in one file, with the sound and the subtitles of the recording.

Packets are copied as they are; sound that the container can't hold becomes AAC. Must not know how pieces came about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.error import InvalidDataError

from .part import Segment
from .recording import Recording, explaining, opened
from .segment import writing

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mkv": "matroska"}
"""By the output's suffix."""
MUXER_OPTIONS = {"mp4": {"movflags": "faststart"}, "matroska": dict[str, str]()}
SOUND = "aac"
SOUND_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


@dataclass(frozen=True, slots=True)
class Piece:
    """A packet with its time, in seconds."""

    at_s: Fraction
    packet: Any


def join(
    folder: Path, segments: Sequence[Segment], recording: Recording, file: Path, kind: str, check: Callable[[], None]
) -> list[str]:
    """Write the whole file.

    Args:
        kind: name of the output format.
        check: called now and then; what it raises ends the joining.

    Returns:
        What could not be kept as it was, a sentence each.

    Raises:
        RunError: it can't be written.
        SourceError: the recording can't be read any more.
    """
    with (
        opened(recording.opening) as source,
        writing(folder),
        av.open(str(file), "w", format=kind, options=MUXER_OPTIONS[kind]) as output,
    ):
        return _Joining(folder, segments, recording, source, output, check).run()


class _Joining:
    """One output while it is written."""

    def __init__(
        self,
        folder: Path,
        segments: Sequence[Segment],
        recording: Recording,
        source: InputContainer,
        output: OutputContainer,
        check: Callable[[], None],
    ) -> None:
        self._folder, self._segments, self._recording, self._check = folder, segments, recording, check
        self._source, self._output = source, output
        self._notes: list[str] = []
        self._last_dts: dict[int, int] = {}
        with av.open(str(folder / segments[0].file)) as first:
            self._video = output.add_stream_from_template(first.streams.video[0])
        self._video.time_base = recording.time_base
        output.metadata.update(_kept(source.metadata))
        self._copied: dict[int, Any] = {}
        self._encoded: dict[int, Any] = {}
        for stream in (*source.streams.audio, *source.streams.subtitles):
            self._add(stream)
        if chapters := _moved(source.chapters(), recording.begin_s):
            output.set_chapters(chapters)

    def run(self) -> list[str]:
        """See `join`."""
        video = self._pictures()
        waiting = next(video, None)
        for piece in self._others():
            while waiting is not None and waiting.at_s <= piece.at_s:
                self._output.mux(waiting.packet)
                waiting = next(video, None)
            self._output.mux(piece.packet)
        while waiting is not None:
            self._output.mux(waiting.packet)
            waiting = next(video, None)
        return self._notes

    def _add(self, stream: Any) -> None:
        """Make room for a stream of the recording, if the container can hold it, or sound of its kind."""
        decoder = stream.codec_context.codec if stream.codec_context is not None else None
        codec = decoder.canonical_name if decoder is not None else "unknown"
        kind = {"matroska": "MKV"}.get(self._output.format.name, "MP4")
        if decoder is not None and decoder.name in self._output.supported_codecs:
            made = self._copied[stream.index] = self._output.add_stream_from_template(stream)
            made.time_base = stream.time_base
        elif stream.type == "audio" and decoder is not None:
            rate = min(SOUND_RATES, key=lambda each: (abs(each - stream.rate), each))
            layout = "mono" if stream.channels == 1 else "stereo"
            made = self._encoded[stream.index] = self._output.add_stream(SOUND, rate=rate, layout=layout)
            self._notes.append(f"its sound ({codec}) doesn't fit into {kind} and became AAC")
        else:
            what = "subtitles" if stream.type == "subtitle" else "sound"
            other = "an .mp4" if kind == "MKV" else "an .mkv"
            self._notes.append(f"left out: its {what} ({codec}), which {kind} doesn't hold; {other} may")
            return
        made.metadata.update(_kept(stream.metadata))
        made.disposition = stream.disposition

    def _pictures(self) -> Iterator[Piece]:
        """The packets of all pieces, at the recording's times."""
        base, origin = self._recording.time_base, round(self._recording.begin_s / self._recording.time_base)
        for segment in self._segments:
            with av.open(str(self._folder / segment.file)) as container:
                for packet in container.demux(video=0):
                    if packet.pts is None:
                        continue
                    self._check()
                    lasts = round((packet.duration or 0) * packet.time_base / base)
                    pts = round(packet.pts * packet.time_base / base) + segment.begin - origin
                    packet.stream, packet.time_base = self._video, base
                    packet.pts = packet.dts = pts
                    packet.duration = lasts
                    yield Piece(pts * base, packet)

    def _others(self) -> Iterator[Piece]:
        """The packets of sound and subtitles, in the order of the recording."""
        streams = [self._source.streams[index] for index in (*self._copied, *self._encoded)]
        if not streams:
            return
        with explaining(self._recording.opening):
            for packet in self._source.demux(*streams):
                self._check()
                index = packet.stream_index
                if index in self._encoded:
                    yield from self._as_aac(packet, self._encoded[index])
                elif packet.dts is not None or packet.pts is not None:
                    yield self._copy(packet, self._copied[index])

    def _copy(self, packet: Any, stream: Any) -> Piece:
        base = cast(Fraction, packet.time_base)
        origin = round(self._recording.begin_s / base)
        dts = cast(int, packet.pts if packet.dts is None else packet.dts) - origin
        dts = max(dts, self._last_dts.get(stream.index, dts - 1) + 1)  # muxers refuse what doesn't rise
        pts = packet.pts - origin if packet.pts is not None else dts
        self._last_dts[stream.index] = dts
        packet.stream = stream
        packet.dts, packet.pts = dts, max(pts, dts)
        return Piece(dts * base, packet)

    def _as_aac(self, packet: Any, stream: Any) -> Iterator[Piece]:
        try:
            frames = packet.decode()
        except InvalidDataError:  # passed over, as players do
            return
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= round(self._recording.begin_s / frame.time_base)
            yield from self._pieces(stream.encode(frame))
        if not packet.size:  # the last one
            yield from self._pieces(stream.encode(None))

    @staticmethod
    def _pieces(packets: Sequence[Any]) -> Iterator[Piece]:
        for packet in packets:
            yield Piece(Fraction(packet.dts or 0) * packet.time_base, packet)


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    """What is said of the recording, without what is about its file."""
    about_file = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration", "rotate", "handler_name"}
    return {name: value for name, value in metadata.items() if name.lower() not in about_file}


def _moved(chapters: Sequence[Any], by_s: Fraction) -> list[Any]:
    return [
        {**each, **{end: each[end] - round(by_s / each["time_base"]) for end in ("start", "end")}} for each in chapters
    ]
