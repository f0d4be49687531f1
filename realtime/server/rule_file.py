"""The file with the rules for prompts: read at the start, and again whenever it has changed.

Must not know what the rules are, or whose prompts they are for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ..errors import ConfigError
from ..params import Params
from ..prompt_rules import FILE_MAX_BYTES, PromptRules

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


class RuleFile:
    """The rules in force. Event loop only.

    Args:
        path: None: there are no rules.

    Raises:
        ConfigError: the file can't be read, or has a line that is no rule.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path.expanduser() if path is not None else None
        self._seen = _stamp(self._path)
        self.rules = _read(self._path) if self._path is not None else PromptRules()

    def applied(self, params: Params) -> Params:
        """See `PromptRules.applied`."""
        return self.rules.applied(params)

    async def watch(self, on_change: Callable[[], None]) -> NoReturn:
        """Read the file again when it has changed. One that can't be read leaves the rules as they were.

        Args:
            on_change: called when other rules are in force.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._path is None:
                continue
            stamp = await asyncio.to_thread(_stamp, self._path)
            if stamp == self._seen:
                continue
            self._seen = stamp
            try:
                self.rules = await asyncio.to_thread(_read, self._path)
            except ConfigError as error:
                log.error("the rules for prompts stay as they were: %s", error)
            else:
                log.info("%d rules for prompts are in force", len(self.rules.rules))
                on_change()


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """What changes with the file; None where there is none."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status is not None else None


def _read(path: Path) -> PromptRules:
    """Raises ConfigError."""
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise ConfigError(f"{path} is no file of prompt rules: it has more than {FILE_MAX_BYTES // 1024} KiB")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the prompt rules {path} can't be read ({error.strerror}): check --prompt-rules") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the prompt rules {path} are no text in UTF-8: save them as that") from None
    try:
        return PromptRules.parse(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
