"""The command line of the comparisons: help without anything heavy, and mistakes in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from realtime.cli import EXIT_USAGE

ROOT = Path(__file__).parents[2]
COMMANDS = ("page", "server", "webrtc", "engine", "variants", "hints", "coldstart", "devices", "process", "draw")


def test_help_is_there_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom benchmarks.__main__ import app\n"
        f"for arguments in {[['--help'], *([name, '--help'] for name in COMMANDS)]!r}:\n"
        "    try: app(arguments)\n"
        "    except SystemExit: pass\n"
        "    heavy = {'torch', 'diffusers', 'fastapi', 'uvicorn', 'aiortc', 'cv2'} & set(sys.modules)\n"
        "    if heavy: sys.exit(f'{arguments}: {heavy}')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage:") == 1 + len(COMMANDS)


def test_the_gpus_parts_are_ordered_without_what_they_may_have_to_install() -> None:
    code = (
        "import sys, benchmarks.gpu.__main__\n"
        "here = {name.partition('.')[0] for name in sys.modules if not name.startswith('_')}\n"
        "foreign = here - set(sys.stdlib_module_names) - {'benchmarks', 'sitecustomize'}\n"
        "sys.exit(str(foreign) if foreign & {'typer', 'rich', 'pydantic', 'torch', 'numpy'} else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["server", "--only", "nonsense"], "no scenario 'nonsense'"),
        (["webrtc", "--only", "nonsense"], "no scenario 'nonsense'"),
        (["engine", "--shape", "sd9"], "no shape 'sd9'"),
        (["variants", "--variant", "tensorrt"], "no variant 'tensorrt'"),
        (["coldstart", "--accelerate", "warp"], "no rung 'warp'"),
        (["draw", "--document", "no-such-page.md"], "no-such-page.md"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, arguments)

    assert done.exit_code == EXIT_USAGE
    (line,) = done.stderr.splitlines()
    assert said in line


def test_drawing_says_what_it_changed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- drawn: none runs -->\n<!-- /drawn -->\n")
    arguments = ["draw", "--document", str(page), "--results", str(tmp_path)]

    assert CliRunner().invoke(app, arguments).output == f"{page}\n"
    assert CliRunner().invoke(app, arguments).output == "nothing has changed\n"
