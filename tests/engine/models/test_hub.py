"""The hub without a network: the cache's layout, environment variables, downloads by a stand-in, errors."""

from __future__ import annotations

import errno
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import huggingface_hub
import pytest
from huggingface_hub import errors

from realtime.engine.models import hub
from realtime.engine.models.hub import HubId, parse_hub_id
from realtime.errors import ModelError
from tests import checkpoints


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of one's own, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("a" * 100)
    (folder / "b.txt").write_text("b" * 300)
    return folder


def want(*names: str) -> hub.Choose:
    def choose(there: Any) -> tuple[str, ...]:
        for name in names:
            if name not in there:
                raise ModelError(f"{name} is missing")
        return names

    return choose


def silent(stage: str, percent: float | None) -> None:
    pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org/name", HubId("org/name")),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", HubId("stable-diffusion-v1-5/stable-diffusion-v1-5")),
        ("org/name@v1.0", HubId("org/name", None, "v1.0")),
        ("org/name/file.safetensors", HubId("org/name", "file.safetensors")),
        ("org/name/sub/file.safetensors@main", HubId("org/name", "sub/file.safetensors", "main")),
        *[
            (text, None)
            for text in (
                *("name", "org/", "/name", "org/name/", "../name", "org/../name", "org/name/../x.safetensors"),
                *(
                    "org/name/file.ckpt",
                    "org/na me",
                    "org/name@",
                    "org/name@a/b",
                    "https://example.org/name",
                    "örg/name",
                ),
                *("loras/style.safetensors", "org/name\n", "org//name", "-org/name", "", "org/" + "n" * 200),
            )
        ],
    ],
)
def test_ids_are_told_from_everything_else(text: str, expected: HubId | None) -> None:
    assert parse_hub_id(text) == expected


def test_id_prints_as_it_is_written() -> None:
    assert str(parse_hub_id("org/name/file.safetensors@v1")) == "org/name/file.safetensors@v1"


def test_what_is_in_the_cache_is_used_without_the_network(cache: Path, files: Path) -> None:
    snapshot = checkpoints.put_in_hub_cache(cache, "org/name", files)

    assert hub.fetch(HubId("org/name"), want("a.txt"), silent) == snapshot
    assert hub.find_cached(HubId("org/name"), want("c.txt")) is None
    assert hub.find_cached(HubId("org/other"), want("a.txt")) is None


def test_revision_picks_its_own_snapshot(cache: Path, files: Path) -> None:
    main = checkpoints.put_in_hub_cache(cache, "org/name", files)
    (files / "a.txt").write_text("new")
    tagged = checkpoints.put_in_hub_cache(cache, "org/name", files, revision="v2")

    assert hub.cached_folder(HubId("org/name")) == main
    assert hub.cached_folder(HubId("org/name", None, "v2")) == tagged
    assert hub.cached_folder(HubId("org/name", None, tagged.name)) == tagged
    assert hub.cached_folder(HubId("org/name", None, "v3")) is None


def test_environment_variables_mean_what_they_mean_elsewhere(tmp_path: Path, files: Path) -> None:
    checkpoints.put_in_hub_cache(tmp_path / "elsewhere", "org/name", files)
    code = """
from realtime.engine.models.hub import HubId, fetch
from realtime.errors import ModelError
print(fetch(HubId("org/name"), lambda names: ["a.txt"], print).name)
try:
    fetch(HubId("org/other"), lambda names: ["a.txt"], print)
except ModelError as error:
    print(error)
"""
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "elsewhere"), "HF_HUB_OFFLINE": "1"}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240)

    assert done.stderr == ""
    commit, refusal = done.stdout.splitlines()
    assert len(commit) == 40
    assert refusal == "org/other is not in the local cache and HF_HUB_OFFLINE is set: unset it to download it"


# Downloads


