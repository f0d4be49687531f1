"""One error that a user can cause, and what every message must be like.

Must not know which errors there are.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException

MOST_CHARS = 400
JARGON = re.compile(
    r"Traceback|\b[A-Z][a-z]\w*(?:Error|Exception|Warning)\b|<class |\bat 0x|\bErrno\b|pydantic|validation error"
    r"|\bInput should\b|\bNoneType\b|\bcodec can't\b|\btorch\.\w+\.|state_dict|(?<!--tls )\bself\b"
)
"""What only somebody who reads the source knows."""


@dataclass(frozen=True, slots=True)
class Case:
    """One error.

    Attributes:
        message: all of it.
        at_fault: what the message must name: the file, option, field or value at fault.
        cause: causes it. What it raises or gives back is the message, or has it as an error's text, a `detail` or an
            `error` message of the wire. It runs in an empty folder.
    """

    message: str
    at_fault: str
    cause: Callable[[], Any]


async def said(case: Case) -> str:
    """What the user is told."""
    try:
        result = case.cause()
        if inspect.isawaitable(result):
            result = await result
    except HTTPException as error:
        return str(error.detail)
    except Exception as error:
        if not type(error).__module__.startswith("realtime."):
            raise
        return str(error)
    assert isinstance(result, str), f"nothing is wrong: {result!r}"
    return _inner(result)


def _inner(text: str) -> str:
    """The message inside a JSON text of the wire or of an answer."""
    try:
        fields = json.loads(text)
    except ValueError:
        return text.rstrip("\n")
    return fields.get("message") or fields.get("reason") or fields["detail"]


def assert_can_be_read(message: str, at_fault: str) -> None:
    """One line without jargon that names what is at fault."""
    assert message.isprintable(), "it is not one line of printable characters"
    assert len(message) <= MOST_CHARS
    assert not JARGON.search(message)
    assert at_fault in message
