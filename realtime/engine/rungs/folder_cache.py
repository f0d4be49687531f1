"""What was made from models, on disk under `REALTIME_CACHE`: each thing a folder, there whole or not at all.

Must not import torch, or know what is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

UNFINISHED, ABANDONED_S = ".new-", 6 * 3600
"""What the name of a folder begins with that is being filled, and how long filling one takes at most."""


def cache_folder(kind: str) -> Path:
    """The folder of one kind of thing under `REALTIME_CACHE`, or under `realtime` in the user's cache folder."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("REALTIME_CACHE") or user / "realtime") / kind


class FolderCache:
    """Folders that are named by keys. Safe for several processes.

    A key says all that its folder's content depends on, so that nobody meets what another version wrote.

    Args:
        folder: where they lie. Made when the first is kept; only its owner may read it, as what lies there may be
            executed.
        max_bytes: what all of them may take; None for no limit.
        max_count: how many there may be; None for no limit. Those that were not used for the longest go first.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None = None, max_count: int | None = None) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_count = max_count

    def path(self, key: str) -> Path:
        """Where the folder of this key is, or would be."""
        return self._folder / key

    def find(self, key: str) -> Path | None:
        """The folder of this key, which is in use now; None where there is none."""
        if not self.path(key).is_dir():
            return None
        with contextlib.suppress(OSError):  # what can't be written can be read all the same
            os.utime(self.path(key))
        return self.path(key)

    def __len__(self) -> int:
        """How many folders there are, whatever for."""
        if not self._folder.is_dir():
            return 0
        return sum(folder.is_dir() and not folder.name.startswith(UNFINISHED) for folder in self._folder.iterdir())

    def drop(self, key: str) -> None:
        """Throw a folder away."""
        shutil.rmtree(self.path(key), ignore_errors=True)

    def make(self, key: str, write: Callable[[Path], None]) -> Path:
        """Have a folder filled, and keep it.

        Args:
            write: puts files into the empty folder that it gets. What it raises is raised, and nothing is kept.

        Raises:
            OSError: the cache can't be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._folder))
        try:
            write(temporary)
            self._put(temporary, key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # another server tidies up too
            self._tidy(spare=key)
        return self.path(key)

    def _put(self, written: Path, key: str) -> None:
        try:
            written.rename(self.path(key))
        except OSError:
            if not self.path(key).exists():
                raise
            # Another server was faster, and what it made is as good.

    def _tidy(self, spare: str) -> None:
        """Throw away what killed processes left, and where there is too much what was not used for the longest."""
        kept: list[tuple[float, Path]] = []
        for folder in filter(Path.is_dir, self._folder.iterdir()):
            used_s = folder.stat().st_mtime
            if not folder.name.startswith(UNFINISHED):
                kept.append((used_s, folder))
            elif used_s < time.time() - ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)
        sizes = {folder: sum(file.stat().st_size for file in folder.rglob("*")) for _, folder in sorted(kept)}
        for folder in [folder for folder in sizes if folder.name != spare]:
            is_too_large = self._max_bytes is not None and sum(sizes.values()) > self._max_bytes
            is_too_many = self._max_count is not None and len(sizes) > self._max_count
            if is_too_large or is_too_many:
                shutil.rmtree(folder, ignore_errors=True)
                del sizes[folder]
