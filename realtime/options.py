"""A field of the configuration as an option of the command line, so that both are written once: in config.py.

Must not know commands.
"""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic import SecretStr


def option_of(name: str, annotation: Any, text: str, default: Any) -> inspect.Parameter:
    """A typer option that is None where it was not given: the environment and the file may then speak."""
    shown = "" if default in (None, ()) else f" [default: {default}]"
    many = get_origin(annotation) is tuple
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)] or [annotation]
    kind = str if many or kinds[0] is SecretStr else kinds[0]
    wanted = list[kind] | None if many else kind | None  # type: ignore[valid-type]
    flag = re.sub(r"(?<=ss)es$|s$", "", name) if many else name
    spelling = f"--{flag.replace('_', '-')}"
    if kinds[0] is bool and not name.startswith("no_"):
        spelling += f"/--no-{flag.replace('_', '-')}"
    option = typer.Option(spelling, help=text + shown, show_default=False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[wanted, option])
