"""Networks whose weights rest in the host's memory and are on the device only while they are called.

For a GPU whose memory is short: text encoders are called once for each new prompt, and take up to a third of a model.
Must not know which networks they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..staging import join


class Visit:
    """Has a network's weights come to a device with each call, and leave behind it.

    Nothing is copied back: the host's memory, pinned where the device is a GPU, keeps them. The calls' arguments come
    along, and what the network returns stays on the device.

    Args:
        network: on the host; frozen.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._device = device
        self._places: list[tuple[nn.Module, str, torch.Tensor]] = []
        for module in network.modules():
            of_module = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
            for name, tensor in of_module:
                home = _like(tensor, tensor.data.pin_memory()) if device.type == "cuda" else tensor
                self._places.append((module, name, home))
        self._leave()
        network.register_forward_pre_hook(self._come, with_kwargs=True)
        network.register_forward_hook(self._on_end, always_call=True)

    def _come(self, network: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any]:
        with torch.inference_mode(False):
            for module, name, home in self._places:
                setattr(module, name, _like(home, home.data.to(self._device, non_blocking=True)))
        return tuple(map(self._moved, args)), {name: self._moved(one) for name, one in kwargs.items()}

    def _moved(self, argument: Any) -> Any:
        return join([argument], self._device) if isinstance(argument, torch.Tensor) else argument

    def _on_end(self, network: nn.Module, args: Any, outputs: Any) -> None:
        self._leave()

    def _leave(self) -> None:
        for module, name, home in self._places:
            setattr(module, name, home)


def _like(tensor: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    """A parameter or a buffer, as `tensor` is, of this data."""
    return nn.Parameter(data, requires_grad=False) if isinstance(tensor, nn.Parameter) else data
