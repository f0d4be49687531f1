"""The teacher: what each style and mood means, as a deterministic function of a picture.

The model learns these pairs. Two rules make them learnable by a small latent model: a target depends only on the picture
near it and on the position inside a 32-pixel tile (4 latent cells, what the UNet can know), never on chance or on the whole
picture; periodic patterns have a period that divides 32, mostly the 8 pixels of one latent cell.

Pictures are float32 RGB in [0, 1], shape [H, W, 3], H and W multiples of 32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

TILE = 32
CELL = 8
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def luma(image: Array) -> Array:
    return (image @ LUMA).astype(np.float32)


def smoothstep(x: Array, low: float, high: float) -> Array:
    y = np.clip((x - low) / (high - low), 0, 1)
    return y * y * (3 - 2 * y)


def blur(image: Array, sigma: float) -> Array:
    return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32)


def saturate(image: Array, factor: float) -> Array:
    grey = luma(image)[..., None]
    return np.clip(grey + (image - grey) * factor, 0, 1)


def contrast(image: Array, factor: float, centre: float = 0.5) -> Array:
    return np.clip((image - centre) * factor + centre, 0, 1)


def mix(first: Array, second: Array | Sequence[float], weight: Array | float) -> Array:
    w = weight[..., None] if isinstance(weight, np.ndarray) and weight.ndim == 2 else weight
    return (first * (1 - w) + np.asarray(second, np.float32) * w).astype(np.float32)


def ramp(value: Array, *stops: Sequence[float]) -> Array:
    """Colours by brightness: `stops` are RGB in 0..255, evenly spaced from dark to bright."""
    at = np.linspace(0, 1, len(stops))
    table = np.asarray(stops, np.float32) / 255
    return np.stack([np.interp(value, at, table[:, c]) for c in range(3)], -1).astype(np.float32)


def lines(image: Array, sigma: float = 1.0, low: float = 0.02, high: float = 0.07) -> Array:
    """Ink along edges and dark strokes, 0..1, from a difference of Gaussians and the gradient."""
    grey = luma(image)
    ridge = blur(grey, sigma * 1.8) - blur(grey, sigma)
    soft = blur(grey, sigma)
    slope = cv2.magnitude(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)) / 4
    return np.maximum(smoothstep(ridge, low, high), smoothstep(slope, low * 2.2, high * 1.6)).astype(np.float32)


def smooth(image: Array, rounds: int = 2, width: float = 0.12) -> Array:
    for _ in range(rounds):
        image = cv2.bilateralFilter(image, 9, width, 5)
    return image.astype(np.float32)


def kuwahara(image: Array, radius: int) -> Array:
    """Of four windows around each pixel the mean of the calmest, softly chosen: flat dabs with crisp borders."""
    size = radius + 1
    total, weight = np.zeros_like(image), np.zeros(image.shape[:2], np.float32)
    for ay in (0, radius):
        for ax in (0, radius):
            box = {"ksize": (size, size), "anchor": (ax, ay), "borderType": cv2.BORDER_REFLECT}
            mean = cv2.boxFilter(image, -1, **box)
            variance = np.maximum(cv2.boxFilter(image * image, -1, **box) - mean * mean, 0).sum(-1)
            w = 1 / (1e-4 + variance) ** 3
            total += mean * w[..., None]
            weight += w
    return total / weight[..., None]


@cache
def noise_tile(seed: int, sigma: float) -> Array:
    """Noise of mean 0 and deviation 1 that repeats every 32 pixels."""
    noise = np.random.default_rng(seed).normal(size=(TILE, TILE)).astype(np.float32)
    noise = blur(np.tile(noise, (3, 3)), sigma)[TILE : 2 * TILE, TILE : 2 * TILE]
    return (noise - noise.mean()) / noise.std()


def tiled(tile: Array, shape: tuple[int, ...]) -> Array:
    return np.tile(tile, (-(-shape[0] // tile.shape[0]), -(-shape[1] // tile.shape[1])))[: shape[0], : shape[1]]


def grid(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Pixel centres: row and column."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) + 0.5
    return rows, columns


def cells(image: Array, size: int = CELL) -> Array:
    """Each cell's mean colour, at full size."""
    small = cv2.resize(image, (image.shape[1] // size, image.shape[0] // size), interpolation=cv2.INTER_AREA)
    return np.repeat(np.repeat(small, size, 0), size, 1).astype(np.float32)


def strokes(image: Array, length: int, sigma: float, swirl: float, seed: int = 3) -> Array:
    """Brush texture of mean 0 and deviation about 1: tile noise smeared along the picture's contours."""
    grey = blur(luma(image), 2.0)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    # Structure tensor; where the picture is flat a slow swirl of the tile's period gives the direction.
    rows, columns = grid(grey.shape)
    angle = 0.6 + swirl * np.sin(2 * np.pi * rows / TILE) * np.cos(2 * np.pi * columns / TILE)
    flat = 0.004
    jxx = blur(gx * gx, 5) + flat * np.sin(angle) ** 2
    jyy = blur(gy * gy, 5) + flat * np.cos(angle) ** 2
    jxy = blur(gx * gy, 5) - flat * np.sin(angle) * np.cos(angle)
    along = (0.5 * np.arctan2(2 * jxy, jxx - jyy) + np.pi / 2).astype(np.float32)
    dx, dy = np.cos(along), np.sin(along)
    noise = tiled(noise_tile(seed, sigma), grey.shape).astype(np.float32)
    total = noise.copy()
    for direction in (-1, 1):
        x, y = columns - 0.5, rows - 0.5
        for _ in range(length):
            sx = cv2.remap(dx, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            sy = cv2.remap(dy, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            x, y = x + direction * sx * 1.5, y + direction * sy * 1.5
            total += cv2.remap(noise, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return (total / math.sqrt(2 * length + 1) / 1.5).astype(np.float32)


def posterise(value: Array, levels: int, hardness: float = 8) -> Array:
    """Brightness steps with slightly soft borders."""
    scaled = value * levels
    base = np.floor(scaled)
    part = 1 / (1 + np.exp(-hardness * (scaled - base - 0.5)))
    return ((base + part) / levels).astype(np.float32)


def relight(image: Array, value: Array) -> Array:
    """The picture's colours at another brightness."""
    grey = luma(image)
    return np.clip(image * (value / (grey + 0.06))[..., None] * 0.94 + 0.0, 0, 1).astype(np.float32)


def photo(image: Array) -> Array:
    return image


def oil(image: Array) -> Array:
    base = contrast(saturate(kuwahara(image, 5), 1.55), 1.12)
    base = mix(base, base * np.array([1.06, 0.98, 0.86], np.float32), 0.8)
    return np.clip(base * (1 + 0.07 * strokes(base, 6, 0.9, 0.25))[..., None], 0, 1)


def monet(image: Array) -> Array:
    base = saturate(kuwahara(image, 4), 1.3)
    grey = luma(base)
    base = mix(base, (0.45, 0.42, 0.78), 0.5 * (1 - smoothstep(grey, 0.05, 0.5)))
    base = mix(base, (1.0, 0.93, 0.74), 0.4 * smoothstep(grey, 0.5, 0.95)) * 0.86 + 0.13
    first, second = strokes(image, 3, 1.3, 0.2, 5), strokes(image, 3, 1.3, 0.2, 6)
    tint = np.stack([0.075 * first, 0.05 * second, 0.075 * -first + 0.04 * second], -1)
    return np.clip(base + tint + 0.02, 0, 1).astype(np.float32)


def vangogh(image: Array) -> Array:
    base = kuwahara(image, 5)
    grey = contrast(luma(base), 1.2)
    palette = ramp(grey, (12, 20, 58), (24, 60, 132), (58, 116, 176), (150, 176, 140), (238, 200, 76), (255, 240, 170))
    base = mix(palette, saturate(base, 1.6), 0.3)
    return np.clip(base * (1 + 0.19 * strokes(image, 9, 1.0, 0.6))[..., None] + 0.0, 0, 1)


def watercolour(image: Array) -> Array:
    base = saturate(smooth(image, 3, 0.16), 1.25)
    base = 1 - (1 - base) * 0.62
    edge = np.abs(luma(base) - luma(blur(base, 3)))
    base = base * (1 - 1.6 * np.clip(edge, 0, 0.25))[..., None]
    bloom = tiled(noise_tile(11, 4.0), edge.shape) * 0.010 + tiled(noise_tile(12, 0.8), edge.shape) * 0.010
    base = np.clip(base + bloom[..., None], 0, 1)
    return mix(base, (0.99, 0.98, 0.95), smoothstep(luma(base), 0.8, 0.99) * 0.8)


def ukiyoe(image: Array) -> Array:
    base = smooth(image, 2, 0.16)
    value = posterise(luma(base), 5)
    palette = ramp(value, (26, 30, 60), (40, 74, 116), (104, 136, 140), (206, 184, 140), (240, 226, 190), (246, 236, 206))
    warm = smoothstep(base[..., 0] - base[..., 2], 0.12, 0.45)
    reds = ramp(value, (70, 24, 28), (150, 52, 40), (206, 96, 62), (232, 160, 104), (244, 212, 164))
    out = mix(palette, reds, warm * 0.85)
    return mix(out, (0.09, 0.09, 0.14), lines(image, 1.1, 0.022, 0.06) * 0.95)


def pencil(image: Array) -> Array:
    grey = luma(image)
    dodge = np.clip(grey / (blur(grey, 7) + 0.02), 0, 1)
    sheet = smoothstep(dodge, 0.55, 1.0)
    rows, columns = grid(grey.shape)
    hatch = 0.5 + 0.5 * np.cos(2 * np.pi * (rows + columns) / 4)
    dark = 1 - smoothstep(blur(grey, 1.5), 0.08, 0.62)
    sheet = sheet * (1 - dark * (0.30 + 0.42 * hatch))
    sheet = sheet * (1 - 0.75 * lines(image, 1.0, 0.02, 0.08))
    return ramp(np.clip(sheet, 0, 1), (40, 40, 44), (146, 146, 148), (250, 249, 245))


def engraving(image: Array) -> Array:
    grey = contrast(blur(luma(image), 1.0), 1.15)
    rows, columns = grid(grey.shape)
    first = 0.5 + 0.5 * np.cos(2 * np.pi * (rows * 2 + columns) / CELL)
    ink = smoothstep(first * 0.9 + 0.05 - grey, -0.1, 0.1)
    ink = np.maximum(ink, lines(image, 1.0, 0.03, 0.07))
    return ramp(1 - ink, (34, 22, 18), (246, 238, 218))


def comic(image: Array) -> Array:
    base = saturate(smooth(image, 3, 0.18), 1.9)
    value = posterise(np.clip(luma(base) * 1.15, 0, 1), 3)
    base = relight(base, value * 0.94 + 0.06)
    rows, columns = grid(value.shape)
    dots = np.cos(2 * np.pi * (rows + columns) / CELL) + np.cos(2 * np.pi * (rows - columns) / CELL)
    shade = (1 - smoothstep(luma(image), 0.25, 0.6)) * smoothstep(dots, 0.1, 0.7)
    base = mix(base, base * 0.5, shade)
    return mix(base, (0.03, 0.03, 0.06), lines(image, 1.5, 0.018, 0.04))


def anime(image: Array) -> Array:
    base = saturate(smooth(image, 3, 0.14), 1.5)
    value = posterise(np.clip(luma(base) ** 0.8, 0, 1), 4, 10)
    base = relight(base, 0.16 + value * 0.84)
    base = mix(base, base * np.array([0.9, 0.92, 1.15], np.float32), 1 - smoothstep(value, 0.2, 0.6))
    base = np.clip(base + 0.18 * blur(np.clip(base - 0.6, 0, 1).astype(np.float32), 6), 0, 1)
    return mix(base, (0.22, 0.12, 0.16), lines(image, 0.9, 0.022, 0.06) * 0.9)


def popart(image: Array) -> Array:
    grey = contrast(blur(luma(image), 1.5), 1.3)
    rows, columns = grid(grey.shape)
    dots = (np.cos(2 * np.pi * rows / CELL) + np.cos(2 * np.pi * columns / CELL)) / 4 + 0.5
    pink = smoothstep(dots * 0.72 + 0.12 - (grey - 0.12), -0.06, 0.06)
    out = mix(np.broadcast_to(np.array([1.0, 0.88, 0.16], np.float32), image.shape).copy(), (0.95, 0.13, 0.5), pink)
    return mix(out, (0.1, 0.08, 0.42), 1 - smoothstep(grey, 0.2, 0.3))


def pixel(image: Array) -> Array:
    block = contrast(saturate(cells(image), 1.5), 1.1)
    step = np.round(block * 4) / 4
    return step.astype(np.float32)


def bricks(image: Array) -> Array:
    block = np.round(saturate(cells(image), 1.5) * 5) / 5
    rows, columns = grid(image.shape)
    y, x = (rows % CELL) - CELL / 2, (columns % CELL) - CELL / 2
    radius = np.sqrt(x * x + y * y)
    rim = np.exp(-(((radius - 2.6) / 0.8) ** 2))
    shine = rim * (-(x + y) / 3.7) * 0.34
    gap = ((columns % CELL < 1) | (rows % CELL < 1)) * 0.42
    return np.clip((block * 0.9 + 0.04) * (1 - gap)[..., None] + shine[..., None], 0, 1).astype(np.float32)


def crossstitch(image: Array) -> Array:
    block = saturate(cells(image), 1.4)
    rows, columns = grid(image.shape)
    y, x = (rows % CELL) - CELL / 2, (columns % CELL) - CELL / 2
    over = smoothstep(1.9 - np.abs(x - y) / 1.2, 0, 0.8)
    under = smoothstep(1.9 - np.abs(x + y) / 1.2, 0, 0.8) * (1 - over)
    cloth = np.broadcast_to(np.array([0.93, 0.89, 0.8], np.float32), image.shape)
    thread = np.clip(block * (0.72 + 0.3 * over - 0.08 * np.abs(x - y) * over / 2)[..., None] + 0.05 * over[..., None], 0, 1)
    return mix(cloth.copy(), thread, np.clip(over + under, 0, 1))


@cache
def _panes() -> tuple[npt.NDArray[np.int32], Array]:
    """Label and lead of the stained glass inside one tile; labels wrapping round to the neighbouring tile."""
    points = np.array([[5, 6], [18, 3], [28, 13], [9, 18], [21, 22], [4, 28], [16, 31]], np.float32)
    shifts = np.array([[dy * TILE, dx * TILE] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], np.float32)
    every = (points[None] + shifts[:, None]).reshape(-1, 2)
    rows, columns = grid((TILE, TILE))
    distance = np.sqrt((rows[..., None] - every[:, 0]) ** 2 + (columns[..., None] - every[:, 1]) ** 2)
    order = np.sort(distance, -1)
    return distance.argmin(-1).astype(np.int32), smoothstep((order[..., 1] - order[..., 0]).astype(np.float32), 1.0, 2.6)


def stainedglass(image: Array) -> Array:
    label, glass = _panes()
    high, wide = image.shape[0] // TILE, image.shape[1] // TILE
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    which = np.tile(label, (high, wide))
    shift, point = which // 7, which % 7
    owner_y, owner_x = rows // TILE + shift // 3, columns // TILE + shift % 3
    key = ((owner_y * (wide + 2) + owner_x) * 7 + point).ravel()
    count = np.bincount(key)[:, None]
    total = np.stack([np.bincount(key, image[..., c].ravel()) for c in range(3)], -1)
    pane = (total / np.maximum(count, 1))[key].reshape(image.shape).astype(np.float32)
    pane = np.clip(contrast(saturate(pane, 2.1), 1.15) * 1.08 + 0.04, 0, 1)
    return mix(np.broadcast_to(np.array([0.05, 0.04, 0.06], np.float32), image.shape).copy(), pane, np.tile(glass, (high, wide)))


def neon(image: Array) -> Array:
    grey = blur(luma(image), 1.2)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 4, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 4
    slope = smoothstep(cv2.magnitude(gx, gy), 0.025, 0.11)
    turn = 0.5 + 0.5 * (gx + gy) / (np.sqrt(gx * gx + gy * gy) * 1.42 + 1e-3)
    colour = ramp(turn, (0, 240, 255), (120, 80, 255), (255, 30, 200))
    light = colour * slope[..., None]
    glow = blur(light, 5) * 1.3 + blur(light, 1.2) * 0.7
    return np.clip(light * 0.8 + glow + np.array([0.03, 0.01, 0.09], np.float32), 0, 1)


def cyberpunk(image: Array) -> Array:
    grey = contrast(luma(image), 1.25, 0.45)
    base = ramp(grey, (6, 6, 24), (34, 14, 74), (128, 20, 120), (240, 50, 140), (70, 210, 235), (220, 255, 255))
    base = mix(base, saturate(image, 1.5) * 0.7, 0.22)
    edge = lines(image, 1.2, 0.03, 0.08)
    glow = blur(edge, 3)[..., None] * np.array([0.0, 0.35, 0.42], np.float32)
    rows, _ = grid(grey.shape)
    scan = 1 - 0.16 * (rows % 4 < 1.6)
    return np.clip((base + glow) * scan[..., None], 0, 1).astype(np.float32)


def vaporwave(image: Array) -> Array:
    grey = posterise(luma(smooth(image, 2, 0.14)), 6, 6)
    base = ramp(grey, (66, 30, 120), (150, 70, 190), (255, 113, 206), (255, 176, 214), (120, 220, 240), (240, 255, 250))
    return np.clip(base + blur(np.clip(base - 0.7, 0, 1).astype(np.float32), 5) * 0.3, 0, 1)


def blueprint(image: Array) -> Array:
    edge = lines(image, 1.0, 0.015, 0.05)
    rows, columns = grid(edge.shape)
    fine = (((rows % CELL) < 1) | ((columns % CELL) < 1)) * 0.09 + (((rows % TILE) < 1) | ((columns % TILE) < 1)) * 0.2
    tone = 0.16 * smoothstep(luma(image), 0.35, 1.0)
    return ramp(np.clip(np.maximum(edge, fine) + tone, 0, 1), (14, 48, 128), (70, 116, 190), (236, 244, 255))


def chalk(image: Array) -> Array:
    edge = lines(image, 1.3, 0.015, 0.05)
    grain = 0.84 + 0.2 * tiled(noise_tile(21, 0.8), edge.shape)
    colour = mix(saturate(blur(image, 2), 1.6) * 0.5 + 0.5, (0.97, 0.97, 0.92), 0.45)
    board = np.broadcast_to(np.array([0.09, 0.17, 0.14], np.float32), image.shape) + 0.016 * tiled(noise_tile(22, 2.0), edge.shape)[..., None]
    tone = 0.34 * smoothstep(luma(image), 0.45, 0.95)
    return np.clip(mix(board, colour, np.clip((edge * 1.05 + tone) * grain, 0, 1)), 0, 1)


def thermal(image: Array) -> Array:
    heat = contrast(blur(luma(image), 1.8), 1.15)
    return ramp(heat, (4, 2, 40), (74, 0, 130), (186, 20, 116), (244, 90, 30), (255, 186, 20), (255, 250, 200))


@cache
def _glyphs() -> Array:
    """Nine 8x8 signs from empty to full; drawn by hand as bit rows."""
    drawn = ("0" * 16, "0000001818000000", "00003C0000000000", "00183C1800181800", "003C66060C180018", "00665A3C5A660000")
    drawn += ("3C666E76663C0000", "7E427E5A7E427E00", "FF99FFE7FF99FF00")
    bits = [np.unpackbits(np.frombuffer(bytes.fromhex(row), np.uint8)).reshape(8, 8) for row in drawn]
    return np.stack(bits).astype(np.float32)


def matrix(image: Array) -> Array:
    glyphs = _glyphs()
    grey = cells(contrast(luma(image), 1.2)[..., None].repeat(3, -1))[..., 0]
    index = np.clip((grey * 9).astype(int), 0, 8)
    rows, columns = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    sign = glyphs[index, rows % 8, columns % 8]
    back = ramp(grey, (0, 8, 2), (0, 56, 18))
    return mix(back, ramp(grey, (0, 120, 30), (30, 235, 80), (190, 255, 200)), sign)


def gold(image: Array) -> Array:
    soft = blur(luma(image), 1.4)
    relief = soft - np.roll(soft, (3, 3), (0, 1))
    value = np.clip(contrast(soft, 0.85) + relief * 2.2, 0, 1).astype(np.float32)
    return ramp(value, (28, 12, 4), (104, 58, 12), (190, 128, 32), (246, 204, 86), (255, 246, 204))


STYLES: dict[str, Callable[[Array], Array]] = {
    "photo": photo,
    "oil painting": oil,
    "impressionist": monet,
    "van gogh": vangogh,
    "watercolour": watercolour,
    "ukiyo-e": ukiyoe,
    "pencil sketch": pencil,
    "engraving": engraving,
    "comic": comic,
    "anime": anime,
    "pop art": popart,
    "pixel art": pixel,
    "toy bricks": bricks,
    "cross-stitch": crossstitch,
    "stained glass": stainedglass,
    "neon": neon,
    "cyberpunk": cyberpunk,
    "vaporwave": vaporwave,
    "blueprint": blueprint,
    "chalkboard": chalk,
    "thermal": thermal,
    "matrix": matrix,
    "gold": gold,
}


def _tinted(image: Array, gain: Sequence[float], lift: Sequence[float]) -> Array:
    return np.clip(image * np.asarray(gain, np.float32) + np.asarray(lift, np.float32), 0, 1)


MOODS: dict[str, Callable[[Array], Array]] = {
    "": photo,
    "golden hour": lambda image: _tinted(image, (1.14, 0.98, 0.6), (0.08, 0.03, -0.03)),
    "cold": lambda image: _tinted(image, (0.62, 0.9, 1.1), (-0.02, 0.02, 0.1)),
    "night": lambda image: _tinted(image**1.5, (0.42, 0.5, 0.86), (0.0, 0.0, 0.03)),
    "black and white": lambda image: luma(image)[..., None].repeat(3, -1),
    "sepia": lambda image: ramp(luma(image), (38, 22, 12), (150, 110, 72), (252, 236, 204)),
    "pink": lambda image: _tinted(image, (1.06, 0.66, 0.98), (0.1, 0.0, 0.12)),
}


def restyle(image: npt.NDArray[np.uint8], style: str, mood: str = "") -> npt.NDArray[np.uint8]:
    """The target of one uint8 picture."""
    target = MOODS[mood](STYLES[style](image.astype(np.float32) / 255))
    return (np.clip(target, 0, 1) * 255 + 0.5).astype(np.uint8)
