"""Every error that a user can cause is caused and read whole, and no message of the package is missing in the lists."""

from __future__ import annotations

from pathlib import Path

import pytest

import realtime

from . import command_line
from .case import Case, assert_can_be_read, said

PACKAGE = Path(realtime.__file__).parent
LISTS = (command_line,)
CASES = [case for module in LISTS for case in module.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.at_fault)
async def test_error_says_what_is_wrong_where_and_what_to_do(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    message = await said(case)

    assert message == case.message
    assert_can_be_read(message, case.at_fault)
