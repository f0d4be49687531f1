"""Shading of drawn solids: an ellipsoid seen from a turned head, depth to normals, light.

Must not know what is drawn. Depth maps are float32 [S, S] in units of half a face's width, towards the viewer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from filters import Array, blur, smoothstep

#: Direction to a light: right, down, towards the viewer; any length.
Lamp = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Surface:
    """What of an ellipsoid is seen at each pixel.

    Attributes:
        x, y, z: float32 [S, S], the point in the head's own frame: right, down, out of the face.
        depth: float32 [S, S], towards the viewer.
        inside: float32 [S, S], 1 on the ellipsoid, soft at its border.
    """

    x: Array
    y: Array
    z: Array
    depth: Array
    inside: Array


def turning(yaw: float, pitch: float) -> Array:
    """The rotation [3, 3] from the head's frame to the viewer's, angles in radians."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return (about_x @ about_y).astype(np.float32)


def ellipsoid(u: Array, v: Array, axes: tuple[float, float, float], turn: Array, pixel: float) -> Surface:
    """The front of an ellipsoid under parallel rays.

    Args:
        u, v: [S, S], screen coordinates about its centre, right and down.
        axes: half axes in the head's frame.
        turn: [3, 3], see `turning`.
        pixel: size of a pixel in the same units, for the soft border.
    """
    shape = turn @ np.diag(1 / np.square(axes)).astype(np.float32) @ turn.T
    a = shape[2, 2]
    b = 2 * (shape[0, 2] * u + shape[1, 2] * v)
    c = shape[0, 0] * u * u + 2 * shape[0, 1] * u * v + shape[1, 1] * v * v - 1
    root = b * b - 4 * a * c
    depth = (-b + np.sqrt(np.maximum(root, 0))) / (2 * a)
    x, y, z = (turn[0, k] * u + turn[1, k] * v + turn[2, k] * depth for k in range(3))
    rim = 1.5 * pixel
    return Surface(x, y, z, depth, smoothstep(-c, -rim, rim))


def shaded(depth: Array, pixel: float, light: Lamp, shine: float) -> tuple[Array, Array]:
    """Light on a depth map: diffuse and specular [S, S].

    Args:
        depth: towards the viewer.
        pixel: size of a pixel in the units of depth.
        light: where it comes from.
        shine: exponent of the highlight.
    """
    gx, gy = (cv2.Sobel(depth, cv2.CV_32F, *d, borderType=cv2.BORDER_REFLECT) / (8 * pixel) for d in ((1, 0), (0, 1)))
    length = np.sqrt(gx * gx + gy * gy + 1)
    lamp = np.asarray(light, np.float32) / np.linalg.norm(light)
    lit = (-gx * lamp[0] - gy * lamp[1] + lamp[2]) / length
    half = lamp + np.array([0, 0, 1], np.float32)
    half = half / np.linalg.norm(half)
    mirror = np.clip((-gx * half[0] - gy * half[1] + half[2]) / length, 0, 1) ** shine
    # Half-Lambert: skin lets light through.
    return np.clip(0.5 + 0.5 * lit, 0, 1) ** 1.6, mirror.astype(np.float32)


def hollow(depth: Array, pixels: float) -> Array:
    """Ambient light lost in hollows, 0 to 1, [S, S]."""
    return np.clip((blur(depth, pixels) - depth) * 2.2, 0, 0.6)


def bump(x: Array, y: Array, at: tuple[float, float], size: tuple[float, float], turn: float = 0.0) -> Array:
    """A Gaussian hill of height 1 at a place, its half widths `size`, turned by `turn` radians."""
    dx, dy = x - at[0], y - at[1]
    c, s = math.cos(turn), math.sin(turn)
    return np.exp(-0.5 * (((dx * c + dy * s) / size[0]) ** 2 + ((dy * c - dx * s) / size[1]) ** 2)).astype(np.float32)
