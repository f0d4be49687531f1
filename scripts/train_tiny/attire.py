"""What a drawn person wears: hair, clothes, glasses, headphones; and a raised hand.

Must not know the face.
"""

from __future__ import annotations

import cv2
import numpy as np
from filters import Array, blur, mix, smoothstep
from person import Person, Screen, any_colour, noise
from solid import Lamp, Surface, bump, ellipsoid, shaded, turning


def hair_of(screen: Screen, person: Person, face: Surface, lamp: Lamp) -> tuple[Array, Array, Array]:
    """Hair before and behind the face: colour [S, S, 3], mask in front, mask behind."""
    rng = person.rng
    volume, line = rng.uniform(1.04, 1.22), rng.uniform(-0.78, -0.5)
    cap = ellipsoid(screen.u, screen.v + 0.06, (1.06 * volume, 1.34 * volume, 1.16 * volume), screen.turn, screen.pixel)
    part = rng.uniform(-0.4, 0.4)
    strand = np.sin(9 * (cap.x - part) + 4 * cap.z) * 0.35
    at = (cap.x * 6 + cap.z * 3).astype(np.float32)
    lookup = np.random.default_rng(rng.randrange(1 << 30)).standard_normal((1, 512)).astype(np.float32)
    hairs = cv2.remap(lookup, (at * 14 + 256) % 511, np.zeros_like(at), cv2.INTER_LINEAR)
    strand = blur(strand + 0.45 * hairs + 0.3 * noise(rng, 1.5), 0.8)
    diffuse, shine = shaded(cap.depth, screen.pixel, lamp, 14)
    colour = person.hair * np.clip(0.45 + 0.75 * diffuse + 0.18 * strand, 0, 1.6)[..., None]
    colour = np.clip(colour + (0.35 * shine * (0.6 + 0.4 * strand))[..., None] * (0.3 + 0.7 * person.hair), 0, 1)
    edge = line - 0.10 * np.cos(3 * (cap.x - part)) + 0.05 * strand + 0.55 * np.clip(np.abs(cap.x) - 0.55, 0, 1) * 3
    front = cap.inside * smoothstep(edge - cap.y, -0.05, 0.06)
    front = np.maximum(front, cap.inside * smoothstep(0.1 - cap.z, 0, 0.15) * (cap.y < 0.1))
    front = np.maximum(front, cap.inside * (1 - face.inside) * (cap.y < 0.0))
    behind = np.zeros_like(front)
    if rng.random() < 0.5:
        low, wide = rng.uniform(0.7, 2.3), rng.uniform(1.1, 1.45)
        fall = wide * (1 + 0.12 * np.sin(screen.v * rng.uniform(2, 6)))
        behind = smoothstep(fall - np.abs(screen.u), 0, 0.1) * smoothstep(low - screen.v, 0, 0.15) * (screen.v > -0.3)
    kind = rng.random()
    if kind < 0.09:
        return colour, np.zeros_like(front), np.zeros_like(front)
    if kind < 0.2:
        behind = behind * 0
    return colour.astype(np.float32), front.astype(np.float32), behind.astype(np.float32)


def with_body(picture: Array, screen: Screen, person: Person, lamp: Lamp) -> Array:
    """Neck and shoulders in clothes."""
    rng, (u, v) = person.rng, screen.upright
    neck = ellipsoid(u, v - 1.3, (0.52, 1.2, 0.5), turning(0, 0), screen.pixel)
    diffuse, _ = shaded(neck.depth, screen.pixel, lamp, 8)
    shadow = 0.55 + 0.45 * smoothstep(v, 1.0, 1.9)
    picture = mix(picture, person.skin * (0.3 + 0.75 * diffuse * shadow)[..., None], neck.inside)
    wide = rng.uniform(2.1, 2.8)
    chest = ellipsoid(u, v - rng.uniform(3.0, 3.3), (wide, 1.85, 0.9), turning(0, 0), screen.pixel)
    folds = 0.022 * noise(rng, 10) + 0.004 * noise(rng, 3)
    diffuse, _ = shaded(chest.depth + folds, screen.pixel, lamp, 8)
    cloth = np.broadcast_to(any_colour(rng), picture.shape)
    kind = rng.random()
    if kind < 0.25:
        cloth = np.where(
            (np.sin((v if kind < 0.12 else u) * rng.uniform(12, 30)) > 0)[..., None], cloth, any_colour(rng)
        )
    neckline = smoothstep(np.hypot(u * 1.1, v - 1.35), 0.52, 0.58)
    return mix(picture, np.asarray(cloth, np.float32) * (0.3 + 0.8 * diffuse)[..., None], chest.inside * neckline)


