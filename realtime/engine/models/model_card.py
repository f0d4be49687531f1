"""A model's default params and styles: from its `realtime.json`, or guessed.

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
"""The middle of the range that LCM's embedded guidance was distilled over (2 to 14)."""


def guess_defaults(sample_size: object, scale_px: int, sampler: Sampler, has_embedded_guidance: bool) -> dict[str, Any]:
    """Default params for a model without a preset or card.

    Args:
        sample_size: in the UNet's configuration: the side of the latents it was trained on.
        scale_px: pixels per latent, along a side.
        sampler: which one it runs with; decides the number of steps.
        has_embedded_guidance: whether guidance is an input of the UNet.
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
    """The content of `realtime.json`, which models made for this server have beside `model_index.json`.

    Attributes:
        defaults: fields of params.
        styles: `styles` and `moods`, each a list of {name, prompt}, for the client's panel.
        max_output_pixels: largest width times height of a picture; None where there is no limit.
        pictures: names and contents (JPEG, PNG or WebP) of pictures to take a style from, where a model hears such.
        clip_skip: which layer of the text encoder is heard, as `--clip-skip` counts; None for the family's own.
        best_steps: the number of steps that looks best, where others look worse; None where more are finer.
    """

    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    styles: dict[str, Any] = field(default_factory=dict[str, Any])
    max_output_pixels: int | None = None
    best_steps: int | None = None
    pictures: tuple[tuple[str, bytes], ...] = ()
    clip_skip: int | None = None


_PICTURES_MAX, _PICTURE_MAX_BYTES = 32, 100_000
_CARD_PARAMS = {
    "default_prompt": "prompt",
    "default_strength": "strength",
    "default_steps": "num_inference_steps",
    "width": "width",
    "height": "height",
}
"""Names of params by those in `realtime.json`."""


def read_card(folder: Path) -> ModelCard:
    """The card of a model; an empty one where it has none.

    Raises:
        ModelError: the card is no JSON object, its params are invalid, or a picture is missing or too large.
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
    steps, clip_skip = card.get("best_steps"), card.get("clip_skip")
    return ModelCard(
        defaults,
        styles,
        pixels if isinstance(pixels, int) else None,
        steps if isinstance(steps, int) else None,
        _read_pictures(folder, card.get("pictures", [])),
        clip_skip if isinstance(clip_skip, int) and clip_skip > 0 else None,
    )


def _read_pictures(folder: Path, listed: Any) -> tuple[tuple[str, bytes], ...]:
    """Pictures that a card lists as {name, file}, the file below its `pictures`."""
    path = folder / "realtime.json"
    if not isinstance(listed, list) or len(listed) > _PICTURES_MAX:
        raise ModelError(f"{path}: pictures is a list of at most {_PICTURES_MAX}: shorten it")
    found: list[tuple[str, bytes]] = []
    for one in listed:
        name, file = (one.get("name"), one.get("file")) if isinstance(one, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(file, str) or Path(file).name != file:
            raise ModelError(f"{path}: a picture has a name and a file (of the folder pictures), not {one!r}")
        picture = folder / "pictures" / file
        try:
            data = picture.read_bytes()
        except OSError as error:
            raise ModelError(f"{picture}: {error.strerror}: fetch the model again") from None
        if len(data) > _PICTURE_MAX_BYTES:
            raise ModelError(f"{picture}: a picture may have {_PICTURE_MAX_BYTES} bytes: make it smaller")
        found.append((name, data))
    return tuple(found)
