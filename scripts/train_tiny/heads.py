"""Draws people in front of a webcam: procedural heads, for want of enough portraits with a clean licence.

The same seed gives the same uint8 RGB picture of shape [256, 256, 3]. Drawn at 512 and halved at the end.
"""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
import numpy.typing as npt
from drawing import SIZE, Colour, Image, colour_near, random_colour

SKIN: tuple[Colour, ...] = (
    (255, 224, 196), (241, 194, 160), (224, 172, 130), (198, 134, 92), (160, 104, 66), (120, 76, 48), (84, 54, 38),
    (236, 188, 180),
)  # fmt: skip
HAIR: tuple[Colour, ...] = (
    (28, 22, 20),
    (60, 40, 28),
    (100, 66, 38),
    (150, 104, 56),
    (214, 176, 104),
    (170, 80, 44),
    (150, 150, 152),
    (220, 218, 214),
)
IRIS: tuple[Colour, ...] = ((70, 44, 26), (96, 66, 36), (80, 120, 160), (90, 130, 90), (110, 110, 116), (40, 28, 22))


def _room(rng: random.Random) -> Image:
    """A blurred room or outdoor backdrop at 512x512."""
    first, second = np.array(random_colour(rng, 20), np.float32), np.array(random_colour(rng, 20), np.float32)
    ramp = np.linspace(0, 1, 512, dtype=np.float32)
    ramp2 = ramp[:, None] * rng.random() + ramp[None, :] * rng.random()
    image = (first + (second - first) * ramp2[..., None].clip(0, 1)).astype(np.uint8)
    for _ in range(rng.randint(0, 12)):
        x, y, width, height = rng.randint(-60, 480), rng.randint(-60, 480), rng.randint(20, 200), rng.randint(20, 260)
        if rng.random() < 0.75:
            cv2.rectangle(image, (x, y), (x + width, y + height), random_colour(rng), -1)
        else:
            cv2.circle(image, (x, y), width // 2, random_colour(rng), -1)
    return cv2.GaussianBlur(image, (0, 0), rng.choice([1.0, 3.0, 6.0, 12.0])).astype(np.uint8)


def _blend(image: Image, mask: npt.NDArray[np.uint8], colour: Colour, blur: float, alpha: float = 1.0) -> None:
    soft = cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32)[..., None] * (alpha / 255)
    image[:] = (image * (1 - soft) + np.array(colour, np.float32) * soft).astype(np.uint8)


def _oval(
    centre: tuple[float, float],
    axes: tuple[float, float],
    angle: float = 0,
    start: float = 0,
    end: float = 360,
    width: int = -1,
) -> Image:
    mask = np.zeros((512, 512), np.uint8)
    where, size = (int(centre[0]), int(centre[1])), (max(1, int(axes[0])), max(1, int(axes[1])))
    cv2.ellipse(mask, where, size, angle, start, end, 255, width, cv2.LINE_AA)
    return mask


