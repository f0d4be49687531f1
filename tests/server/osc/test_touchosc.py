"""The TouchOSC layout of the docs: whole, and without an address that does nothing."""

from __future__ import annotations

import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from realtime.pads import pads_from
from realtime.params import Params
from realtime.server.osc.addresses import act, told
from realtime.server.osc.endpoint import PREFIX
from realtime.session import Session

LAYOUT = Path(__file__).parents[3] / "docs" / "touchosc" / "realtime.tosc"


@pytest.fixture
def session() -> Session:
    made = Session("s", Params(), 2**22)
    pads = [{"name": f"pad {number}", "look": {"strength": number / 20}} for number in range(12)]
    made.pads.replace(pads_from(pads), made.params)
    return made


def test_every_control_of_the_layout_plays_or_tells_something(session: Session) -> None:
    root = ElementTree.fromstring(zlib.decompress(LAYOUT.read_bytes()))
    messages = [*root.iter("osc")]
    act(session, "bpm", (120,))  # or a beat would have no tempo

    assert root.tag == "lexml"
    assert len(messages) > 30
    for message in messages:
        (path,) = [each.text or "" for each in message.findall("path/partial/value")]
        assert path.startswith(PREFIX)
        path = path.removeprefix(PREFIX)
        if path == "sync":
            continue
        if message.findtext("send") == "1":
            (top,) = [float(each.text or "") for each in message.findall("arguments/partial/scaleMax")]
            act(session, path, (top,))
        else:
            assert path in told(session)
