"""The file of rules: read at the start and when it changes, for all who may say a prompt."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime.errors import ConfigError
from realtime.server import rule_file
from realtime.server.rule_file import RuleFile
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import until
from tests.server.peer import connected, http_client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.txt"
    path.write_text("refuse gore\nreplace rival => friend\n")
    return path


def write(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_file, "LOOK_EVERY_S", 0.01)


@pytest.mark.parametrize(
    ("write_it", "why"),
    [
        (lambda path: None, "can't be read (No such file or directory): check --prompt-rules"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "no text in UTF-8"),
        (lambda path: path.write_text("forbid x"), "is no rule"),
        (lambda path: path.write_text("#" * 300_000), "256 KiB"),
    ],
)
def test_server_does_not_start_with_rules_that_are_none(
    tmp_path: Path, write_it: Callable[[Path], None], why: str
) -> None:
    write_it(tmp_path / "rules")

    with pytest.raises(ConfigError) as caught:
        RuleFile(tmp_path / "rules")

    assert why in str(caught.value)


async def test_every_way_to_say_a_prompt_goes_by_the_rules(file: Path) -> None:
    with running(a_config(prompt_rules=file)) as server:
        async with connected(server.websocket_url, session="s") as peer, http_client(server.url) as http:
            replaced = await peer.patch(prompt="a rival")
            await peer.say(type="params", params={"prompt": "gore"})
            refused = await peer.text("error")
            by_http = await http.patch("/api/sessions/s", json={"params": {"negative_prompt": "gore"}})
            pads = {"pads": [{"name": "one", "look": {"prompt": [{"text": "gore", "weight": 1}]}}]}
            await http.put("/api/sessions/s/pads", json=pads)
            by_pad = await http.post("/api/sessions/s/command", json={"command": "pad", "pad": 1})
            now = (await http.get("/api/sessions/s")).json()["params"]

    assert replaced["prompt"] == "a friend"
    assert (refused["code"], refused["field"]) == ("invalid_params", "prompt")
    assert (by_http.status_code, by_http.json()["field"]) == (422, "negative_prompt")
    assert (by_pad.status_code, by_pad.json()["field"]) == (422, "prompt")
    assert (now["prompt"], now["negative_prompt"]) == ("a friend", "")


async def test_new_rules_hold_for_prompts_that_are_in_force(file: Path, quick: None) -> None:
    with running(a_config(prompt_rules=file)) as server:
        async with connected(server.websocket_url, session="s") as peer:
            await peer.patch(prompt="a cat on a mat")
            write(file, "replace cat => dog\n")
            told = await peer.text("params")
            write(file, "refuse dog*\n")
            emptied = await peer.text("params")

    assert told["params"]["prompt"] == "a dog on a mat"
    assert emptied["params"]["prompt"] == ""


async def test_rules_that_become_none_leave_the_last_in_force(
    file: Path, quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    rules = RuleFile(file)
    before = rules.rules
    changes: list[int] = []
    with caplog.at_level(logging.ERROR):
        task = asyncio.create_task(rules.watch(lambda: changes.append(1)))
        write(file, "forbid everything\n")
        await until(lambda: "stay as they were" in caplog.text)
        os.unlink(file)
        await until(lambda: "can't be read" in caplog.text)
        assert rules.rules is before
        write(file, "refuse nothing\n")
        await until(lambda: bool(changes))
        task.cancel()

    assert rules.rules is not before


async def test_model_that_is_changed_keeps_to_the_rules(file: Path) -> None:
    def prompt(server: RunningServer) -> object:
        session = server.service.session("s")
        return session and session.params.prompt

    with running(a_config(prompt_rules=file, model="echo:5")) as server:
        async with connected(server.websocket_url, session="s") as peer, http_client(server.url) as http:
            await peer.patch(prompt="a rival")
            await http.post("/api/model", json={"name": "echo:6"})
            await peer.text("model")
            await peer.say(type="params", params={"prompt": "gore"})
            refused = await peer.text("error")

            assert (prompt(server), refused["field"]) == ("a friend", "prompt")
