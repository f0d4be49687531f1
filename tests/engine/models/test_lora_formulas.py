"""Each format against its formula, written out with numpy: what a weight becomes, number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realtime.engine.models.lora_formulas import Alpha, added, added_to_bias
from realtime.errors import ModelError

OUT, IN, SIDE, RANK = 6, 4, 3, 2
LINEAR, KERNEL, POINT = (OUT, IN), (OUT, IN, SIDE, SIDE), (OUT, IN, 1, 1)


@pytest.fixture(autouse=True)
def _same_numbers_every_time() -> None:
    torch.manual_seed(0)


def change(weight: torch.Tensor, stated: Alpha | None = None, /, **parts: torch.Tensor) -> torch.Tensor:
    found = added(parts, weight, stated or Alpha())
    assert found is not None
    # What is checked before anything is calculated must be what is calculated.
    on_meta = {name: part if name == "alpha" else part.to("meta") for name, part in parts.items()}
    checked = added(on_meta, weight.to("meta"), stated or Alpha())
    assert checked is not None
    assert checked.shape == found.shape == weight.shape
    return found


def assert_is(found: torch.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("alpha", "scale"), [(None, 1.0), (1.0, 0.5), (5.0, 2.5), (0.0, 0.0)])
def test_lora_is_up_times_down_times_alpha_over_rank(alpha: float | None, scale: float) -> None:
    down, up = torch.randn(RANK, IN), torch.randn(OUT, RANK)
    own = {} if alpha is None else {"alpha": torch.tensor(alpha)}

    assert_is(change(torch.randn(LINEAR), down=down, up=up, **own), scale * (up.numpy() @ down.numpy()))


def test_a_stated_alpha_holds_where_there_is_no_own() -> None:
    down, up = torch.randn(4, IN), torch.randn(OUT, 4)
    product = up.numpy() @ down.numpy()

    assert_is(change(torch.randn(LINEAR), Alpha(8.0), down=down, up=up), 2 * product)
    assert_is(change(torch.randn(LINEAR), Alpha(8.0, by_root=True), down=down, up=up), 4 * product)
    assert_is(change(torch.randn(LINEAR), Alpha(8.0, by_root=True), down=down, up=up, alpha=torch.tensor(4)), product)


@pytest.mark.parametrize("shape", [LINEAR, POINT])
@pytest.mark.parametrize("ends", [(), (1, 1)])
def test_matrices_and_kernels_of_one_point_are_the_same(shape: tuple[int, ...], ends: tuple[int, ...]) -> None:
    down, up = torch.randn(RANK, IN, *ends), torch.randn(OUT, RANK, *ends)
    product = up.numpy().reshape(OUT, RANK) @ down.numpy().reshape(RANK, IN)

    assert_is(change(torch.randn(shape), down=down, up=up), product.reshape(shape))


def test_locon_is_the_kernel_of_both_convolutions() -> None:
    down, up = torch.randn(RANK, IN, SIDE, SIDE), torch.randn(OUT, RANK, 1, 1)
    picture = torch.randn(1, IN, 8, 8)
    expected = torch.nn.functional.conv2d(torch.nn.functional.conv2d(picture, down), up)

    kernel = change(torch.randn(KERNEL), down=down, up=up)

    assert_is(torch.nn.functional.conv2d(picture, kernel), expected.numpy())


def test_locon_with_a_core_is_the_kernel_of_three_convolutions() -> None:
    down, mid, up = torch.randn(RANK, IN, 1, 1), torch.randn(3, RANK, SIDE, SIDE), torch.randn(OUT, 3, 1, 1)
    picture, conv = torch.randn(1, IN, 8, 8), torch.nn.functional.conv2d

    kernel = change(torch.randn(KERNEL), down=down, mid=mid, up=up)

    assert_is(conv(picture, kernel), conv(conv(conv(picture, down), mid), up).numpy())


def test_loha_is_the_product_by_element_of_two_products() -> None:
    a1, b1, a2, b2 = torch.randn(OUT, RANK), torch.randn(RANK, IN), torch.randn(OUT, RANK), torch.randn(RANK, IN)

    found = change(torch.randn(LINEAR), hada_w1_a=a1, hada_w1_b=b1, hada_w2_a=a2, hada_w2_b=b2, alpha=torch.tensor(1.0))

    assert_is(found, 0.5 * (a1.numpy() @ b1.numpy()) * (a2.numpy() @ b2.numpy()))


def test_loha_with_cores() -> None:
    parts = {}
    expected = np.ones(KERNEL)
    for number in (1, 2):
        core, a, b = torch.randn(RANK, RANK, SIDE, SIDE), torch.randn(RANK, OUT), torch.randn(RANK, IN)
        parts |= {f"hada_t{number}": core, f"hada_w{number}_a": a, f"hada_w{number}_b": b}
        expected *= np.einsum("ijkl,jr,ip->prkl", core.numpy(), b.numpy(), a.numpy())

    assert_is(change(torch.randn(KERNEL), **parts), expected)


@pytest.mark.parametrize("is_whole", [(True, True), (True, False), (False, True), (False, False)])
def test_lokr_is_kroneckers_product_scaled_where_a_factor_has_a_rank(is_whole: tuple[bool, bool]) -> None:
    parts: dict[str, torch.Tensor] = {}
    factors = []
    for name, shape, whole in (("lokr_w1", (3, 2), is_whole[0]), ("lokr_w2", (2, 2), is_whole[1])):
        a, b = torch.randn(shape[0], RANK), torch.randn(RANK, shape[1])
        parts |= {name: a @ b} if whole else {f"{name}_a": a, f"{name}_b": b}
        factors.append(a.numpy() @ b.numpy())

    found = change(torch.randn(LINEAR), alpha=torch.tensor(1.0), **parts)

    assert_is(found, np.kron(*factors) * (1.0 if all(is_whole) else 0.5))


def test_lokr_of_a_kernel() -> None:
    one, core, a, b = torch.randn(3, 2), torch.randn(RANK, RANK, SIDE, SIDE), torch.randn(RANK, 2), torch.randn(RANK, 2)
    two = np.einsum("ijkl,jr,ip->prkl", core.numpy(), b.numpy(), a.numpy())

    found = change(torch.randn(KERNEL), lokr_w1=one, lokr_t2=core, lokr_w2_a=a, lokr_w2_b=b)

    assert_is(found, np.kron(one.numpy()[:, :, None, None], two))


@pytest.mark.parametrize("shape", [LINEAR, KERNEL])
@pytest.mark.parametrize("by_input", [False, True])
def test_dora_rows_or_columns_have_the_magnitudes_that_it_says(shape: tuple[int, ...], by_input: bool) -> None:
    weight, down, up = torch.randn(shape), torch.randn(RANK, *shape[1:]), torch.randn(OUT, RANK)
    side = shape[1] if by_input else shape[0]
    magnitudes = torch.rand(side) + 0.5
    ones = [1] * (len(shape) - 1)
    stored = magnitudes.reshape([1, side, *ones[1:]] if by_input else [side, *ones])

    after = weight + change(weight, down=down, up=up, dora_scale=stored)

    axes = tuple(axis for axis in range(len(shape)) if axis != int(by_input))
    assert_is(after.square().sum(axes).sqrt(), magnitudes.numpy())
    full = weight + (up @ down.flatten(1)).reshape(shape)
    cosine = torch.nn.functional.cosine_similarity(*(x.transpose(0, int(by_input)).flatten(1) for x in (after, full)))
    assert_is(cosine, np.ones(side))


def test_pefts_magnitudes_of_a_kernel_are_by_output_whatever_their_shape() -> None:
    weight, down, up = torch.randn(IN, IN, SIDE, SIDE), torch.randn(RANK, IN, SIDE, SIDE), torch.randn(IN, RANK)
    magnitudes = torch.rand(IN) + 0.5

    after = weight + change(weight, down=down, up=up, magnitude=magnitudes.reshape(1, IN, 1, 1))

    assert_is(after.flatten(1).norm(dim=1), magnitudes.numpy())


def test_differences_are_taken_as_they_are() -> None:
    difference = torch.randn(KERNEL)

    assert_is(change(torch.randn(KERNEL), diff=difference, alpha=torch.tensor(0.1)), difference.numpy())
    assert_is(change(torch.randn(OUT), w_norm=difference[:, 0, 0, 0]), difference[:, 0, 0, 0].numpy())


def test_a_bias_moves_by_its_difference_or_its_matrices() -> None:
    bias, difference, down = torch.randn(OUT), torch.randn(OUT), torch.randn(RANK, IN)
    parts = {"down": down, "up": torch.randn(OUT, RANK), "up_bias": difference, "alpha": torch.tensor(1.0)}

    for given, expected in (({"diff_b": difference}, difference), ({"b_norm": difference}, difference)):
        found = added_to_bias(given, bias, Alpha())
        assert found is not None
        assert_is(found, expected.numpy())
        assert added(given, torch.randn(LINEAR), Alpha()) is None
    by_matrix = added_to_bias(parts, bias, Alpha())
    assert by_matrix is not None
    assert_is(by_matrix, 0.5 * difference.numpy())
    assert added_to_bias({"down": down}, bias, Alpha()) is None


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"up": (OUT, RANK)}, r"parts that make no known format \(up\)"),
        ({"down": (RANK, IN), "up": (OUT, RANK), "diff": LINEAR}, r"no known format \(diff, down, up\)"),
        ({"dora_scale": (OUT, 1)}, "magnitudes and no matrices"),
        ({"down": (RANK, IN), "up": (OUT + 1, RANK)}, "it is 7×4 and the layer 6×4"),
        ({"diff": (IN, OUT)}, "it is 4×6 and the layer 6×4"),
    ],
)
def test_parts_that_make_nothing_are_refused(parts: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        added({name: torch.randn(shape) for name, shape in parts.items()}, torch.randn(LINEAR), Alpha())
