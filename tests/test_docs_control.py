"""The walk of docs/control.md, from nothing to a drawing that becomes a picture: its own commands, run, with a hub on
this machine that has tiny random networks in the layouts of the real ones.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from diffusers import UNet2DConditionModel  # pyright: ignore[reportPrivateImportUsage]
from PIL import Image
from safetensors.torch import save_file

from realtime.config import Config
from realtime.engine.models.control_presets import CONTROL_PRESETS, UNION_TYPES, find_control
from realtime.engine.models.family import SD2, TAESD
from realtime.engine.models.presets import find_preset
from tests import checkpoints
from tests.engine.models.test_control import a_controlnet, ldm_key
from tests.fakes.hub import a_hub

PAGE = (Path(__file__).parent.parent / "docs" / "control.md").read_text()
WALK = PAGE.partition("## From a drawing to a picture\n")[2].partition("\n## ")[0]
PORT = "8777"
"""That the page names."""
PATIENCE_S = 240
SD2_WIDTH = 1024


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The commands of a text's blocks, without the program's name."""
    lines = [shlex.split(line) for block in blocks("sh", text) for line in block.splitlines()]
    assert all(line[0] == "realtime" for line in lines)
    return [line[1:] for line in lines]


def options_of(command: list[str], name: str) -> list[str]:
    return [value for option, value in itertools.pairwise(command) if option == name]


def a_turbo(folder: Path) -> Path:
    """A tiny model that is known for one of SD 2.x: by the width of its text."""
    checkpoints.build_sd2(folder, cross_attention_dim=SD2_WIDTH)
    shutil.rmtree(folder / "text_encoder")
    checkpoints.save_text_encoder(folder / "text_encoder", width=SD2_WIDTH)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of somebody who has nothing yet."""
    turbo, net = find_preset("sd-turbo"), find_control("scribble", SD2)
    assert turbo is not None and turbo.source is not None and net is not None and net.source.file is not None
    repos = {
        turbo.source.repo: a_turbo(tmp_path / "repos" / "turbo"),
        TAESD.repo: checkpoints.build_taesd(tmp_path / "repos" / "taesd"),
        net.source.repo: tmp_path / "repos" / "nets",
    }
    network = a_controlnet(UNet2DConditionModel.from_pretrained(repos[turbo.source.repo] / "unet"))
    repos[net.source.repo].mkdir()
    original = {f"control_model.{ldm_key(name)}": tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(original, repos[net.source.repo] / net.source.file)
    with a_hub(repos) as address:
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith(("REALTIME_", "HF_"))},
            "HF_ENDPOINT": address,
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "HF_HUB_OFFLINE": "0",
            "COLUMNS": "200",
            # A port of the machine's choice, and nothing that takes a minute to compile.
            "REALTIME_PORT": "0",
            "REALTIME_ACCELERATE": "off",
            "REALTIME_NO_STATE": "true",
        }


def ran(command: list[str], environment: dict[str, str]) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "realtime", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@contextmanager
def served(command: list[str], environment: dict[str, str]) -> Generator[str]:
    """`realtime serve` while the block runs: its port."""
    arguments = [sys.executable, "-m", "realtime", *command]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as server:
        timer = threading.Timer(PATIENCE_S, server.kill)
        timer.start()
        try:
            assert server.stdout is not None
            found = re.search(r"http://[^/]+:(\d+)", server.stdout.readline())
            assert found, "it said no address"
            yield found[1]
        finally:
            timer.cancel()
            server.terminate()


@pytest.mark.slow
def test_a_newcomer_comes_from_nothing_to_a_drawing_that_becomes_a_picture(
    environment: dict[str, str], tmp_path: Path
) -> None:
    *fetching, serving = commands(WALK)
    [program] = blocks("python", WALK)

    said = [ran(command, environment) for command in fetching]

    assert [command[:2] for command in fetching] == [["models", "list"], ["models", "pull"], ["models", "pull"]]
    assert "100 %" in said[1] and "100 %" in said[2]
    rows = [line for line in ran(["models", "list"], environment).splitlines() if " yes " in line]
    assert [line.split("│")[1].strip() for line in rows] == ["tiny", "sd-turbo", "scribble"], "these are here now"
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    with served(serving, offline) as port:
        done = subprocess.run(
            [sys.executable, "-c", program.replace(PORT, port)],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['scribble']"]
    picture = np.asarray(Image.open(tmp_path / "window.png").convert("RGB")).astype(float)
    assert picture.shape == (512, 512, 3)
    assert picture.std() > 5 and picture.mean() < 250, "something was made of the paper"


def test_other_commands_of_the_page_name_models_and_nets_that_there_are() -> None:
    for command in commands(PAGE):
        if command[0] != "serve":
            continue
        [model] = options_of(command, "--model")
        preset = find_preset(model)
        assert preset is not None
        for net in options_of(command, "--control"):
            assert "=" in net or find_control(net, preset.family), f"{net} is no net for {model}"
        assert Config(model=model, control=tuple(options_of(command, "--control")))


def test_the_page_has_each_net_that_goes_by_a_name() -> None:
    named = set(re.findall(r"`([a-z0-9-]+)`", PAGE.partition("## Which net for what\n")[2].partition("\n## ")[0]))

    assert {net.name for net in CONTROL_PRESETS} <= named
    assert f"`union/{next(iter(UNION_TYPES))}`" in PAGE
