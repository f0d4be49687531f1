"""Loads a model onto the device by name: a preset, a hub id, a folder or a single file.

Must not know frames, rows or sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import torch

from ...config import Device, Dtype, ModelConfig
from ...control import Hint
from ...errors import ConfigError
from .. import Guidance
from ..device_memory import must_visit, weights_bytes
from ..sampler import NoiseSchedule, Sampler
from ..state import VariantState
from .checker import Checker, OnnxChecker, load_checker
from .clip_skip import hears_layer
from .components import Autoencoder, AutoencoderKL, Unet, load_autoencoder, one_line, prefixed
from .control import load_nets, parse_controls
from .embeddings import add_embeddings, parse_embedding
from .estimators import Estimators, load_estimators
from .ip_adapter.load import load_ip_adapter
from .listener import Listener
from .lora import LoraSpec, ModelLoras, fuse_loras, logged, notes_of, parse_lora
from .model_card import ModelCard, guess_defaults, read_card
from .nets import Net
from .parts import Parts, check_fit, scale_px
from .pose.estimator import PoseEstimator
from .prompt import PromptEncoder
from .schedules import noise_schedule, scheduler_sampler
from .sources import Source, find_source, find_vae
from .visiting import Visit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .. import Progress
    from .family import Family
    from .ip_adapter.adapter import IpAdapter


VISITING = (
    "the GPU's memory is short: encoders are on it for new prompts and pictures only, which take some tenths of a "
    "second more"
)
"""Among the notes of a model whose text encoders, and an adapter's image encoder, rest in the host's memory."""


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model: networks on their device and all facts about it. Owned by the engine's thread.

    Attributes:
        name: the name the user asked for.
        family: of the model.
        unet, vae: in eval mode, without gradients, on `device`; the UNet in `dtype`.
        latent_channels: C of the latents; the UNet's input may have more channels.
        latent_scale_px: pixels per latent, along a side.
        concat_source: whether the UNet takes the picture's latents beside the noisy ones (InstructPix2Pix's layout).
        schedule: the noise levels that it was trained on.
        sampler: named by the user, else by a LoRA, the preset or its files.
        guidance: how it uses `guidance_scale`.
        defaults, styles, max_output_pixels, best_steps, pictures, notes: see `EngineInfo`.
        folder: of its files; None where there is none.
        listener: says how it hears prompts.
        nets: what steers the UNet.
        ip_adapter: tells the UNet of pictures; None: there is none.
        loras: those that may be changed while it runs; None where it takes none.
        estimators: what makes hints for nets here.
        checker: says how unsafe pictures are; None: nobody asks.
        exact: whether the user asked for `dtype`, so that no rung may calculate in a less exact one.
        visiting_bytes: what the largest of the encoders takes of the device's memory while a prompt is encoded,
            where they are not there all the time.
        variants: how its regions are calculated otherwise than PyTorch does by itself.
    """

    name: str
    family: Family
    unet: Unet
    vae: Autoencoder
    prompt_encoder: PromptEncoder
    latent_channels: int
    latent_scale_px: int
    concat_source: bool
    schedule: NoiseSchedule
    sampler: Sampler
    guidance: Guidance
    device: torch.device
    dtype: torch.dtype
    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    styles: dict[str, Any] = field(default_factory=dict[str, Any])
    max_output_pixels: int | None = None
    best_steps: int | None = None
    pictures: tuple[tuple[str, bytes], ...] = ()
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    ip_adapter: IpAdapter | None = None
    exact: bool = False
    visiting_bytes: int = 0
    listener: Listener = field(default_factory=Listener)
    nets: tuple[Net, ...] = ()
    loras: ModelLoras | None = None
    estimators: Estimators = field(default_factory=dict[Hint, torch.nn.Module])
    variants: tuple[VariantState, ...] = ()
    checker: Checker | OnnxChecker | None = None

    @property
    def device_checker(self) -> Checker | None:
        """The checker, where it works on the model's device."""
        return self.checker if isinstance(self.checker, Checker) else None

    @property
    def host_checker(self) -> OnnxChecker | None:
        """The checker, where it works on the host."""
        return self.checker if isinstance(self.checker, OnnxChecker) else None

    @property
    def beside(self) -> tuple[torch.nn.Module, ...]:
        """The networks beside UNet and autoencoder that are on the device all the time."""
        checkers = () if self.device_checker is None else (self.device_checker,)
        return (*(net.network for net in self.nets), *self.estimators.values(), *checkers)

    @property
    def finds_people(self) -> bool:
        """Whether poses are those of people who were found first, and may be several."""
        return isinstance(pose := self.estimators.get(Hint.POSE), PoseEstimator) and pose.detector is not None

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the UNet's inputs beside sample and timestep, in its order."""
        is_embedded = self.guidance is Guidance.EMBEDDED
        return tuple(name for name in self.family.conditions if name != "timestep_cond" or is_embedded)

    def encode_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode pictures to latents in the UNet's scale. Deterministic: the posterior's mode, not a sample.

        Args:
            pixels: [B, 3, H, W] in [-1, 1], `dtype`.

        Returns:
            [B, latent_channels, H / latent_scale_px, W / latent_scale_px], `dtype`.
        """
        encoded: Any = self.vae.encode(pixels.to(self.vae.dtype), return_dict=False)[0]
        latents: torch.Tensor = encoded.mode() if isinstance(self.vae, AutoencoderKL) else encoded
        scale, shift = _scale_and_shift(self.vae)
        return ((latents - shift) * scale).to(self.dtype)

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode latents in the UNet's scale to pictures.

        Args:
            latents: [B, latent_channels, h, w].

        Returns:
            [B, 3, h · latent_scale_px, w · latent_scale_px] in [-1, 1], `dtype`.
        """
        scale, shift = _scale_and_shift(self.vae)
        vae: Any = self.vae
        decoded: torch.Tensor = vae.decode(latents.to(self.vae.dtype) / scale + shift, return_dict=False)[0]
        return decoded.clamp(-1, 1).to(self.dtype)


