"""`realtime workers` and `realtime swap`, asked of a server that runs."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from typer.testing import CliRunner

from realtime.cli import EXIT_USAGE, app
from realtime.engine import Engine, Progress
from realtime.errors import ModelError
from tests.fakes.servers import RunningServer, a_config, running
from tests.fakes.waiting import PATIENCE_S

TOKEN = "the-operator"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    """Two engines, in threads, behind a token."""
    with running(a_config(devices="cpu,cpu"), token=TOKEN) as one:
        end_s = time.monotonic() + PATIENCE_S
        while not all(worker.open_life for worker in one.service.host.workers):
            assert time.monotonic() < end_s
            time.sleep(0.005)
        yield one


@pytest.fixture
def invoke(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.delenv("REALTIME_TOKEN", raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["workers", *arguments])


def test_engines_are_listed_drained_and_started(server: RunningServer, invoke: Callable[..., Result]) -> None:
    url = f"{server.url}/?token={TOKEN}"

    listed, drained, last, started = (
        invoke(*arguments, "--url", url) for arguments in (["list"], ["drain", "1"], ["drain", "0"], ["start", "1"])
    )

    assert [line.split("│")[1:4] for line in listed.stdout.splitlines() if "ready" in line] == [
        [" 0      ", " cpu    ", " ready "],
        [" 1      ", " cpu    ", " ready "],
    ]
    assert drained.stdout == "worker 1 on cpu: drained\n"
    assert (last.exit_code, last.stderr) == (
        EXIT_USAGE,
        "realtime: no other engine is ready, at which its sessions could go on: start one first\n",
    )
    assert started.stdout == "worker 1 on cpu: loading\n"


def test_token_may_stand_in_the_environment_and_must_be_there(
    server: RunningServer, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = invoke("list", "--url", server.url)
    monkeypatch.setenv("REALTIME_TOKEN", TOKEN)
    with_it = invoke("list", "--url", server.url)

    assert (without.exit_code, with_it.exit_code) == (EXIT_USAGE, 0)
    assert "token" in without.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nowhere", "http://"])
def test_server_that_is_not_there_is_said_in_one_line(url: str) -> None:
    done = CliRunner().invoke(app, ["workers", "list", "--url", url])

    assert done.exit_code == EXIT_USAGE
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"realtime: no server answers at {url}: check --url (")


def test_model_is_changed_and_listed(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_TOKEN", TOKEN)
    url = ("--url", server.url)
    run = lambda *arguments: CliRunner().invoke(app, ["swap", *arguments, *url])  # noqa: E731

    done, same, nobody, listed = (run(*arguments) for arguments in (["echo:7"], ["echo:7"], ["nobody"], []))

    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "the model is echo:7"
    assert (same.exit_code, same.stderr) == (EXIT_USAGE, "realtime: echo:7 is what serves already\n")
    assert "there is no model 'nobody' here" in nobody.stderr
    assert "sd-turbo" in listed.stdout


def test_change_of_the_model_is_called_off(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    loading = threading.Event()

    def load(config: object, progress: Progress) -> Engine:
        while True:
            progress("reading it", 20.0)
            loading.set()
            time.sleep(0.005)

    monkeypatch.setenv("REALTIME_TOKEN", TOKEN)
    monkeypatch.setattr(server.service.host, "_load", load)
    run = lambda *arguments: CliRunner().invoke(app, ["swap", *arguments, "--url", server.url])  # noqa: E731

    nothing, named = run("--cancel"), run("echo:7", "--cancel")
    ended: list[Result] = []

    def cancel() -> None:  # the runner is the process's: it can't be called by two at once
        assert loading.wait(PATIENCE_S)
        request = urllib.request.Request(
            f"{server.url}/api/model", method="DELETE", headers={"authorization": f"Bearer {TOKEN}"}
        )
        urllib.request.urlopen(request).close()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    ended.append(run("echo:7"))
    canceller.join()

    assert (nothing.exit_code, nothing.stderr) == (EXIT_USAGE, "realtime: no change is on its way\n")
    assert named.exit_code == EXIT_USAGE and "without NAME" in named.stderr
    assert ended[0].stderr == "realtime: the model is not changed to echo:7: somebody has cancelled it\n"


def test_model_that_is_not_changed_is_said_with_the_reason(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(config: object, progress: object) -> Engine:
        raise ModelError("it is broken")

    monkeypatch.setenv("REALTIME_TOKEN", TOKEN)
    monkeypatch.setattr(server.service.host, "_load", load)

    done = CliRunner().invoke(app, ["swap", "echo:7", "--url", server.url])

    assert (done.exit_code, done.stderr) == (
        EXIT_USAGE,
        "realtime: the model is not changed to echo:7: it is broken\n",
    )
