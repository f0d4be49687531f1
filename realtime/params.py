"""The params that a user may change between two frames: validated, frozen, versioned, swapped whole.

Must not know the user, how a patch arrived, or how a model uses the values.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from .errors import ParamsError
from .refusals import in_words

PROMPT_MAX_CHARS = 2000
PROMPTS_MAX = 8
BLEND_MAX_CHARS = 4000
"""Of all texts of a blend: what a session was told comes back in each answer to a patch."""
SIDE_MULTIPLE_PX = 8
SIDE_MIN_PX = 64
SIDE_MAX_PX = 2048


class OutputFormat(StrEnum):
    """Encodings of the pictures that the server sends. JPEG is the live one: WebP and PNG cost 13-130 times as much."""

    JPEG = "jpeg"
    WEBP = "webp"
    PNG = "png"


class WeightedPrompt(BaseModel):
    """One prompt of a blend."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    text: Annotated[str, Field(max_length=PROMPT_MAX_CHARS)]
    weight: Annotated[float, Field(ge=0, le=10)] = 1.0


def _not_too_long(blend: tuple[WeightedPrompt, ...]) -> tuple[WeightedPrompt, ...]:
    size = sum(len(prompt.text) for prompt in blend)
    if size > BLEND_MAX_CHARS:
        raise PydanticCustomError(
            "blend_too_long",
            "the texts of a blend have {most} characters at most, these {size}: shorten them",
            {"most": BLEND_MAX_CHARS, "size": size},
        )
    return blend


Side = Annotated[int, Field(ge=SIDE_MIN_PX, le=SIDE_MAX_PX, multiple_of=SIDE_MULTIPLE_PX)]


