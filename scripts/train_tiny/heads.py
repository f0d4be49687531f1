"""Draws people before a webcam as shaded solids, with the places of eyes and mouth; knows no style and no training.

A head is an ellipsoid with hills and hollows, so that light, age and pose act as on a face. The same seed gives the
same picture. Used because real portraits with a clean licence are rare in packages.
"""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
from attire import hair_of, with_body, with_extras, with_hand
from features import relief_of, skin_of, with_eyes, with_mouth
from filters import Array, blur, contrast, mix, smoothstep
from person import SCREEN, SIZE, Image, Person, Screen, Spot, any_colour, somebody
from solid import Lamp, Surface, ellipsoid, hollow, shaded, turning


def _room(rng: random.Random) -> Array:
    """A wall with a few pieces of furniture out of focus."""
    ramp = np.linspace(0, 1, SCREEN, dtype=np.float32)
    way = (ramp[:, None] * rng.random() + ramp[None] * rng.random())[..., None].clip(0, 1)
    wall = any_colour(rng) * (1 - way) + any_colour(rng) * way
    for _ in range(rng.randint(0, 9)):
        x, y = rng.randint(-60, SCREEN), rng.randint(-60, SCREEN)
        w, h = rng.randint(20, 150), rng.randint(20, 200)
        cv2.rectangle(wall, (x, y), (x + w, y + h), any_colour(rng).tolist(), -1)
    return blur(wall, rng.choice((1.5, 3, 6, 10)))


def _fitted(background: Image, rng: random.Random) -> Array:
    """A real picture as the room, at times out of focus."""
    there = cv2.resize(background, (SCREEN, SCREEN), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    return blur(there, rng.uniform(1.0, 7.0)) if rng.random() < 0.75 else there


def head(seed: int, background: Image | None = None) -> tuple[Image, tuple[Spot, ...]]:
    """A person before a webcam.

    Args:
        seed: everything is drawn from it.
        background: uint8 [H, W, 3]; a drawn room if None.

    Returns:
        The picture, uint8 [256, 256, 3], and its eyes and mouth.
    """
    rng = random.Random(f"person {seed}")
    screen, person = Screen(rng), somebody(rng)
    lamp = (rng.gauss(0, 0.9), rng.gauss(-0.4, 0.5), rng.uniform(0.5, 1.4))
    axes = (1.0, rng.uniform(1.22, 1.42), 1.05)
    picture = _room(rng) if background is None else _fitted(background, rng)
    jaw = 1 - rng.uniform(0.12, 0.3) * smoothstep(screen.v, 0.1, 1.35)
    face = ellipsoid(screen.u / jaw, screen.v, axes, screen.turn, screen.pixel)
    hair, front, behind = hair_of(screen, person, face, lamp)
    picture = mix(picture, hair * 0.75, behind)
    picture = with_body(picture, screen, person, lamp)
    picture = _with_ears(picture, screen, person, lamp)
    picture = mix(picture, _lit_face(face, person, screen, lamp), face.inside)
    picture = mix(picture, hair, front)
    picture = with_extras(picture, screen, person, face)
    if rng.random() < 0.15:
        picture = with_hand(picture, screen, person, lamp)
    spots = [screen.seen(side * 0.38, -0.10, 0.24, axes) for side in (-1, 1)]
    spots.append(screen.seen(0, 0.61, 0.3, axes))
    return _photographed(picture, rng), tuple(spots)


def _with_ears(picture: Array, screen: Screen, person: Person, lamp: Lamp) -> Array:
    """Ears at both sides of the head, behind the face."""
    for side in (-1, 1):
        beside = screen.u - side * math.cos(screen.yaw)
        ear = ellipsoid(beside, screen.v - 0.02, (0.16, 0.25, 0.1), turning(0, 0), screen.pixel)
        lit, _ = shaded(ear.depth, screen.pixel, lamp, 8)
        picture = mix(picture, person.skin * [0.95, 0.8, 0.78] * (0.35 + 0.65 * lit)[..., None], ear.inside)
    return picture


def _lit_face(face: Surface, person: Person, screen: Screen, lamp: Lamp) -> Array:
    """The face's colours under the lamp, [S, S, 3]; eyeballs shine of themselves a little."""
    depth = face.depth + relief_of(face, person)
    diffuse, shine = shaded(blur(depth, 0.7), screen.pixel, lamp, 22)
    light = 0.34 + 0.86 * diffuse - 0.7 * hollow(depth, 0.16 * screen.face_px)
    colour = with_mouth(skin_of(face, person), face, person)
    colour, balls = with_eyes(colour, face, person)
    light = light * (1 - 0.5 * balls) + 0.45 * balls
    gloss = person.rng.uniform(0.03, 0.22) * shine * (1 - balls)
    return np.clip(colour * light[..., None] + gloss[..., None], 0, 1).astype(np.float32)


def _photographed(picture: Array, rng: random.Random) -> Image:
    """Exposure, colour of the light, grain; down to 256 pixels."""
    tint = [1 + rng.uniform(-0.1, 0.1), 1.0, 1 + rng.uniform(-0.13, 0.13)]
    exposed = contrast(picture * tint * rng.uniform(0.8, 1.2), rng.uniform(0.85, 1.2))
    small = cv2.resize(exposed, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(small.shape, np.float32)
    return (np.clip(small + rng.uniform(0, 0.016) * grain, 0, 1) * 255 + 0.5).astype(np.uint8)
