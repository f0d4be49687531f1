"""The UNet without what is constant gives what the whole one gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch.utils._python_dispatch import TorchDispatchMode

from realtime.engine import Guidance
from realtime.engine.denoisers.denoiser import PlainDenoiser
from realtime.engine.denoisers.folding import FoldedDenoiser, is_foldable
from realtime.engine.models.load import Model
from realtime.engine.networks import Networks
from realtime.engine.recipe import Recipes
from realtime.engine.regions import Kind, Regions
from realtime.engine.sampler import T
from realtime.prompts import WeightedPrompt
from tests.engine.tiny_models import FRAME_KINDS, WIDTH, make_model, make_params

LAYOUTS: dict[str, dict[str, Any]] = {
    "sd": {},
    "sdxl": {"family": "sdxl"},
    "lcm": {"guidance": Guidance.EMBEDDED},
    "sdxl lcm": {"family": "sdxl", "guidance": Guidance.EMBEDDED},
    "guided": {"guidance": Guidance.CFG},
    "embedded model": {"concat_source": True, "latent_channels": 8},
}


def both(model: Model) -> tuple[FoldedDenoiser, PlainDenoiser]:
    networks = Networks(model)
    return FoldedDenoiser(model, networks.layout), PlainDenoiser(networks.unet)


@pytest.mark.parametrize("is_second", [False, True])
@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.slow
def test_folded_unet_equals_the_whole_one(options: dict[str, Any], is_second: bool) -> None:
    model = make_model(**options)
    if is_second and model.guidance is not Guidance.CFG:
        pytest.skip("no second rows")
    folded, plain = both(model)
    params = [
        make_params(prompt=text, num_inference_steps=3, guidance_scale=4.0, strength=s)
        for text, s in (("fox", 0.9), ("snow", 0.4))
    ]
    with torch.no_grad():
        recipes = [recipe for p in params if (recipe := Recipes(model).get(p)) is not None]
        sample = torch.randn(2, int(model.unet.config["in_channels"]), 8, 8)
        answers = []
        for denoiser in (folded, plain):
            told = [denoiser.conditions(recipe, 1, is_second) for recipe in recipes]
            conditions = {name: torch.cat([of_row[name] for of_row in told]) for name in told[0]}
            timestep = torch.cat([recipe.steps[1] for recipe in recipes])[:, T]
            answers.append(denoiser(sample, timestep, conditions))

    assert len(recipes) == 2 and answers[1].std() > 0.1
    torch.testing.assert_close(answers[0], answers[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("texts", [("fox", "snow"), ("fox", "snow BREAK ice", "fog BREAK sea BREAK rain")], ids=len)
@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.slow
def test_keys_and_values_of_a_blend_are_those_of_its_embeddings(options: Any, texts: tuple[str, ...]) -> None:
    model = make_model(**options)
    folded, plain = both(model)
    prompt = tuple(WeightedPrompt(text=text, weight=1.0 + i) for i, text in enumerate(texts))
    recipe = Recipes(model).get(make_params(prompt=prompt, guidance_scale=4.0))
    assert recipe is not None
    whole = replace(recipe, prompt=replace(recipe.prompt, parts=()))
    sample = torch.randn(1, int(model.unet.config["in_channels"]), 8, 8)

    with torch.no_grad():
        mixed, projected = (folded.conditions(one, 0, False)["keys_values"] for one in (recipe, whole))
        timestep = recipe.steps[0][:, T]
        answers = [one(sample, timestep, one.conditions(recipe, 0, False)) for one in (folded, plain)]

    assert [part.length for part, _ in recipe.prompt.parts] == [7 * (1 + text.count("BREAK")) for text in texts]
    torch.testing.assert_close(mixed, projected, atol=2e-6, rtol=0)
    torch.testing.assert_close(answers[0], answers[1], atol=1e-5, rtol=0)


def test_folded_unet_shares_its_weights_and_has_none_of_the_folded_layers() -> None:
    model = make_model("sdxl")
    folded, _ = both(model)

    theirs = {id(parameter) for parameter in model.unet.parameters()}
    ours = {id(parameter) for parameter in folded.parameters()}
    names = " ".join(name for name, _ in folded.named_parameters())

    assert ours < theirs
    assert "time_emb" not in names and "add_embedding" not in names and "attn2.to_k" not in names
    assert "attn1.to_k" in names


class Divisions(TorchDispatchMode):
    """Counts those that run, by a number."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket in (torch.ops.aten.div, torch.ops.aten.div_)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_folded_unet_divides_nothing_by_one(family: str) -> None:
    """Each is a pass over memory, and a kernel of its own: 54 of some 1,200 in Stable Diffusion."""
    model = make_model(family)
    folded, whole = both(model)
    recipe = Recipes(model).get(make_params())
    assert recipe is not None
    counts: list[int] = []
    for denoiser in (folded, whole):
        conditions = denoiser.conditions(recipe, 0, False)
        with torch.inference_mode(), Divisions() as divisions:
            denoiser(torch.randn(1, 4, 8, 8), recipe.steps[0][:, T], conditions)
        counts.append(divisions.count)

    resnets = sum(isinstance(module, ResnetBlock2D) for module in model.unet.modules())
    attentions = sum(isinstance(module, Attention) for module in model.unet.modules())
    assert counts[0] == 0 and counts[1] >= resnets + attentions > 10


