"""Compiled packages of networks on disk: whole or not at all, and never more than so many bytes.

Must not know what a package compiles or how; a package is a file and a name that says all that it depends on.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)

#: A package holds code and no weights: 2 to 30 MB. Enough for some sizes and batches of several models.
MAX_BYTES = 2 * 2**30

PACKAGE, DIGEST = "package.pt2", "digest"

#: A folder that is being filled, and how long one takes at most.
UNFINISHED, ABANDONED_S = ".new-", 6 * 3600


class PackageCache:
    """A folder of packages, each in a folder of its own that is named by its key. Safe for several processes.

    Args:
        folder: made when the first package is kept; only its owner may read it, for what lies there is executed.
        max_bytes: what all packages may take; those that were not used for the longest go first.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def find(self, key: str) -> Path | None:
        """The package of this key. One that is not what was written is thrown away: loading it could end the process.

        Returns:
            A file that may be read, or None where there is none.
        """
        kept = self._folder / key
        try:
            if (kept / DIGEST).read_text() == _digest(kept / PACKAGE):
                os.utime(kept)
                return kept / PACKAGE
            _log.warning("the compiled package %s is damaged: it is thrown away", kept)
        except FileNotFoundError:
            if not kept.exists():
                return None
            _log.warning("the compiled package %s is incomplete: it is thrown away", kept)
        shutil.rmtree(kept, ignore_errors=True)
        return None

    def drop(self, key: str) -> None:
        """Throw a package away."""
        shutil.rmtree(self._folder / key, ignore_errors=True)

    def make(self, key: str, write: Callable[[Path], None]) -> Path:
        """Have a package written and keep it.

        Args:
            write: writes the file whose name it gets.

        Raises:
            OSError: the folder can't be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._folder))
        try:
            write(temporary / PACKAGE)
            (temporary / DIGEST).write_text(_digest(temporary / PACKAGE))
            self._put(temporary, key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # another server tidies up too
            self._forget(spare=key)
        return self._folder / key / PACKAGE

    def _put(self, written: Path, key: str) -> None:
        try:
            written.rename(self._folder / key)
        except OSError:
            if not (self._folder / key).exists():
                raise
            # Another server was faster, and its package is as good.

    def _forget(self, spare: str) -> None:
        """Throw away what killed processes left, and the oldest where there is too much."""
        kept: list[tuple[float, int, Path]] = []
        for folder in self._folder.iterdir():
            changed_s = folder.stat().st_mtime
            if not folder.name.startswith(UNFINISHED):
                kept.append((changed_s, sum(file.stat().st_size for file in folder.iterdir()), folder))
            elif changed_s < time.time() - ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)
        total = sum(size for _, size, _ in kept)
        for _, size, folder in sorted(kept):
            if total > self._max_bytes and folder.name != spare:
                shutil.rmtree(folder, ignore_errors=True)
                total -= size


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
