"""Recipes of params on their way: what is mixed, what it has of the parts, and what is not made again for it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from realtime.engine import Guidance
from realtime.engine.denoisers.folding import FoldedDenoiser
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.networks import Networks
from realtime.engine.recipe import RECIPES_KEPT, Recipe, Recipes
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import GraphBackend
from realtime.glide import SECOND_NS, Glide
from realtime.params import Params
from tests.engine.tiny_models import make_engine, make_job, make_model, make_params, picture_of, run

SESSIONS, FPS, SECONDS = 8, 30, 2


def recipe_of(recipes: Recipes, params: Params) -> Recipe:
    recipe = recipes.get(params)
    assert recipe is not None
    return recipe


def on_the_way(before: Params, seconds: float, **fields: object) -> Params:
    """The params at this time of a transition that takes a second."""
    glide = Glide.at_rest(before, 0).toward(before.patched(fields, Params()), 0, 1)
    return glide.at(round(seconds * SECOND_NS))


def test_noise_between_two_seeds_is_standard_normal_and_between_them() -> None:
    recipes = Recipes(make_model(is_shared=True))
    ends = [recipe_of(recipes, make_params(seed=seed, width=1024, height=1024)).noise[0] for seed in (1, 2)]

    for seconds in (0.125, 0.5, 0.9):
        params = on_the_way(make_params(seed=1, width=1024, height=1024), seconds, seed=2)
        noise = recipe_of(recipes, params).noise[0]
        assert noise.dtype is torch.float32 and noise.shape == ends[0].shape
        assert abs(noise.mean().item()) < 0.02
        assert abs(noise.var().item() - 1) < 0.02
        factors = [factor for _, factor in params.noise]
        for end, factor in zip(ends, factors, strict=True):
            assert abs((noise * end).mean().item() - factor) < 0.02


def test_each_step_has_a_mix_of_its_own_noises() -> None:
    recipes = Recipes(make_model(is_shared=True))
    one, other, mixed = (
        recipe_of(recipes, params).noise
        for params in (
            make_params(seed=1, num_inference_steps=3),
            make_params(seed=2, num_inference_steps=3),
            on_the_way(make_params(seed=1, num_inference_steps=3), 0.5, seed=2),
        )
    )

    for of_one, of_other, mix in zip(one, other, mixed, strict=True):
        torch.testing.assert_close(mix, (of_one + of_other) / 2**0.5, atol=1e-6, rtol=0)


def test_negative_prompt_on_its_way_is_a_blend_of_embeddings_and_of_keys_and_values() -> None:
    model = make_model(guidance=Guidance.CFG, is_shared=True)
    recipes, denoiser = Recipes(model), FoldedDenoiser(model, torch.contiguous_format)
    before = make_params(prompt="ink", negative_prompt="rain BREAK ice", guidance_scale=3.0)
    way = [recipe_of(recipes, on_the_way(before, seconds, negative_prompt="fog")) for seconds in (0, 0.5, 1)]
    with torch.no_grad():
        told = [denoiser.conditions(recipe, 0, True)["keys_values"] for recipe in way]
    start, middle, end = (recipe.negative for recipe in way)
    assert start is not None and middle is not None and end is not None

    length = middle.length
    mean = (start.repeated(length).prompt_embeds + end.repeated(length).prompt_embeds) / 2
    torch.testing.assert_close(middle.prompt_embeds, mean, atol=1e-6, rtol=0)
    ends = [one.repeat(1, told[1].shape[1] // one.shape[1], 1) for one in (told[0], told[2])]
    torch.testing.assert_close(told[1], (ends[0] + ends[1]) / 2, atol=1e-5, rtol=0)
    assert way[1].prompt.length == length
    assert model.prompt_encoder.texts_encoded == denoiser.texts_projected + 1 == 3, "only the negatives were told"


def test_negative_prompt_on_its_way_makes_nothing_new_where_it_is_not_heard() -> None:
    model = make_model(is_shared=True)
    recipes = Recipes(model)
    before = make_params(prompt="ink", negative_prompt="rain", guidance_scale=3.0)

    assert recipes.get(on_the_way(before, 0.5, negative_prompt="fog")) is recipes.get(before)
    assert model.prompt_encoder.texts_encoded == 1


def test_what_rests_is_not_mixed() -> None:
    model = make_model(is_shared=True)
    recipes = Recipes(model)
    plain = recipe_of(recipes, make_params(prompt="ink", seed=1))

    only_strength = recipe_of(recipes, on_the_way(make_params(prompt="ink", seed=1), 0.5, strength=0.9))

    assert only_strength.noise[0] is plain.noise[0]
    assert only_strength.prompt is plain.prompt is model.prompt_encoder.encode("ink")


def test_equal_times_have_the_same_recipe_and_after_the_end_it_is_that_of_the_target() -> None:
    recipes = Recipes(make_model(is_shared=True))
    before = make_params(prompt="ink", seed=1)

    one, same = (recipe_of(recipes, on_the_way(before, 0.5, prompt="oil", seed=2)) for _ in range(2))
    over = recipe_of(recipes, on_the_way(before, 1, prompt="oil", seed=2))

    assert one is same
    assert over is recipe_of(recipes, make_params(prompt="oil", seed=2))


def test_eight_sessions_that_glide_make_nothing_twice_but_what_is_between() -> None:
    model = make_model()
    recipes, denoiser = Recipes(model), FoldedDenoiser(model, Networks(model).layout)
    resting = make_params(prompt="rest", seed=999)
    glides = []
    for session in range(SESSIONS):
        before = make_params(prompt=f"before {session}", seed=session)
        after = before.patched({"prompt": f"after {session}", "seed": 100 + session}, Params())
        glides.append(Glide.at_rest(before, 0).toward(after, 0, SECONDS))

    rests, biases = [], set()
    with torch.no_grad():
        for frame in range(1, SECONDS * FPS):
            for params in [resting, *(glide.at(SECOND_NS * frame // FPS) for glide in glides)]:
                recipe = recipe_of(recipes, params)
                told = denoiser.conditions(recipe, 0, False)
                biases.add(id(told["biases"]))
                rests += [(recipe, told["keys_values"])] if params is resting else []

    assert recipes.compiled == 1 + SESSIONS * (SECONDS * FPS - 1) > RECIPES_KEPT
    assert model.prompt_encoder.texts_encoded == denoiser.texts_projected == 1 + 2 * SESSIONS
    assert recipes.seeds_drawn == 1 + 2 * SESSIONS
    assert len(biases) == 1, "of these only the timesteps make a difference, which are all the same"
    assert len(set(map(id, (one for row in rests for one in row)))) == 2, "who rests has the same objects all the time"


@pytest.mark.slow
def test_frames_of_a_glide_are_the_same_beside_others_and_replayed() -> None:
    model = make_model(is_shared=True)
    before = make_params(prompt="ink", seed=1, strength=0.5)
    way = [on_the_way(before, seconds, prompt="oil", seed=2, strength=0.9) for seconds in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    rest = make_job(make_params(prompt="rest", seed=7), 1, "b")
    alone, backend = make_engine(model)
    replayed = DiffusionEngine(model, GraphBackend(backend, Rerun(), 2, torch.device("cpu")), max_rows=2)

    expected = [picture_of(run(alone, [make_job(params)])[0]).astype(int) for params in way]
    beside = [picture_of(run(replayed, [make_job(params), rest])[0]).astype(int) for params in way]

    for mine, theirs in zip(expected, beside, strict=True):
        assert np.abs(mine - theirs).max() <= 1
    for one, other in pairwise(expected):
        assert np.abs(one - other).max() > 3, "the comparison means something only where frames differ"
