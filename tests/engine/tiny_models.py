"""Random models of real shapes and tiny widths, and what tests do with an engine that runs them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel

from realtime.engine import Guidance
from realtime.engine.backend import PlainBackend
from realtime.engine.diffusion import DiffusionEngine, DiffusionPending
from realtime.engine.models.family import SD, SDXL
from realtime.engine.models.load import Model
from realtime.engine.models.nets import Net
from realtime.engine.models.prompt import Conditioning, PromptEncoder
from realtime.engine.regions import Call, Kind, Outputs, Regions
from realtime.engine.sampler import NoiseSchedule, Prediction, Sampler
from realtime.engine.state import RungState
from realtime.errors import ParamsError
from realtime.frame import Failure, Format, Frame, Job, Result
from realtime.params import OutputFormat, Params
from realtime.prompts import Prompt

FRAME_KINDS = (Kind.ENCODE, Kind.STEP, Kind.DECODE)
"""The regions that every frame passes."""
TOKENS, WIDTH = 7, 16
SD_BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SMALL: dict[str, Any] = {"width": 64, "height": 64, "output_format": OutputFormat.PNG}


class Prompts(PromptEncoder):
    """Stands for the prompt encoder: each text has its own random embeddings, as many chunks as BREAK makes of it."""

    def __init__(self, pooled: bool) -> None:
        super().__init__((), (), encode_prompt=encode_nothing, dtype=torch.float32)
        self._pooled = pooled

    def _encode_text(self, prompt: str) -> Conditioning:
        generator = torch.Generator().manual_seed(zlib.crc32(repr(prompt).encode()))
        embeds = torch.randn(1, TOKENS * (1 + prompt.count("BREAK")), WIDTH, generator=generator)
        return Conditioning(embeds, torch.randn(1, WIDTH, generator=generator) if self._pooled else None)

    def encode_negative(self, prompt: Prompt) -> Conditioning:
        if isinstance(prompt, str):
            return self.encode(f"not {prompt}")
        return self.encode(tuple(part.model_copy(update={"text": f"not {part.text}"}) for part in prompt))


def encode_nothing(*arguments: Any) -> Any:
    raise AssertionError("there is no text encoder")


def make_model(
    family: str = "sd",
    *,
    prediction: Prediction = Prediction.EPSILON,
    sampler: Sampler = Sampler.LCM,
    guidance: Guidance = Guidance.NONE,
    concat_source: bool = False,
    latent_channels: int = 4,
    schedule: NoiseSchedule | None = None,
    is_shared: bool = False,
    nets: tuple[Net, ...] = (),
    checker: Any = None,
) -> Model:
    """A model of family `sd` or `sdxl`; `guidance` and `concat_source` shape its UNet.

    Args:
        nets, checker: beside them; not with `is_shared`.
        is_shared: its networks, and their regions in a `RecordingBackend`, are those of all such models, for tests that
            leave them as they are: making them takes longer than some frames.
    """
    make = shared_networks if is_shared else make_networks
    unet, vae = make(family, concat_source, latent_channels, guidance is Guidance.EMBEDDED)
    model = Model(
        name=f"tiny random {family}",
        family={"sd": SD, "sdxl": SDXL}[family],
        unet=unet,
        vae=vae,
        prompt_encoder=Prompts(pooled=family == "sdxl"),
        latent_channels=latent_channels,
        latent_scale_px=8,
        concat_source=concat_source,
        schedule=schedule or NoiseSchedule(sd_alphas_cumprod(), prediction),
        sampler=sampler,
        guidance=guidance,
        device=torch.device("cpu"),
        dtype=torch.float32,
        defaults={"width": 64, "height": 64},
        nets=nets,
        checker=checker,
    )
    if is_shared and unet not in _SHARED_REGIONS:
        _SHARED_REGIONS[unet] = Regions.of_model(model)
    return model


def make_picky_model() -> Model:
    """A model that can't encode an open bracket."""
    model = make_model()
    encode = model.prompt_encoder.encode

    def picky(prompt: Any) -> Any:
        if prompt == "(":
            raise ParamsError("a bracket is open", "prompt")
        return encode(prompt)

    model.prompt_encoder.encode = picky  # type: ignore[method-assign]
    return model


def sd_alphas_cumprod() -> npt.NDArray[np.float64]:
    """Stable Diffusion's noise levels."""
    return DDIMScheduler(**SD_BETAS).alphas_cumprod.double().numpy()


def make_networks(
    family: str = "sd", concat_source: bool = False, latent_channels: int = 4, embedded_guidance: bool = False
) -> tuple[UNet2DConditionModel, AutoencoderTiny]:
    """New networks; equal arguments give equal weights."""
    states = _states(family, concat_source, latent_channels, embedded_guidance)
    unet, vae = _networks(family, concat_source, latent_channels, embedded_guidance)
    for network, state in zip((unet, vae), states, strict=True):
        network.load_state_dict(state)
        network.eval().requires_grad_(False)
    return unet, vae


