"""How far results may be from eager mode's, by number format."""

from __future__ import annotations

import pytest
import torch

from realtime.engine.rungs.exactness import LIMITS, ROUNDING, fault, relative_l2

THEIRS = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def test_relative_l2_is_the_size_of_the_difference_to_what_is_right() -> None:
    assert relative_l2(THEIRS * 1.01, THEIRS) == pytest.approx(0.01, rel=1e-4)
    assert relative_l2(torch.ones(4), torch.zeros(4)) == 2.0, "where all is zero, the difference itself"


@pytest.mark.parametrize("precision", LIMITS)
def test_results_within_the_limit_of_their_format_pass_and_others_are_told_of(precision: str) -> None:
    near, far = (THEIRS * (1 + factor * LIMITS[precision]) for factor in (0.9, 1.1))

    assert fault({"x": near}, {"x": THEIRS}, precision) == ""
    found = fault({"x": THEIRS, "y": far}, {"y": THEIRS, "x": THEIRS}, precision)
    assert found == f"differ from PyTorch's by {1.1 * LIMITS[precision]:.2g}"


def test_what_is_no_number_is_never_near_enough() -> None:
    assert "nan" in fault({"x": THEIRS * torch.nan}, {"x": THEIRS}, "bfloat16")


def test_grey_levels_may_be_rounded_either_way() -> None:
    pictures = torch.full((1, 64, 64, 3), 128, dtype=torch.uint8)
    rounded, darker = pictures.clone(), pictures - 1
    rounded[0, 0, 0, 0] += 1

    assert LIMITS["float32"] < ROUNDING
    assert fault({"pictures": rounded}, {"pictures": pictures}, "float32") == ""
    assert fault({"pictures": darker}, {"pictures": pictures}, "float32")


def test_one_row_that_is_said_to_be_broken_and_is_not_is_a_fault() -> None:
    assert fault({"finite": torch.tensor([True, False])}, {"finite": torch.tensor([True, True])}, "bfloat16")
