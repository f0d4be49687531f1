"""What a program has asked of its session: patches that wait for their answer, and what is told again to a session
that the server had forgotten.

Must not know connections or frames.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from ..errors import ClientError, RefusedError

_KINDS = {"freeze": "frozen", "unfreeze": "frozen", "on_air": "air", "bypass": "air", "black": "air"}
"""Commands of which the last one of each kind holds."""


@dataclass(frozen=True, slots=True, eq=False)
class _Patch:
    """A patch that is not answered yet.

    Attributes:
        answer: None where nobody waits for it.
        transition_s: its own transition; None where it has none.
    """

    fields: dict[str, Any]
    answer: asyncio.Future[dict[str, Any]] | None
    transition_s: float | None = None

    @property
    def message(self) -> dict[str, Any]:
        """The fields of its message."""
        return patch_message(self.fields, self.transition_s)

    def has(self, field: str | None) -> bool:
        """Whether an error about this field, None for none, may be about it."""
        return field is None or field in self.message["params"] or field in self.message


def patch_message(fields: dict[str, Any], transition_s: float | None = None) -> dict[str, Any]:
    """The fields of a patch's message, but for its type."""
    return {"params": fields} | ({} if transition_s is None else {"transition_s": transition_s})


class Wishes:
    """Patches and commands of one stream. Event loop only."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self._patches: deque[_Patch] = deque()
        self._in_force: dict[str, Any] = {}
        self._commands: dict[str, str] = {}

    def patch(self, fields: dict[str, Any], transition_s: float | None = None) -> asyncio.Future[dict[str, Any]]:
        """Note a patch that is sent; the future is done with the params, or fails with a RefusedError."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._patches.append(_Patch(fields, answer, transition_s))
        return answer

    def command(self, name: str) -> None:
        """Note a command that is sent."""
        if name == "reset":
            self._in_force.clear()
            self._commands.clear()
        elif name in _KINDS:
            self._commands[_KINDS[name]] = name

    def hear_params(self, params: dict[str, Any]) -> None:
        """Take the params in force: the answer to the oldest patches, of which each has raised the version by one, or
        another controller's change.
        """
        answered = int(params["version"]) - int(self.params["version"])
        self.params = params
        for _ in range(min(answered, len(self._patches))):
            patch = self._patches.popleft()
            self._in_force |= patch.fields
            if patch.answer is not None and not patch.answer.done():
                patch.answer.set_result(params)

    def hear_error(self, code: str, message: str, field: str | None) -> None:
        """Take the refusal of a patch: of the oldest one that has the field."""
        refused = next((patch for patch in self._patches if patch.has(field)), None)
        if code not in ("invalid_params", "bad_message") or refused is None:
            return
        self._patches.remove(refused)
        if refused.answer is not None and not refused.answer.done():
            refused.answer.set_exception(RefusedError(code, message, field))

    def resumed(self, params: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
        """What to send on a new connection.

        Args:
            params: in force there. A version below the last known one is that of a new session: the server has
                forgotten the old one.

        Returns:
            Patches, as the fields of their messages, and commands, in this order. A session that is remembered is only
            told what was not answered: another controller may have changed the rest.
        """
        is_new = int(params["version"]) < int(self.params["version"])
        self.params = params
        if is_new and self._in_force:
            self._patches.appendleft(_Patch(dict(self._in_force), None))
        return [patch.message for patch in self._patches], list(self._commands.values()) if is_new else []

    def end(self, error: ClientError) -> None:
        """Fail all patches that wait."""
        for patch in self._patches:
            if patch.answer is not None and not patch.answer.done():
                patch.answer.set_exception(error)
        self._patches.clear()
