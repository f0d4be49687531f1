"""Real-time streaming image-to-image: live frames in, restyled frames out.

Importing this imports neither torch nor a web framework; `serve` does when it is called.
"""

from __future__ import annotations

from .config import Config
from .params import Params
from .version import __version__

__all__ = ["Config", "Params", "__version__", "serve"]


def serve(config: Config) -> int:
    """Serve until a signal comes or the engine fails; returns the process's exit code. See `server.app.serve`."""
    from .server.app import serve as serve_app

    return serve_app(config)
