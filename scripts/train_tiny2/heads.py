"""Draws people before a webcam as shaded solids, with the places of eyes and mouth; knows no style and no training.

A head is an ellipsoid with hills and hollows, so that light, age and pose act as on a face. The same seed gives the
same picture. Used because real portraits with a clean licence are rare in packages.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from filters import Array, blur, contrast, mix, smoothstep
from solid import Lamp, Surface, bump, ellipsoid, hollow, shaded, turning

Image = npt.NDArray[np.uint8]

SIZE = 256
SCREEN = 320
SKIN = ((255, 222, 196), (244, 200, 168), (228, 178, 138), (204, 146, 104), (168, 112, 74), (126, 82, 54), (88, 58, 42))
HAIR = ((24, 20, 20), (52, 36, 28), (88, 58, 36), (138, 98, 58), (206, 168, 108), (150, 72, 40), (140, 140, 144))
IRIS = ((66, 42, 26), (92, 64, 36), (74, 112, 150), (86, 122, 86), (104, 106, 112), (38, 28, 22))


@dataclass(frozen=True)
class Spot:
    """A place that must stay readable: an eye or the mouth; pixels of the final picture."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, eq=False)
class Person:
    """What one head is drawn from."""

    rng: random.Random
    skin: Array
    hair: Array
    iris: Array
    age: float
    smile: float
    mouth_open: float
    eye_open: float
    gaze: float


class Screen:
    """The pixel grid around a turned and rolled head."""

    def __init__(self, rng: random.Random) -> None:
        self.face_px = rng.uniform(40, 96)
        self.yaw, self.pitch, self.roll = rng.gauss(0, 0.28), rng.gauss(0.0, 0.13), rng.gauss(0, 0.11)
        self.x0 = SCREEN / 2 + rng.gauss(0, 26)
        self.y0 = SCREEN * 0.45 + rng.gauss(0, 18)
        self.turn = turning(self.yaw, self.pitch)
        self.pixel = 1 / self.face_px
        rows, columns = np.mgrid[0:SCREEN, 0:SCREEN].astype(np.float32)
        du, dv = (columns - self.x0) * self.pixel, (rows - self.y0) * self.pixel
        c, s = math.cos(self.roll), math.sin(self.roll)
        self.u, self.v = du * c + dv * s, dv * c - du * s
        self.upright = (du, dv)

    def seen(self, x: float, y: float, radius: float, axes: tuple[float, float, float]) -> Spot:
        """Where a place of the face lies in the final picture."""
        inside = 1 - (x / axes[0]) ** 2 - (y / axes[1]) ** 2
        u, v, _ = self.turn @ np.array([x, y, axes[2] * math.sqrt(max(inside, 0.05))], np.float32)
        c, s = math.cos(self.roll), math.sin(self.roll)
        scale = SIZE / SCREEN
        x_px = scale * (self.x0 + float(u * c - v * s) / self.pixel)
        y_px = scale * (self.y0 + float(u * s + v * c) / self.pixel)
        return Spot(x_px, y_px, scale * radius / self.pixel)


def _colour(rgb: tuple[int, ...], rng: random.Random, spread: float = 0.04) -> Array:
    return np.clip([c / 255 + rng.uniform(-spread, spread) for c in rgb], 0, 1).astype(np.float32)


def _any_colour(rng: random.Random) -> Array:
    """Clothes and walls: mostly muted, sometimes loud."""
    grey, chroma = rng.uniform(0.08, 0.92), rng.choice((0.08, 0.15, 0.15, 0.4))
    return np.clip([grey + rng.uniform(-chroma, chroma) for _ in range(3)], 0, 1).astype(np.float32)


def _noise(rng: random.Random, sigma: float) -> Array:
    made = np.random.default_rng(rng.randrange(1 << 30)).standard_normal((SCREEN, SCREEN), np.float32)
    made = blur(made, sigma)
    return made / made.std()


