"""The params that a user may change between two frames: validated, frozen, versioned, swapped whole.

Must not know the user, how a patch arrived, or how a model uses the values.
"""

from __future__ import annotations

import math
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import control as controls
from .control import CONTROLS_MAX, Control
from .errors import ParamsError
from .prompts import (
    PROMPT_MAX_CHARS,
    REFERENCES_MAX,
    Blend,
    Prompt,
    Reference,
    WeightedPrompt,
    heaviest,
    heaviest_references,
    pictures_of,
)
from .refusals import in_words

SIDE_MULTIPLE_PX = 8
SIDE_MIN_PX = 64
SIDE_MAX_PX = 2048
SEEDS = 2**32
"""Number of seeds."""
TRANSITION_MAX_S = 60


RESTING_FRAMES = 20
"""After so many frames with the most calm, what was there before makes less than 5 % of the picture."""


class OutputFormat(StrEnum):
    """Encodings of the pictures that the server sends. JPEG is the live one: WebP and PNG cost 13-130 times as much."""

    JPEG = "jpeg"
    WEBP = "webp"
    PNG = "png"


class Matte(StrEnum):
    """Which part of a picture is restyled."""

    OFF = "off"
    """All of it."""
    PERSON = "person"
    BACKGROUND = "background"
    """All but the person."""
    DRAWN = "drawn"
    """What is opaque in the frame that came in."""

    @property
    def finds_people(self) -> bool:
        """Whether a network has to look for people."""
        return self in (Matte.PERSON, Matte.BACKGROUND)


class Beyond(StrEnum):
    """What is seen of a picture that is not restyled (`Matte`)."""

    INPUT = "input"
    """The input's own pixels, bit for bit."""
    BLUR = "blur"
    BLACK = "black"
    GREEN = "green"
    KEY = "key"
    """Nothing: the picture is transparent there."""


class Fallback(StrEnum):
    """What those who watch a session see while its engine is away."""

    LAST = "last"
    """The last picture."""
    INPUT = "input"
    """The input, as it comes in."""
    SLATE = "slate"
    """A grey picture with a sign of a pause."""


class GuidanceMode(StrEnum):
    """How classifier-free guidance is had, where the model uses it and `guidance_scale` is above 1."""

    FULL = "full"
    """A second row with the negative prompt in each step."""
    ONCE = "once"
    """A second row in the first step only, whose result stands for those of the later ones."""
    SELF = "self"
    """No second row: the input stands for the negative prompt's result."""


class SeedFactor(NamedTuple):
    """A seed, and the factor of its noise."""

    seed: int
    factor: float


Side = Annotated[int, Field(ge=SIDE_MIN_PX, le=SIDE_MAX_PX, multiple_of=SIDE_MULTIPLE_PX)]


