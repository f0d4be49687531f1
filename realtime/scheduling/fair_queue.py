"""Start-time fair queueing: the next frame is that of the user who had least of the engine's time.

Must not know sessions, frames or the engine: users are whatever holds a `Tag`, costs are nanoseconds.
Source: Goyal, Vin, Cheng 1996, "Start-time Fair Queuing".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


@dataclass(slots=True, eq=False)
class Tag:
    """A user's position in virtual time.

    Attributes:
        virtual_ns: engine time that it was charged; raised to the virtual time of the queue when it has been idle.
        start_ns: `virtual_ns` when its newest frame was admitted: the start tag of that frame.
        turn: sequence number of that admission among those of all users.
    """

    virtual_ns: float = 0.0
    start_ns: float = 0.0
    turn: int = 0


class User(Protocol):
    """Anything that holds a tag."""

    @property
    def tag(self) -> Tag:
        """The same object for as long as the user is served."""
        ...


U = TypeVar("U", bound=User)


class FairQueue:
    """Orders users by virtual time."""

    def __init__(self) -> None:
        self._now_ns = 0.0
        self._turn = 0

    def order(self, waiting: Sequence[U], running: Collection[U]) -> list[U]:
        """The waiting users that may be admitted now, by virtual time; among equals, the longest not admitted first.

        A user that is ahead of another one by more than one frame of its own is held back, so that a heavy user slows
        a light one to its share and not to its own pace. Never all of them: while a frame waits, one is admitted or
        rows are running, so the engine is not idle for the sake of fairness.

        Args:
            waiting: users with a frame that could be admitted.
            running: users with rows in flight.
        """
        present = {user.tag: user for user in (*waiting, *running)}.values()
        if not present:
            return []
        for user in waiting:
            if user not in running:  # it was idle: unused time does not add up
                user.tag.virtual_ns = max(user.tag.virtual_ns, self._now_ns)
        least_ns = min(user.tag.virtual_ns for user in present)
        self._now_ns = max(self._now_ns, least_ns)
        ordered = sorted(waiting, key=lambda user: (user.tag.virtual_ns, user.tag.turn))
        # One frame of its own is what it was charged since its start tag. A correction may put it below that tag, so
        # the user with the least is named apart: held back by each other, two such users would leave the engine idle.
        return [user for user in ordered if min(user.tag.start_ns, user.tag.virtual_ns) <= least_ns]

    def admit(self, user: User) -> None:
        """Note that a frame of this user goes to the engine."""
        self._turn += 1
        user.tag.start_ns = user.tag.virtual_ns
        user.tag.turn = self._turn

    def charge(self, user: User, cost_ns: float) -> None:
        """Charge engine time to this user; a negative cost corrects an estimate."""
        user.tag.virtual_ns += cost_ns