def load_model(config: ModelConfig, progress: Progress = lambda stage, percent: None, *, hears: bool = True) -> Model:
    """Load what `config.model` names, with its autoencoder and LoRAs, onto the device.

    Args:
        config: which model, and how it is loaded.
        progress: called with the stages.
        hears: whether it is to encode prompts; without, their encoders stay in the host's memory, and there is no
            adapter for references.

    Raises:
        ModelError: the model can't be found or read, or could run code; the message is one line and says what to do.
        ConfigError: the configuration does not fit the model or this machine.
    """
    device = resolve_device(config.device)
    if device.type == "cuda":
        use_flash_attention()
    dtype = resolve_dtype(config.dtype, device)
    named = _named_sampler(config.sampler)
    loras, controls = [parse_lora(text) for text in config.loras], parse_controls(config.control)
    source = find_source(config.model, config.base, progress, prefer_fp16=dtype is torch.float16)
    own_loras = [parse_lora(text) for text in (source.preset.loras if source.preset else ())]
    vae_folder, notes = find_vae(config.vae, source, progress)

    progress(f"loading {config.model}", None)
    parts = source.load(dtype, with_vae=vae_folder is None, progress=progress)
    vae = parts.vae or load_autoencoder(cast("Path", vae_folder), dtype, source.prefer_fp16)
    check_fit(config.model, parts, vae)
    with prefixed(config.model):
        schedule = noise_schedule(parts.scheduler)
    nets = load_nets(parts, controls, dtype, source.prefer_fp16, progress)  # a Control-LoRA is one of plain weights
    nets, estimators, without = load_estimators(nets, config.pose_detector, dtype, progress)
    notes += without
    checker = (
        load_checker(config.frame_checker, config.unsafe_labels, dtype, progress) if config.frame_checker else None
    )
    notes += fuse_loras(parts, own_loras, progress)
    add_embeddings(parts, [parse_embedding(text) for text in config.embeddings])
    live = ModelLoras(parts.family, (parts.unet, *parts.text_encoders))
    worn = live.read(loras, progress)
    adapter = load_ip_adapter(config.reference, parts, progress) if config.reference and hears else None

    progress(f"moving {config.model} to {device.type}", None)
    with one_line(config.model):
        readers = () if parts.image_encoder is None else (parts.image_encoder,)
        _freeze(parts.unet, device, dtype)
        for net in nets:
            net.network.to(device)
        for estimator in estimators.values():
            estimator.to(device)
        if isinstance(checker, Checker):
            checker.to(device)
        _freeze(vae, device, _vae_dtype(vae, parts.family, dtype))
        encoders = (*parts.text_encoders, *([] if adapter is None else [adapter.encoder]))
        for network in (*encoders, *readers):
            _freeze(network, torch.device("cpu"), dtype)
        for network in () if adapter is None else adapter.networks:
            network.eval().requires_grad_(False).to(device, dtype)
        visiting_bytes = _place(encoders, readers, device) if hears else 0
    if visiting_bytes:
        notes += (VISITING,)
    notes += logged((*notes_of(worn), *live.start(worn)))
    sampler = named or _own_sampler(source, parts, loras + own_loras)
    wanted = config.clip_skip or (source.preset.clip_skip if source.preset else None)
    model = _assemble(config.model, source, parts, vae, schedule=schedule, sampler=sampler, notes=notes, skip=wanted)
    return replace(
        model,
        nets=nets,
        estimators=estimators,
        checker=checker,
        ip_adapter=adapter,
        loras=live if parts.family.takes_loras else None,
        exact=config.dtype is not Dtype.AUTO,
        visiting_bytes=visiting_bytes,
    )


