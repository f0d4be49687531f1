"""A disk cache of folders by key under `REALTIME_CACHE`. A folder appears under its key only when it is complete.

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
"""Prefix of the names of folders that are being filled, and the age from which they count as abandoned."""


def cache_folder(kind: str) -> Path:
    """The folder for one kind of entries: in `REALTIME_CACHE`, else in `realtime` in the user's cache folder."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("REALTIME_CACHE") or user / "realtime") / kind


def not_kept(kind: str, error: Exception | None = None) -> str:
    """Why an entry could not be kept, and what to do, as the end of a sentence.

    Args:
        kind: see `cache_folder`.
        error: that writing it raised. Libraries' own errors seldom have the reason; neither does a child process.
    """
    folder = cache_folder(kind)
    reason = error.strerror if isinstance(error, OSError) else None
    return (
        f"it can't be kept in {folder} ({reason or _reason(folder)}): make room there, or set REALTIME_CACHE to "
        "another folder"
    )


def _reason(folder: Path) -> str:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free_mb = shutil.disk_usage(there).free // 10**6
    if not os.access(there, os.W_OK):
        return "it can't be written to"
    return f"{free_mb} MB are free"


class FolderCache:
    """Folders by key, the least recently used dropped first. Safe for several processes.

    A key must contain, hashed, all that its folder's content depends on, the program's version included.

    Args:
        folder: where they lie. Made by the first `make`, readable by its owner only, as entries may be executed.
        max_bytes: largest sum of their sizes; None for no limit.
        max_count: largest number of them; None for no limit.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None = None, max_count: int | None = None) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_count = max_count

    def path(self, key: str) -> Path:
        """The path of this key's folder, whether it exists or not."""
        return self._folder / key

    def find(self, key: str) -> Path | None:
        """The folder of this key, marked as used now; None where there is none."""
        if not self.path(key).is_dir():
            return None
        with contextlib.suppress(OSError):  # a read-only cache can be used all the same
            os.utime(self.path(key))
        return self.path(key)

    def __len__(self) -> int:
        """Number of complete folders."""
        if not self._folder.is_dir():
            return 0
        return sum(folder.is_dir() and not folder.name.startswith(UNFINISHED) for folder in self._folder.iterdir())

    def drop(self, key: str) -> None:
        """Delete a key's folder, if there is one."""
        shutil.rmtree(self.path(key), ignore_errors=True)

    def make(self, key: str, write: Callable[[Path], None]) -> Path:
        """Add an entry, then delete what exceeds the limits.

        Args:
            write: fills the empty folder that it is called with. If it raises, nothing is kept.

        Returns:
            The key's folder. If another process has made it meanwhile, that one's.

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
        with contextlib.suppress(FileNotFoundError):  # another process may delete the same
            self._tidy(spare=key)
        return self.path(key)

    def _put(self, written: Path, key: str) -> None:
        try:
            written.rename(self.path(key))
        except OSError:
            if not self.path(key).exists():
                raise
            # Another process was faster; its folder is equivalent.

    def _tidy(self, spare: str) -> None:
        """Delete abandoned folders, and the least recently used, but for `spare`, until the limits are kept."""
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
