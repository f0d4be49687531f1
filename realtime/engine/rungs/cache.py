"""Where what was made from models is kept: `REALTIME_CACHE`.

Must not know what is kept there.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """The folder of one kind of thing under `REALTIME_CACHE`, or under `realtime` in the user's cache folder."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("REALTIME_CACHE") or user / "realtime") / kind
