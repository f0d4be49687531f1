"""A class name means one thing: it is used once in the package and once in the comparisons, with or without a `_`."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def used_twice(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of classes that are defined more than once, with where; `_Name` counts as `Name`.

    Args:
        sources: the texts of modules, by name.
    """
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(module)
    return {name: modules for name, modules in places.items() if len(modules) > 1}


def sources_below(folders: Iterable[str]) -> dict[str, str]:
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    return {str(file.relative_to(ROOT)): file.read_text() for file in files}


def test_two_classes_of_one_name_are_found() -> None:
    twice = used_twice({"a": "class Call: ...", "b": "class Call: ...\nclass Other: ...", "c": "def Call(): ..."})

    assert twice == {"Call": ["a", "b"]}


def test_private_class_counts_as_the_public_one() -> None:
    assert used_twice({"a": "class Call: ...", "b": "class _Call: ..."}) == {"Call": ["a", "b"]}


@pytest.mark.parametrize("folder", ["realtime", "benchmarks"])
def test_class_name_is_used_once(folder: str) -> None:
    sources = sources_below([folder])

    assert len(sources) > 10
    assert used_twice(sources) == {}
