"""`realtime` and `python -m realtime`: the command line in a process that is made ready before anything is imported.

Must not know any command but that one of them serves.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from . import process


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:2] in (["serve"], ["worker"]):
        process.prepare_to_serve()
    process.run(_command_line)


def _command_line() -> object:
    from .cli import app  # half a second: signals must not wait for it

    return app(prog_name="realtime")


if __name__ == "__main__":
    main()
