"""The grey frames that an engine runs before the first real one, so that what those need is there: libraries' plans,
memory, graphs, and calls that something faster is made for.

Must not know engines, or what a backend prepares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..control import INPUT, Control, HintKey
from ..frame import Format, Frame, Job
from ..params import Params
from . import NetKind
from .models.nets import Net

GREY = 128


class GreyFrame(NamedTuple):
    """A kind of frames to warm up with.

    Attributes:
        of: what it is for beside plain frames, for people; empty for these.
    """

    of: str
    job: Job

    def times(self, count: int) -> list[Job]:
        """Several at once."""
        return [self.job] * count


def grey_frames(params: Params, nets: tuple[Net, ...], now_ns: int) -> Iterator[GreyFrame]:
    """Frames of which nothing is asked; those that each network alone steers, whichever of its types; and those that
    both a ControlNet and an adapter steer, where there are both: all forms that calls of one context may have.

    Args:
        params: of the plain ones.
    """
    plain = _grey(params, now_ns)
    yield GreyFrame("", plain)
    for net in nets:
        yield GreyFrame(net.name, _steered(plain, net))
    kinds = {net.kind: net for net in reversed(nets)}
    if kinds.keys() == set(NetKind):
        both = tuple(kinds.values())
        yield GreyFrame(" with ".join(net.name for net in both), _steered(plain, *both))


def _grey(params: Params, now_ns: int) -> Job:
    picture = np.full((params.height, params.width, 3), GREY, np.uint8)
    return Job(Frame(0, Format.NONE, b"", 0, now_ns), params, "warm-up", now_ns, picture=picture)


def _steered(job: Job, *nets: Net) -> Job:
    """The job with these nets, which are shown that there is nothing, where hints are made on the host."""
    infos = [net.controls[0] for net in nets]
    params = job.params.model_copy(update={"control": tuple(Control(net=info.name) for info in infos)})
    hints = {HintKey(info.hint, INPUT): np.zeros_like(job.picture) for info in infos if info.hint.is_on_host}
    return replace(job, params=params, hints=hints)