def test_what_a_row_is_told_is_the_same_object_every_time() -> None:
    model = make_model()
    folded, _ = both(model)
    recipe = Recipes(model).get(make_params(num_inference_steps=2))
    assert recipe is not None

    first, again, later = (folded.conditions(recipe, step, False) for step in (0, 0, 1))

    assert first["biases"] is again["biases"] is not later["biases"]
    assert first["keys_values"] is again["keys_values"] is later["keys_values"]


def test_unet_of_unknown_parts_stays_whole() -> None:
    model = make_model()
    unet = UNet2DConditionModel(
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        cross_attention_dim=WIDTH,
        norm_num_groups=8,
        attention_head_dim=4,
    )

    assert is_foldable(model.unet) and not is_foldable(unet)
    assert isinstance(Regions.of_model(replace(model, unet=unet)).denoiser, PlainDenoiser)


@pytest.mark.parametrize("kind", [*FRAME_KINDS, Kind.MATTE])  # those of nets: see test_aoti
@pytest.mark.slow
def test_every_region_exports_as_a_graph_of_tensors(kind: Kind) -> None:
    model = make_model(guidance=Guidance.CFG)
    regions = Regions.of_model(model)
    recipe = Recipes(model).get(make_params(guidance_scale=2.0))
    assert recipe is not None
    with torch.no_grad():
        told = [regions.denoiser.conditions(recipe, 0, is_second) for is_second in (False, True)]
    inputs: dict[str, torch.Tensor] = {
        Kind.ENCODE: {
            "pictures": torch.zeros(1, 64, 64, 3, dtype=torch.uint8),
            "start": recipe.start,
            "noise": recipe.noise[0],
        },
        Kind.STEP: {
            "x": recipe.noise[0],
            "steps": recipe.steps[0],
            "noise": recipe.noise[0],
            "source": recipe.noise[0],
            **{name: torch.cat([of_row[name] for of_row in told]) for name in told[0]},
        },
        Kind.DECODE: {"x": recipe.noise[0]},
        Kind.MATTE: {"pictures": torch.zeros(1, 64, 64, 3, dtype=torch.uint8)},
    }[kind]
    region = regions.region(kind, 1)

    exported = torch.export.export(region, (), inputs).module()

    with torch.no_grad():
        torch.testing.assert_close(exported(**inputs), region(**inputs), atol=1e-5, rtol=0)
