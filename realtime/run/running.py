"""A run from its first look at the recording to the whole file: what is done, in which order, and what goes on where.

Must not know the command line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from ..config import EngineConfig, ModelConfig
from ..engine import Engine
from ..engine.load import check_engine, load_engine
from ..errors import ConfigError
from ..holding import Holding
from ..media.pipeline import Pipeline
from ..outputs.h264 import SOFTWARE
from ..params import Params
from ..version import __version__
from .ahead import ahead
from .joining import FORMATS, join
from .part import PartFolder, Terms, remove
from .progress import RunProgress
from .prompt_images import PromptImages
from .recording import Recording
from .restyling import Restyled, Restyling
from .segment import SegmentWriter, writing
from .wanted import NO_IMAGES, check_heard, params_for

SEGMENT_FRAMES = 100
"""What is lost at most where a run is killed; each begins with a key frame."""
AHEAD_FRAMES = 8
"""Decoded before they are wanted."""
ANY_PIXELS = 2**40
"""No limit to what is opened: the file is the user's own."""


class Interrupted(Exception):
    """The run was told to stop. Its work so far is kept."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What was made.

    Attributes:
        frames: in the file.
        restyled: frames of this run, and not of one before it that was stopped.
        seconds: that they took.
        notes: what could not be kept as it was, a sentence each.
    """

    file: Path
    frames: int
    restyled: int
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What is to be made.

    Attributes:
        asked: valid params, see `wanted.asked_params`.
        encoder: FFmpeg's name of the H.264 encoder.
        fresh: forget the work of a run before.
        overwrite: replace an output that is there.
        images: pictures of the prompt.
    """

    source: str
    output: Path
    asked: Mapping[str, Any]
    config: EngineConfig
    encoder: str = SOFTWARE
    fresh: bool = False
    overwrite: bool = False
    images: PromptImages = NO_IMAGES

    @property
    def part(self) -> Path:
        """Where the work is kept until it is whole."""
        return self.output.with_name(f"{self.output.name}.part")


def restyle_recording(
    order: RunOrder,
    progress: RunProgress,
    is_stopping: Callable[[], bool] = lambda: False,
    load: Callable[..., Engine] = load_engine,
) -> RunSummary:
    """Make the whole file, going on where a run of the same order was stopped.

    Raises:
        Interrupted: `is_stopping` said so.
        ConfigError, ModelError, ParamsError: the order can't be carried out.
        SourceError: the recording can't be read.
        RunError: something is in the way, or can't be written.
        EngineError: the engine is broken.
    """
    _check_output(order)
    recording = Recording.look(order.source)
    if order.output.exists() and order.output.samefile(recording.opening.file):
        raise ConfigError("OUTPUT is INPUT: name another file")
    check_engine(order.config)
    if order.fresh:
        remove(order.part)
    with closing(PartFolder(order.part, _terms(order, recording))) as part:
        run = _OneRun(order, recording, part, progress, is_stopping)
        with closing(load(order.config, progress.stage)) as engine:
            check_heard(order.images, engine.info)
            restyled, seconds = run.restyle(engine, _params(order, recording, engine))
        return run.finish(restyled, seconds)


class _OneRun:
    """One run while it works."""

    def __init__(
        self,
        order: RunOrder,
        recording: Recording,
        part: PartFolder,
        progress: RunProgress,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._order, self._recording, self._part = order, recording, part
        self._progress, self._is_stopping = progress, is_stopping
        self._writer: SegmentWriter | None = None

    def restyle(self, engine: Engine, params: Params) -> tuple[int, float]:
        """Restyle all frames that are not done, into pieces; how many there were, and how many seconds they took."""
        done = self._part.frames
        self._progress.begin(done, self._recording.frames)
        begun_s = time.monotonic()
        pipeline = Pipeline(ANY_PIXELS)
        base = float(self._recording.time_base)
        images = self._order.images
        past, config = self._part.past(params), self._order.config
        # Without hysteresis, so that a run that is gone on with makes the same file.
        holding = Holding(config.hold_above, config.hold_above) if config.frame_checker is not None else None
        restyling = Restyling(engine, params, pipeline, base, past, images.references, holding)
        try:
            with ahead(self._recording.shots(done), AHEAD_FRAMES) as shots:
                for restyled in restyling.pictures(shots):
                    self._write(restyled, restyling)
                    self._progress.frame()
                    if self._is_stopping():
                        self._end_segment(restyling)
                        raise Interrupted
            self._end_segment(restyling)
        finally:
            pipeline.close()
            if self._writer is not None:
                self._writer.abandon()
        return self._part.frames - done, time.monotonic() - begun_s

    def _write(self, restyled: Restyled, restyling: Restyling) -> None:
        picture, shot = restyled.picture, restyled.shot
        with writing(self._part.folder):
            if self._writer is None:
                height, width = picture.shape[:2]
                file = self._part.next_file()
                rate, base = self._recording.rate, self._recording.time_base
                self._writer = SegmentWriter(file, width, height, rate, base, self._order.encoder)
            self._writer.write(picture, shot.pts, shot.duration)
        if self._writer.frames == SEGMENT_FRAMES:
            self._end_segment(restyling)

    def _end_segment(self, restyling: Restyling) -> None:
        writer = self._writer
        if writer is None or writer.begin is None:
            return
        with writing(self._part.folder):
            writer.close()
            self._writer = None
            self._part.add(writer.frames, writer.begin, restyling.past if restyling.remembers else None)

    def finish(self, restyled: int, seconds: float) -> RunSummary:
        """Put the pieces together; the output is there when it is whole."""
        self._progress.stage("putting it together")
        output, part = self._order.output, self._part
        joined = part.folder / f"whole{output.suffix}"
        with writing(output):
            notes = join(
                part.folder, part.segments, self._recording, joined, FORMATS[output.suffix.lower()], self._check
            )
            joined.replace(output)
            part.remove()
        return RunSummary(output, part.frames, restyled, seconds, tuple(notes))

    def _check(self) -> None:
        if self._is_stopping():
            raise Interrupted


def _check_output(order: RunOrder) -> None:
    output = order.output
    if output.suffix.lower() not in FORMATS:
        raise ConfigError(f"OUTPUT {output}: run writes MP4 and MKV: end its name in .mp4 or .mkv")
    if output.is_dir():
        raise ConfigError(f"OUTPUT {output}: that is a folder; name a file in it")
    if not output.parent.is_dir():
        raise ConfigError(f"OUTPUT {output}: there is no folder {output.parent}; make it first")
    if output.exists() and not order.overwrite:
        raise ConfigError(f"OUTPUT {output}: there is such a file; name another, or replace it with --overwrite")


def _terms(order: RunOrder, recording: Recording) -> Terms:
    model = ModelConfig(**order.config.model_dump(include=set(ModelConfig.model_fields)))
    return {
        "input": recording.identity(),
        "params": dict(order.asked),
        "model": model.model_dump(mode="json", exclude={"device"}),
        "made by": {"realtime": __version__, "FFmpeg": av.ffmpeg_version_info, "encoder": order.encoder},
    }


def _params(order: RunOrder, recording: Recording, engine: Engine) -> Params:
    defaults = Params.model_validate({**dict(Params()), **engine.info.defaults})
    shape = recording.width, recording.height
    return params_for(order.images.weighed(order.asked, engine.info), defaults, shape, engine.info.max_output_pixels)
