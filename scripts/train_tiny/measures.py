"""Figures about pictures: texture, structure, grid, flicker. Pure functions of uint8 pictures [H, W, 3].

Must not know models or styles.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def grey(picture: Image) -> npt.NDArray[np.float32]:
    """Brightness [H, W] in grey levels."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def psnr(first: Image, second: Image) -> float:
    """Decibels."""
    return float(10 * np.log10(65025 / (np.square(first.astype(np.float32) - second).mean() + 1e-6)))


def fine_contrast(picture: Image) -> float:
    """Deviation of what a 3x3 mean removes, in grey levels."""
    plane = grey(picture)
    return float((plane - cv2.blur(plane, (3, 3))).std())


def edge_map(picture: Image) -> npt.NDArray[np.float32]:
    """Where the edges are, blurred, so that a shift of a pixel or two doesn't matter."""
    plane = cv2.GaussianBlur(grey(picture), (0, 0), 2.5)
    slope = cv2.magnitude(cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1))
    return cv2.GaussianBlur(slope, (0, 0), 2)


def structure(source: Image, made: Image) -> float:
    """Correlation of the blurred edge maps."""
    return float(np.corrcoef(edge_map(source).ravel(), edge_map(made).ravel())[0, 1])


def distance(first: Image, second: Image) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(first.astype(np.float32) - second).mean())


def grid(picture: Image, periods: tuple[int, ...] = (8, 16, 32)) -> float:
    """How much a pattern of those periods stands out: 1 is nothing.

    Amplitude of rows' and columns' mean spectra at the harmonics of the periods, over the median of their six
    neighbours; the 90th percentile of all harmonics.
    """
    plane = grey(picture)
    ratios = []
    for axis in (0, 1):
        size = plane.shape[axis]
        window = np.hanning(size).astype(np.float32)
        shaped = (plane - plane.mean()) * (window[:, None] if axis == 0 else window)
        spectrum = np.abs(np.fft.rfft(shaped, axis=axis)).mean(1 - axis)
        harmonics = {round(size * k / period) for period in periods for k in range(1, period // 2)}
        for at in harmonics:
            around = [spectrum[at + d] for d in (-3, -2, -1, 1, 2, 3) if 0 < at + d < len(spectrum)]
            # The window spreads a line over its direct neighbours too.
            ratios.append(spectrum[at] / np.median(around))
    return float(np.percentile(ratios, 90))


def pan(picture: Image, size: int = 256, frames: int = 8) -> npt.NDArray[np.uint8]:
    """A camera's slow pan: frames of `size` pixels, two pixels apart, [frames, size, size, 3]."""
    wide = cv2.resize(picture, (size + 2 * frames, size + 2 * frames), interpolation=cv2.INTER_AREA)
    return np.stack([wide[k : k + size, 2 * k : 2 * k + size] for k in range(frames)]).astype(np.uint8)


def flicker(sources: npt.NDArray[np.uint8], made: npt.NDArray[np.uint8]) -> float:
    """Change from frame to frame over the sources' own."""
    return distance(made[1:], made[:-1]) / distance(sources[1:], sources[:-1])