class Params(BaseModel):
    """All that a session may change while it runs. Immutable: a change is a new object with a higher version.

    Frozen, so equal params hash alike and everything computed from them can be cached by value.
    """

    # Strict keeps "0.5", true and 3.7 from passing as numbers they are not; JSON arrays must still become tuples.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    prompt: Annotated[
        Annotated[str, Field(max_length=PROMPT_MAX_CHARS)]
        | Annotated[
            tuple[WeightedPrompt, ...],
            Field(min_length=1, max_length=PROMPTS_MAX, strict=False),
            AfterValidator(_not_too_long),
        ],
        Field(
            title="Prompt",
            description="What the picture should look like. (word:1.3) weighs a word; a list of {text, weight} blends.",
            json_schema_extra={"x-control": "text"},
        ),
    ] = ""
    negative_prompt: Annotated[
        str,
        Field(
            title="Negative prompt",
            max_length=PROMPT_MAX_CHARS,
            description="What to keep out. Acts only where the model uses classifier-free guidance above 1.",
            json_schema_extra={"x-control": "text"},
        ),
    ] = ""
    strength: Annotated[
        float,
        Field(
            title="Strength",
            ge=0,
            le=1,
            description="How far the picture may leave the input, as a noise level; steps never change it. "
            "Below 0.02 frames pass through.",
            json_schema_extra={"x-control": "slider", "x-step": 0.01},
        ),
    ] = 0.5
    num_inference_steps: Annotated[
        int,
        Field(
            title="Steps",
            ge=1,
            le=8,
            description="UNet calls a frame. More is finer and slower, at the same strength.",
            json_schema_extra={"x-control": "slider"},
        ),
    ] = 1
    guidance_scale: Annotated[
        float,
        Field(
            title="Guidance scale",
            ge=0,
            le=20,
            description="How hard the prompt pulls. 1 or less is off; above 1 costs a second UNet row on most models.",
            json_schema_extra={"x-control": "slider", "x-step": 0.1},
        ),
    ] = 1.0
    seed: Annotated[
        int,
        Field(
            title="Seed",
            ge=0,
            le=2**32 - 1,
            description="Which noise. It stays the same from frame to frame, so that pictures don't flicker.",
            json_schema_extra={"x-control": "seed"},
        ),
    ] = 0
    width: Annotated[Side, Field(title="Width", description="Pixels, a multiple of 8.")] = 512
    height: Annotated[Side, Field(title="Height", description="Pixels, a multiple of 8.")] = 512
    output_format: Annotated[
        OutputFormat,
        Field(
            title="Output format",
            strict=False,
            description="JPEG is the fast one; WebP and PNG are many times slower to encode.",
        ),
    ] = OutputFormat.JPEG
    output_quality: Annotated[
        int,
        Field(
            title="Output quality",
            ge=1,
            le=100,
            description="Of JPEG and WebP pictures.",
            json_schema_extra={"x-control": "slider"},
        ),
    ] = 85
    skip_unchanged: Annotated[
        bool,
        Field(
            title="Skip unchanged frames",
            description="Frames that show what the last one showed are answered at once, without the model. "
            "Noise of a camera is no change; a new prompt is.",
        ),
    ] = True
    latency_ms: Annotated[
        Annotated[float, Field(ge=10, le=10_000)] | None,
        Field(
            title="Latency target",
            description="Milliseconds that the server may take for a picture. To keep to it, steps, size and quality "
            "fall as far as their lower limits allow, and rise again when there is room. Empty: no target.",
            json_schema_extra={"x-control": "number", "x-step": 10},
        ),
    ] = None
    min_fps: Annotated[
        Annotated[float, Field(ge=1, le=120)] | None,
        Field(
            title="Frame rate target",
            description="Pictures a second, where frames come in that fast; kept to as the latency is. Empty: none.",
            json_schema_extra={"x-control": "number", "x-step": 1},
        ),
    ] = None
    min_steps: Annotated[
        int,
        Field(
            title="Fewest steps",
            ge=1,
            le=8,
            description="How far a target may lower the steps.",
            json_schema_extra={"x-control": "slider"},
        ),
    ] = 1
    min_scale: Annotated[
        float,
        Field(
            title="Smallest scale",
            ge=0.25,
            le=1,
            description="How far a target may shrink width and height, as a share of them. 1 keeps the size.",
            json_schema_extra={"x-control": "slider", "x-step": 0.05},
        ),
    ] = 0.5
    min_quality: Annotated[
        int,
        Field(
            title="Lowest quality",
            ge=1,
            le=100,
            description="How far a target may lower the output quality, where sending is what takes too long.",
            json_schema_extra={"x-control": "slider"},
        ),
    ] = 50
    version: Annotated[
        int,
        Field(
            title="Version",
            ge=0,
            description="Rises with every change; set by the server, ignored in a patch.",
            json_schema_extra={"readOnly": True},
        ),
    ] = 0

    def patched(self, patch: dict[str, Any], defaults: Params) -> Params:
        """The params after a JSON merge patch (RFC 7396).

        Args:
            patch: fields to change; null puts a field back to its default; `version` is ignored.
            defaults: values that null restores.

        Returns:
            New params, one version higher. `self` is untouched.

        Raises:
            ParamsError: a field is unknown or its value refused; names the field.
        """
        fields = type(self).model_fields
        values = dict(self)
        for name, value in patch.items():
            if name not in fields:
                shown = name[:64].encode(errors="replace").decode()  # a lone surrogate can't be sent back as UTF-8
                raise ParamsError(f"there is no field {shown!r}: /api/params/schema lists all", shown)
            values[name] = getattr(defaults, name) if value is None else value
        values["version"] = self.version + 1
        try:
            return type(self).model_validate(values)
        except ValidationError as error:
            raise _params_error(error) from None

    def wire(self) -> dict[str, Any]:
        """The params as JSON values, `version` included."""
        return self.model_dump(mode="json")


def _params_error(error: ValidationError) -> ParamsError:
    errors = error.errors(include_url=False)
    # Of a list of prompts: the error inside it, or of it, and not that it is no string.
    first = max(errors, key=lambda one: (len(one["loc"]), not one["type"].endswith("_type")))
    field = str(first["loc"][0]) if first["loc"] else None
    words = in_words(first)
    if first["type"] == "string_too_long":
        words += ": shorten it, or blend several"
    return ParamsError(f"{field}: {words}" if field else words, field)


def params_schema() -> dict[str, Any]:
    """JSON schema of the params, with titles, descriptions, bounds and defaults: the client's panel is made from it."""
    return Params.model_json_schema()
