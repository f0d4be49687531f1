"""The teacher's styles of light and metal: neon, cyberpunk, thermal, gold.

Each is a function of a picture and of its `Chance`; must not know the other families. Scan lines have a period of 8
pixels, one latent cell.
"""

from __future__ import annotations

import cv2
import numpy as np
from chance import Chance
from filters import Array, blur, contrast, grid, ink, luma, ramp, smoothstep
from flow import lines, tangents

CELL = 8


def neon(image: Array, chance: Chance) -> Array:
    """Contours as glowing tubes in pink, violet and cyan over the dim picture: a face stays a face."""
    del chance
    flow = tangents(image, 3)
    grey = luma(image)
    tube = lines(image, flow, 1.2, 0.008, 0.03)
    colour = ramp(0.5 + 0.5 * blur(flow.sin2, 4), (0, 225, 255), (130, 90, 255), (255, 40, 190))
    value = np.clip(0.22 + 1.9 * (blur(grey, 0.7) - blur(grey, 16)) + 0.3 * grey, 0, 1).astype(np.float32)
    dim = ramp(value, (4, 3, 16), (16, 8, 48), (46, 16, 96), (98, 34, 140), (182, 92, 200))
    light = colour * tube[..., None]
    glow = blur(light, 7) * 0.9 + blur(light, 2) * 0.45
    core = smoothstep(tube, 0.6, 1.0)[..., None] * 0.35
    return np.clip(dim * 0.85 * (1 - 0.6 * tube)[..., None] + light * 0.8 + glow + core, 0, 1).astype(np.float32)


def cyberpunk(image: Array, chance: Chance) -> Array:
    """Night blue to hot pink to cyan light, with scan lines and a shine around what is bright."""
    del chance
    grey = contrast(blur(luma(image), 0.9), 1.25, 0.45)
    base = ramp(grey, (4, 6, 30), (30, 16, 90), (120, 16, 140), (236, 30, 150), (255, 120, 190), (170, 240, 255))
    rows, _ = grid(grey.shape)
    scan = 0.5 + 0.5 * np.cos(2 * np.pi * rows / CELL)
    base = base * (1 - 0.26 * scan)[..., None]
    edge = blur(ink(1 - image, 1.5), 1.2)[..., None] * np.array([0.08, 0.75, 0.85], np.float32)
    bloom = blur(smoothstep(grey, 0.7, 1.0), 6)[..., None] * np.array([0.35, 0.2, 0.4], np.float32)
    return np.clip(base + edge + bloom + scan[..., None] * np.array([0.0, 0.06, 0.08], np.float32), 0, 1)


def thermal(image: Array, chance: Chance) -> Array:
    """Brightness as heat."""
    del chance
    heat = contrast(blur(luma(image), 1.5), 1.15)
    return ramp(heat, (4, 2, 40), (74, 0, 130), (186, 20, 116), (244, 90, 30), (255, 186, 20), (255, 250, 200))


def gold(image: Array, chance: Chance) -> Array:
    """Brightness and relief as polished metal."""
    del chance
    soft = blur(luma(image), 1.2)
    shifted = cv2.warpAffine(
        soft, np.array([[1, 0, 2.5], [0, 1, 2.5]], np.float32), soft.shape[::-1], borderMode=cv2.BORDER_REFLECT
    )
    value = np.clip(contrast(soft, 0.85) + (soft - shifted) * 2.0, 0, 1).astype(np.float32)
    return ramp(value, (28, 12, 4), (104, 58, 12), (190, 128, 32), (246, 204, 86), (255, 246, 204))
