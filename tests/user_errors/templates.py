"""Finds the messages in the source of the package, as patterns.

Must not know which messages there are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SAYING = frozenset(
    {"error_message", "fail", "_fail", "_refuse", "_problem", "HTTPException", "PlainTextResponse", "UnknownMessage"}
    | {"PydanticCustomError", "Finding"}
)
"""Functions and classes, besides exceptions, whose arguments are messages."""

ANSWERING = frozenset({"_why_not", "_what_else", "_passing", "_obstacle", "obstacle", "compiler_obstacle"})
"""Functions that give back a message, or a part of one."""

_EXCEPTION = re.compile(r"Error$|Exception$|^(?:Closed|Gone|Conflict|NotReady)$")
_LEAST_LETTERS = 4
"""Below it is no message, but puts others together: `f"{path}: {error}"`."""


@dataclass(frozen=True, slots=True)
class Template:
    """A message in the source.

    Attributes:
        module: path of the file, below the package.
        line: in it.
        text: as it would be read, `…` for what is put in.
    """

    module: str
    line: int
    text: str

    def is_in(self, message: str) -> bool:
        """Whether a message says this, or has it as a part that begins and ends with whole words."""
        pattern = ".*".join(map(re.escape, self.text.split("…")))
        return re.search(rf"(?<!\w){pattern}(?!\w)", message) is not None


def templates_below(package: Path) -> list[Template]:
    """All messages in a package's modules."""
    return [
        template
        for file in sorted(package.rglob("*.py"))
        for template in templates_in(file.read_text(), file.relative_to(package).as_posix())
    ]


def templates_in(source: str, module: str) -> Iterator[Template]:
    """All messages in a module: of all that is raised, of exceptions that are made, of `SAYING` and of `ANSWERING`."""
    for node in ast.walk(ast.parse(source)):
        said: Iterable[ast.expr] = ()
        if isinstance(node, ast.Call) and _is_saying(node):
            said = node.args
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and not _is_saying(node.exc):
            said = node.exc.args
        elif isinstance(node, ast.FunctionDef) and node.name in ANSWERING:
            said = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value]
        for expression in said:
            for text in _texts(expression):
                if sum(letter.isalpha() for letter in text) >= _LEAST_LETTERS and " " in text.strip("… :"):
                    yield Template(module, expression.lineno, text)


def _is_saying(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    is_good_news = bool(call.args) and ast.unparse(call.args[0]) == "Verdict.OK"
    return (name in SAYING or bool(_EXCEPTION.search(name))) and not is_good_news


def _texts(expression: ast.expr) -> list[str]:
    """What an expression may say, `…` for what isn't written there."""
    match expression:
        case ast.Constant(value=str(text)):
            return [re.sub(r"\{\w+\}", "…", text.rstrip("\n"))]  # pydantic fills in later
        case ast.JoinedStr(values=parts):
            return ["".join(_texts(part)[0] if isinstance(part, ast.Constant) else "…" for part in parts)]
        case ast.IfExp(body=body, orelse=orelse):
            return _texts(body) + _texts(orelse)
        case ast.BoolOp(values=values):
            return [text for value in values for text in _texts(value)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [one + other for one in _texts(left) for other in _texts(right)]
        case _:
            return ["…"]
