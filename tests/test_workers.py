"""Tests of one module run in one worker, in their order: without that, servers and browsers are started many times."""

from __future__ import annotations

import pytest

RAN: list[str] = []


@pytest.mark.parametrize("number", range(6))
def test_module_runs_in_one_worker(request: pytest.FixtureRequest, number: int) -> None:
    RAN.append(request.node.nodeid)

    assert [item.nodeid for item in request.session.items if item.path == request.node.path][: number + 1] == RAN
