"""The file that outlives the server: whole or not there, its owner's alone, and no reason not to start."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import pytest

from realtime.frame import Air
from realtime.server import state_file
from realtime.server.state_file import REMEMBERED_S, SESSIONS_MAX, Kept, Remembered, StateFile

NOW_S = int(time.time())
PAST = Remembered("she", {"prompt": "ink ☂", "strength": 0.25}, 7, Air.BLACK, True, NOW_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "state.json"


def test_what_is_saved_is_loaded(path: Path) -> None:
    state = Kept(sessions={"show": PAST})

    assert StateFile(path).save(state)

    assert StateFile(path).load() == state


def test_only_its_owner_reads_it(path: Path) -> None:
    StateFile(path).save(Kept(sessions={"show": PAST}))

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["state.json"]


def test_key_that_others_could_read_is_not_used(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = Kept(sessions={"show": PAST})
    StateFile(path).save(state)
    path.chmod(0o644)

    found = StateFile(path).load()

    assert (found.sessions, found.key != state.key) == (state.sessions, True)
    assert "could be read by others" in caplog.text


def test_nothing_is_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert StateFile(path).load().sessions == {}
    assert caplog.text == ""


GOOD = {"format": 1, "key": "A" * 43 + "=", "sessions": {}}
SESSION = {"owner": "", "params": {}, "version": 1, "air": "on_air", "frozen": False, "at_s": 2_000_000_000}


def test_file_that_is_good_is_read(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(0o600)
    path.write_text(json.dumps(GOOD | {"sessions": {"a": SESSION}}))

    assert StateFile(path).load().sessions["a"].version == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b"3",
        b"{}",
        json.dumps(GOOD | {"key": "short"}).encode(),
        json.dumps(GOOD | {"key": "ä"}).encode(),
        json.dumps(GOOD | {"sessions": [1]}).encode(),
        json.dumps(GOOD | {"sessions": {"a": {"owner": 3}}}).encode(),
        json.dumps(GOOD | {"format": "x"}).encode(),
        json.dumps(GOOD | {"sessions": {"a": SESSION | {"version": float("inf")}}}).encode(),
        json.dumps(GOOD | {"sessions": {"a": SESSION | {"version": -1}}}).encode(),
        json.dumps(GOOD | {"sessions": {"a": SESSION | {"version": 2**40}}}).encode(),
    ],
    ids=range(14),
)
def test_broken_file_is_set_aside_and_said(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    file = StateFile(path)

    assert file.load().sessions == {}

    assert "is called state.json.broken now" in caplog.text
    assert path.with_name("state.json.broken").read_bytes() == content
    assert (file.is_writable, file.save(Kept())) == (True, True)


def test_file_of_a_newer_version_is_left_as_it_is(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"format": 2, "version": "9.1", "all": "else"}))
    file = StateFile(path)

    assert file.load().sessions == {}

    assert not file.is_writable
    assert "was written by realtime 9.1, which is newer" in caplog.text


def test_file_that_can_not_be_written_is_said_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.write_text("a file where the folder should be")
    file = StateFile(path)

    assert [file.save(Kept()), file.save(Kept())] == [False, False]

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "a restart will forget" in caplog.text


def test_broken_write_leaves_the_file_before_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Kept(sessions={"show": PAST})
    StateFile(path).save(first)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state_file.os, "fsync", full)
    assert not StateFile(path).save(Kept())

    assert StateFile(path).load() == first
    assert [file.name for file in path.parent.iterdir()] == ["state.json"]


def test_old_sessions_are_forgotten_and_so_are_too_many(path: Path) -> None:
    old = Remembered("", {}, 1, Air.OUTPUT, False, NOW_S - REMEMBERED_S - 5)
    many = {f"s{number}": Remembered("", {}, 1, Air.OUTPUT, False, NOW_S - number) for number in range(300)}
    StateFile(path).save(Kept(sessions={"old": old, **many}))

    found = StateFile(path).load().sessions

    assert list(found) == [f"s{number}" for number in range(SESSIONS_MAX)]
