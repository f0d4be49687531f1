"""What GPUs are expected to make: those that were computed, others scaled from them, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from realtime.card import Card
from realtime.computed import (
    AOTI,
    BASE_GFLOP,
    COMPUTED,
    GRAPHS,
    SIZES,
    Computed,
    ModelSize,
    basis_of,
    has_room_for_builder,
    rate_of,
    rows_that_fit,
)
from realtime.engine.models.presets import list_presets

ONE_STEP = replace(SIZES["sd-turbo"], steps=1)
"""What the times of `COMPUTED` are of."""


def computed(name: str) -> Computed:
    return next(one for one in COMPUTED if name in one.card.name)


@pytest.mark.parametrize(
    ("name", "rung", "one_ms", "eight_ms"),
    [
        ("H100", GRAPHS, 8.6, 4.9),
        ("H100", AOTI, 6.5, 3.9),
        ("H200", AOTI, 6.2, 3.6),
        ("RTX 4090", GRAPHS, 18.6, 14.5),
        ("RTX 4090", AOTI, 15.6, 12.0),
        ("RTX 3060", AOTI, 42, 37),
        ("4060 Laptop", GRAPHS, 50, 48),
    ],
)
def test_cards_that_were_computed_have_their_own_times(name: str, rung: str, one_ms: float, eight_ms: float) -> None:
    basis = basis_of(computed(name).card)
    assert basis is not None and not basis.how

    rate = rate_of(basis.times, ONE_STEP, 8, rung)

    assert ONE_STEP.fixed_gflop + ONE_STEP.step_gflop == BASE_GFLOP
    assert (1000 / rate.alone, 1000 / rate.together) == (pytest.approx(one_ms), pytest.approx(eight_ms))


def test_name_alone_is_enough_for_a_card_that_was_computed() -> None:
    assert basis_of(Card("NVIDIA H200", (9, 0))) == basis_of(computed("H200").card)


def test_card_of_the_same_kind_is_scaled_by_processors_and_bandwidth() -> None:
    known = computed("RTX 4090")
    half = Card("NVIDIA GeForce RTX 4999", (8, 9), 12.0, 1008 / 2, 128 * 2.52 / 2)

    basis = basis_of(half)

    assert basis is not None and basis.how == "scaled from NVIDIA GeForce RTX 4090 by processors and bandwidth"
    assert basis.times.products == pytest.approx(tuple(2 * ms for ms in known.times.products))
    assert basis.times.passes == pytest.approx(tuple(2 * ms for ms in known.times.passes))


@pytest.mark.parametrize("card", [Card("NVIDIA A100", (8, 0), 42.0, 1555, 108 * 1.41), Card("x", (8, 6), 8.0, 448)])
def test_card_of_another_kind_is_scaled_by_bandwidth_and_says_so(card: Card) -> None:
    basis = basis_of(card)

    assert basis is not None and basis.how.endswith("by bandwidth alone, a guess")


def test_name_of_a_known_card_with_other_memory_is_scaled() -> None:
    basis = basis_of(Card("NVIDIA GeForce RTX 3060", (8, 6), 8.6, 240, 28 * 1.78))

    assert basis is not None and basis.how


@pytest.mark.parametrize(
    "card",
    [
        Card("NVIDIA GeForce RTX 5090", (12, 0), 34.0),
        Card("NVIDIA GeForce GTX 1080", (6, 1), 8.5, 320, 20 * 1.7),
        Card("NVIDIA GeForce GTX 1650", (7, 5), 4.3, 128, 14 * 1.6),
        Card("something", None, 8.0, 400.0),
    ],
)
def test_no_number_is_said_of_cards_of_which_too_little_is_known(card: Card) -> None:
    assert basis_of(card) is None


@pytest.mark.parametrize(
    ("memory_gb", "rows"),
    [
        (80.0, {"sd-turbo": 8, "sdxl-turbo": 8, "lcm-sdxl": 8}),
        (12.6, {"sd-turbo": 8, "sdxl-turbo": 8, "lcm-sdxl": 3}),
        (8.0, {"sd-turbo": 8, "sdxl-turbo": 0, "lcm-sdxl": 0}),
        (4.3, {"sd-turbo": 3, "sdxl-turbo": 0}),
        (None, {"sd-turbo": 0}),
    ],
)
def test_models_fit_where_weights_and_a_row_do(memory_gb: float | None, rows: dict[str, int]) -> None:
    card = Card("x", memory_gb=memory_gb)

    assert {name: rows_that_fit(card, SIZES[name]) for name in rows} == rows


@pytest.mark.parametrize(
    ("memory_gb", "model", "has_room"),
    [(80.0, "sdxl-turbo", True), (12.6, "sdxl-turbo", False), (12.6, "sd-turbo", True), (8.6, "sd-turbo", False)],
)
def test_packages_are_built_where_the_model_fits_twice(memory_gb: float, model: str, has_room: bool) -> None:
    card, size = Card("x", memory_gb=memory_gb), SIZES[model]

    assert has_room_for_builder(card, size, rows_that_fit(card, size)) is has_room


def test_fewer_rows_make_a_rate_between_one_and_all() -> None:
    times = computed("H100").times

    rates = [rate_of(times, ONE_STEP, rows, GRAPHS) for rows in (1, 2, 8)]

    assert rates[0].alone == rates[0].together < rates[1].together < rates[2].together


def test_sizes_are_those_of_presets() -> None:
    presets = {preset.name: preset.defaults for preset in list_presets()}

    def default(size: ModelSize) -> dict[str, int]:
        return {"width": size.side_px, "height": size.side_px, "num_inference_steps": size.steps}

    for name, size in SIZES.items():
        assert default(size).items() <= presets[name].items(), name
