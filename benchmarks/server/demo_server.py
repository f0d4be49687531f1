"""StreamDiffusion's own demo server, unmodified, around a model that takes exactly so long: what ours is compared with.

`python -m benchmarks.server.demo_server CHECKOUT MS` prints its address and serves until it is ended. CHECKOUT is the
user's own clone of the repository; its server and its wrapper run as they are, and only what the wrapper would load
from the hub is replaced. Not for use.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import uvicorn

from .stand_in import StandInStream, postprocess_image

DEMO = Path("demo") / "realtime-img2img"
WRAPPER = Path("utils") / "wrapper.py"


def load_app(checkout: Path, model_ms: float) -> Any:
    """The demo's ASGI app. Changes this process's import path, arguments and modules: call it in one of its own.

    Args:
        checkout: of the repository.
        model_ms: how long the model takes over a frame.
    """
    # Each stands for a package that need not be here: one page of the demo formats Markdown, and the wrapper names
    # StreamDiffusion's classes, which `_load_model` alone makes.
    _stand_in("markdown2", markdown=str)
    _stand_in("streamdiffusion", StreamDiffusion=StandInStream)
    _stand_in("streamdiffusion.image_utils", postprocess_image=postprocess_image)
    sys.argv[1:] = []
    sys.path[:0] = [str(checkout / DEMO), str(checkout)]
    wrapper: Any = importlib.import_module("utils.wrapper")

    def load_model(*args: object, **kwargs: object) -> StandInStream:
        return StandInStream(model_ms)

    wrapper.StreamDiffusionWrapper._load_model = load_model
    return importlib.import_module("main").app


def _stand_in(name: str, **contents: Any) -> None:
    module = ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module


def main() -> None:
    """Serve on a free port of this machine, with uvicorn's own settings as the demo has them."""
    checkout, model_ms = Path(sys.argv[1]).resolve(), float(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the demo makes a folder where it runs, and wants its built pages there
        (Path(folder) / "frontend" / "public").mkdir(parents=True)
        app = load_app(checkout, model_ms)
        listener = socket.create_server(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
