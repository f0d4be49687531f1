"""Compiled packages of networks on disk, and whether they are still what was written.

Must not know what a package compiles or how; a package is a file and a name that says all that it depends on.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from .folder_cache import FolderCache

_log = logging.getLogger(__name__)

#: A package holds code and no weights: 2 to 30 MB. Enough for some sizes and batches of several models.
MAX_BYTES = 2 * 2**30

PACKAGE, DIGEST = "package.pt2", "digest"


class PackageCache:
    """Packages on disk by what they depend on, and whether they are still what was written.

    Args:
        folder: of all packages.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folders = FolderCache(folder, max_bytes=max_bytes)

    def find(self, key: str) -> Path | None:
        """The package of this key. One that is not what was written is thrown away: loading it could end the process.

        Returns:
            A file that may be read, or None where there is none.
        """
        if (kept := self._folders.find(key)) is None:
            return None
        try:
            if (kept / DIGEST).read_text() == _digest(kept / PACKAGE):
                return kept / PACKAGE
            _log.warning("the compiled package %s is damaged: it is thrown away", kept)
        except FileNotFoundError:
            _log.warning("the compiled package %s is incomplete: it is thrown away", kept)
        self.drop(key)
        return None

    def drop(self, key: str) -> None:
        """Throw a package away."""
        self._folders.drop(key)

    def make(self, key: str, write: Callable[[Path], None]) -> Path:
        """Have a package written and keep it.

        Args:
            write: writes the file whose name it gets.

        Raises:
            OSError: the folder can't be written.
        """

        def fill(folder: Path) -> None:
            write(folder / PACKAGE)
            (folder / DIGEST).write_text(_digest(folder / PACKAGE))

        return self._folders.make(key, fill) / PACKAGE


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
