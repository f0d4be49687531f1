"""Real-time streaming image-to-image: live frames in, restyled frames out.

Importing this imports nothing: `Config` and `Params` come with their first use, torch and a web framework with `serve`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .config import Config
    from .params import Params

__all__ = ["Config", "Params", "__version__", "serve"]


def serve(config: Config) -> int:
    """Serve until a signal comes or the engine fails; returns the process's exit code. See `server.app.serve`."""
    from .server.app import serve as serve_app

    return serve_app(config)


def __getattr__(name: str) -> object:
    """`Config` and `Params`, imported when they are asked for: a process hears signals before it has imported them."""
    match name:
        case "Config":
            from .config import Config

            return Config
        case "Params":
            from .params import Params

            return Params
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
