"""A QR code for a terminal.

Must not know what is in it.
"""

from __future__ import annotations

BLOCKS = ("█", "▀", "▄", " ")
"""Two modules above each other, light on a dark terminal: both light, the upper, the lower, none."""
QUIET = 2
"""Modules of the light margin; readers want four, and take two of a terminal, whose own margin is about as wide."""


def qr_code(text: str) -> str:
    """The text as lines of half blocks. Takes a hundredth of a second, and imports OpenCV."""
    import cv2
    import numpy as np

    modules = np.asarray(cv2.QRCodeEncoder.create().encode(text)) > 0  # [rows, columns], light where True
    dark = np.argwhere(~modules)
    (top, left), (bottom, right) = dark.min(0), dark.max(0) + 1
    light = np.pad(modules[top:bottom, left:right], QUIET, constant_values=True)
    if len(light) % 2:
        light = np.pad(light, ((0, 1), (0, 0)), constant_values=True)
    return "\n".join(
        "".join(BLOCKS[2 * (not upper) + (not lower)] for upper, lower in zip(*pair, strict=True))
        for pair in zip(light[::2], light[1::2], strict=True)
    )
