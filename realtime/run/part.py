"""The work of a run that is not whole yet, beside its output: pieces of video, and a file that says what they are of.

Must not know how pieces are made, or what is made of them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError
from ..frame import Format, Frame, Job, Result, Stamps
from ..params import Params

FORMAT = 1
"""Raised when an older version could not go on with the work."""
STATE, LOCK = "run.json", "lock"

Terms = Mapping[str, Mapping[str, Any]]
"""What the pictures depend on, as JSON values, in groups: `input`, `params`, `model`, `made by`."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece that is whole.

    Attributes:
        file: its name in the folder.
        begin: ticks of its first frame.
    """

    file: str
    frames: int
    begin: int


class PartFolder:
    """The folder `OUTPUT.part`.

    Raises:
        RunError: it holds the work of other terms, or none that can be read; or another run works in it.
    """

    def __init__(self, folder: Path, terms: Terms) -> None:
        self.folder, self._terms = folder, terms
        self.segments: list[Segment] = []
        state = folder / STATE
        self._lock: int | None = None
        if state.is_file():
            self._lock = _locked(folder)
            try:
                self.segments = self._read(state)
            except RunError:
                self.close()
                raise
        elif folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise RunError(f"{folder}: that is not the work of a run: move it away, or name another OUTPUT")

    @property
    def frames(self) -> int:
        """How many frames are done."""
        return sum(segment.frames for segment in self.segments)

    def close(self) -> None:
        """Let others work at it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Remove the folder: the work is whole, and elsewhere."""
        self.close()
        shutil.rmtree(self.folder)

    def next_file(self) -> Path:
        """Where the next piece is to be written; makes the folder.

        Raises:
            RunError: another run works in it.
        """
        self.folder.mkdir(exist_ok=True)
        if self._lock is None:
            self._lock = _locked(self.folder)
        if not (self.folder / STATE).exists():
            self._save()
        return self.folder / f"{len(self.segments):05}.mp4"

    def add(self, frames: int, begin: int, past: Result | None) -> None:
        """Keep the next piece, whose file is written.

        Args:
            past: its last result where the next picture depends on it.
        """
        file = f"{len(self.segments):05}.mp4"
        self.segments.append(Segment(file, frames, begin))
        if past is not None:
            arrays = {"whole": past.whole, "input": past.job.input}
            if past.mask is not None:
                arrays["mask"] = past.mask
            with (self.folder / _past_of(file)).open("wb") as kept:
                np.savez(kept, allow_pickle=False, **arrays)
        self._save()
        if len(self.segments) > 1:
            (self.folder / _past_of(self.segments[-2].file)).unlink(missing_ok=True)

    def past(self, params: Params) -> Result | None:
        """The result before the next picture; None where none was kept."""
        file = self.folder / _past_of(self.segments[-1].file) if self.segments else None
        if file is None or not file.is_file():
            return None
        with np.load(file) as kept:
            mask = kept.get("mask")
            job = Job(Frame(0, Format.NONE, b"", 0, 0), params, "", 0, encode=False, picture=kept["input"])
            return Result(job, kept["whole"], Stamps(0), mask=mask)

    def _read(self, state: Path) -> list[Segment]:
        try:
            content = json.loads(state.read_bytes())
            begun, segments = dict(content["terms"]), [Segment(**each) for each in content["segments"]]
        except (OSError, ValueError, TypeError, KeyError):
            raise RunError(f"{state}: it can't be read: begin anew with --fresh") from None
        if difference := _difference(begun, self._terms):
            raise RunError(f"{self.folder} holds the work of another run: {difference}; begin anew with --fresh")
        whole: list[Segment] = []
        for segment in segments:
            if not (self.folder / segment.file).is_file():
                break
            whole.append(segment)
        return whole

    def _save(self) -> None:
        """Write the state anew, whole or not at all."""
        segments = [asdict(segment) for segment in self.segments]
        content = {"format": FORMAT, "terms": self._terms, "segments": segments}
        state, unfinished = self.folder / STATE, self.folder / f"{STATE}.unfinished"
        with unfinished.open("w", encoding="utf-8") as written:
            json.dump(content, written, indent=1)
            written.flush()
            os.fsync(written.fileno())
        unfinished.replace(state)


def remove(folder: Path) -> None:
    """Remove the work of a run, and nothing that is none.

    Raises:
        RunError: the folder is something else, or another run works in it.
    """
    if not folder.exists():
        return
    if not (folder / STATE).is_file():
        raise RunError(f"{folder}: that is not the work of a run: move it away, or name another OUTPUT")
    os.close(_locked(folder))
    shutil.rmtree(folder)


def _locked(folder: Path) -> int:
    """The descriptor of the folder's lock, which is held until it is closed or the process ends, however it does."""
    descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise RunError(f"{folder}: another run works in it: wait for its end, or stop it") from None
    return descriptor


def _past_of(file: str) -> str:
    return f"{Path(file).stem}.npz"


def _difference(begun: Terms, now: Terms) -> str | None:
    """The first thing that was otherwise, in words; None where all is the same."""
    if begun.get("input") != now["input"]:
        return "INPUT is not the file that it was"
    for group, values in now.items():
        old = begun.get(group, {})
        for name in dict.fromkeys([*values, *old]):
            if old.get(name) != values.get(name):
                was, is_now = (json.dumps(each.get(name), ensure_ascii=False)[:60] for each in (old, values))
                return f"{name} was {_shown(was)}, and is {_shown(is_now)} now"
    return None


def _shown(value: str) -> str:
    return "not given" if value == "null" else value
