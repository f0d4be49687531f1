"""What a model says about itself: the params it wants, the words it knows.

Must not know how it was loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ModelError, ParamsError
from ...params import SIDE_MAX_PX, SIDE_MIN_PX, SIDE_MULTIPLE_PX, Params
from ..sampler import Sampler
from .files import read_json

_EMBEDDED_GUIDANCE = 8.0
"""The middle of what LCM's authors distilled the embedded guidance over (2 to 14)."""


def guess_defaults(sample_size: object, scale_px: int, sampler: Sampler, has_embedded_guidance: bool) -> dict[str, Any]:
    """Params for a model that nothing else is known about.

    Args:
        sample_size: of the UNet's configuration: the side of the latents it was trained on.
        scale_px: pixels to a latent's side.
        sampler: the sampler it runs with; those made for few steps get few.
    """
    side = (sample_size if isinstance(sample_size, int) else 64) * scale_px
    side = max(SIDE_MIN_PX, min(side, SIDE_MAX_PX)) // SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX
    steps = {Sampler.LCM: 4, Sampler.TCD: 4, Sampler.DDIM: 8}.get(sampler, 2)
    return {
        "width": side,
        "height": side,
        "num_inference_steps": steps,
        "guidance_scale": _EMBEDDED_GUIDANCE if has_embedded_guidance else 1.0,
    }


@dataclass(frozen=True)
class ModelCard:
    """The content of `realtime.json`, which a model made for this server carries beside `model_index.json`.

    Attributes:
        defaults: params fields.
        styles: `styles` and `moods`, each a list of {name, prompt}, for the client's panel.
        max_output_pixels: the largest picture it makes.
    """

    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    styles: dict[str, Any] = field(default_factory=dict[str, Any])
    max_output_pixels: int | None = None


_CARD_PARAMS = {
    "default_prompt": "prompt",
    "default_strength": "strength",
    "default_steps": "num_inference_steps",
    "width": "width",
    "height": "height",
}
"""From `realtime.json`'s names to params'."""


def read_card(folder: Path) -> ModelCard:
    """The card of a model; an empty one where it has none.

    Raises:
        ModelError: the card is broken, or asks for params that don't exist.
    """
    path = folder / "realtime.json"
    if not path.is_file():
        return ModelCard()
    card = read_json(path)
    defaults = {param: card[name] for name, param in _CARD_PARAMS.items() if name in card}
    try:
        Params().patched(defaults, Params())
    except ParamsError as error:
        raise ModelError(f"{path}: {error}") from None
    styles = {name: card[name] for name in ("styles", "moods") if name in card}
    pixels = card.get("max_output_pixels")
    return ModelCard(defaults, styles, pixels if isinstance(pixels, int) else None)