@lru_cache
def shared_networks(
    family: str = "sd", concat_source: bool = False, latent_channels: int = 4, embedded_guidance: bool = False
) -> tuple[UNet2DConditionModel, AutoencoderTiny]:
    """The networks of `make_networks`, once for all who leave them as they are."""
    return make_networks(family, concat_source, latent_channels, embedded_guidance)


_SHARED_REGIONS: dict[torch.nn.Module, Regions] = {}
"""The regions of shared networks, by their UNet."""


def _networks(
    family: str, concat_source: bool, latent_channels: int, embedded_guidance: bool
) -> tuple[UNet2DConditionModel, AutoencoderTiny]:
    sdxl: dict[str, Any] = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + WIDTH,
        "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
    }
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=latent_channels * (2 if concat_source else 1),
        out_channels=latent_channels,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
        time_cond_proj_dim=16 if embedded_guidance else None,
        **(sdxl if family == "sdxl" else {}),
    )
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
        latent_channels=latent_channels,
    )
    return unet, vae


@lru_cache
def _states(
    family: str, concat_source: bool, latent_channels: int, embedded_guidance: bool
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Weights that keep the signal's size, so that pictures really follow the input, the prompt and the timestep."""
    generator = torch.Generator().manual_seed(1)
    unet, vae = _networks(family, concat_source, latent_channels, embedded_guidance)
    for parameter in [*unet.parameters(), *vae.parameters()]:
        if parameter.ndim > 1:
            gain = 0.8 / parameter[0].numel() ** 0.5
            parameter.data = gain * torch.randn(parameter.shape, generator=generator)
        else:
            parameter.data.round_()  # norms to weight 1, and biases to 0
    last_encoder, last_decoder = (
        [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)][-1] for net in (vae.encoder, vae.decoder)
    )
    with torch.no_grad():
        pixels = torch.randn(1, 3, 64, 64, generator=generator).clamp(-1, 1)
        last_encoder.weight /= vae.encode(pixels).latents.std()
        last_decoder.weight /= 3 * vae.decode(torch.randn(1, latent_channels, 8, 8, generator=generator)).sample.std()
        last_decoder.bias += 0.5  # the decoder ends with 2·x - 1
    return unet.state_dict(), vae.state_dict()


class RecordingBackend(PlainBackend):
    """PyTorch as it is. Counts the calls of UNet and nets, and their rows, and keeps what goes into the decoder."""

    def __init__(self, model: Model) -> None:
        regions = _SHARED_REGIONS.get(model.unet) or Regions.of_model(model)
        super().__init__(regions, model.device, RungState("eager", "eager: torch on cpu", "float32"))
        self.rows_of_calls: list[int] = []
        self.calls_of_nets: list[tuple[str, int]] = []
        self.latents: list[torch.Tensor] = []

    def run(self, call: Call) -> Outputs:
        if call.kind is Kind.STEP:
            self.rows_of_calls.append(call.plain + 2 * call.guided)
        if "/" in call.kind:
            self.calls_of_nets.append((call.kind, call.plain))
        if call.kind is Kind.DECODE:
            self.latents += [x[0].clone() for x in call.columns["x"]]
        return super().run(call)


def make_engine(model: Model | None = None, **options: Any) -> tuple[DiffusionEngine, RecordingBackend]:
    """An engine and the backend that watches it; of a shared model where none is given."""
    model = model or make_model(is_shared=True)
    backend = RecordingBackend(model)
    return DiffusionEngine(model, backend, **options), backend


def make_params(**fields: Any) -> Params:
    """Params of a small PNG picture, so that no pixel is lost on the way."""
    return Params(**{**SMALL, **fields})


def make_picture(seed: int = 0, width: int = 64, height: int = 64) -> npt.NDArray[np.uint8]:
    """A random picture with some structure, uint8 [H, W, 3]."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)


def make_job(params: Params, seed: int = 0, session: str = "a", picture: npt.NDArray[np.uint8] | None = None) -> Job:
    """A job whose seq is the picture's seed."""
    if picture is None:
        picture = make_picture(seed, params.width, params.height)
    frame = Frame(seed, Format.NONE, b"", 0, received_ns=1)
    return Job(frame, params, session, admitted_ns=2, picture=picture, opened_ns=3)


def run(engine: DiffusionEngine, jobs: Sequence[Job]) -> list[Result | Failure]:
    """Admit all jobs in one tick and tick until the engine is empty."""
    return [outcome for pending in ticks(engine, jobs) for outcome in pending.collect()]


def ticks(engine: DiffusionEngine, jobs: Sequence[Job]) -> Iterable[DiffusionPending]:
    """The ticks of `run`."""
    yield engine.tick(jobs)
    while engine.busy_rows:
        yield engine.tick([])


def picture_of(outcome: Result | Failure) -> npt.NDArray[np.uint8]:
    """The picture of a result."""
    assert isinstance(outcome, Result), outcome
    return outcome.picture
