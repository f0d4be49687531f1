"""The Containerfile, as far as it can be read: what it names exists, and its health check tells a server from none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from realtime.cli import app
from realtime.config import Config
from tests.fakes.servers import a_config, running

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Containerfile").read_text()
LINES = [line for line in re.sub(r"\s*\\\n\s*", " ", TEXT).splitlines() if line and not line.startswith("#")]
"""The instructions, each in one line."""


def arguments(instruction: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.split()[0] == instruction]


def health_command() -> list[str]:
    (health,) = arguments("HEALTHCHECK")
    return json.loads(health.partition("CMD ")[2])


def test_every_line_is_an_instruction() -> None:
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}

    assert {line.split()[0] for line in LINES} <= known
    assert len(arguments("FROM")) == 2, "what builds stays behind"


def test_server_runs_as_a_user_of_its_own_and_its_command_exists() -> None:
    (user,), (entry,), (command,) = arguments("USER"), arguments("ENTRYPOINT"), arguments("CMD")

    assert any(f"useradd --create-home --uid 10001 {user} " in line for line in arguments("RUN"))
    assert LINES.index(f"USER {user}") > max(i for i, line in enumerate(LINES) if line.split()[0] in ("RUN", "COPY"))
    assert json.loads(entry)[0] in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert json.loads(command)[0] in vars(get_command(app))["commands"]


def test_what_it_names_exists() -> None:
    (environment,) = arguments("ENV")
    names = re.findall(r"REALTIME_(\w+)=", environment)

    assert {name.lower() for name in names} - {"cache"} <= set(Config.model_fields)
    assert all((ROOT / name).is_file() for name in re.findall(r"--constraint (\S+)", TEXT))
    assert "openvino" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"EXPOSE {Config.model_fields['port'].default}" in LINES


@pytest.mark.slow
def test_health_check_tells_a_server_from_none() -> None:
    assert health_command()[0] == "python"
    command = [sys.executable, *health_command()[1:]]

    with running(a_config()) as server:
        environment = {**os.environ, "REALTIME_PORT": str(server.port), "no_proxy": "*"}
        healthy = subprocess.run(command, env=environment, check=False)
    gone = subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False)

    assert healthy.returncode == 0
    assert gone.returncode != 0