def _assemble(
    name: str,
    source: Source,
    parts: Parts,
    vae: Autoencoder,
    *,
    schedule: NoiseSchedule,
    sampler: Sampler,
    notes: tuple[str, ...],
    skip: int | None,
) -> Model:
    unet = parts.unet
    guidance = _guidance(unet, source)
    is_embedded = guidance is Guidance.EMBEDDED
    guessed = guess_defaults(unet.config.get("sample_size"), scale_px(vae), sampler, is_embedded)
    card = read_card(source.folder)
    return Model(
        name=name,
        family=parts.family,
        unet=unet,
        vae=vae,
        prompt_encoder=PromptEncoder(
            parts.tokenizers,
            parts.text_encoders,
            encode_prompt=hears_layer(parts, skip or card.clip_skip),
            encode_picture=None if parts.image_encoder is None else parts.image_encoder.encode,
            max_chunks=parts.family.prompt_chunks,
            dtype=unet.dtype,
            zero_empty_negative=parts.zero_empty_negative,
        ),
        latent_channels=unet.config["out_channels"],
        latent_scale_px=scale_px(vae),
        concat_source=unet.config["in_channels"] == 2 * unet.config["out_channels"],
        schedule=schedule,
        sampler=sampler,
        guidance=guidance,
        device=unet.device,
        dtype=unet.dtype,
        defaults=(source.preset.defaults if source.preset else guessed) | card.defaults,
        styles=card.styles,
        max_output_pixels=card.max_output_pixels,
        best_steps=card.best_steps,
        pictures=card.pictures,
        notes=notes,
        folder=source.folder,
        listener=Listener(
            list(zip(parts.tokenizers, parts.text_encoders, strict=True)),
            max_chunks=parts.family.prompt_chunks,
            styles=card.styles,
            name_style=_style_namer(parts, card),
            has_negative=guidance is Guidance.CFG,
        ),
    )


def _style_namer(parts: Parts, card: ModelCard) -> Callable[[str], str] | None:
    """See `Family.name_style`; None where the card names no styles."""
    names = {str(style["name"]): str(style["prompt"]) for style in card.styles.get("styles", ())}
    if parts.family.name_style is None or not names:
        return None
    return parts.family.name_style(list(zip(parts.tokenizers, parts.text_encoders, strict=True)), names)


