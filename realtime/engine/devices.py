"""Which devices a server's engines are on, and how the process of one sees its own GPU alone.

Must not import torch: a process sees what it was told before CUDA begins.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from ..config import Config, Device
from ..errors import ConfigError

VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
"""Source: CUDA C++ programming guide, CUDA environment variables."""
LIST_S = 10.0
"""How long nvidia-smi may take."""


def by_device(config: Config) -> tuple[Config, ...]:
    """The configuration of each engine. Where `devices` names them, `devices` of each is its own name alone, and
    `device` its kind.

    Returns:
        As many as `devices` names; `config` itself where it names none.

    Raises:
        ConfigError: this machine has no such GPU.
    """
    names = config.devices.split(",") if config.devices else []
    if not names:
        return (config,)
    gpus = _gpus()
    if names == ["all"]:
        names = [f"cuda:{index}" for index in range(len(gpus or ()))]
        if not names:
            raise ConfigError("devices: all are none here: nvidia-smi shows no GPU; leave --devices out")
    for name in names:
        index = name.partition(":")[2]
        if index and gpus is not None and int(index) >= len(gpus):
            raise ConfigError(f"devices: there is no {name} here: nvidia-smi or {VISIBLE} shows {len(gpus)} GPUs")
    return tuple(
        config.model_copy(update={"devices": name, "device": Device(name.partition(":")[0])}) for name in names
    )


def see_one_gpu(name: str) -> None:
    """Let this process see but the GPU of this name, if it names one by its number. Before CUDA begins, and once.

    Args:
        name: one of `devices`, as `cuda:1`: the second of those that the environment shows, in nvidia-smi's order.
    """
    index = name.partition(":")[2]
    if index:
        visible = os.environ.get(VISIBLE)
        os.environ[VISIBLE] = index if visible is None else visible.split(",")[int(index)]
        os.environ.setdefault(ORDER, "PCI_BUS_ID")


def _gpus() -> list[str] | None:
    """The GPUs that a process sees; None where that can't be told."""
    if (visible := os.environ.get(VISIBLE)) is not None:
        return [gpu for gpu in visible.split(",") if gpu not in ("", "-1")]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False, timeout=LIST_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [line for line in listed.splitlines() if line.startswith("GPU ")]
