"""The teacher: what each style and mood means, as a deterministic function of a picture and its start noise.

The registry of all styles and nothing else; how they are made stands in `painted`, `drawn`, `washed`, `graphic`,
`tiles` and `lights`. Three rules make the targets learnable by a small latent model: a target depends on the picture
within about 40 pixels and on the noise there, never on the whole picture; marks are 4 pixels wide or more; regular
patterns have a period of 8 pixels, one latent cell, or of 16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import drawn
import graphic
import lights
import numpy as np
import numpy.typing as npt
import painted
import tiles
import washed
from chance import Chance
from filters import Array, luma, ramp

Style = Callable[[Array, Chance], Array]


def photo(image: Array, chance: Chance) -> Array:
    """The picture itself."""
    del chance
    return image


STYLES: dict[str, Style] = {
    "photo": photo,
    "oil painting": painted.oil,
    "impressionist": painted.impressionist,
    "van gogh": painted.van_gogh,
    "pointillism": painted.pointillist,
    "fauvism": painted.fauve,
    "palette knife": painted.knife,
    "gouache": painted.gouache,
    "watercolour": washed.watercolour,
    "ink wash": washed.ink_wash,
    "pastel": drawn.pastel,
    "crayon": drawn.crayon,
    "pencil sketch": drawn.pencil,
    "coloured pencil": drawn.coloured_pencil,
    "charcoal": drawn.charcoal,
    "pen and ink": drawn.pen,
    "engraving": drawn.engraving,
    "woodcut": drawn.woodcut,
    "chalkboard": drawn.chalkboard,
    "ukiyo-e": graphic.ukiyo_e,
    "comic": graphic.comic,
    "anime": graphic.anime,
    "pop art": graphic.pop_art,
    "pixel art": tiles.pixel_art,
    "cross-stitch": tiles.cross_stitch,
    "stained glass": tiles.stained_glass,
    "neon": lights.neon,
    "cyberpunk": lights.cyberpunk,
    "vaporwave": graphic.vaporwave,
    "blueprint": graphic.blueprint,
    "thermal": lights.thermal,
    "gold": lights.gold,
}

#: Regular by nature: lines, dots, pixels, stitches, rules. They may show a grid, and all others must not.
REGULAR = frozenset({"engraving", "comic", "pop art", "pixel art", "cross-stitch", "cyberpunk", "blueprint"})


def _tinted(gain: Sequence[float], lift: Sequence[float], gamma: float = 1.0) -> Callable[[Array], Array]:
    def apply(image: Array) -> Array:
        return np.clip(image**gamma * np.asarray(gain, np.float32) + np.asarray(lift, np.float32), 0, 1)

    return apply


MOODS: dict[str, Callable[[Array], Array]] = {
    "": lambda image: image,
    "golden hour": _tinted((1.14, 0.98, 0.6), (0.08, 0.03, -0.03)),
    "cold": _tinted((0.62, 0.9, 1.1), (-0.02, 0.02, 0.1)),
    "night": _tinted((0.42, 0.5, 0.86), (0.0, 0.0, 0.03), 1.5),
    "black and white": lambda image: luma(image)[..., None].repeat(3, -1),
    "sepia": lambda image: ramp(luma(image), (38, 22, 12), (150, 110, 72), (252, 236, 204)),
    "pink": _tinted((1.06, 0.66, 0.98), (0.1, 0.0, 0.12)),
}


def restyle(image: npt.NDArray[np.uint8], style: str, mood: str, chance: Chance) -> npt.NDArray[np.uint8]:
    """The target of one picture.

    Args:
        image: uint8 RGB [H, W, 3], H and W multiples of 32.
        style: a key of `STYLES`.
        mood: a key of `MOODS`, "" for none.
        chance: of the same size.
    """
    target = MOODS[mood](STYLES[style](image.astype(np.float32) / 255, chance))
    return (np.clip(target, 0, 1) * 255 + 0.5).astype(np.uint8)
