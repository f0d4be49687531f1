"""How much of a model's change a sampler's steps make, and one-time guidance: coefficients put into a `sampler.Table`.

Pure functions on float64 numpy. Must not know torch, models or params.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .sampler import KA, KM, KS, KX, PM, PX, Floats, Table


def with_amount(table: Table, amount: float) -> Table:
    """Steps that go to x0 = amount·x0_model + (1 − amount)·source: 0 stays with the input, 1 changes nothing."""
    return _with_x0(table, _every(table, amount), _every(table, 1 - amount), _every(table, 0))


def with_amount_once(table: Table, amount: float, guidance_scale: float) -> Table:
    """`with_amount`, with one-time guidance of the model's x0.

    The first step's prediction is guided already: it has a second row with the negative prompt. Behind it, the x0 that
    this row predicted, the anchor, stands for those of second rows: x0 = anchor + guidance_scale·(x0_model − anchor).
    """
    scale = _every(table, guidance_scale)
    scale[0] = 1
    return _with_x0(table, amount * scale, _every(table, 1 - amount), amount * (1 - scale))


def _with_x0(table: Table, model: Floats, source: Floats, anchor: Floats) -> Table:
    """Steps that go to model·x0_model + source·source + anchor·anchor in the place of the predicted x0_model.

    A step is linear in x and in the x0 that (x, m) predict: x' = q·x + p·x0 + kz·z, with p = km / pm, and only p·x0
    changes. The predicted noise moves with x0, as x = a·x0 + b·ε: this is residual guidance with δ = 1, without state.
    Source: Kodaira et al. 2023, arXiv 2312.12491, section 3.2, residual classifier-free guidance.

    Args:
        model, source, anchor: shares, float64 [n], which add up to 1 in each step.
    """
    steps = table.steps.copy()
    p = steps[:, KM] / steps[:, PM]
    steps[:, KX] += (model - 1) * p * steps[:, PX]
    steps[:, KM] *= model
    steps[:, KS] = source * p
    steps[:, KA] = anchor * p
    return replace(table, steps=steps)


def _every(table: Table, share: float) -> Floats:
    return np.full(len(table.steps), share, np.float64)
