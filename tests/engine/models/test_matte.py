"""The network that finds people gives the original's masks, and finds people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from realtime.engine.models.matte.load import WEIGHTS, load_matte
from realtime.engine.models.matte.network import SIDE_PX, MatteNetwork
from realtime.engine.regions import MatteRegion
from realtime.media import matte
from tests.golden_mattes import GOLDEN, STRIDE, Array, pictures

RECIPE = Path(__file__).resolve().parents[3] / "scripts" / "train_tiny"
HEADS = 12


@pytest.fixture(scope="module")
def network() -> MatteNetwork:
    return load_matte(torch.device("cpu"))


def test_masks_are_those_of_the_original_file_in_its_own_run_time(network: MatteNetwork) -> None:
    golden = np.load(GOLDEN).astype(np.float32)

    with torch.inference_mode():
        masks = network(torch.from_numpy(pictures()).permute(0, 3, 1, 2).float() / 255)[:, 0].numpy()

    assert golden[:2].mean() > 0.3 > 0.01 > golden[2:].mean(), "people in two of the four pictures"
    np.testing.assert_allclose(masks[:, ::STRIDE, ::STRIDE], golden, atol=5e-4)  # what half precision rounds
    assert GOLDEN.stat().st_size <= 16 * 1024


def test_what_ships_is_small_and_in_half_precision(network: MatteNetwork) -> None:
    assert sum(weight.numel() for weight in network.parameters()) == 106_404
    assert WEIGHTS.stat().st_size < 225_000


def test_pictures_of_a_batch_and_of_any_size_have_the_masks_that_they_have_alone(network: MatteNetwork) -> None:
    region = MatteRegion(network)
    batch = torch.from_numpy(pictures())

    with torch.inference_mode():
        together = region(batch)["masks"]
        alone = torch.cat([region(one)["masks"] for one in batch.split(1)])
        large = region(batch.repeat_interleave(2, 1).repeat_interleave(2, 2))["masks"]

    assert together.shape == (4, SIDE_PX, SIDE_PX, 1)
    assert torch.equal(together, alone)
    assert torch.equal(together, large), "two pixels are one"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The modules of the trainer that draws heads."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(RECIPE))
    yield
    for name in set(sys.modules) - before:
        if str(RECIPE) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def a_room() -> Array:
    """A wall with two pieces of furniture."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    room = np.stack([120 + x // 5, 130 + y // 6, 150 - x // 6], -1).astype(np.uint8)
    room[40:150, 5:50], room[90:, 215:] = (96, 84, 70), (80, 100, 110)
    return room


@pytest.mark.slow
def test_drawn_heads_are_found(network: MatteNetwork, recipe: None) -> None:
    import heads  # type: ignore[import-not-found]

    region, shares = MatteRegion(network), []
    for seed in range(HEADS):
        # The same head before black and before white: where it differs nothing is in front.
        black, white = (heads.head(seed, np.full((SIDE_PX, SIDE_PX, 3), level, np.uint8))[0] for level in (0, 255))
        behind = white.astype(np.float32).mean(2) - black.mean(2)
        truth = behind < behind.max() / 2
        picture = heads.head(seed, a_room())[0]

        with torch.inference_mode():
            mask = region(torch.from_numpy(picture)[None])["masks"][0, :, :, 0].numpy()
        found = matte.enlarged(mask, picture) > 127

        shares.append((found & truth).sum() / (found | truth).sum())

    assert np.median(shares) >= 0.95
    assert np.mean(shares) >= 0.95
