"""benchmarks.gpu: changes of a model that are kept one by one, as many as there is time for."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.gpu import goals, swapping, working
from benchmarks.gpu.working import Setting, Shared


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting("swap", tmp_path / "models", tmp_path, tmp_path / "cache", True, 240.0, Shared(dry=True))


def kept(setting: Setting) -> Any:
    return json.loads(working.part_file(setting.output, setting.name).read_text())


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has no server, and so many changes of its model that took so long, before it breaks."""

    @contextlib.contextmanager
    def serving(*_: Any, **__: Any) -> Iterator[Any]:
        yield SimpleNamespace(url="", websocket_url="")

    def made(count: int, took_s: float) -> None:
        async def changed(
            url: str, websocket_url: str, pictures: Any, patch: Any, tell: Callable[[dict[str, Any]], bool]
        ) -> None:
            for number in range(count):
                change = {"took_s": took_s, "gap_ms": 40.0 + number, "gap_before_ms": 35.0, "dropped": 1}
                if not tell(change):
                    return
            raise TimeoutError("the model is not second after 60 s")

        monkeypatch.setattr(swapping, "_changes", changed)

    monkeypatch.setattr("realtime.bench.servers.serving", serving)

    # No test here needs a model, and drawing one takes long.
    def model(setting: Setting, shape: str) -> Path:
        return setting.models

    def machine(setting: Setting) -> Any:
        return SimpleNamespace(side_px=64, device=SimpleNamespace(type="cpu"))

    monkeypatch.setattr(Setting, "model", model)
    monkeypatch.setattr(Setting, "machine", machine)
    return made


def test_changes_of_the_model_are_kept_when_a_later_one_fails(setting: Setting, changes: Callable[..., None]) -> None:
    changes(1, 0.5)

    note = working.attempt("swapping:swap", setting, {})

    assert note.startswith("ended by TimeoutError")
    assert kept(setting)["longest_gap_ms"] == 40.0 and kept(setting)["dropped"] == 1
    assert goals.goals({"swap": kept(setting)})["C4 longest gap while the model changes, ms"]["ok"] is True


def test_the_model_is_changed_as_often_as_there_is_time_for(setting: Setting, changes: Callable[..., None]) -> None:
    changes(9, 0.5)
    found: dict[str, Any] = {}
    assert working.attempt("swapping:swap", setting, found) == ""
    assert len(found["changes"]) == swapping.DRY_CHANGES and "note" not in found

    changes(9, setting.limit_s)
    found = {}
    assert working.attempt("swapping:swap", setting, found) == ""
    assert len(found["changes"]) == 1 and found["note"].startswith("1 of 2 changes: ")
