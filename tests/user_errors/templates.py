"""Finds the messages in the source of the package, as patterns.

Must not know which messages there are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SAYING = frozenset(
    {"error_message", "fail", "_fail", "_refuse", "_Refusal", "HTTPException", "PlainTextResponse", "UnknownMessage"}
    | {"PydanticCustomError", "Finding"}
)
"""Functions and classes, besides exceptions, whose arguments are messages."""

ANSWERING = frozenset(
    {
        "_why_not",
        "_what_else",
        "_passing",
        "_obstacle",
        "obstacle",
        "compiler_obstacle",
        "not_kept",
        "refusal",
        "may_give",
    }
)
"""Functions that give back a message, or a part of one."""

_EXCEPTION = re.compile(r"Error$|Exception$|^(?:Closed|Gone|Conflict|NotNow|NotReady)$")
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
    for scope in _scopes(ast.parse(source)):
        named = _named_in(scope)
        for expression in _said_in(scope):
            for text in _texts(expression, named):
                if sum(letter.isalpha() for letter in text) >= _LEAST_LETTERS and " " in text.strip("… :"):
                    yield Template(module, expression.lineno, text)


def _scopes(outer: ast.Module | ast.ClassDef) -> Iterator[ast.stmt]:
    """Functions and methods, and all other statements outside of them."""
    for node in outer.body:
        if isinstance(node, ast.ClassDef):
            yield from _scopes(node)
        else:
            yield node


def _said_in(scope: ast.stmt) -> Iterator[ast.expr]:
    """The expressions that become messages."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and _is_saying(node):
            yield from node.args
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and not _is_saying(node.exc):
            yield from node.exc.args
        elif isinstance(node, ast.FunctionDef) and node.name in ANSWERING:
            yield from (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value)


def _named_in(scope: ast.stmt) -> dict[str, list[ast.expr]]:
    """What names are set to, as far as it is text."""
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() | ast.JoinedStr() | ast.IfExp()):
                named.setdefault(name, []).append(node.value)
            case _:
                pass
    return named


def _is_saying(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    is_good_news = bool(call.args) and ast.unparse(call.args[0]) == "Verdict.OK"
    return (name in SAYING or bool(_EXCEPTION.search(name))) and not is_good_news


def _texts(expression: ast.expr, named: Mapping[str, list[ast.expr]]) -> list[str]:
    """What an expression may say, `…` for what isn't written there.

    Args:
        named: what names may stand for.
    """
    match expression:
        case ast.Constant(value=str(text)):
            return [re.sub(r"\{\w+\}", "…", text.rstrip("\n"))]  # pydantic fills in later
        case ast.JoinedStr(values=parts):
            return ["".join(_texts(part, {})[0] if isinstance(part, ast.Constant) else "…" for part in parts)]
        case ast.IfExp(body=body, orelse=orelse):
            return _texts(body, named) + _texts(orelse, named)
        case ast.BoolOp(values=values):
            return [text for value in values for text in _texts(value, named)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [one + other for one in _texts(left, named) for other in _texts(right, named)]
        case ast.Name(id=name) if name in named:
            return [text for value in named[name] for text in _texts(value, {})]
        case _:
            return ["…"]
