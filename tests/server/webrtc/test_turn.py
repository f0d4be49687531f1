"""TURN over TCP: the server's candidate at a relay that takes no UDP. With coturn, where it is installed."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import pytest

from tests.fakes.servers import a_config, running
from tests.fakes.waiting import PATIENCE_S
from tests.server.peer import http_client
from tests.server.webrtc.rtc_peer import SDP
from tests.server.webrtc.test_http import OFFERS

COTURN = shutil.which("turnserver")


@pytest.mark.slow
@pytest.mark.skipif(COTURN is None, reason="no coturn found")
async def test_candidate_of_a_relay_by_tcp_is_in_the_answer(unused_tcp_port: int) -> None:
    assert COTURN is not None
    here = ("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={unused_tcp_port}")
    access = ("--lt-cred-mech", "--user=ann:secret", "--realm=test")
    how = ("-n", "--no-udp", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout", "--pidfile=")
    relay = await asyncio.create_subprocess_exec(
        COTURN, *how, *here, *access, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        server = f"turn:ann:secret@127.0.0.1:{unused_tcp_port}?transport=tcp"
        with running(a_config(ice_addresses=("127.0.0.1",), ice_servers=(server,))) as one:
            async with http_client(one.url) as http:
                answer = await http.post("/whip?session=s", content=OFFERS["whip"], headers=SDP)
    finally:
        relay.terminate()
        await relay.wait()

    assert answer.status_code == 201
    assert " typ relay" in answer.text