def _features(
    image: Image, rng: random.Random, skin: Colour, hair: Colour, x: float, y: float, wide: float, tall: float
) -> None:
    """Eyes, brows, nose, mouth; `wide` and `tall` are the half axes of the face."""
    dark: Colour = (int(skin[0] * 0.55), int(skin[1] * 0.45), int(skin[2] * 0.42))
    iris, gaze = rng.choice(IRIS), rng.uniform(-0.03, 0.03) * wide
    eye_y, open_eye = y - tall * rng.uniform(0.05, 0.15), rng.uniform(0.055, 0.09)
    for side in (-1, 1):
        ex = x + side * wide * 0.42
        _blend(image, _oval((ex, eye_y - tall * 0.02), (wide * 0.26, tall * 0.13)), dark, 8, 0.35)
        white = _oval((ex, eye_y), (wide * 0.19, tall * open_eye))
        _blend(image, white, (238, 234, 230), 1.0)
        disc = cv2.bitwise_and(_oval((ex + gaze, eye_y), (wide * 0.095, wide * 0.095)), white)
        _blend(image, disc, iris, 0.8)
        _blend(image, cv2.bitwise_and(_oval((ex + gaze, eye_y), (wide * 0.045, wide * 0.045)), white), (8, 8, 8), 0.7)
        _blend(
            image,
            _oval((ex + gaze + wide * 0.03, eye_y - wide * 0.03), (wide * 0.02, wide * 0.02)),
            (255, 255, 255),
            0.6,
        )
        _blend(
            image,
            _oval((ex, eye_y), (wide * 0.2, tall * open_eye * 1.1), 0, 190, 350, max(2, int(wide * 0.03))),
            (30, 20, 18),
            1.0,
            0.9,
        )
        brow = _oval(
            (ex, eye_y - tall * 0.06),
            (wide * 0.25, tall * 0.13),
            side * 6,
            205,
            335,
            int(wide * rng.uniform(0.04, 0.09)),
        )
        _blend(image, brow, (int(hair[0] * 0.7), int(hair[1] * 0.7), int(hair[2] * 0.7)), 1.6, 0.85)
    _blend(image, _oval((x + wide * 0.07, y + tall * 0.12), (wide * 0.07, tall * 0.2)), dark, 7, 0.4)
    for side in (-1, 1):
        _blend(image, _oval((x + side * wide * 0.1, y + tall * 0.31), (wide * 0.05, tall * 0.022)), dark, 2, 0.9)
    _blend(image, _oval((x - wide * 0.03, y + tall * 0.2), (wide * 0.05, tall * 0.12)), (255, 248, 240), 7, 0.35)
    lip: Colour = (min(255, int(skin[0] * 0.82)), int(skin[1] * 0.52), int(skin[2] * 0.55))
    mouth_y, mouth_w = y + tall * 0.52, wide * rng.uniform(0.28, 0.42)
    if rng.random() < 0.5:
        _blend(image, _oval((x, mouth_y - tall * 0.03), (mouth_w, tall * 0.13), 0, 0, 180), lip, 1.5)
        _blend(image, _oval((x, mouth_y - tall * 0.02), (mouth_w * 0.85, tall * 0.08), 0, 0, 180), (246, 242, 236), 1.2)
    else:
        _blend(image, _oval((x, mouth_y), (mouth_w, tall * rng.uniform(0.04, 0.09))), lip, 2)
        _blend(image, _oval((x, mouth_y - tall * 0.08), (mouth_w, tall * 0.08), 0, 20, 160, 3), dark, 1.2)


