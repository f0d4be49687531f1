"""ICE of both sides on loopback, and a server with the echo engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime.server.webrtc import seams
from tests.fakes.servers import RunningServer, a_config, running

LOOPBACK = ("127.0.0.1",)


@pytest.fixture(autouse=True)
def ice_on_loopback() -> Iterator[None]:
    """For the clients: the server sets its own, which is the same here."""
    seams.offer_addresses(LOOPBACK)
    yield
    seams.offer_addresses(())


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running(a_config(ice_addresses=LOOPBACK, resume_s=5.0)) as running_server:
        yield running_server
