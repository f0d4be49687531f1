"""Pictures that are part of a run's prompt, from files.

Must not know models, or import what decodes before there is a picture: mistakes don't wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, FrameError
from ..frame import Format
from ..pixels import Pixels
from ..references import NO_REFERENCES, id_of

MAX_PIXELS = 2**26


@dataclass(frozen=True, slots=True)
class PromptImages:
    """Pictures, and what they weigh.

    Attributes:
        parts: of a prompt, or of `references`, as params have them.
        references: the pictures by id, uint8 [height, width, 3], RGB.
        has_adapter: whether they are for an IP-Adapter, and no part of the prompt.
    """

    parts: tuple[Mapping[str, Any], ...] = ()
    references: Mapping[str, Pixels] = field(default_factory=lambda: NO_REFERENCES, repr=False)
    has_adapter: bool = False

    @classmethod
    def read(cls, texts: Sequence[str], *, has_adapter: bool = False) -> PromptImages:
        """Read `FILE[:WEIGHT]` each.

        Args:
            has_adapter: see the class.

        Raises:
            ConfigError: one can't be read, or is no picture.
        """
        parts: list[Mapping[str, Any]] = []
        references: dict[str, Pixels] = {}
        for text in texts:
            file, weight = _weighted(text)
            picture = _picture(file)
            name = id_of(picture)
            references[name] = picture
            parts.append({"picture": name, **({} if weight is None else {"weight": weight})})
        return cls(tuple(parts), references, has_adapter)

    def beside(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Params that were asked for, and the pictures among them."""
        if not self.parts:
            return dict(asked)
        if self.has_adapter:
            return {**asked, "references": list(self.parts)}
        prompt = asked.get("prompt")
        if isinstance(prompt, str):
            prompt = [{"text": prompt}] if prompt else []
        return {**asked, "prompt": [*(prompt or []), *self.parts]}


def _weighted(text: str) -> tuple[Path, float | None]:
    name, colon, weight = text.rpartition(":")
    if colon and not Path(text).expanduser().is_file():
        try:
            return Path(name).expanduser(), float(weight)
        except ValueError:
            pass
    return Path(text).expanduser(), None


def _picture(file: Path) -> Pixels:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--prompt-image {file}: it can't be read: {error.strerror}: check the name") from None
    if Format.sniff(data) is Format.NONE:
        raise ConfigError(f"--prompt-image {file}: that is no picture that is read here: give a JPEG, PNG or WebP")
    from ..media.pipeline import DecodingHere
    from ..media.reference import opened_reference

    try:
        return opened_reference(data, MAX_PIXELS, DecodingHere(), "run")
    except FrameError as error:
        raise ConfigError(f"--prompt-image {file}: {error}") from None
