"""A hub on this machine: as much of its HTTP interface as downloads need, with the files of some folders."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

COMMIT = "c" * 40


class _Hub(http.server.BaseHTTPRequestHandler):
    def __init__(self, repos: Mapping[str, Path], *args: Any) -> None:
        self._repos = repos
        super().__init__(*args)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        body = self._body(self.path.partition("?")[0])
        self.send_response(404 if body is None else 200)
        if body is None:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("ETag", f'"{self.path.partition("?")[0].replace("/", "-")}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if with_body:
            self.wfile.write(body or b"")

    def _body(self, path: str) -> bytes | None:
        for repo, folder in self._repos.items():
            files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
            sizes = {name: file.stat().st_size for name, file in files.items()}
            siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]
            about = {"id": repo, "sha": COMMIT, "siblings": siblings}
            tree = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in sizes.items()]
            match path.removeprefix("/"):
                case name if name in (f"api/models/{repo}", f"api/models/{repo}/revision/main"):
                    return json.dumps(about).encode()
                case name if name == f"api/models/{repo}/tree/{COMMIT}":
                    return json.dumps(tree).encode()
                case name if (file := files.get(name.removeprefix(f"{repo}/resolve/{COMMIT}/"))) is not None:
                    return file.read_bytes()
                case _:
                    pass
        return None

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def a_hub(repos: Mapping[str, Path]) -> Generator[str]:
    """Serves the files of each folder as those of the repository of that name.

    Yields:
        The address for `HF_ENDPOINT`.
    """
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, repos)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