class Params(BaseModel):
    """All that a session may change while it runs. Immutable: a change is a new object with a higher version.

    Frozen, so equal params hash alike and everything computed from them can be cached by value.
    """

    # Strict keeps "0.5", true and 3.7 from passing as numbers they are not; JSON arrays must still become tuples.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    prompt: Annotated[
        Annotated[str, Field(max_length=PROMPT_MAX_CHARS)] | Blend,
        Field(
            title="Prompt",
            description="What the picture should look like. (word:1.3) weighs a word; a list of {text, weight} blends; "
            "{picture, weight} is a picture's style, where the model hears pictures.",
            json_schema_extra={"x-control": "text"},
        ),
    ] = ""
    negative_prompt: Annotated[
        str,
        Field(
            title="Negative prompt",
            max_length=PROMPT_MAX_CHARS,
            description="What to keep out. Acts with classifier-free guidance above 1, else by its own scale.",
            json_schema_extra={"x-control": "text"},
        ),
    ] = ""
    negative_scale: Annotated[
        float,
        Field(
            title="Negative scale",
            ge=1,
            le=10,
            description="How hard the picture is pushed away from the negative prompt where guidance is off: "
            "normalized attention guidance, for a few percent of the time. 1 is off.",
            json_schema_extra={"x-control": "slider", "x-step": 0.1, "x-max": 4},
        ),
    ] = 1.0
    references: Annotated[
        tuple[Reference, ...],
        Field(
            title="References",
            max_length=REFERENCES_MAX,
            strict=False,
            description="Pictures that others are to be like, beside the prompt, where an IP-Adapter is loaded.",
            json_schema_extra={"x-control": "hidden"},
        ),
    ] = ()
    strength: Annotated[
        float,
        Field(
            title="Strength",
            ge=0,
            le=1,
            description="How far the picture may leave the input, as a noise level; steps never change it. "
            "Below 0.02 frames pass through.",
            json_schema_extra={"x-control": "slider", "x-step": 0.01, "x-group": "amount"},
        ),
    ] = 0.5
    amount: Annotated[
        float,
        Field(
            title="Amount",
            ge=0,
            le=2,
            description="How much of what the model makes of the input: 0 the input, 1 the model's answer, above 1 "
            "more than that. Costs no time.",
            json_schema_extra={"x-control": "slider", "x-step": 0.05, "x-group": "amount"},
        ),
    ] = 1.0
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
    guidance: Annotated[
        GuidanceMode,
        Field(
            title="Guidance",
            strict=False,
            description="What the prompt pulls away from. Full: the negative prompt, in each step. Once: in the first "
            "step only, nearly as fast as without. Self: the input, for no time; the negative prompt is not heard.",
        ),
    ] = GuidanceMode.FULL
    seed: Annotated[
        int,
        Field(
            title="Seed",
            ge=0,
            le=SEEDS - 1,
            description="Which noise. It stays the same from frame to frame, so that pictures don't flicker.",
            json_schema_extra={"x-control": "seed"},
        ),
    ] = 0
    calm: Annotated[
        float,
        Field(
            title="Calm",
            ge=0,
            le=1,
            description="How much of the last picture stays, moved as the input moves: less flicker. 0 is off.",
            json_schema_extra={"x-control": "slider", "x-step": 0.05, "x-group": "calm"},
        ),
    ] = 0.0
    feedback: Annotated[
        float,
        Field(
            title="Feedback",
            ge=0,
            le=0.8,
            description="Share of the last picture that goes into the next frame, which so goes on changing, "
            "also where the camera stands still. 0 is off.",
            json_schema_extra={"x-control": "slider", "x-step": 0.01, "x-group": "motion"},
        ),
    ] = 0.0
    feedback_zoom: Annotated[
        float,
        Field(
            title="Feedback zoom",
            ge=0.9,
            le=1.1,
            description="How much larger the last picture comes back: a tunnel, outwards above 1.",
            json_schema_extra={"x-control": "slider", "x-step": 0.005, "x-group": "motion"},
        ),
    ] = 1.0
    feedback_turn: Annotated[
        float,
        Field(
            title="Feedback turn",
            ge=-10,
            le=10,
            description="Degrees by which the last picture comes back turned, clockwise.",
            json_schema_extra={"x-control": "slider", "x-step": 0.1, "x-group": "motion"},
        ),
    ] = 0.0
    control: Annotated[
        tuple[Control, ...],
        Field(
            title="Control",
            max_length=CONTROLS_MAX,
            strict=False,
            description="What steers the picture: nets that hear edges, depth or poses of the input, or of a picture.",
            json_schema_extra={"x-control": "control", "x-group": "control"},
        ),
    ] = ()
    width: Annotated[Side, Field(title="Width", description="Pixels, a multiple of 8.")] = 512
    height: Annotated[Side, Field(title="Height", description="Pixels, a multiple of 8.")] = 512
    matte: Annotated[
        Matte,
        Field(
            title="Restyle",
            strict=False,
            description="All of the picture, only the person, only what is behind the person, or only what is opaque "
            "in frames with transparency (PNG, WebP), as a drawing has it. Made for one or two people near the camera.",
            json_schema_extra={"x-group": "matte"},
        ),
    ] = Matte.OFF
    beyond: Annotated[
        Beyond,
        Field(
            title="Rest of the picture",
            strict=False,
            description="What is seen of what is not restyled: the input as it is, blurred, black, green, or nothing: "
            "the overlay, snapshots and this page are transparent there.",
            json_schema_extra={"x-group": "matte"},
        ),
    ] = Beyond.INPUT
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
            json_schema_extra={"x-group": "automatic"},
        ),
    ] = True
    fallback: Annotated[
        Fallback,
        Field(
            title="If the engine fails",
            strict=False,
            description="What those who watch see until it is back: the last picture, the input, or a slate.",
            json_schema_extra={"x-group": "automatic"},
        ),
    ] = Fallback.LAST
    latency_ms: Annotated[
        Annotated[float, Field(ge=10, le=10_000)] | None,
        Field(
            title="Latency target",
            description="Milliseconds that the server may take for a picture. To keep to it, steps, nets, size and "
            "quality fall as far as their lower limits allow, and rise again when there is room. Empty: no target.",
            json_schema_extra={"x-control": "number", "x-step": 10, "x-group": "automatic"},
        ),
    ] = None
    min_fps: Annotated[
        Annotated[float, Field(ge=1, le=120)] | None,
        Field(
            title="Frame rate target",
            description="Pictures a second, where frames come in that fast; kept to as the latency is. Empty: none.",
            json_schema_extra={"x-control": "number", "x-step": 1, "x-group": "automatic"},
        ),
    ] = None
    min_steps: Annotated[
        int,
        Field(
            title="Fewest steps",
            ge=1,
            le=8,
            description="How far a target may lower the steps.",
            json_schema_extra={"x-control": "slider", "x-group": "automatic"},
        ),
    ] = 1
    min_nets: Annotated[
        int,
        Field(
            title="Fewest nets",
            ge=0,
            le=controls.CONTROLS_MAX,
            description="How many nets a target leaves at work, of those of control the first.",
            json_schema_extra={"x-control": "slider", "x-group": "automatic"},
        ),
    ] = 0
    min_scale: Annotated[
        float,
        Field(
            title="Smallest scale",
            ge=0.25,
            le=1,
            description="How far a target may shrink width and height, as a share of them. 1 keeps the size.",
            json_schema_extra={"x-control": "slider", "x-step": 0.05, "x-group": "automatic"},
        ),
    ] = 0.5
    min_quality: Annotated[
        int,
        Field(
            title="Lowest quality",
            ge=1,
            le=100,
            description="How far a target may lower the output quality, where sending is what takes too long.",
            json_schema_extra={"x-control": "slider", "x-group": "automatic"},
        ),
    ] = 50
    transition_s: Annotated[
        float,
        Field(
            title="Transition",
            ge=0,
            le=TRANSITION_MAX_S,
            description="Seconds in which what is shown glides to new values. 0: it changes at once.",
            json_schema_extra={"x-control": "slider", "x-step": 0.1, "x-group": "motion"},
        ),
    ] = 0.0
    seed_travel: Annotated[
        float,
        Field(
            title="Seed travel",
            ge=0,
            le=600,
            description="Seeds a minute: the noise travels from seed to seed, and the picture breathes. 0: it rests.",
            json_schema_extra={"x-control": "slider", "x-step": 1, "x-group": "motion"},
        ),
    ] = 0.0
    version: Annotated[
        int,
        Field(
            title="Version",
            ge=0,
            description="Rises with every change; set by the server, ignored in a patch.",
            json_schema_extra={"readOnly": True},
        ),
    ] = 0

    @property
    def is_moving(self) -> bool:
        """Whether the picture goes on changing while the input stands still, so that no frame is a repeat."""
        return self.feedback > 0

    @property
    def frames_to_rest(self) -> int:
        """Frames after which the picture of an input that stands still has come to rest: with calm, each is a blend."""
        return math.ceil(RESTING_FRAMES * self.calm)

    @property
    def untouched(self) -> Params:
        """These params, under their version, for a frame that is shown as it is: a pass-through, nothing mixed in."""
        return self.model_copy(
            update={"strength": 0.0, "feedback": 0.0, "calm": 0.0, "matte": Matte.OFF, "control": ()}
        )

    @property
    def pictures(self) -> frozenset[str]:
        """The ids of all pictures that they name."""
        of_references = {reference.picture for reference in self.references}
        return pictures_of(self.prompt) | of_references | controls.pictures_of(self.control)

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

    @property
    def negative(self) -> Prompt:
        """The negative prompt: one text, except while params glide."""
        return self.negative_prompt

    @property
    def noise(self) -> tuple[SeedFactor, ...]:
        """The seeds whose noise is mixed: one alone, except while params glide."""
        return (SeedFactor(self.seed, 1.0),)


