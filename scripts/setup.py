"""What serve, test and build share: a virtual environment in .venv and the built web client, both made when needed.

Standard library only: it runs before anything is installed. Nothing is done twice: what stands is recognised by a
hash of what it was made of.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import page
from page import ROOT

VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
INTEROP = ROOT / "tests" / "interop"

if sys.version_info < (3, 11):  # noqa: UP036 - this is the one place where an older one may come along
    sys.exit("Python 3.11 or newer is needed")


class Command:
    """A command of this project.

    Args:
        words: the program and its arguments.
        cwd: where it runs.
        path: folders that are put before its PATH.
    """

    def __init__(self, *words: str | Path, cwd: Path = ROOT, path: tuple[Path, ...] = ()) -> None:
        self._words = [str(word) for word in words]
        self._cwd = cwd
        self._environment = {**os.environ, "PATH": os.pathsep.join([*map(str, path), os.environ.get("PATH", "")])}

    def __str__(self) -> str:
        return f"+ {' '.join(self._words)}"

    def code(self) -> int:
        """Run it here, and give its exit code."""
        print(self, flush=True)
        return subprocess.run(self._words, cwd=self._cwd, env=self._environment, check=False).returncode

    def run(self) -> None:
        """Run it here; end with its exit code where it fails."""
        if code := self.code():
            sys.exit(code)

    def start(self) -> subprocess.Popen[str]:
        """Run it beside others; its output is kept for whoever waits for it."""
        return subprocess.Popen(
            self._words,
            cwd=self._cwd,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )


def run(*words: str | Path) -> None:
    """Run a command; end with its exit code where it fails."""
    Command(*words).run()


@contextmanager
def beside(commands: Iterable[Command]) -> Iterator[Callable[[], None]]:
    """Run commands beside the block, several at once.

    Gives a function that waits for them: it prints each one's output, and ends with exit code 1 where any has failed.
    Commands that are still running when the block is left by an error are ended.
    """
    waiting = list(commands)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running: list[subprocess.Popen[str]] = []

        def done(command: Command) -> tuple[Command, int, str]:
            process = command.start()
            running.append(process)
            output, _ = process.communicate()
            return command, process.returncode, output

        results = [pool.submit(done, command) for command in waiting]

        def wait() -> None:
            failed: list[Command] = []
            for result in as_completed(results):
                command, code, output = result.result()
                print(command, output.rstrip(), sep="\n", flush=True)
                failed += [command] if code else []
            if failed:
                sys.exit("failed:\n" + "\n".join(map(str, failed)))

        try:
            yield wait
        finally:
            for result in results:
                result.cancel()
            for process in running:
                process.terminate()


def ensure_venv(*, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> None:
    """Install the project into .venv, with optional extras and dependency groups."""
    made_of = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    wanted = ("project", *extras, *groups)
    stamps = {name: VENV / f".made-{name}-{page.digest(made_of, name, sys.version)}" for name in wanted}
    missing = [name for name, stamp in stamps.items() if not stamp.exists()]
    if not missing:
        return
    if not PYTHON.exists():
        print("Setting up .venv. The first time takes minutes: torch alone is 0.2 GB (CPU) to 3 GB (CUDA).", flush=True)
        run(sys.executable, "-m", "venv", VENV)
        run(PYTHON, "-m", "pip", "install", "--quiet", "--upgrade", "pip>=25.1")
    project = f".[{','.join(extras)}]" if extras else "."
    group_options = [part for group in groups for part in ("--group", group)]
    run(PYTHON, "-m", "pip", "install", "--quiet", "-c", "constraints.txt", "-e", project, *group_options)
    for name in missing:
        for old in VENV.glob(f".made-{name}-*"):
            old.unlink()
        stamps[name].touch()


def _npm() -> page.Npm:
    """The machine's npm where its Node is new enough, else the one of a Python wheel."""
    if found := page.machine_npm():
        return found
    ensure_venv(groups=("node",))
    found = page.wheel_npm(PYTHON)
    assert found is not None, "it was installed just now"
    return found


def npm(*arguments: str, folder: Path = page.CLIENT) -> Command:
    """npm in a folder."""
    found = _npm()
    return Command(*found.words, *arguments, cwd=folder, path=found.path)


def ensure_client() -> None:
    """Build the web client into the package, unless it is built from these sources already."""
    if page.is_built():
        return
    print("Building the page", flush=True)
    try:
        page.build(_npm())
    except page.PageError as error:
        sys.exit(str(error))


def ensure_interop() -> None:
    """Install the foreign WebRTC clients that come from npm, unless they are there already."""
    wanted = page.digest([INTEROP / "package.json", INTEROP / "package-lock.json"])
    stamp = INTEROP / "node_modules" / ".made-from"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    npm("ci", "--no-audit", "--no-fund", folder=INTEROP).run()
    stamp.write_text(wanted)
