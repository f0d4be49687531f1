"""The directions in a picture, and what is smeared along them.

Must not know any style. Source of the idea: Kang, Lee, Chui 2007, "Coherent Line Drawing" (edge tangent flow and a
difference of Gaussians along it); Cabral and Leedom 1993, "Imaging Vector Fields Using Line Integral Convolution".
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from filters import Array, blur, lightness, smoothstep

FLAT = 0.0005


@dataclass(frozen=True, eq=False)
class Flow:
    """Directions along the contours.

    Attributes:
        cos2, sin2: float32 [H, W], cosine and sine of twice the tangent's angle: opposite directions are one.
        order: float32 [H, W], 0 where the picture has no direction, 1 on a straight edge.
    """

    cos2: Array
    sin2: Array
    order: Array

    @property
    def angle(self) -> Array:
        """The tangent's angle [H, W] in radians, a half turn undetermined."""
        return (0.5 * np.arctan2(self.sin2, self.cos2)).astype(np.float32)

    def turned(self, by: Array) -> Flow:
        """The same flow, everywhere turned by an angle [H, W] in radians."""
        cos, sin = np.cos(2 * by), np.sin(2 * by)
        return Flow(
            (self.cos2 * cos - self.sin2 * sin).astype(np.float32),
            (self.sin2 * cos + self.cos2 * sin).astype(np.float32),
            self.order,
        )

    def towards(self, angle: float | Array, weight: float | Array) -> Flow:
        """The same flow pulled to another direction, most where it has little of its own."""
        cos2 = self.cos2 * self.order + np.cos(2 * np.asarray(angle, np.float32)) * weight
        sin2 = self.sin2 * self.order + np.sin(2 * np.asarray(angle, np.float32)) * weight
        length = np.sqrt(cos2**2 + sin2**2) + 1e-6
        return Flow((cos2 / length).astype(np.float32), (sin2 / length).astype(np.float32), self.order)


def tangents(image: Array, sigma: float = 4.0, rest: float | Array = 0.6) -> Flow:
    """Edge tangent flow by a smoothed structure tensor; empty areas follow the nearest contour, then `rest`.

    Args:
        image: [H, W, 3].
        sigma: smoothing in pixels; a tenth of one four times as wide is added, for the empty areas.
        rest: the angle of areas without contours, a number or [H, W].
    """
    soft = blur(image, 1.2)
    gx, gy = cv2.Sobel(soft, cv2.CV_32F, 1, 0) / 4, cv2.Sobel(soft, cv2.CV_32F, 0, 1) / 4
    tensor = np.stack([(gx * gx).sum(-1), (gy * gy).sum(-1), (gx * gy).sum(-1)], -1).astype(np.float32)
    xx, yy, xy = cv2.split(blur(tensor, sigma) + 0.15 * blur(tensor, sigma * 4))
    cos2, sin2 = -(xx - yy), -2 * xy
    strength = np.sqrt(cos2**2 + sin2**2)
    cos2 = cos2 + FLAT * np.cos(2 * np.asarray(rest, np.float32)) * 0.2
    sin2 = sin2 + FLAT * np.sin(2 * np.asarray(rest, np.float32)) * 0.2
    length = np.sqrt(cos2**2 + sin2**2) + 1e-9
    order = strength / (xx + yy + FLAT)
    return Flow(*(v.astype(np.float32) for v in (cos2 / length, sin2 / length, order)))


def smear(texture: Array, flow: Flow, reach: int, step: float = 1.5) -> Array:
    """Line integral: the mean of a texture along the flow, `reach` pixels to either side.

    Args:
        texture: [H, W], or [H, W, C] of up to four channels.
        flow: of the same size.
        reach: pixels.
        step: pixels between two samples.
    """
    high, wide = texture.shape[:2]
    angle = flow.angle
    along = np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)
    columns, rows = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    total, count = texture.astype(np.float32).copy(), 1
    for sign in (1.0, -1.0):
        x, y = columns.copy(), rows.copy()
        heading = along * np.float32(sign)
        for _ in range(max(1, round(reach / step))):
            x, y = x + step * heading[..., 0], y + step * heading[..., 1]
            there = cv2.remap(along, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            same = np.where((there * heading).sum(-1, keepdims=True) < 0, -1, 1).astype(np.float32)
            heading = there * same
            total += cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            count += 1
    return (total / count).astype(np.float32)


def lines(image: Array, flow: Flow, sigma: float = 1.2, low: float = 0.004, high: float = 0.022) -> Array:
    """Contours as a pen draws them, 0..1: dark sides of edges, made continuous along the flow."""
    grey = 1.15 * lightness(image)
    dark = blur(grey, sigma * 1.9) - blur(grey, sigma)
    return smoothstep(smear(dark, flow, 7), low, high)
