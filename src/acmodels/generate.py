"""Responses drawn from a layout and a truth, with NumPy alone.

This is the model's second implementation: it shares the layout with the engines but
none of their code for group effects, residual correlations or likelihoods, so that a
recovery study tests the model and not a mistake made twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from acmodels.errors import InputError
from acmodels.families import family
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.layout import Array, Block, EquationLayout, Layout, residual_pairs

type Truth = Mapping[str, float]


@dataclass(frozen=True)
class Generated:
    """One data set.

    Attributes:
        responses: by name, on the rows of their equations.
        group_effects: by block key, shape (J, K).
    """

    responses: Mapping[str, Array]
    group_effects: Mapping[str, Array]


def generate(layout: Layout, truth: Truth, rng: np.random.Generator) -> Generated:
    """Draw group effects and responses.

    Args:
        layout: of the model on a frame of predictors and groupings.
        truth: every structural parameter by name.
        rng: the stream to draw from.

    Raises:
        InputError: a linear predictor is not finite.
    """
    effects = {b.key: _group_effects(b, truth, rng) for b in layout.blocks}
    noise = _residuals(layout, truth, rng)
    responses: dict[str, Array] = {}
    for i in layout.order:
        e = layout.equations[i]
        with np.errstate(all="ignore"):
            eta = linear_predictor(layout, e, responses, truth, effects)
        if not np.isfinite(eta).all():
            raise InputError(
                f"the linear predictor of '{e.response}' is not finite in "
                f"{int(np.sum(~np.isfinite(eta)))} of {e.n} rows at this truth; does a log() or "
                "sqrt() in its formula meet negative values, or do effects explode?"
            )
        if i in noise:
            responses[e.response] = eta + noise[i]
            continue
        spread = e.se if e.se is not None else np.zeros(e.n)
        if e.has_sigma:
            spread = np.full(e.n, truth[f"sigma({e.response})"])
        responses[e.response] = family(e.family).draw(rng, eta, spread, e.trials, e.link)
    return Generated(responses, effects)


def linear_predictor(
    layout: Layout,
    e: EquationLayout,
    responses: Mapping[str, Array],
    truth: Truth,
    effects: Mapping[str, Array],
) -> Array:
    """Linear predictor of an equation at a truth and group effects; shape (n,)."""
    X = design_matrix(layout, e, responses)
    eta = X @ np.array([truth[e.coefficient(c)] for c in e.columns]) + e.offset
    for block, mine in layout.blocks_of(e.response):
        index = block.index(e)
        for k in mine:
            z = group_column(layout, e, block.members[k].column, responses)
            eta = eta + z * effects[block.key][index, k]
    return eta


def _group_effects(block: Block, truth: Truth, rng: np.random.Generator) -> Array:
    sds = np.array([truth[block.sd(m)] for m in block.members])
    correlation = np.eye(len(sds))
    for i, j, name in block.correlations():
        correlation[i, j] = correlation[j, i] = truth[name]
    shape = (len(block.levels), len(sds))
    return rng.standard_normal(shape) @ _root(correlation).T * sds


def _residuals(layout: Layout, truth: Truth, rng: np.random.Generator) -> dict[int, Array]:
    out: dict[int, Array] = {}
    for r, members in enumerate(layout.residual):
        correlation = np.eye(len(members))
        for i, j, name in residual_pairs(layout, r):
            correlation[i, j] = correlation[j, i] = truth[name]
        n = layout.equations[members[0]].n
        z = rng.standard_normal((n, len(members))) @ _root(correlation).T
        for column, i in enumerate(members):
            out[i] = z[:, column] * truth[f"sigma({layout.equations[i].response})"]
    return out


def _root(correlation: Array) -> Array:
    """A square root by eigenvalues, so that correlations of 1 are allowed."""
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < -1e-8:
        raise ValueError("not a correlation matrix")
    return vectors * np.sqrt(np.maximum(values, 0.0))
