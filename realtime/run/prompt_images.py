"""Pictures that are part of a run's prompt, or that nets are shown, from files; and which nets steer it.

Must not know models, or import what decodes before there is a picture: mistakes don't wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, FrameError
from ..frame import Format
from ..pixels import Pixels
from ..references import NO_REFERENCES, id_of

if TYPE_CHECKING:
    from ..engine import EngineInfo

MAX_PIXELS = 2**26


@dataclass(frozen=True, slots=True)
class PromptImages:
    """Pictures, and what they weigh; and nets, some of which are shown pictures.

    Attributes:
        parts: of a prompt, or of `references`, as params have them.
        nets: of `control`, as params have them; one without a weight has its own.
        references: the pictures by id, uint8 [height, width, 3], RGB.
        has_adapter: whether `parts` are for an IP-Adapter, and no part of the prompt.
    """

    parts: tuple[Mapping[str, Any], ...] = ()
    nets: tuple[Mapping[str, Any], ...] = ()
    references: Mapping[str, Pixels] = field(default_factory=lambda: NO_REFERENCES, repr=False)
    has_adapter: bool = False

    @classmethod
    def read(
        cls,
        texts: Sequence[str],
        steer: Sequence[str] = (),
        loaded: Sequence[str] = (),
        *,
        has_adapter: bool = False,
    ) -> PromptImages:
        """Read `FILE[:WEIGHT]` each, and `NET[=FILE][:WEIGHT]`.

        Args:
            texts: of `--prompt-image`.
            steer: of `--steer`.
            loaded: of `--control`: nets that there will be.
            has_adapter: see the class.

        Raises:
            ConfigError: one can't be read, or is no picture; or there is no such net.
        """
        parts: list[Mapping[str, Any]] = []
        references: dict[str, Pixels] = {}
        for text in texts:
            file, weight = _weighted(text)
            picture = _picture(file, "--prompt-image")
            name = id_of(picture)
            references[name] = picture
            parts.append({"picture": name, **({} if weight is None else {"weight": weight})})
        nets = tuple(_net(text, loaded, references) for text in steer)
        return cls(tuple(parts), nets, references, has_adapter)

    def beside(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Params that were asked for, and the pictures and nets among them."""
        if self.nets:
            asked = {**asked, "control": list(self.nets)}
        if not self.parts:
            return dict(asked)
        if self.has_adapter:
            return {**asked, "references": list(self.parts)}
        prompt = asked.get("prompt")
        if isinstance(prompt, str):
            prompt = [{"text": prompt}] if prompt else []
        return {**asked, "prompt": [*(prompt or []), *self.parts]}

    def weighed(self, asked: Mapping[str, Any], info: EngineInfo) -> dict[str, Any]:
        """Params that were asked for, with the own weights of nets that were asked for without one.

        Raises:
            ConfigError: a net is not loaded.
        """
        own = {one.name: one.weight for one in info.controls}
        if unknown := [net["net"] for net in self.nets if net["net"] not in own]:
            there_are = f"there are {', '.join(own)}" if own else "this model has none"
            raise ConfigError(f"--steer {unknown[0]}: no such net is loaded: {there_are}")
        if not self.nets:
            return dict(asked)
        return {**asked, "control": [{"weight": own[net["net"]], **net} for net in self.nets]}


def _net(text: str, loaded: Sequence[str], references: dict[str, Pixels]) -> Mapping[str, Any]:
    """One net of `control`, as params have it. The picture that it names is put among the references."""
    net, equals, rest = text.partition("=")
    file, weight = _weighted(rest) if equals else (None, None)
    if not equals:
        name, colon, number = text.rpartition(":")
        net, weight = (name, _number(number)) if colon and _number(number) is not None else (text, None)
    if net.partition("/")[0] not in {one.partition("=")[0] for one in loaded}:
        raise ConfigError(f"--steer {text}: no such net is loaded: add --control {net.partition('/')[0] or 'NET'}")
    asked: dict[str, Any] = {"net": net}
    if file is not None:
        picture = _picture(file, "--steer")
        references[source := id_of(picture)] = picture
        asked["source"] = source
    return asked if weight is None else {**asked, "weight": weight}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _weighted(text: str) -> tuple[Path, float | None]:
    name, colon, weight = text.rpartition(":")
    if colon and not Path(text).expanduser().is_file() and (number := _number(weight)) is not None:
        return Path(name).expanduser(), number
    return Path(text).expanduser(), None


def _picture(file: Path, option: str) -> Pixels:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{option} {file}: it can't be read: {error.strerror}: check the name") from None
    if Format.sniff(data) is Format.NONE:
        raise ConfigError(f"{option} {file}: that is no picture that is read here: give a JPEG, PNG or WebP")
    from ..media.pipeline import DecodingHere
    from ..media.reference import opened_reference

    try:
        return opened_reference(data, MAX_PIXELS, DecodingHere(), "run")
    except FrameError as error:
        raise ConfigError(f"{option} {file}: {error}") from None