@pytest.fixture
def online(cache: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A hub that has `files` under every id; returns what it was asked for."""
    asked: list[dict[str, Any]] = []

    def model_info(self: object, repo: str, **arguments: Any) -> Any:
        siblings = [SimpleNamespace(rfilename=path.name, size=path.stat().st_size) for path in files.iterdir()]
        return SimpleNamespace(siblings=siblings)

    def snapshot_download(repo: str, *, tqdm_class: Any, allow_patterns: list[str], **arguments: Any) -> str:
        asked.append({"repo": repo, "allow_patterns": allow_patterns, **arguments})
        transfer = tqdm_class(desc="Downloading bytes", total=0, initial=0, unit="B", unit_scale=True)
        bytes_bar = tqdm_class(desc="Reconstructing", total=0, initial=0, unit="B", unit_scale=True)
        with tqdm_class(total=len(allow_patterns), desc="Fetching 2 files") as counter:
            for name in allow_patterns:
                size = (files / name).stat().st_size
                bytes_bar.total += size
                bytes_bar.refresh()
                for _ in range(10):
                    bytes_bar.update(size // 10)
                counter.update(1)
        transfer.set_description_str("Download complete")
        return str(checkpoints.put_in_hub_cache(cache, repo, files))

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


def test_download_fetches_only_what_is_needed_and_tells_the_percentage(
    online: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, float | None]] = []

    folder = hub.fetch(HubId("org/name", None, "v1"), want("a.txt", "b.txt"), lambda *what: told.append(what))

    assert (folder / "b.txt").is_file()
    assert online == [{"repo": "org/name", "allow_patterns": ["a.txt", "b.txt"], "revision": "v1"}]
    assert told[0] == ("downloading org/name", None)
    percents = [percent for _, percent in told[1:] if percent is not None]
    assert len(percents) > 5
    assert percents == sorted(set(percents))
    assert percents[-1] == 100.0
    assert capsys.readouterr() == ("", "")


def test_a_repository_without_the_needed_files_is_not_downloaded(online: list[dict[str, Any]]) -> None:
    with pytest.raises(ModelError, match="org/name: c\\.txt is missing"):
        hub.fetch(HubId("org/name"), want("c.txt"), silent)

    assert online == []


class FakeHub(http.server.BaseHTTPRequestHandler):
    """As much of the hub's HTTP interface as a download needs."""

    commit = "c" * 40
    contents: ClassVar[dict[str, bytes]] = {"a.bin": os.urandom(300_000), "b.bin": os.urandom(700_000), "no.bin": b"no"}
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(f"{self.command} {path}")
        files = [{"type": "file", "path": name, "size": len(data), "oid": name} for name, data in self.contents.items()]
        siblings = [{"rfilename": file["path"], "size": file["size"]} for file in files]
        body = {
            "/api/models/org/name": json.dumps({"id": "org/name", "sha": self.commit, "siblings": siblings}).encode(),
            "/api/models/org/name/revision/main": json.dumps({"id": "org/name", "sha": self.commit}).encode(),
            f"/api/models/org/name/tree/{self.commit}": json.dumps(files).encode(),
            **{f"/org/name/resolve/{self.commit}/{name}": data for name, data in self.contents.items()},
        }.get(path)
        self.send_response(404 if body is None else 200)
        if body is None:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("ETag", f'"{path.rpartition("/")[2]}"')
        self.send_header("X-Repo-Commit", self.commit)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if with_body:
            self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


FETCH = """
from realtime.engine.models.hub import HubId, fetch
from realtime.errors import ModelError
for name in ("org/name", "org/other"):
    try:
        folder = fetch(HubId(name), lambda names: [file for file in names if file != "no.bin"], print)
        print(*sorted(path.name for path in folder.iterdir()))
    except ModelError as error:
        print(error)
"""


def run_fetch(endpoint: str, cache: Path) -> tuple[list[str], str]:
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
    done = subprocess.run([sys.executable, "-c", FETCH], env=environment, capture_output=True, text=True, timeout=240)
    return done.stdout.splitlines(), done.stderr


@pytest.mark.slow
def test_the_real_client_downloads_from_a_hub(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeHub) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        first, trouble = run_fetch(f"http://127.0.0.1:{server.server_port}", tmp_path)
        FakeHub.asked.clear()
        second, _ = run_fetch(f"http://127.0.0.1:{server.server_port}", tmp_path)
        server.shutdown()

    assert trouble == ""
    assert first[0] == "downloading org/name None"
    assert first[-4:-2] == ["downloading org/name 100.0", "a.bin b.bin"]
    assert first[-1] == "there is no org/other on the hub, or it is private and HF_TOKEN is not set"
    assert second[0] == "a.bin b.bin"
    assert not any("org/name" in request for request in FakeHub.asked)  # the second time needs no network


def test_without_a_network_the_refusal_is_quick_and_one_line(tmp_path: Path) -> None:
    lines, trouble = run_fetch("http://127.0.0.1:9", tmp_path)

    assert trouble == ""
    assert lines[1] == "org/name is not in the local cache and the hub can't be reached: check the network"


def http_error(kind: type[Exception], status: int) -> Exception:
    request = SimpleNamespace(url="https://example.org", method="GET")
    response: Any = SimpleNamespace(status_code=status, headers={}, request=request)
    return kind("several\nlines\nof text", response=response)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (lambda: http_error(errors.GatedRepoError, 403), "is gated: accept its terms"),
        (lambda: http_error(errors.RepositoryNotFoundError, 404), "there is no org/name on the hub, or it is private"),
        (lambda: http_error(errors.RevisionNotFoundError, 404), "has no revision 'v1'"),
        (lambda: http_error(errors.HfHubHTTPError, 503), "the hub answered 503"),
        (lambda: errors.LocalEntryNotFoundError("not\nhere"), "the hub can't be reached"),
        (lambda: errors.OfflineModeIsEnabled("offline"), "the hub can't be reached"),
        (lambda: errors.HTTPError("connection\nrefused"), "the hub can't be reached"),
        (lambda: TimeoutError("late"), "the hub can't be reached"),
        (lambda: OSError(errno.ENOSPC, "No space left on device"), "no room for org/name"),
        (lambda: PermissionError(errno.EACCES, "Permission denied"), "can't be stored in .*Permission denied"),
        (lambda: errors.HFValidationError("bad\nid"), "no models of such names as org/name@v1"),
    ],
)
def test_each_way_to_fail_is_one_line(
    online: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, raised: Callable[[], Exception], message: str
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise raised()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)

    with pytest.raises(ModelError, match=message) as error:
        hub.fetch(HubId("org/name", None, "v1"), want("a.txt"), silent)

    assert "\n" not in str(error.value)
