"""What waits for its answer, and what a session is told again after a cut."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.client import ConnectionLostError, RefusedError
from realtime.client.wishes import Wishes


def params(version: int) -> dict[str, Any]:
    return {"version": version}


async def test_one_message_answers_all_patches_that_it_is_newer_than() -> None:
    wishes = Wishes(params(0))
    first, second, third = (wishes.patch({"seed": number}) for number in range(3))

    wishes.hear_params(params(2))

    assert (await first, await second) == (params(2), params(2))
    assert not third.done()


async def test_refusal_is_that_of_the_patch_with_the_field() -> None:
    wishes = Wishes(params(0))
    right, wrong = wishes.patch({"seed": 1}), wishes.patch({"strength": 7})

    wishes.hear_error("invalid_params", "no", "strength")
    wishes.hear_error("unknown_command", "no", None)
    wishes.hear_params(params(1))

    with pytest.raises(RefusedError):
        await wrong
    assert await right == params(1)


async def test_session_that_is_remembered_is_told_what_was_not_answered() -> None:
    wishes = Wishes(params(0))
    wishes.patch({"seed": 1})
    wishes.hear_params(params(1))
    waiting = wishes.patch({"prompt": "a"})
    wishes.command("freeze")

    assert wishes.resumed(params(1)) == ([{"params": {"prompt": "a"}}], [])
    wishes.hear_params(params(2))
    assert await waiting == params(2)


async def test_new_session_is_told_everything_that_held() -> None:
    wishes = Wishes(params(0))
    for fields in ({"seed": 1, "prompt": "a"}, {"seed": 2}):
        wishes.patch(fields)
    wishes.hear_params(params(2))
    for name in ("freeze", "black", "unfreeze", "explode"):
        wishes.command(name)
    waiting = wishes.patch({"strength": 0.5}, 3)

    assert wishes.resumed(params(0)) == (
        [{"params": {"seed": 2, "prompt": "a"}}, {"params": {"strength": 0.5}, "transition_s": 3}],
        ["unfreeze", "black"],
    )
    wishes.hear_params(params(1))
    assert not waiting.done()  # that was the answer to what was told again
    wishes.hear_params(params(2))
    assert await waiting == params(2)


async def test_after_a_reset_nothing_is_told_again() -> None:
    wishes = Wishes(params(0))
    wishes.patch({"seed": 1})
    wishes.hear_params(params(1))
    wishes.command("reset")

    assert wishes.resumed(params(0)) == ([], [])


async def test_end_fails_what_waits() -> None:
    wishes = Wishes(params(0))
    waiting = wishes.patch({"seed": 1})

    wishes.end(ConnectionLostError("gone"))

    with pytest.raises(ConnectionLostError):
        await waiting
