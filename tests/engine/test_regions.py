"""The regions' arithmetic, against it written out for one row."""

from __future__ import annotations

import torch

from realtime.engine.recipe import Recipe
from realtime.engine.regions import Denoiser, Kind, OpenRegion, Regions, StepRegion, to_pictures, to_pixels
from tests.engine.tiny_models import make_model


class Answers(Denoiser):
    """Answers with ten times the sample's first channels, plus what it was told."""

    def conditions(self, recipe: Recipe, step: int, is_second: bool) -> dict[str, torch.Tensor]:
        return {}

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        return 10 * sample[:, :4] + timestep[:, None, None, None] + told[:, :, None, None]


def test_step_of_each_row_is_linear_in_its_own_numbers() -> None:
    x, noise = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    steps = torch.tensor([[i, 0.5, 2.0, 3.0, 0.1 * i, 1.0 + i] for i in range(3)])
    told = torch.tensor([[1.0], [2.0], [3.0], [50.0], [60.0]])  # rows, then the second rows of the last two

    (after,) = StepRegion(Answers(), False, guided=2)(x, steps, noise, told)

    for i in range(3):
        t, kin, kx, km, kz, guidance = steps[i]
        first = 10 * kin * x[i] + t + told[i]
        m = first
        if i > 0:
            second = 10 * kin * x[i] + t + told[2 + i]
            m = second + guidance * (first - second)
        torch.testing.assert_close(after[i], kx * x[i] + km * m + kz * noise[i], atol=1e-4, rtol=1e-5)


def test_source_latents_stand_behind_the_noisy_ones() -> None:
    seen: list[torch.Tensor] = []

    class Watching(Answers):
        def forward(self, sample: torch.Tensor, timestep: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
            seen.append(sample)
            return super().forward(sample, timestep, told)

    x, source, steps = torch.ones(1, 4, 8, 8), 7 * torch.ones(1, 4, 8, 8), torch.ones(1, 6)

    StepRegion(Watching(), True, guided=0)(x, steps, x, source, torch.ones(1, 1))

    assert seen[0].shape == (1, 8, 8, 8) and (seen[0][:, 4:] == 7).all()


def test_start_mixes_latents_and_noise_row_by_row() -> None:
    pictures = torch.full((2, 8, 8, 3), 255, dtype=torch.uint8)
    noise, start = torch.randn(2, 3, 8, 8), torch.tensor([[0.5, 2.0], [1.0, 0.0]])

    x, source = OpenRegion(lambda pixels: pixels)(pictures, start, noise)

    assert (source == 1).all() and (x[1] == 1).all()
    torch.testing.assert_close(x[0], 0.5 + 2 * noise[0])


def test_every_value_of_a_byte_survives_the_way_to_pixels_and_back() -> None:
    pictures = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).repeat(1, 1, 1, 3)

    assert torch.equal(to_pictures(to_pixels(pictures)), pictures)


def test_a_region_is_made_once() -> None:
    regions = Regions.of_model(make_model())

    assert regions.region(Kind.STEP, 1) is regions.region(Kind.STEP, 1)
    assert regions.region(Kind.STEP, 0) is not regions.region(Kind.STEP, 1)
    assert regions.region(Kind.OPEN, 0) is regions.region(Kind.OPEN, 1)
