"""The face of a drawn person: its relief, skin, mouth and eyes.

Must not know hair, clothes or rooms. All are functions of the points of the head that each pixel sees.
"""

from __future__ import annotations

import numpy as np
from filters import Array, mix, smoothstep
from person import Person, noise
from solid import Surface, bump


def relief_of(face: Surface, person: Person) -> Array:
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


def skin_of(face: Surface, person: Person) -> Array:
    """The colour of the skin with cheeks, lips, beard, freckles, [S, S, 3]."""
    rng, x, y = person.rng, face.x, face.y
    colour = np.broadcast_to(person.skin, (*x.shape, 3)) * (1 + 0.035 * noise(rng, 1.2) * person.age)[..., None]
    colour = colour * (1 + 0.02 * noise(rng, 6))[..., None]
    blush = rng.uniform(0.1, 0.4)
    for side in (-1, 1):
        colour = mix(colour, person.skin * [1.0, 0.62, 0.6], blush * bump(x, y, (side * 0.5, 0.25), (0.2, 0.16)))
        colour = mix(colour, person.skin * [0.62, 0.5, 0.55], 0.35 * bump(x, y, (side * 0.38, 0.0), (0.2, 0.07)))
        colour = mix(colour, person.skin * 0.12, 0.85 * bump(x, y, (side * 0.075, 0.335), (0.04, 0.018)))
    colour = mix(colour, person.skin * [1.0, 0.7, 0.68], 0.3 * bump(x, y, (0, 0.25), (0.1, 0.08)))
    if rng.random() < 0.12:
        freckles = smoothstep(noise(rng, 1.0), 1.4, 2.2) * bump(x, y, (0, 0.15), (0.5, 0.16))
        colour = mix(colour, person.skin * [0.6, 0.45, 0.4], 0.5 * freckles)
    if rng.random() < 0.28:
        jaw = smoothstep(y, 0.30, 0.55) * (1 - bump(x, y, (0, 0.62), (0.2, 0.06))) * smoothstep(np.abs(x), -0.2, 0.1)
        stubble = np.clip(0.75 + 0.25 * noise(rng, 0.8), 0, 1) * rng.uniform(0.2, 0.9)
        colour = mix(colour, person.hair * 0.8, jaw * stubble * smoothstep(y - 1.2 * np.abs(x), -0.55, -0.25))
    return np.asarray(colour, np.float32)


def with_mouth(colour: Array, face: Surface, person: Person) -> Array:
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


def with_eyes(colour: Array, face: Surface, person: Person) -> tuple[Array, Array]:
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
