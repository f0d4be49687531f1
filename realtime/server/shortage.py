"""Whether the devices' memory suffices for one model more beside those that serve.

Must not know workers, or what is done where it does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from ..config import Config, Device, Dtype
from ..engine.free_memory import free_memory, needed_memory
from ..engine.load import likely_device
from ..engine.models.shelf import Shelved, weights

Free = Callable[[Device, str], "int | None"]
"""See `free_memory`."""


def shortage(shelved: Shelved, config: Config, devices: Sequence[str], free: Free = free_memory) -> str:
    """What memory is short of, as a sentence's part; empty where it suffices, or where that can't be told.

    It reads headers, and asks the driver.

    Args:
        shelved: the next model.
        config: of the server, which says where it runs, and how exactly.
        devices: of each engine, as `Worker.device`.
    """
    count = weights(shelved, prefer_fp16=config.dtype in (Dtype.AUTO, Dtype.FLOAT16))
    if count is None:
        return ""
    for name, engines in Counter("cpu" if _kind(name, config) is Device.CPU else name for name in devices).items():
        kind = _kind(name, config)
        needed, left = engines * needed_memory(count, kind, config.dtype), free(kind, name)
        if left is not None and needed > left:
            return (
                f"{shelved.name} takes about {needed / 1e9:.1f} GB beside the model that serves, and "
                f"{left / 1e9:.1f} GB are free ({kind})"
            )
    return ""


def _kind(name: str, config: Config) -> Device:
    return likely_device(Device(name.partition(":")[0]) if name else config.device)