def _room(rng: random.Random) -> Array:
    """A wall with a few pieces of furniture out of focus."""
    ramp = np.linspace(0, 1, SCREEN, dtype=np.float32)
    way = (ramp[:, None] * rng.random() + ramp[None] * rng.random())[..., None].clip(0, 1)
    wall = _any_colour(rng) * (1 - way) + _any_colour(rng) * way
    for _ in range(rng.randint(0, 9)):
        x, y = rng.randint(-60, SCREEN), rng.randint(-60, SCREEN)
        w, h = rng.randint(20, 150), rng.randint(20, 200)
        cv2.rectangle(wall, (x, y), (x + w, y + h), _any_colour(rng).tolist(), -1)
    return blur(wall, rng.choice((1.5, 3, 6, 10)))


def _fitted(background: Image, rng: random.Random) -> Array:
    """A real picture as the room, at times out of focus."""
    there = cv2.resize(background, (SCREEN, SCREEN), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    return blur(there, rng.uniform(1.0, 7.0)) if rng.random() < 0.75 else there


def _relief(face: Surface, person: Person) -> Array:
    """Hills and hollows of a face along its depth, in half face widths."""
    x, y = face.x, face.y
    h = 0.26 * bump(x, y, (0, 0.20), (0.105, 0.12)) + 0.13 * bump(x, y, (0, -0.02), (0.07, 0.22))
    for side in (-1, 1):
        h += 0.075 * bump(x, y, (side * 0.13, 0.25), (0.06, 0.05))
        h -= 0.14 * bump(x, y, (side * 0.38, -0.10), (0.20, 0.11))
        h += 0.07 * bump(x, y, (side * 0.36, -0.30), (0.26, 0.055), side * 0.12)
        h += 0.06 * bump(x, y, (side * 0.56, 0.22), (0.2, 0.15))
        fold = bump(x, y, (side * (0.30 + 0.06 * person.smile), 0.38), (0.025, 0.16), side * -0.5)
        h -= (0.02 + 0.04 * person.age + 0.03 * person.smile) * fold
        h -= 0.03 * person.age * bump(x, y, (side * 0.38, 0.05), (0.16, 0.03))
    h += 0.07 * bump(x, y, (0, 0.57), (0.22, 0.045)) + 0.075 * bump(x, y, (0, 0.67), (0.2, 0.05))
    h -= 0.06 * bump(x, y, (0, 0.80), (0.25, 0.05))
    h += 0.10 * bump(x, y, (0, 0.97), (0.22, 0.13))
    for k in range(3):
        h -= 0.014 * max(0.0, person.age - 0.35) * bump(x, y, (0, -0.52 - 0.13 * k), (0.4, 0.018))
    return h * smoothstep(face.z, 0.0, 0.4)


def _skin(face: Surface, person: Person) -> Array:
    """The colour of the skin with cheeks, lips, beard, freckles, [S, S, 3]."""
    rng, x, y = person.rng, face.x, face.y
    colour = np.broadcast_to(person.skin, (*x.shape, 3)) * (1 + 0.035 * _noise(rng, 1.2) * person.age)[..., None]
    colour = colour * (1 + 0.02 * _noise(rng, 6))[..., None]
    blush = rng.uniform(0.1, 0.4)
    for side in (-1, 1):
        colour = mix(colour, person.skin * [1.0, 0.62, 0.6], blush * bump(x, y, (side * 0.5, 0.25), (0.2, 0.16)))
        colour = mix(colour, person.skin * [0.62, 0.5, 0.55], 0.35 * bump(x, y, (side * 0.38, 0.0), (0.2, 0.07)))
        colour = mix(colour, person.skin * 0.12, 0.85 * bump(x, y, (side * 0.075, 0.335), (0.04, 0.018)))
    colour = mix(colour, person.skin * [1.0, 0.7, 0.68], 0.3 * bump(x, y, (0, 0.25), (0.1, 0.08)))
    if rng.random() < 0.12:
        freckles = smoothstep(_noise(rng, 1.0), 1.4, 2.2) * bump(x, y, (0, 0.15), (0.5, 0.16))
        colour = mix(colour, person.skin * [0.6, 0.45, 0.4], 0.5 * freckles)
    if rng.random() < 0.28:
        jaw = smoothstep(y, 0.30, 0.55) * (1 - bump(x, y, (0, 0.62), (0.2, 0.06))) * smoothstep(np.abs(x), -0.2, 0.1)
        stubble = np.clip(0.75 + 0.25 * _noise(rng, 0.8), 0, 1) * rng.uniform(0.2, 0.9)
        colour = mix(colour, person.hair * 0.8, jaw * stubble * smoothstep(y - 1.2 * np.abs(x), -0.55, -0.25))
    return np.asarray(colour, np.float32)


def _mouth(colour: Array, face: Surface, person: Person) -> Array:
    """Lips, and teeth in an open mouth."""
    rng, x = person.rng, face.x
    half = 0.25 + 0.06 * person.smile
    bend = 0.15 * person.smile * (1 - (x / half) ** 2)
    y = face.y - 0.61 - bend + 0.09 * person.smile
    arc = np.clip(1 - (x / half) ** 2, 0, 1) ** 0.6
    above = 0.03 * person.mouth_open * arc
    below = 0.13 * person.mouth_open * arc
    upper, lower = 0.055 * arc * (1 + 0.25 * np.cos(x * 24) * (np.abs(x) < 0.1)), 0.075 * arc
    edge = 0.012
    lips = smoothstep(y + upper + above, -edge, edge) * smoothstep(lower + below - y, -edge, edge)
    lips = lips * (arc > 0.01) * (face.z > 0)
    made_up = rng.random() < 0.3
    tone = (
        np.array([0.72, 0.1, 0.16], np.float32) if made_up else person.skin * np.array([0.86, 0.52, 0.52], np.float32)
    )
    colour = mix(colour, tone, lips * (0.85 if made_up else 0.7))
    hole = smoothstep(y + above, -0.008, 0.012) * smoothstep(below - y, -0.008, 0.012) * (arc > 0.02)
    if person.mouth_open > 0.15:
        teeth = smoothstep(0.6 * below - y, -0.01, 0.01) * hole
        colour = mix(colour, (0.16, 0.05, 0.05), hole)
        colour = mix(colour, (0.93, 0.90, 0.85), teeth * (face.z > 0))
    seam = np.maximum(np.exp(-(((y + above) / 0.014) ** 2)), np.exp(-(((y - below) / 0.014) ** 2))) * (arc > 0.02)
    return mix(colour, person.skin * np.array([0.32, 0.16, 0.16], np.float32), 0.8 * seam * (face.z > 0))


def _eyes(colour: Array, face: Surface, person: Person) -> tuple[Array, Array]:
    """Eyes and brows; the second value is where the eyeballs are, [S, S]."""
    rng, balls = person.rng, np.zeros(face.x.shape, np.float32)
    brow_y, brow_wide = rng.uniform(-0.30, -0.25), rng.uniform(0.022, 0.05)
    lash = rng.uniform(0.4, 1.0)
    front = smoothstep(face.z, 0.1, 0.3)
    for side in (-1, 1):
        x, y = (face.x - side * 0.38) * side, face.y + 0.10
        wide, tall = 0.165, 0.075 * person.eye_open
        lid = np.clip(1 - (x / wide) ** 2, 0, 1)
        above, below = -tall * lid**0.8 + 0.012 * x / wide, 0.75 * tall * lid - 0.02 * x / wide
        white = smoothstep(y - above, -0.008, 0.012) * smoothstep(below - y, -0.008, 0.012) * (lid > 0) * front
        shade = 0.95 - 0.3 * np.exp(-np.clip(y - above, 0, 1) / 0.03) - 0.2 * (x / wide) ** 2
        colour = mix(colour, np.array([0.93, 0.91, 0.90], np.float32) * shade[..., None], white)
        away = np.hypot(x - side * person.gaze, y + 0.005)
        iris = (1 - smoothstep(away, 0.070, 0.084)) * white
        ring = person.iris * (0.75 + 0.5 * smoothstep(away, 0.02, 0.06) - 0.6 * smoothstep(away, 0.06, 0.08))[..., None]
        colour = mix(colour, np.clip(ring, 0, 1), iris)
        colour = mix(colour, (0.02, 0.02, 0.02), (1 - smoothstep(away, 0.028, 0.036)) * white)
        glint = np.hypot(face.x - side * 0.38 - person.gaze + 0.022, y + 0.03)
        colour = mix(colour, (1.0, 1.0, 1.0), 0.9 * (1 - smoothstep(glint, 0.010, 0.019)) * white)
        line = np.exp(-((y - above + 0.006) ** 2) / (2 * 0.012**2)) * (np.abs(x) < wide * 1.06) * front
        colour = mix(colour, np.minimum(person.hair, 0.2), (0.45 + 0.5 * lash) * line)
        colour = mix(colour, person.skin * 0.55, 0.5 * front * bump(x, y, (0, -tall - 0.045), (0.15, 0.012)))
        arch = y - (brow_y + 0.16) + 0.035 * (1 - ((x - 0.03) / 0.2) ** 2) - 0.03 * (x > 0.16) * (0.16 - x) / 0.1
        brow = np.exp(-0.5 * (arch / brow_wide) ** 2) * smoothstep(0.26 - np.abs(x - 0.03), 0, 0.08) * front
        colour = mix(colour, person.hair * 0.65, 0.85 * brow)
        balls = np.maximum(balls, white)
    return colour, balls


def _hair(screen: Screen, person: Person, face: Surface, lamp: Lamp) -> tuple[Array, Array, Array]:
    """Hair before and behind the face: colour [S, S, 3], mask in front, mask behind."""
    rng = person.rng
    volume, line = rng.uniform(1.04, 1.22), rng.uniform(-0.78, -0.5)
    cap = ellipsoid(screen.u, screen.v + 0.06, (1.06 * volume, 1.34 * volume, 1.16 * volume), screen.turn, screen.pixel)
    part = rng.uniform(-0.4, 0.4)
    strand = np.sin(9 * (cap.x - part) + 4 * cap.z) * 0.35
    at = (cap.x * 6 + cap.z * 3).astype(np.float32)
    lookup = np.random.default_rng(rng.randrange(1 << 30)).standard_normal((1, 512)).astype(np.float32)
    hairs = cv2.remap(lookup, (at * 14 + 256) % 511, np.zeros_like(at), cv2.INTER_LINEAR)
    strand = blur(strand + 0.45 * hairs + 0.3 * _noise(rng, 1.5), 0.8)
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


def _body(picture: Array, screen: Screen, person: Person, lamp: Lamp) -> Array:
    """Neck and shoulders in clothes."""
    rng, (u, v) = person.rng, screen.upright
    neck = ellipsoid(u, v - 1.3, (0.52, 1.2, 0.5), turning(0, 0), screen.pixel)
    diffuse, _ = shaded(neck.depth, screen.pixel, lamp, 8)
    shadow = 0.55 + 0.45 * smoothstep(v, 1.0, 1.9)
    picture = mix(picture, person.skin * (0.3 + 0.75 * diffuse * shadow)[..., None], neck.inside)
    wide = rng.uniform(2.1, 2.8)
    chest = ellipsoid(u, v - rng.uniform(3.0, 3.3), (wide, 1.85, 0.9), turning(0, 0), screen.pixel)
    folds = 0.022 * _noise(rng, 10) + 0.004 * _noise(rng, 3)
    diffuse, _ = shaded(chest.depth + folds, screen.pixel, lamp, 8)
    cloth = np.broadcast_to(_any_colour(rng), picture.shape)
    kind = rng.random()
    if kind < 0.25:
        cloth = np.where(
            (np.sin((v if kind < 0.12 else u) * rng.uniform(12, 30)) > 0)[..., None], cloth, _any_colour(rng)
        )
    neckline = smoothstep(np.hypot(u * 1.1, v - 1.35), 0.52, 0.58)
    return mix(picture, np.asarray(cloth, np.float32) * (0.3 + 0.8 * diffuse)[..., None], chest.inside * neckline)


def _extras(picture: Array, screen: Screen, person: Person, face: Surface) -> Array:
    """Glasses and headphones."""
    rng, x, y = person.rng, face.x, face.y
    if rng.random() < 0.32:
        frame, thick = _any_colour(rng) * 0.5, rng.uniform(0.018, 0.045)
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
        colour = _any_colour(rng) * 0.5
        picture = mix(picture, colour, np.maximum(np.clip(band * 1.4, 0, 1), smoothstep(cups, 0.3, 0.5)))
    return picture


def _hand(picture: Array, screen: Screen, person: Person, lamp: Lamp) -> Array:
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


def _person(rng: random.Random) -> Person:
    age = rng.random()
    hair = _colour(rng.choice(HAIR), rng) if rng.random() > 0.06 else _any_colour(rng)
    if age > 0.65 and rng.random() < 0.6:
        hair = _colour((200, 200, 202), rng) * rng.uniform(0.6, 1.0)
    smile = rng.uniform(-0.25, 1.0)
    opened = rng.uniform(0.2, 1.0) if rng.random() < 0.45 else 0.0
    skin = _colour(rng.choice(SKIN), rng, 0.03)
    iris = _colour(rng.choice(IRIS), rng)
    return Person(rng, skin, hair, iris, age, smile, opened, rng.uniform(0.65, 1.25), rng.gauss(0, 0.03))


def head(seed: int, background: Image | None = None) -> tuple[Image, tuple[Spot, ...]]:
    """A person before a webcam.

    Args:
        seed: everything is drawn from it.
        background: uint8 [H, W, 3]; a drawn room if None.

    Returns:
        The picture, uint8 [256, 256, 3], and its eyes and mouth.
    """
    rng = random.Random(f"person {seed}")
    screen, person = Screen(rng), _person(rng)
    lamp = (rng.gauss(0, 0.9), rng.gauss(-0.4, 0.5), rng.uniform(0.5, 1.4))
    axes = (1.0, rng.uniform(1.22, 1.42), 1.05)
    picture = _room(rng) if background is None else _fitted(background, rng)
    jaw = 1 - rng.uniform(0.12, 0.3) * smoothstep(screen.v, 0.1, 1.35)
    face = ellipsoid(screen.u / jaw, screen.v, axes, screen.turn, screen.pixel)
    hair, front, behind = _hair(screen, person, face, lamp)
    picture = mix(picture, hair * 0.75, behind)
    picture = _body(picture, screen, person, lamp)
    for side in (-1, 1):
        beside = screen.u - side * math.cos(screen.yaw)
        ear = ellipsoid(beside, screen.v - 0.02, (0.16, 0.25, 0.1), turning(0, 0), screen.pixel)
        lit, _ = shaded(ear.depth, screen.pixel, lamp, 8)
        picture = mix(picture, person.skin * [0.95, 0.8, 0.78] * (0.35 + 0.65 * lit)[..., None], ear.inside)
    relief = _relief(face, person)
    depth = face.depth + relief
    diffuse, shine = shaded(blur(depth, 0.7), screen.pixel, lamp, 22)
    light = 0.34 + 0.86 * diffuse - 0.7 * hollow(depth, 0.16 * screen.face_px)
    colour = _mouth(_skin(face, person), face, person)
    colour, balls = _eyes(colour, face, person)
    light = light * (1 - 0.5 * balls) + 0.45 * balls
    lit_face = colour * light[..., None] + (rng.uniform(0.03, 0.22) * shine * (1 - balls))[..., None]
    picture = mix(picture, np.clip(lit_face, 0, 1), face.inside)
    picture = mix(picture, hair, front)
    picture = _extras(picture, screen, person, face)
    if rng.random() < 0.15:
        picture = _hand(picture, screen, person, lamp)
    spots = [screen.seen(side * 0.38, -0.10, 0.24, axes) for side in (-1, 1)]
    spots.append(screen.seen(0, 0.61, 0.3, axes))
    return _photographed(picture, rng), tuple(spots)


def _photographed(picture: Array, rng: random.Random) -> Image:
    """Exposure, colour of the light, grain; down to 256 pixels."""
    tint = [1 + rng.uniform(-0.1, 0.1), 1.0, 1 + rng.uniform(-0.13, 0.13)]
    exposed = contrast(picture * tint * rng.uniform(0.8, 1.2), rng.uniform(0.85, 1.2))
    small = cv2.resize(exposed, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(small.shape, np.float32)
    return (np.clip(small + rng.uniform(0, 0.016) * grain, 0, 1) * 255 + 0.5).astype(np.uint8)