def use_flash_attention() -> None:
    """Take cuDNN's attention out of the choice: from torch 2.11 on it comes first on compute capability 9 and above.

    It makes a plan for each new shape, 0.3 to 0.45 s of the host's time in each thread that has one, and a UNet has
    eight shapes a batch and size: the engine would stand still for seconds. Flash attention takes 0.1 to 0.2 ms a frame
    more. Sources: PyTorch's `sdp_utils.cpp` and `MHA.cpp`; the times as reported in FunASR #3704 and sglang #4650.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def resolve_device(device: Device) -> torch.device:
    """The device to run on; for AUTO the first of CUDA, MPS and CPU that there is.

    Raises:
        ConfigError: this machine has no such device.
    """
    has_mps = torch.backends.mps.is_available()
    if device is Device.AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    if device is Device.CUDA and not torch.cuda.is_available():
        build = "this torch is built without CUDA" if torch.version.cuda is None else "torch sees no CUDA GPU here"
        raise ConfigError(f"device cuda: {build}: leave --device out, or install torch for your GPU")
    if device is Device.MPS and not has_mps:
        raise ConfigError("device mps: this machine has no Apple GPU that torch can use: leave --device out")
    return torch.device(device.value)


def resolve_dtype(dtype: Dtype, device: torch.device) -> torch.dtype:
    """The dtype of the weights; for AUTO float32 on the CPU and float16 elsewhere."""
    if dtype is Dtype.AUTO:
        return torch.float32 if device.type == "cpu" else torch.float16
    return {Dtype.FLOAT32: torch.float32, Dtype.FLOAT16: torch.float16, Dtype.BFLOAT16: torch.bfloat16}[dtype]


def _scale_and_shift(vae: Autoencoder) -> tuple[float, float]:
    return float(vae.config["scaling_factor"]), float(vae.config.get("shift_factor") or 0.0)


def _named_sampler(name: str | None) -> Sampler | None:
    if name is None:
        return None
    try:
        return Sampler(name.lower())
    except ValueError:
        raise ConfigError(f"sampler: {name!r} is not one of {', '.join(Sampler)}") from None


def _place(encoders: Sequence[torch.nn.Module], readers: Sequence[torch.nn.Module], device: torch.device) -> int:
    """Move what encodes prompts to the device, or have it visit that where memory is short.

    Returns:
        See `Model.visiting_bytes`.
    """
    for network in readers:
        network.to(device)
    if not must_visit(device, encoders):
        for network in encoders:
            network.to(device)
        return 0
    for network in encoders:
        Visit(network, device)
    return max((weights_bytes([network]) for network in encoders), default=0)


def _vae_dtype(vae: Autoencoder, family: Family, dtype: torch.dtype) -> torch.dtype:
    # SDXL's autoencoder gives black pictures in float16; diffusers' pipelines upcast it likewise.
    overflows = family.vae_overflows and isinstance(vae, AutoencoderKL) and vae.config["force_upcast"]
    return torch.float32 if overflows and dtype is torch.float16 else dtype


def _own_sampler(source: Source, parts: Parts, loras: list[LoraSpec]) -> Sampler:
    """The sampler of the first few-step LoRA, else of the preset, else of the model's files."""
    from_loras = [spec.sampler for spec in loras if spec.sampler]
    from_preset = _named_sampler(source.preset.sampler) if source.preset else None
    return from_loras[0] if from_loras else from_preset or scheduler_sampler(parts.scheduler)


def _freeze(network: torch.nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    network.eval().requires_grad_(False).to(device=device)
    if network.dtype is not dtype:
        network.to(dtype=dtype)


def _guidance(unet: Unet, source: Source) -> Guidance:
    if unet.config.get("time_cond_proj_dim") is not None:
        return Guidance.EMBEDDED
    if not source.family.has_guidance or (source.preset and not source.preset.has_guidance):
        return Guidance.NONE
    return Guidance.CFG
