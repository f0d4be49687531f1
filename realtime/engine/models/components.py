"""Loads one component of a diffusers folder: a network or a tokenizer. One with missing weights is refused.

Must not know what a model consists of, or which families there are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import nn

from ...errors import ModelError
from .files import autoencoder_files, list_files, read_json
from .header import read_header, shown
from .own import OwnAutoencoder, OwnImageEncoder, OwnUnet
from .quiet import quiet

with quiet():  # their import alone logs
    from diffusers import (
        AutoencoderKL,  # pyright: ignore[reportPrivateImportUsage]
        AutoencoderTiny,  # pyright: ignore[reportPrivateImportUsage]
        UNet2DConditionModel,  # pyright: ignore[reportPrivateImportUsage]
    )
    from transformers import CLIPTokenizer

if TYPE_CHECKING:
    from transformers import CLIPVisionModelWithProjection

    from .clip import TextEncoder

M = TypeVar("M", bound=nn.Module)

_log = logging.getLogger(__name__)

_HARMLESS = re.compile(
    r"(?:^|\.)(?:position_ids|logit_scale|text_projection\.weight)$|^(?:vision_model|visual_projection)\."
)
"""Weights in published folders that nothing needs: of CLIP's other half, and of its older code."""

Unet = UNet2DConditionModel | OwnUnet
Autoencoder = AutoencoderKL | AutoencoderTiny | OwnAutoencoder


def load_unet(folder: Path, dtype: torch.dtype, variant: str | None, kind: type[Unet] = UNet2DConditionModel) -> Unet:
    """Load `unet/`. Raises ModelError."""
    _check_class(folder / "config.json", [kind])
    return _load(kind, folder, dtype, variant)


def load_autoencoder(
    folder: Path,
    dtype: torch.dtype,
    prefer_fp16: bool,
    kinds: Sequence[type[Autoencoder]] = (AutoencoderKL, AutoencoderTiny),
) -> Autoencoder:
    """Load an autoencoder from its own folder or from the `vae` folder of a whole model.

    Raises:
        ModelError: there is none, or it is of a kind that this server does not run.
    """
    with prefixed(folder):
        config, *weights = autoencoder_files(list_files(folder), prefer_fp16)
        for name in weights:
            if name.endswith(".safetensors"):
                read_header(folder / name)
    kind = _check_class(folder / config, kinds)
    return _load(kind, (folder / config).parent, dtype, "fp16" if ".fp16" in weights[-1] else None)


def load_image_encoder(
    folder: Path, dtype: torch.dtype, variant: str | None, kind: type[OwnImageEncoder]
) -> OwnImageEncoder:
    """Load `image_encoder/`. Raises ModelError."""
    _check_class(folder / "config.json", [kind])
    return _load(kind, folder, dtype, variant)


def load_vision_encoder(folder: Path, dtype: torch.dtype, variant: str | None) -> CLIPVisionModelWithProjection:
    """Load CLIP's image encoder, of an IP-Adapter. Raises ModelError."""
    from transformers import CLIPVisionModelWithProjection

    model_type = read_json(folder / "config.json").get("model_type")
    if model_type not in ("clip_vision_model", "clip"):
        raise ModelError(f"{folder}: a {model_type!r}, and no image encoder of CLIP's: take the one of the adapter")
    return _load(CLIPVisionModelWithProjection, folder, dtype, variant)


def load_estimator(kind: type[M], folder: Path, dtype: torch.dtype) -> M:
    """Load a network of transformers that makes hints for nets. What else is in its file is left there.

    Raises:
        ModelError: it can't be loaded, or weights are missing.
    """
    library: Any = kind
    with one_line(folder):
        network, loading = library.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    needed = {name for name, _ in network.named_parameters()}
    if missing := sorted(needed.intersection(map(str, loading["missing_keys"]))):
        raise ModelError(f"{folder}: {len(missing)} weights are missing (such as {missing[0]}): fetch it again")
    return network


def load_text_encoder(kind: type[TextEncoder], folder: Path, dtype: torch.dtype, variant: str | None) -> TextEncoder:
    """Load `text_encoder/` or `text_encoder_2/`. Raises ModelError."""
    model_type = read_json(folder / "config.json").get("model_type")
    library: Any = kind
    if model_type not in (library.config_class.model_type, "clip"):  # "clip" has CLIP's other half as well
        raise ModelError(
            f"{folder}: a {model_type!r} text encoder; this server runs those of SD 1.x, 2.x and SDXL: "
            "take such a model"
        )
    return _load(kind, folder, dtype, variant)


def _load(kind: type[M], folder: Path, dtype: torch.dtype, variant: str | None) -> M:
    """Load a network of diffusers or transformers.

    Raises:
        ModelError: it can't be loaded, or weights are missing.
    """
    library: Any = kind
    with one_line(folder):
        network, loading = library.from_pretrained(
            folder, dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    # The libraries fill missing weights with random numbers and only log it.
    if missing := sorted(map(str, loading["missing_keys"])):
        raise ModelError(f"{folder}: {len(missing)} weights are missing (such as {missing[0]}): fetch it again")
    # Nor do they say what these would have been for: the scales of quantised weights, say.
    if left := sorted(name for name in map(str, loading["unexpected_keys"]) if not _HARMLESS.search(name)):
        raise ModelError(
            f"{folder}: {len(left)} of its weights are none that such a network has, such as {shown(left[0])}: "
            "it is quantised, or its config.json is another model's"
        )
    return network


def load_tokenizer(folder: Path, kind: type[CLIPTokenizer] = CLIPTokenizer) -> CLIPTokenizer:
    """Load `tokenizer/` or `tokenizer_2/`. Raises ModelError."""
    try:
        with one_line(folder):
            return kind.from_pretrained(folder, local_files_only=True)
    except ModelError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise _not_loaded(folder, error) from error


def _check_class(config: Path, kinds: Sequence[type[M]]) -> type[M]:
    """The class that a configuration names. Raises ModelError where it is none of `kinds`."""
    found = read_json(config).get("_class_name")
    for kind in kinds:
        if kind.__name__ == found:
            return kind
    known = " or ".join(kind.__name__ for kind in kinds)
    raise ModelError(f"{config}: a {found!r}; this server runs {known} there: take another model")


@contextmanager
def prefixed(what: object) -> Generator[None]:
    """Prefix a ModelError's message with `what`, unless it starts with it."""
    try:
        yield
    except ModelError as error:
        message = str(error)
        raise ModelError(message if message.startswith(str(what)) else f"{what}: {message}") from None


@contextmanager
def one_line(what: object) -> Generator[None]:
    """Turn the libraries' exceptions about files into a ModelError of one line, and drop their harmless messages."""
    try:
        with quiet():
            yield
    except torch.OutOfMemoryError:
        raise ModelError(f"{what}: not enough GPU memory: take a smaller model, or --device cpu") from None
    except MemoryError:
        raise ModelError(f"{what}: not enough memory: take a smaller model") from None
    except (
        *(OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, NotImplementedError),
        SafetensorError,
    ) as error:
        raise _not_loaded(what, error) from error


def _not_loaded(what: object, error: Exception) -> ModelError:
    _log.debug("%s can't be loaded", what, exc_info=error)  # the libraries' words are for those who know them
    if isinstance(error, OSError) and error.strerror:
        return ModelError(f"{what}: can't be read ({error.strerror}): check its rights and its disk")
    return ModelError(f"{what}: can't be loaded: it is damaged, or its parts don't fit each other: fetch it again")
