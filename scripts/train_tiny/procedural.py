"""Draws training pictures that need no licence: canvas sketches and simple 3-D renders (heads have a module of their
own).

Every function takes a seed and returns uint8 RGB of shape [256, 256, 3]; the same seed gives the same picture. Seeds
below `HELD_OUT_SKETCHES` are the held-out canvas sketches: evaluation uses them and training never does.
"""

from __future__ import annotations

import random

import cv2
import numpy as np
from drawing import SIZE, Colour, Image, colour_near, random_colour

HELD_OUT_SKETCHES = 10


def _scribble(image: Image, rng: random.Random, colour: Colour, width: int) -> None:
    x, y = rng.uniform(20, 236), rng.uniform(20, 236)
    dx, dy = rng.uniform(-6, 6), rng.uniform(-6, 6)
    points: list[tuple[int, int]] = []
    for _ in range(rng.randint(15, 70)):
        points.append((int(x), int(y)))
        dx, dy = (dx + rng.uniform(-2, 2)) * 0.97, (dy + rng.uniform(-2, 2)) * 0.97
        x, y = x + dx, y + dy
    cv2.polylines(image, [np.array(points, np.int32)], False, colour, width, cv2.LINE_AA)


def sketch(seed: int) -> Image:
    """What somebody draws on a canvas: flat strokes, mostly on white; sometimes a house, a face, a tree."""
    rng = random.Random(f"sketch {seed}")
    papers: list[Colour] = [(255, 255, 255)] * 6 + [
        (250, 245, 235),
        (235, 235, 240),
        random_colour(rng, 150),
        (20, 20, 30),
    ]
    image = np.full((SIZE, SIZE, 3), rng.choice(papers), np.uint8)
    if rng.random() < 0.4:
        cv2.rectangle(image, (0, rng.randint(130, 210)), (SIZE, SIZE), random_colour(rng), -1)
    if rng.random() < 0.25:
        cv2.rectangle(
            image,
            (0, 0),
            (SIZE, rng.randint(60, 130)),
            rng.choice([(120, 190, 250), (90, 150, 220), random_colour(rng, 100)]),
            -1,
        )
    for _ in range(rng.randint(2, 7)):
        colour, width = random_colour(rng), rng.choice([-1, -1, 3, 5, 8, 12])
        x, y, size = rng.randint(30, 226), rng.randint(30, 226), rng.randint(14, 70)
        kind = rng.choice(["circle", "box", "triangle", "scribble", "scribble", "house", "face", "tree"])
        if kind == "circle":
            cv2.ellipse(
                image,
                (x, y),
                (size, int(size * rng.uniform(0.5, 1.2))),
                rng.uniform(0, 180),
                0,
                360,
                colour,
                width,
                cv2.LINE_AA,
            )
        elif kind == "box":
            cv2.rectangle(image, (x - size, y - size // 2), (x + size, y + size), colour, width)
        elif kind == "triangle":
            corners = np.array([[x, y - size], [x - size, y + size], [x + size, y + size]], np.int32)
            cv2.fillPoly(image, [corners], colour) if width < 0 else cv2.polylines(
                image, [corners], True, colour, width, cv2.LINE_AA
            )
        elif kind == "scribble":
            _scribble(image, rng, colour, rng.randint(3, 14))
        elif kind == "house":
            cv2.rectangle(image, (x - size, y), (x + size, y + size), colour, width)
            roof = np.array([[x - size - 6, y], [x, y - size], [x + size + 6, y]], np.int32)
            cv2.fillPoly(image, [roof], random_colour(rng))
            cv2.rectangle(image, (x - size // 5, y + size // 3), (x + size // 5, y + size), random_colour(rng), -1)
        elif kind == "face":
            cv2.circle(image, (x, y), size, colour, width, cv2.LINE_AA)
            ink = random_colour(rng, 0, 120)
            for side in (-1, 1):
                cv2.circle(image, (x + side * size // 3, y - size // 4), max(2, size // 9), ink, -1, cv2.LINE_AA)
            cv2.ellipse(
                image, (x, y + size // 5), (size // 2, size // 3), 0, 20, 160, ink, max(2, size // 14), cv2.LINE_AA
            )
        else:
            cv2.line(image, (x, y), (x, y + size), (110, 70, 40), max(4, size // 5))
            cv2.circle(image, (x, y - size // 3), size * 2 // 3, colour_near(rng, (50, 150, 60), 50), -1, cv2.LINE_AA)
    return image


def render(seed: int) -> Image:
    """Shaded balls and boxes on a ground under one light: smooth shading that flat drawings lack."""
    rng = random.Random(f"render {seed}")
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    sky, ground = np.array(random_colour(rng, 40), np.float32), np.array(random_colour(rng, 20), np.float32)
    horizon = rng.randint(90, 190)
    depth = np.clip((rows - horizon) / (SIZE - horizon), 0, 1)[..., None]
    image = np.where(
        rows[..., None] < horizon, sky * (0.6 + 0.4 * rows[..., None] / horizon), ground * (0.5 + 0.5 * depth)
    )
    if rng.random() < 0.5:
        tiles = (
            ((columns - 128) / (rows - horizon + 8).clip(1) * 3).astype(int)
            + (260 / (rows - horizon + 8).clip(1)).astype(int)
        ) % 2
        image = np.where((rows[..., None] > horizon) & (tiles[..., None] == 1), image * 0.65, image)
    light = np.array([rng.uniform(-0.8, 0.8), -rng.uniform(0.4, 0.9), rng.uniform(0.4, 0.9)], np.float32)
    light /= np.linalg.norm(light)
    for _ in range(rng.randint(1, 6)):
        radius = rng.randint(16, 70)
        x, y = rng.randint(10, 246), rng.randint(horizon - 20, 250) - radius // 2
        colour = np.array(random_colour(rng, 30), np.float32)
        shadow = np.exp(
            -(((columns - x + light[0] * radius) / radius) ** 2 + ((rows - y - radius) / (radius * 0.3)) ** 2)
        )[..., None]
        image = image * (1 - 0.55 * shadow)
        nx, ny = (columns - x) / radius, (rows - y) / radius
        inside = nx**2 + ny**2 < 1
        nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
        if rng.random() < 0.3:
            inside = (abs(nx) < 0.8) & (abs(ny) < 0.9)
            nx, ny, nz = np.where(nx > 0.2, 0.8, -0.3), np.zeros_like(ny), np.where(nx > 0.2, 0.4, 0.9)
        diffuse = np.clip(nx * light[0] + ny * light[1] + nz * light[2], 0, 1)
        shine = diffuse ** rng.choice([12, 30, 60]) * rng.uniform(0, 0.9)
        shaded = colour * (0.22 + 0.8 * diffuse)[..., None] + 255 * shine[..., None]
        image = np.where(inside[..., None], shaded, image)
    return cv2.GaussianBlur(np.clip(image, 0, 255).astype(np.uint8), (0, 0), 0.6).astype(np.uint8)
