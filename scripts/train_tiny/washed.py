"""The teacher's wet styles: watercolour and ink wash.

Each is a function of a picture and of its `Chance`; must not know the other families.
"""

from __future__ import annotations

import cv2
import numpy as np
from chance import Chance
from filters import Array, blur, contrast, detail, kuwahara, luma, mix, posterise, ramp, saturate, smoothstep
from flow import lines, tangents


def wobbled(image: Array, chance: Chance, pixels: float, sigma: float = 5) -> Array:
    """The picture with an unsteady hand: everything moved by about `pixels`, by smooth noise."""
    high, wide = image.shape[:2]
    columns, rows = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    across, down = (pixels * chance.grain(k, sigma) for k in (0, 1))
    return cv2.remap(image, columns + across, rows + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def rims(image: Array) -> Array:
    """Where a wash dries dark: just inside its border to something lighter, 0 to 1."""
    grey = luma(image)
    return smoothstep(blur(grey, 3.2) - blur(grey, 1.0), 0.012, 0.075)


def watercolour(image: Array, chance: Chance) -> Array:
    """Transparent washes with dark rims and blooms, white paper in the lights."""
    busy = smoothstep(detail(image), 0.02, 0.055)
    source = mix(wobbled(image, chance, 1.5), image, busy)
    flat = source
    for _ in range(2):
        flat = kuwahara(flat, 5)
    flat = mix(flat, kuwahara(source, 2), 0.9 * busy)
    flat = saturate(flat, 1.5)
    value = luma(flat)
    flat = flat * ((posterise(value, 6, 12) + 0.14) / (value + 0.12))[..., None]
    bloom, grain = chance.grain(2, 11) * (0.3 + 0.7 * smoothstep(value, 0.08, 0.4)), chance.grain(0)
    dose = (1 + 0.24 * bloom + 0.05 * grain) * (0.68 + 0.75 * rims(flat))
    wash = np.exp(np.log(np.clip(flat, 0.03, 1)) * np.clip(dose, 0.25, 2.4)[..., None] * 0.84)
    dry = smoothstep(value + 0.03 * grain, 0.72, 0.92)
    sheet = mix(wash, (1.0, 0.99, 0.96), 0.85 * dry)
    sheet = mix(sheet, sheet * np.array([0.34, 0.3, 0.34], np.float32), 0.4 * lines(image, tangents(image, 3), 1.2))
    return np.clip(sheet * (1 + 0.012 * grain)[..., None] * np.array([1, 0.995, 0.975], np.float32), 0, 1)


def ink_wash(image: Array, chance: Chance) -> Array:
    """Sumi-e: a few greys of diluted ink that bleed into the sheet, one loaded brush for the contours."""
    busy = smoothstep(detail(image), 0.02, 0.055)
    source = mix(wobbled(image, chance, 2.0, 6), image, busy)
    soft = kuwahara(kuwahara(source, 4), 3)
    soft = mix(soft, kuwahara(source, 2), busy)
    value = contrast(luma(soft), 1.3, 0.45)
    stepped = posterise(np.clip(value + 0.05 * chance.grain(2, 9), 0, 1), 4, 9)
    wash = np.clip(stepped * 0.8 + 0.2 * value + 0.14, 0, 1)
    wash = wash * (1 - 0.28 * rims(soft)) * (1 + 0.05 * chance.grain(2, 12))
    contour = lines(source, tangents(source, 4), 1.9, 0.006, 0.03)
    inked = np.clip(wash * (1 - 0.85 * contour) + 0.012 * chance.grain(0), 0, 1)
    return ramp(inked, (20, 20, 26), (84, 84, 92), (164, 162, 160), (226, 221, 208), (246, 240, 226))
