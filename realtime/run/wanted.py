"""What a run is to make: the params that were asked for, and the size that they don't name.

Must not know how engines are run, or files of video.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, ParamsError
from ..params import SIDE_MAX_PX, SIDE_MIN_PX, SIDE_MULTIPLE_PX, Params
from .prompt_images import PromptImages

if TYPE_CHECKING:
    from ..engine import EngineInfo

NO_IMAGES = PromptImages()


def check_heard(images: PromptImages, info: EngineInfo) -> None:
    """Check that a model hears pictures, if there are some. Raises ConfigError."""
    if images.parts and not (info.reference_layers if images.has_adapter else info.hears_pictures):
        raise ConfigError(
            f"--prompt-image: {info.model} hears words, and no pictures: take another --model, or --reference with it"
        )


def asked_params(
    flags: dict[str, Any], file: Path | None, look: str | None, images: PromptImages = NO_IMAGES
) -> dict[str, Any]:
    """The params that were asked for: those of the file, and of the command line over them. They are valid.

    Args:
        flags: params of the command line; None where they were not given.
        file: JSON of params, or looks that the page has saved; None for none.
        look: the name of one of several looks.
        images: pictures of the prompt.

    Raises:
        ConfigError: the file can't be read, or has no such look, or names a picture that is not among the images.
        ParamsError: a value is none that a param may have.
    """
    if look is not None and file is None:
        raise ConfigError(f"--look {look} is of a file of looks: name that with --params")
    asked = _read(file, look) if file is not None else {}
    asked |= {name: value for name, value in flags.items() if value is not None}
    asked = images.beside(asked)
    params = Params().patched(asked, Params())
    if params.pictures - images.references.keys():
        raise ConfigError("prompt: its pictures are a server's: give files of them with --prompt-image")
    asked.pop("version", None)
    return asked


def _read(file: Path, look: str | None) -> dict[str, Any]:
    try:
        content = json.loads(file.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--params {file}: it can't be read: {error.strerror}: check the name") from None
    except ValueError:
        raise ConfigError(f'--params {file}: it is no JSON: write {{"prompt": "watercolor"}}, for example') from None
    if isinstance(content, dict) and isinstance(presets := content.get("presets"), list):
        return _look_in(presets, file, look)
    if look is not None:
        raise ConfigError(f"--params {file}: it has no looks with names: leave --look out")
    if not isinstance(content, dict):
        raise ConfigError(f'--params {file}: it has no params: write {{"prompt": "watercolor"}}, for example')
    return content


def _look_in(presets: list[Any], file: Path, name: str | None) -> dict[str, Any]:
    """One of the looks in a file that the page has saved (`web_client/src/looks/presets.ts`)."""
    looks = {
        str(each.get("name")): each["look"]
        for each in presets
        if isinstance(each, dict) and isinstance(each.get("look"), dict)
    }
    if name is None and len(looks) == 1:
        (name,) = looks
    if name not in looks:
        names = ", ".join(repr(each) for each in looks)[:200] or "none"
        raise ConfigError(f"--params {file}: choose one of its looks with --look: there are {names}")
    return dict(looks[name])


def params_for(asked: dict[str, Any], defaults: Params, shape: tuple[float, float], max_pixels: int | None) -> Params:
    """The params of all frames.

    Args:
        asked: see `asked_params`.
        defaults: of the model.
        shape: width and height of the recording's pictures as they are shown.
        max_pixels: largest width times height; None for any.

    Raises:
        ParamsError: the size that was asked for is too large.
    """
    wanted = defaults.patched(asked, defaults)
    width, height = _size(asked, (wanted.width, wanted.height), shape, max_pixels)
    if max_pixels is not None and width * height > max_pixels:
        raise ParamsError(
            f"width, height: {width} x {height} are more pixels than this model makes, which are {max_pixels}: "
            "ask for less",
            "width",
        )
    return wanted.patched({"width": width, "height": height, "skip_unchanged": False}, defaults)


def _size(
    asked: dict[str, Any], own: tuple[int, int], shape: tuple[float, float], max_pixels: int | None
) -> tuple[int, int]:
    """The sides that were asked for; what was not follows the recording's shape, at as many pixels as the model's."""
    width, height, aspect = asked.get("width"), asked.get("height"), shape[0] / shape[1]
    if width is not None and height is not None:
        return width, height
    if width is not None:
        return width, _side(width / aspect)
    if height is not None:
        return _side(height * aspect), height
    pixels = own[0] * own[1] if max_pixels is None else min(own[0] * own[1], max_pixels)
    sides = _side(math.sqrt(pixels * aspect)), _side(math.sqrt(pixels / aspect))
    if max_pixels is not None and sides[0] * sides[1] > max_pixels:  # by rounding
        longer = max(sides)
        sides = tuple(side - SIDE_MULTIPLE_PX if side == longer else side for side in sides)  # pyright: ignore
    return sides[0], sides[1]


def _side(pixels: float) -> int:
    """The nearest side that params may have."""
    nearest = round(pixels / SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX
    return min(max(nearest, SIDE_MIN_PX), SIDE_MAX_PX)
