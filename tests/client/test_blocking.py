"""The client without an event loop."""

from __future__ import annotations

import threading

import pytest

from realtime.client import RefusedError, UnreachableError, connect_blocking
from tests.fakes.pictures import a_jpeg
from tests.fakes.servers import a_config, running


def test_methods_wait_and_raise_as_those_of_a_stream() -> None:
    before = threading.active_count()
    with running(a_config()) as server, connect_blocking(server.websocket_url) as stream:
        params = stream.update(width=64, height=64, prompt="ink")
        with pytest.raises(RefusedError, match="strength"):
            stream.update(strength=7)
        stream.command("unfreeze")
        first = stream.restyle(a_jpeg())
        seqs = [picture.seq for picture in stream.restyle_all([a_jpeg(seed=1), a_jpeg(seed=2)])]
        assert stream.params == params

    assert (first.seq, seqs[-1], stream.stream.lost) == (1, 3, 0)
    assert threading.active_count() <= before + 1  # the server's listener, which waits for the next prompt


def test_server_that_is_not_there_is_said(unused_tcp_port: int) -> None:
    with pytest.raises(UnreachableError), connect_blocking(f"ws://127.0.0.1:{unused_tcp_port}/ws"):
        pass
