"""Which engine a name leads to, and what that imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from realtime.engine.echo import EchoEngine
from realtime.engine.load import load_engine
from realtime.errors import ConfigError
from tests.fakes.servers import a_config


@pytest.mark.parametrize("name", ["echo", "echo:5"])
def test_echo_is_loaded_by_its_name_with_the_limits_of_the_configuration(name: str) -> None:
    engine = load_engine(a_config(model=name, max_rows=3))

    assert isinstance(engine, EchoEngine)
    assert engine.free_rows == 3


def test_echo_of_no_number_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError):
        load_engine(a_config(model="echo:soon"))


def test_echo_is_loaded_without_torch() -> None:
    code = (
        "import sys; from realtime.config import Config; from realtime.engine.load import load_engine;"
        "load_engine(Config(model='echo')); sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
