"""benchmarks.gpu.prompts: a prompt's way into the pictures, on a server as users start it."""

from __future__ import annotations

from benchmarks.gpu import prompts
from realtime.bench import pictures
from tests.fakes.servers import serving


async def test_every_change_of_a_prompt_is_timed_until_a_picture_shows_it() -> None:
    sent = pictures.photo_jpegs(2, 64, 64)
    with serving(model="echo:5") as server:
        patch = {"width": 64, "height": 64, "skip_unchanged": False}
        found = await prompts.prompt_changes(server.websocket_url, sent, patch, fps=60, changes=2, every_s=0.05)

    assert found["changes"] == 2
    for kind in ("new", "known"):
        assert 5 <= found[kind]["ms"]["p50"] <= found[kind]["ms"]["max"]
        assert found[kind]["frames"]["max"] >= 1
