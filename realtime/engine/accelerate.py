"""The three calls into networks that a tick makes, and which rung of speed answers them.

A backend gets whole batches and gives whole batches back; it must not know rows, recipes or sessions.
"""

from __future__ import annotations

import importlib.util
import logging
from typing import TYPE_CHECKING, Any, Protocol

import torch

from ..config import Accelerate
from ..errors import ConfigError

if TYPE_CHECKING:
    from . import Progress
    from .models import Model

_log = logging.getLogger(__name__)


class Backend(Protocol):
    """The networks of one model on one rung. Called by the engine's thread under `torch.inference_mode`."""

    @property
    def rung(self) -> str:
        """What runs and why, in one line for the log."""
        ...

    def encode_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """Float32 [B, 3, H, W] in [-1, 1] to latents [B, C, h, w], times the autoencoder's scaling factor."""
        ...

    def unet(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        timestep_cond: torch.Tensor | None,
        added: dict[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """One prediction for each row.

        Args:
            sample: float32 [B, in_channels, h, w].
            timestep: float32 [B].
            prompt_embeds: [B, L, D] in the model's dtype.
            timestep_cond: [B, time_cond_proj_dim] in the model's dtype, where the UNet takes it.
            added: SDXL's `text_embeds` [B, P] and `time_ids` [B, 6] in the model's dtype.

        Returns:
            [B, C, h, w].
        """
        ...

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Float32 latents [B, C, h, w] to pixels [B, 3, H, W], nominally in [-1, 1]."""
        ...


class EagerBackend:
    """PyTorch as it is."""

    def __init__(self, model: Model, why: str = "") -> None:
        self._model = model
        # Convolutions want their channels last: on two CPU cores the autoencoder takes 15 ms of 60 a frame less.
        # Apple's MPS gains nothing by it.
        self._layout = torch.contiguous_format if model.device.type == "mps" else torch.channels_last
        networks: list[Any] = [model.unet, model.vae]
        for network in networks:
            network.to(memory_format=self._layout)
        threads = f", {torch.get_num_threads()} threads" if model.device.type == "cpu" else ""
        self.rung = f"eager: torch on {model.device.type}{threads}{why and f' ({why})'}"

    def encode_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `Backend`."""
        return self._model.encode_latents(self._networks_form(pixels))

    def unet(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        timestep_cond: torch.Tensor | None,
        added: dict[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """See `Backend`."""
        unet: Any = self._model.unet
        return unet(
            self._networks_form(sample),
            timestep,
            encoder_hidden_states=prompt_embeds,
            timestep_cond=timestep_cond,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """See `Backend`."""
        return self._model.decode_latents(self._networks_form(latents))

    def _networks_form(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.to(self._model.dtype, memory_format=self._layout)


def choose_backend(accelerate: Accelerate, model: Model, progress: Progress) -> Backend:
    """The rung that was asked for, or with `auto` the fastest that this machine has for this model.

    Raises:
        ConfigError: the rung that was asked for is not to be had.
    """
    if accelerate is Accelerate.OFF:
        return EagerBackend(model)
    obstacle = openvino_obstacle(model)
    if accelerate is Accelerate.OPENVINO and obstacle:
        raise ConfigError(f"accelerate openvino: {obstacle}")
    if obstacle:
        return EagerBackend(model, obstacle if model.device.type == "cpu" else "")
    from .openvino_backend import OpenVinoBackend

    try:
        return OpenVinoBackend(model, progress)
    except Exception as error:  # whatever a converter of foreign graphs may raise: there is a rung below
        if accelerate is Accelerate.OPENVINO:
            raise ConfigError(f"accelerate openvino: this model can't be converted: {error}") from error
        _log.warning("openvino can't run this model", exc_info=error)
        return EagerBackend(model, f"openvino can't run this model: {type(error).__name__}")


def openvino_obstacle(model: Model) -> str:
    """Why OpenVINO can't run here; empty where it can."""
    if model.device.type != "cpu":
        return f"openvino runs on the CPU, the model is on {model.device.type}"
    if model.dtype is not torch.float32:
        return "openvino runs float32 models; leave --dtype out"
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed: pip install 'realtime[openvino]' makes it 1.5 to 3 times faster"
    return ""
