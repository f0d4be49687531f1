"""The walls of docs/architecture.md, checked by import-linter and by looking at what is imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "realtime"
HEAVY = {"torch", "diffusers", "transformers", "peft", "safetensors", "openvino"}
WEB = {"fastapi", "starlette", "uvicorn", "aiortc", "aiohttp"}


def imported(file: Path) -> set[str]:
    """Top-level names of all absolute imports of a module, wherever in it they stand."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.split(".")[0])
    return names


def module_of(file: Path) -> str:
    """A file's module, as imports name it."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = {module_of(file) for file in FILES}


def imported_of_ours(file: Path) -> set[str]:
    """Our modules that a module imports: wherever in it that stands, and for types alone too."""
    package = [*file.parent.relative_to(ROOT).parts]
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" if f"{module}.{alias.name}" in NAMES else module for alias in node.names}
    return found & NAMES


MODULES = [pytest.param(file, id=str(file.relative_to(PACKAGE))) for file in FILES]


def test_imports_go_down() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_imports_go_round_in_a_circle() -> None:
    imports = {module_of(file): imported_of_ours(file) for file in FILES}

    assert {"realtime.frame", "realtime.version"} <= imports["realtime.client.pictures"] | imports["realtime"]
    TopologicalSorter(imports).prepare()


@pytest.mark.parametrize("file", MODULES)
def test_torch_is_imported_in_the_engine_only_and_the_web_in_the_server_only(file: Path) -> None:
    place = file.relative_to(PACKAGE).parts
    names = imported(file)

    if place[0] != "engine" or file.name == "echo.py":
        assert not names & HEAVY
    if place[0] not in ("server", "bench"):
        assert not names & WEB
    if place[0] in ("engine", "media") or file.name == "protocol.py":
        assert "asyncio" not in names


CORE = (
    "realtime",
    "realtime.engine",
    "realtime.engine.echo",
    "realtime.engine.load",
    "realtime.engine.state",
    "realtime.engine.rungs.exactness",
    "realtime.engine.rungs.folder_cache",
    "realtime.engine.rungs.toolchain",
    "realtime.protocol",
    "realtime.scheduling.scheduler",
)


def test_importing_the_core_imports_neither_torch_nor_a_web_framework() -> None:
    code = (
        "import importlib, sys\n"
        f"for module in {CORE!r}:\n"
        "    importlib.import_module(module)\n"
        f"    found = {HEAVY | WEB!r} & set(sys.modules)\n"
        "    if found: sys.exit(f'{module} imports {found}')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
