"""What these scripts raise on purpose."""

from __future__ import annotations


class EnduranceError(Exception):
    """What was to come has not come in time, or can't be done here. The message says what."""


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions in a group, and in groups that are in it."""
    inner = ([each] if not isinstance(each, BaseExceptionGroup) else leaves(each) for each in group.exceptions)
    return [error for errors in inner for error in errors]
