"""What a model offers its sessions, and which params they may have by that.

Must not know sessions, or the model.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from . import control as controls
from .errors import ParamsError
from .params import Params
from .prompts import PicturesHeard, pictures_of
from .references import References


class Terms(NamedTuple):
    """What a model offers its sessions.

    Attributes:
        defaults: the params that a session starts with; null in a patch restores a field of them.
        max_output_pixels: largest width times height that params may have.
        references: the pictures that params may name; None: they may name none.
        pictures_heard: where the model hears them.
        nets: names of those that `control` may name.
    """

    defaults: Params
    max_output_pixels: int
    references: References | None
    pictures_heard: PicturesHeard
    nets: Collection[str]

    def check(self, params: Params, size_field: str = "width") -> None:
        """Check that a session may have these params.

        Args:
            size_field: the one to blame for a size that is too large.

        Raises:
            ParamsError: it may not.
        """
        if params.control:
            self._check_control(params)
        if params.pictures:
            self._check_pictures(params)
        if params.width * params.height > self.max_output_pixels:
            raise ParamsError(
                f"{size_field}: {params.width} x {params.height} is more than the {self.max_output_pixels} pixels "
                "that this server makes: take a smaller size",
                size_field,
            )

    def _check_pictures(self, params: Params) -> None:
        """Check that the model can hear the pictures that params name. Raises ParamsError."""
        in_prompt, heard = pictures_of(params.prompt), self.pictures_heard
        if in_prompt and (self.references is None or not heard.in_prompts):
            instead = ", or name it in `references`" if heard.layers else ""
            raise ParamsError(
                f"prompt: this model hears words, and no pictures: leave the picture out{instead}", "prompt"
            )
        if params.references and (self.references is None or not heard.layers):
            raise ParamsError("references: this model has no IP-Adapter to hear them: leave them out", "references")
        if other := [one.layers for one in params.references if one.layers not in heard.layers]:
            raise ParamsError(
                f"references: this model can't tell {other[0]} from the rest: take {' or '.join(heard.layers)}",
                "references",
            )
        kept = () if self.references is None else self.references
        if unknown := [one for one in params.pictures if one not in kept]:
            fields = {"prompt": in_prompt, "control": controls.pictures_of(params.control)}
            field = next((field for field, pictures in fields.items() if unknown[0] in pictures), "references")
            raise ParamsError(f"{field}: there is no picture {unknown[0]}: send it to /api/pictures again", field)

    def _check_control(self, params: Params) -> None:
        """Check that the nets that params name are loaded. Raises ParamsError."""
        unknown = [one.net for one in params.control if one.net not in self.nets]
        if unknown and not self.nets:
            raise ParamsError(
                "control: this server has no nets loaded: start it with --control NAME, as canny", "control"
            )
        if unknown:
            raise ParamsError(f"control: there is no net {unknown[0]!r}: {', '.join(self.nets)} are loaded", "control")
