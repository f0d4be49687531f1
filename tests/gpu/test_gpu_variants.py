"""Variants of the regions on the device: each gives what PyTorch's own way gives, in graphs too, and a trial ends well.

Twin of tests/engine/variants and tests/engine/rungs/test_trials.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.rungs import trials
from realtime.engine.rungs.exactness import LIMITS, relative_l2
from realtime.engine.state import VariantState
from realtime.engine.variants.operators import conv_relu, group_norm
from realtime.engine.variants.table import VARIANTS, Variant
from tests.gpu.places import Place, jobs, pictures, settle

pytestmark = [pytest.mark.slow]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_gives_the_same_pictures_in_graphs_too(place: Place, variant: Variant) -> None:
    if why := trials.obstacle(variant, place.model):
        pytest.skip(why)
    wanted = jobs(4)
    expected = pictures(place.eager(), wanted)
    varied = replace(place.model, variants=(VariantState(variant.name, is_on=True),))
    if variant.switch is not None:
        variant.switch(True)
    try:
        backend = EagerBackend(varied)
        place.assert_alike(pictures(DiffusionEngine(varied, backend, max_rows=4), wanted), expected)
        engine, capture = place.graphs(backend)
        place.assert_alike(settle(engine, capture, wanted), expected)
    finally:
        if variant.switch is not None:
            variant.switch(False)


def test_a_trial_ends_with_a_word_on_each_and_breaks_none(place: Place) -> None:
    found = trials.with_variants(place.model, "auto", lambda stage, percent: None, 4, in_graphs=True)

    tried = {state.name: state for state in found.variants}
    assert set(tried) == {variant.name for variant in VARIANTS}
    for variant in VARIANTS:
        state = tried[variant.name]
        assert state.ratio is not None or state.why == trials.obstacle(variant, place.model), str(state.why)
    place.assert_alike(
        pictures(DiffusionEngine(found, EagerBackend(found), max_rows=4), jobs(2)), pictures(place.eager(), jobs(2))
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize(
    "shape", [(1, 320, 64, 64), (8, 640, 32, 32), (2, 960, 9, 13), (1, 2560, 8, 8), (3, 1920, 16, 16)]
)
def test_group_norm_in_triton_is_that_of_pytorch(
    gpu: Place, shape: tuple[int, ...], silu: bool, dtype: torch.dtype
) -> None:
    device: Any = gpu.device
    generator = torch.Generator().manual_seed(1)
    x = (5 + 3 * torch.randn(shape, generator=generator)).to(device, dtype, memory_format=torch.channels_last)
    weight, bias = (torch.randn(shape[1], generator=generator).to(device, dtype) for _ in range(2))

    ours = group_norm(x, 32, weight, bias, 1e-5, silu=silu)

    theirs = F.group_norm(x.float(), 32, weight.float(), bias.float(), 1e-5)
    theirs = F.silu(theirs) if silu else theirs
    assert relative_l2(ours.float(), theirs) < LIMITS[str(dtype).removeprefix("torch.")] / 5
    assert ours.dtype is dtype and ours.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", [(1, 64, 64, 64), (2, 64, 24, 40)])
def test_fused_convolutions_are_those_of_pytorch(gpu: Place, shape: tuple[int, ...]) -> None:
    device: Any = gpu.device
    generator = torch.Generator().manual_seed(1)
    x, other = (
        torch.randn(shape, generator=generator).to(device, torch.float16, memory_format=torch.channels_last)
        for _ in range(2)
    )
    weight = (torch.randn(64, 64, 3, 3, generator=generator) / 24).to(device, torch.float16)
    weight = weight.contiguous(memory_format=torch.channels_last)
    bias = torch.randn(64, generator=generator).to(device, torch.float16)

    for residual in (None, other):
        ours = conv_relu(x, weight, bias, residual, (1, 1), (1, 1))
        theirs = F.conv2d(x, weight, bias, padding=1) + (0 if residual is None else residual)
        assert relative_l2(ours.float(), theirs.relu().float()) < LIMITS["float16"] / 5


def test_what_memory_had_in_it_before_is_not_in_a_fused_convolution(gpu: Place) -> None:
    """PyTorch gives cuDNN the result's own memory, times 0, for the residual that there is none of: not a number stays
    one if that is calculated.
    """
    x = torch.randn(1, 64, 64, 64, device=gpu.device).to(torch.float16, memory_format=torch.channels_last)
    weight = torch.zeros(64, 64, 3, 3, device=gpu.device, dtype=torch.float16)
    weight = weight.contiguous(memory_format=torch.channels_last)

    for _ in range(8):
        dirt = [torch.full_like(x, float("nan")) for _ in range(4)]
        del dirt
        made = conv_relu(x, weight, None, None, (1, 1), (1, 1))
        assert made.isfinite().all()
        del made