def head(seed: int) -> Image:
    """A person before a webcam: skin, hair, light, background, glasses, beard and headphones vary."""
    rng = random.Random(f"head {seed}")
    image = _room(rng)
    skin, hair = colour_near(rng, rng.choice(SKIN), 12), colour_near(rng, rng.choice(HAIR), 14)
    if rng.random() < 0.08:
        hair = random_colour(rng, 30)
    scale = rng.uniform(0.62, 1.25)
    wide, tall = 96 * scale * rng.uniform(0.9, 1.1), 128 * scale * rng.uniform(0.92, 1.08)
    x, y = 256 + rng.uniform(-60, 60), 236 + rng.uniform(-40, 40)
    long_hair = rng.random() < 0.45
    bald = rng.random() < 0.1
    if long_hair and not bald:
        back = _oval((x, y - tall * 0.1), (wide * 1.32, tall * 1.2))
        cv2.rectangle(
            back, (int(x - wide * 1.3), int(y)), (int(x + wide * 1.3), int(y + tall * rng.uniform(0.8, 1.7))), 255, -1
        )
        _blend(image, back, hair, 5)
    shirt = random_colour(rng, 10)
    _blend(image, _oval((x, y + tall * 2.25), (wide * 2.2, tall * 1.15)), shirt, 2)
    if rng.random() < 0.3:
        stripes = _oval((x, y + tall * 2.25), (wide * 2.2, tall * 1.15))
        stripes[:, np.arange(512) % 40 < 18] = 0
        _blend(image, stripes, random_colour(rng, 10), 1)
    shade: Colour = (int(skin[0] * 0.72), int(skin[1] * 0.66), int(skin[2] * 0.64))
    neck = np.zeros((512, 512), np.uint8)
    cv2.rectangle(
        neck, (int(x - wide * 0.48), int(y + tall * 0.5)), (int(x + wide * 0.48), int(y + tall * 1.3)), 255, -1
    )
    _blend(image, neck, shade, 3)
    for side in (-1, 1):
        _blend(image, _oval((x + side * wide * 1.0, y + tall * 0.05), (wide * 0.14, tall * 0.2)), shade, 2)
    face = cv2.bitwise_or(
        _oval((x, y), (wide, tall)), _oval((x, y + tall * 0.35), (wide * rng.uniform(0.7, 0.85), tall * 0.68))
    )
    _blend(image, face, skin, 1.6)
    for side in (-1, 1):
        _blend(
            image,
            _oval((x + side * wide * 0.55, y + tall * 0.28), (wide * 0.22, tall * 0.15)),
            (225, 120, 105),
            14,
            0.22,
        )
    _features(image, rng, skin, hair, x, y, wide, tall)
    if rng.random() < 0.25:
        beard = cv2.bitwise_and(face, _oval((x, y + tall * 0.75), (wide * 0.9, tall * 0.5)))
        beard = cv2.subtract(beard, _oval((x, y + tall * 0.5), (wide * 0.36, tall * 0.1)))
        _blend(image, beard, (int(hair[0] * 0.8), int(hair[1] * 0.8), int(hair[2] * 0.8)), 4, rng.uniform(0.35, 0.95))
    if not bald:
        fringe = _oval(
            (x + rng.uniform(-0.15, 0.15) * wide, y - tall * 0.52), (wide * 1.12, tall * rng.uniform(0.5, 0.68))
        )
        cut = _oval((x + rng.uniform(-0.3, 0.3) * wide, y + tall * 0.12), (wide * 0.92, tall * rng.uniform(0.62, 0.8)))
        _blend(image, cv2.subtract(fringe, cut), hair, 3)
        strands = np.zeros((512, 512), np.uint8)
        for _ in range(40):
            sx = x + rng.uniform(-1.1, 1.1) * wide
            cv2.ellipse(
                strands,
                (int(sx), int(y - tall * 0.3)),
                (int(wide * 0.3), int(tall * 0.75)),
                0,
                180,
                270,
                255,
                1,
                cv2.LINE_AA,
            )
        strands = cv2.bitwise_and(strands, cv2.subtract(fringe, cut))
        _blend(image, strands, (min(255, hair[0] + 50), min(255, hair[1] + 46), min(255, hair[2] + 40)), 0.8, 0.5)
    if rng.random() < 0.3:
        frame_colour, thick = random_colour(rng, 0, 90), rng.randint(3, 7)
        for side in (-1, 1):
            ring = _oval((x + side * wide * 0.42, y - tall * 0.08), (wide * 0.3, tall * 0.19), 0, 0, 360, thick)
            _blend(image, ring, frame_colour, 0.8)
        cv2.line(
            image,
            (int(x - wide * 0.12), int(y - tall * 0.1)),
            (int(x + wide * 0.12), int(y - tall * 0.1)),
            frame_colour,
            thick,
        )
    if rng.random() < 0.15:
        _blend(image, _oval((x, y - tall * 0.1), (wide * 1.25, tall * 1.12), 0, 195, 345, 16), (40, 40, 44), 1.2)
        for side in (-1, 1):
            _blend(image, _oval((x + side * wide * 1.12, y), (wide * 0.2, tall * 0.3)), random_colour(rng, 20, 90), 2)
    return _light(image, rng, (x, y), wide)


def _light(image: Image, rng: random.Random, centre: tuple[float, float], wide: float) -> Image:
    """Side light, colour temperature, slight rotation and grain; then down to 256."""
    rows, columns = np.mgrid[0:512, 0:512].astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    along = ((columns - centre[0]) * math.cos(angle) + (rows - centre[1]) * math.sin(angle)) / wide
    lit = 1 + rng.uniform(0, 0.4) * np.tanh(along)
    tint = np.array([1 + rng.uniform(-0.12, 0.12), 1.0, 1 + rng.uniform(-0.14, 0.14)], np.float32)
    result = np.clip(image * lit[..., None] * tint * rng.uniform(0.75, 1.15), 0, 255).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((256, 256), rng.uniform(-14, 14), 1.12)
    result = cv2.warpAffine(result, turn, (512, 512), borderMode=cv2.BORDER_REFLECT)
    small = cv2.resize(result, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(rng.randrange(1 << 30)).normal(0, rng.uniform(0, 4), small.shape)
    return np.clip(small + grain, 0, 255).astype(np.uint8)