class GlidingParams(Params):
    """Params on their way from one value to another, for the frames in between; a session's own are never these.

    Not validated: a prompt may have more parts than a user's.

    Attributes:
        negative_parts: the texts that the negative prompt is blended of; empty where it is the one of the params.
        seed_factors: the seeds whose noise is mixed; the squares of the factors sum to 1.
    """

    negative_parts: tuple[WeightedPrompt, ...] = ()
    seed_factors: tuple[SeedFactor, ...]

    @property
    def negative(self) -> Prompt:
        """See `Params`."""
        return self.negative_parts or self.negative_prompt

    @property
    def noise(self) -> tuple[SeedFactor, ...]:
        """See `Params`."""
        return self.seed_factors

    def wire(self) -> dict[str, Any]:
        """The nearest params that a user may ask for: the heaviest parts of the prompts, the heaviest seed."""
        seed = max(self.seed_factors, key=lambda one: one.factor).seed
        prompt = self.prompt if isinstance(self.prompt, str) else heaviest(self.prompt)
        plain: dict[str, Any] = {**dict(self), "prompt": prompt, "seed": seed}
        plain["references"] = heaviest_references(self.references)
        if self.negative_parts:
            plain["negative_prompt"] = max(self.negative_parts, key=lambda part: part.weight).text
        del plain["seed_factors"], plain["negative_parts"]
        return Params.model_construct(**plain).wire()


def _params_error(error: ValidationError) -> ParamsError:
    errors = error.errors(include_url=False)
    # Of a list of prompts: the error inside it, or of it, and not that it is no string.
    first = max(errors, key=lambda one: (len(one["loc"]), not one["type"].endswith("_type")))
    field = str(first["loc"][0]) if first["loc"] else None
    words = in_words(first)
    if first["type"] == "string_too_long":
        words += ": shorten it, or blend several"
    return ParamsError(f"{field}: {words}" if field else words, field)


@cache
def _schema() -> dict[str, Any]:
    return Params.model_json_schema()  # 10 ms


def params_schema(defaults: Params = Params()) -> dict[str, Any]:  # noqa: B008  it is frozen
    """JSON schema of the params, with titles, descriptions, bounds and defaults: the client's panel is made from it.
    What is in it is shared, so nobody writes to it.
    """
    values, schema = defaults.wire(), _schema()
    fields = {
        name: {**field, "default": values[name]} if name in values else field
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": fields}
