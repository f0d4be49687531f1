"""What deploy/ and docs/ray.md have to be typed: options and files that there are. None of it is run here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from realtime.cli import app
from realtime.server.remote import ray_cluster

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
TEXTS = [ROOT / "docs" / "ray.md", *sorted(DEPLOY.iterdir())]
COMMAND = re.compile(r"\brealtime ((?:serve|worker|workers \w+)(?![\w:])[^&|`#\n]*)")
RAY_OPTIONS = {"head", "address", "port", "node-ip-address", "num-cpus", "num-gpus", "include-dashboard"} | {
    "object-store-memory",
    "system-config",
    "help",
    "block",
    "disable-usage-stats",
}
"""Of `ray start` 2.60, as far as they are used."""


def options_of(words: list[str]) -> set[str]:
    """All options of a command of ours."""
    command: Any = get_command(app)
    for word in words:
        command = command.commands[word]
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.name)
def test_every_option_that_is_typed_exists(file: Path) -> None:
    for typed in COMMAND.findall(file.read_text()):
        words = shlex.split(typed.replace("…", ""))
        command = words[:2] if words[0] == "workers" else words[:1]
        used = {word.partition("=")[0] for word in words if word.startswith("--")}

        assert used <= options_of(command), typed


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.name)
def test_ray_is_started_with_options_that_it_has(file: Path) -> None:
    for typed in re.findall(r"\bray start ([^&|`#\n]*(?:\n +--[^&|`#\n]*)*)", file.read_text()):
        assert set(re.findall(r"--([a-z-]+)", typed)) <= RAY_OPTIONS, typed


def test_no_file_pretends_to_have_been_run() -> None:
    assert all(re.search(r"not (?:run|built)", file.read_text(), re.IGNORECASE) for file in DEPLOY.iterdir())


def test_compose_file_has_a_server_and_workers_with_gpus_that_end_in_order() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]

    assert services.keys() == {"server", "worker"}
    assert services["worker"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert services["worker"]["stop_grace_period"] == "15s"
    assert all("RAY_AUTH_TOKEN" in service["environment"] for service in services.values())


def test_kubernetes_objects_are_those_of_the_version_that_is_pinned() -> None:
    cluster, service, policy = yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text())
    pinned = re.search(r'ray = \["ray>=([\d.]+)', (ROOT / "pyproject.toml").read_text())
    assert pinned is not None

    assert (cluster["kind"], service["kind"], policy["kind"]) == ("RayCluster", "Service", "NetworkPolicy")
    assert cluster["spec"]["rayVersion"].startswith(pinned[1])
    assert cluster["metadata"]["annotations"] == {"ray.io/overwrite-container-cmd": "true"}
    assert "realtime-img2img[ray]" in ray_cluster.MISSING
