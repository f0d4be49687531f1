"""Limits of sessions: of their time, of what nobody uses, and of how many come from one address."""

from __future__ import annotations

import asyncio

import pytest

from realtime.client import SessionEndedError, connect
from realtime.errors import SessionLimitError
from realtime.server import connection
from realtime.server.lobby import Addresses
from tests.fakes.pictures import a_jpeg
from tests.fakes.servers import a_config, running
from tests.server.peer import connected, dialled


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LIMITS_EVERY_S", 0.02)


async def test_session_ends_when_its_time_is_over_however_busy_it_is() -> None:
    with running(a_config(session_s=0.5, resume_s=60.0)) as server:
        with pytest.raises(SessionEndedError, match=r"may last 0\.5 s"):
            async with connect(server.websocket_url, session="long") as stream:
                while True:
                    await stream.restyle(a_jpeg())
                    await asyncio.sleep(0.002)  # or a quick machine sends more than a connection may
        assert server.service.session("long") is None, "nobody comes back to it"


async def test_time_of_a_session_is_not_begun_anew_by_another_connection() -> None:
    with running(a_config(session_s=1.0, resume_s=60.0)) as server:
        async with connected(server.websocket_url, session="long"):
            begun_ns = server.service.session("long").begun_ns  # type: ignore[union-attr]
        async with connected(server.websocket_url, session="long") as again:
            assert server.service.session("long").begun_ns == begun_ns  # type: ignore[union-attr]
            assert await again.closed() == 1000


async def test_session_in_which_nothing_happens_ends_and_a_used_one_stays() -> None:
    with running(a_config(idle_s=1.0)) as server:
        async with connected(server.websocket_url, session="used") as used:

            async def use() -> None:
                for seed in range(100):
                    await used.patch(seed=seed)
                    await asyncio.sleep(0.1)

            using = asyncio.create_task(use())
            with pytest.raises(SessionEndedError, match="nothing has happened in this session for 1 s"):
                async with connect(server.websocket_url, session="idle") as stream:
                    await stream._until(lambda: False)
            assert server.service.session("used") is not None
            using.cancel()


async def test_one_address_has_so_many_sessions_and_may_take_its_own_over() -> None:
    with running(a_config(max_sessions_per_address=2)) as server:
        url = server.websocket_url
        async with connected(url, session="a") as first, connected(url, session="b"):
            async with dialled(url, session="c") as third:
                assert await third.closed() == 1013
            async with connected(url, session="a"):
                assert await first.closed() == 1000
        async with connected(url, session="c"):
            pass


def test_addresses_are_counted_by_who_has_them() -> None:
    addresses = Addresses(1)

    with addresses.seat("192.0.2.1"), addresses.seat("192.0.2.2"), addresses.seat("2001:db8::1"):
        for same in ("192.0.2.1", "::ffff:192.0.2.2", "2001:db8::ffff"):
            with pytest.raises(SessionLimitError, match="1 sessions may come from one address"), addresses.seat(same):
                pass
        with addresses.seat("2001:db8:0:1::1"):
            pass
    with addresses.seat("192.0.2.1"), addresses.seat("fe80::1%eth0"), addresses.seat(""):
        pass
    assert not addresses._counts
    with Addresses(0).seat("a"), Addresses(0).seat("a"):
        pass
