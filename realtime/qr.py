"""A QR code for a terminal, or as a picture.

Must not know what is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCKS = ("█", "▀", "▄", " ")
"""Two modules above each other, light on a dark terminal: both light, the upper, the lower, none."""
QUIET = 2
"""Modules of the light margin; readers want four, and take two of a terminal, whose own margin is about as wide."""

MARGIN = 4


def qr_code(text: str) -> str:
    """The text as lines of half blocks. Takes a hundredth of a second, and imports OpenCV."""
    import numpy as np

    light = np.pad(_light(text), QUIET, constant_values=True)
    if len(light) % 2:
        light = np.pad(light, ((0, 1), (0, 0)), constant_values=True)
    return "\n".join(
        "".join(BLOCKS[2 * (not upper) + (not lower)] for upper, lower in zip(*pair, strict=True))
        for pair in zip(light[::2], light[1::2], strict=True)
    )


def qr_svg(text: str) -> str:
    """The text as a picture, black on white, with the margin that readers want. Takes as long."""
    light = _light(text)
    side = len(light) + 2 * MARGIN
    dark = "".join(
        f"M{x + MARGIN} {y + MARGIN}h1v1h-1z"
        for y, row in enumerate(light)
        for x, is_light in enumerate(row)
        if not is_light
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/><path d="{dark}"/></svg>'
    )


def _light(text: str) -> NDArray[np.bool_]:
    """Which modules are light: [rows, columns], without a margin."""
    import cv2
    import numpy as np

    modules = np.asarray(cv2.QRCodeEncoder.create().encode(text)) > 0
    dark = np.argwhere(~modules)
    (top, left), (bottom, right) = dark.min(0), dark.max(0) + 1
    return modules[top:bottom, left:right]
