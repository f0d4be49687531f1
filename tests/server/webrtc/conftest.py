"""ICE of both sides on loopback, and servers with the echo engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from realtime.server.webrtc import seams
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until

LOOPBACK = ("127.0.0.1",)


@pytest.fixture(autouse=True)
def ice_on_loopback() -> Iterator[None]:
    """For the clients: the server sets its own, which is the same here."""
    seams.offer_addresses(LOOPBACK)
    yield
    seams.offer_addresses(())


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    """For a test that ends it, or that counts what is in it."""
    with running(a_config(ice_addresses=LOOPBACK, resume_s=5.0)) as one:
        yield one


@pytest.fixture(scope="module")
def lasting_server() -> Iterator[RunningServer]:
    with running(a_config(ice_addresses=LOOPBACK, resume_s=5.0)) as one:
        yield one


@pytest.fixture
async def server(lasting_server: RunningServer) -> AsyncIterator[RunningServer]:
    """The module's: nobody is in it, neither before a test nor after it."""
    yield lasting_server
    service, peers = lasting_server.service, lasting_server.app.state.peers

    def turn_out() -> None:
        for resource in peers._resources.values():
            resource.ending.set()
        for session in service.sessions:
            service.dismiss(session)

    service.host._loop.call_soon_threadsafe(turn_out)
    await until(lambda: peers.count == service.viewers.count == len(service.sessions) == 0)
