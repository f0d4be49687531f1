"""The examples of docs/client.md and docs/protocol.md run as they stand, against a server of this test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.fakes.pictures import a_jpeg, pixels
from tests.fakes.servers import RunningServer, a_config, load_seeing, running

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "ws://127.0.0.1:8777/ws"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(a_config()) as one:
        yield one


class FakeCamera:
    """OpenCV's camera with three frames."""

    def __init__(self, number: int) -> None:
        self.left = 3

    def isOpened(self) -> bool:
        return self.left > 0

    def read(self) -> tuple[bool, Any]:
        self.left -= 1
        return True, pixels(64, 48)


def example(heading: str, server: RunningServer, file: str = "client.md") -> str:
    """The first example under a heading, for this server's address."""
    section = (DOCS / file).read_text().split(f"## {heading}\n", 1)[1]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    assert ADDRESS in found[1]
    return found[1].replace(ADDRESS, server.websocket_url)


def lines_of(code: str) -> int:
    return len([line for line in code.splitlines() if line.strip()])


def test_webcam(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    monkeypatch.setattr(cv2, "waitKey", lambda ms: -1)
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture))
    code = example("A webcam", server)

    exec(code, {})

    assert lines_of(code) <= 10
    assert [picture.shape for picture in shown] == [(512, 512, 3)] * 3


def test_folder(server: RunningServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for number in range(2):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(a_jpeg(seed=number))
    code = example("A folder", server)

    exec(code, {})

    assert lines_of(code) <= 10
    assert [cv2.imread(str(file)).shape for file in sorted((tmp_path / "out").glob("*.png"))] == [(256, 256, 3)] * 2


def test_array(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    code = example("A numpy array", server)

    exec(code, {})

    assert lines_of(code) <= 10
    assert capsys.readouterr().out == "(256, 256, 3) uint8\n"


def test_picture_as_style(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wave.jpg").write_bytes(a_jpeg())
    with running(a_config(), load_seeing) as server:
        code = example("A picture as style", server)

        exec(code, {})

    assert lines_of(code) <= 10


async def test_live_source(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    code = example("With asyncio, at full rate", server)
    names: dict[str, Any] = {}

    exec(code, names)
    await names["main"]([pixels(64, 64), a_jpeg(seed=2), np.zeros((32, 32, 3), np.uint8)])

    assert lines_of(code) <= 10
    assert re.match(r"(\d \d+ \d+ ms\n)+$", capsys.readouterr().out)


def test_protocols_ten_lines(server: RunningServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jpg").write_bytes(a_jpeg())

    exec(example("Try it in ten lines", server, "protocol.md"), {})

    assert cv2.imread("out.jpg").shape == (512, 512, 3)