def with_extras(picture: Array, screen: Screen, person: Person, face: Surface) -> Array:
    """Glasses and headphones."""
    rng, x, y = person.rng, face.x, face.y
    if rng.random() < 0.32:
        frame, thick = any_colour(rng) * 0.5, rng.uniform(0.018, 0.045)
        wide, tall, square = rng.uniform(0.24, 0.29), rng.uniform(0.16, 0.24), rng.choice((2, 2.5, 4))
        rim = np.zeros_like(x)
        for side in (-1, 1):
            norm = (np.abs((x - side * 0.38) / wide) ** square + np.abs((y + 0.08) / tall) ** square) ** (1 / square)
            rim = np.maximum(rim, np.exp(-(((norm - 1) * tall / thick) ** 2)))
            picture = mix(picture, (0.8, 0.88, 0.95), 0.10 * (norm < 1) * face.inside)
        bridge = np.exp(-(((y + 0.12) / thick) ** 2)) * (np.abs(x) < 0.14)
        arms = np.exp(-(((y + 0.12) / thick) ** 2)) * (np.abs(x) > 0.62) * (face.z > -0.2)
        rim = np.maximum.reduce([rim, bridge, arms]) * face.inside * (face.z > -0.2)
        picture = mix(picture, frame, 0.95 * np.clip(rim * 1.5, 0, 1))
    if rng.random() < 0.1:
        u, v = screen.u, screen.v
        band = np.exp(-(((np.hypot(u, v * 0.86 + 0.1) - 1.25) / 0.06) ** 2)) * (v < -0.1)
        cups = np.maximum(bump(u, v, (-1.08, 0), (0.14, 0.26)), bump(u, v, (1.08, 0), (0.14, 0.26)))
        colour = any_colour(rng) * 0.5
        picture = mix(picture, colour, np.maximum(np.clip(band * 1.4, 0, 1), smoothstep(cups, 0.3, 0.5)))
    return picture


def with_hand(picture: Array, screen: Screen, person: Person, lamp: Lamp) -> Array:
    """A raised hand of capsules."""
    rng, (u, v) = person.rng, screen.upright
    side, up = rng.choice((-1, 1)), rng.uniform(-0.6, 0.5)
    x0, y0, size = side * rng.uniform(1.5, 2.1), 1.2 - up, rng.uniform(0.7, 0.9)
    depth = np.full(u.shape, -1.0, np.float32)
    bones = [((0, 1.6), (0, 0.1), 0.34), ((-0.2, 0), (0.2, 0), 0.34), ((-0.1, 0.3), (0.15, 0.35), 0.36)]
    for k in range(4):
        lean = (k - 1.5) * 0.13
        bones.append((((k - 1.5) * 0.22, -0.2), ((k - 1.5) * 0.22 + lean, -1.0 + 0.16 * abs(k - 1.4)), 0.115))
    bones.append(((-0.3 * side, 0.2), (-0.78 * side, -0.35), 0.13))
    for (ax, ay), (bx, by), radius in bones:
        px, py = (u - x0) / size - ax, (v - y0) / size - ay
        dx, dy = bx - ax, by - ay
        t = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0, 1)
        away = (px - t * dx) ** 2 + (py - t * dy) ** 2
        depth = np.maximum(depth, np.sqrt(np.maximum(radius**2 - away, 0)) - (away > radius**2))
    mask = blur((depth > -0.5).astype(np.float32), 0.8)
    light, _ = shaded(np.maximum(depth, 0) * size, screen.pixel, lamp, 8)
    return mix(picture, person.skin * (0.35 + 0.75 * light)[..., None], mask)
