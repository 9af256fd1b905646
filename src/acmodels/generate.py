"""Responses drawn from a layout and a truth, with NumPy alone.

This is the model's second implementation: it shares the layout with the engines but
none of their code for group effects, residual correlations or likelihoods, so that a
recovery study tests the model and not a mistake made twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acmodels.errors import InputError
from acmodels.system.columns import (
    design_matrix,
    group_column,
    part_values,
    unit_means,
    variable_values,
)
from acmodels.system.layout import (
    Array,
    Block,
    Column,
    Derived,
    EquationLayout,
    Layout,
    residual_pairs,
)
from acmodels.system.terms import constant_within, is_latent

type Truth = Mapping[str, float]


@dataclass(frozen=True)
class Generated:
    """One data set, or R of them.

    Attributes:
        responses: by name, on the rows of their equations, (n,) or (R, n).
        group_effects: by block key, shape (J, K) or (R, J, K).
    """

    responses: Mapping[str, Array]
    group_effects: Mapping[str, Array]


def generate(layout: Layout, truth: Truth, rng: np.random.Generator) -> Generated:
    """Draw group effects and responses of one data set; see `generate_stack`."""
    many = generate_stack(layout, truth, [rng])
    return Generated(
        {k: v[0] for k, v in many.responses.items()},
        {k: v[0] for k, v in many.group_effects.items()},
    )


def generate_stack(
    layout: Layout,
    truth: Mapping[str, float] | Mapping[str, Array],
    rngs: Sequence[np.random.Generator],
) -> Generated:
    """Draw group effects and responses of R data sets.

    Args:
        layout: of the model on a frame of predictors and groupings.
        truth: every structural parameter by name: a number, or one for each data set, (R,).
        rngs: the stream of each data set; what it draws depends on nothing else.

    Returns:
        Responses (R, n) and group effects (R, J, K).

    Raises:
        InputError: a linear predictor is not finite.
    """
    R = len(rngs)
    known = {k: np.broadcast_to(np.asarray(v, dtype=np.float64), R) for k, v in truth.items()}
    effects = {b.key: _group_effects(b, known, rngs) for b in layout.blocks}
    noise = _residuals(layout, known, rngs)
    responses: dict[str, Array] = {}
    for i in layout.order:
        e = layout.equations[i]
        with np.errstate(all="ignore"):
            eta = linear_predictor(layout, e, responses, known, effects)
        if not np.isfinite(eta).all():
            raise InputError(
                f"the linear predictor of '{e.response}' is not finite in "
                f"{int(np.sum(~np.isfinite(eta)))} of {eta.size} rows at this truth; does a log() "
                "or sqrt() in its formula meet negative values, or do effects explode?"
            )
        if i in noise:
            responses[e.response] = eta + noise[i]
            continue
        each = [e.conditional(lambda name, r=r: known[name][r]) for r in range(R)]
        responses[e.response] = np.stack(
            [d.draw(g, eta[r]) for r, (d, g) in enumerate(zip(each, rngs, strict=True))]
        )
    return Generated(responses, effects)


def linear_predictor(
    layout: Layout,
    e: EquationLayout,
    responses: Mapping[str, Array],
    truth: Mapping[str, Array | float],
    effects: Mapping[str, Array],
) -> Array:
    """Linear predictor of an equation at a truth and group effects.

    Shape (n,) for numbers and (J, K) effects; (R, n) where they are of R data sets.
    """
    X = _latent_columns(layout, e, design_matrix(layout, e, responses), responses, truth, effects)
    b = [np.asarray(truth[e.coefficient(c)]) for c in e.columns]
    beta = np.stack(b, axis=-1) if b else np.zeros((*_sets(truth), 0))
    eta = (X @ beta[..., None])[..., 0] + e.offset
    for block, mine in layout.blocks_of(e.response):
        index = block.index(e)
        for k in mine:
            column = block.members[k].column
            z = group_column(layout, e, column, responses)
            z = z + _moved(layout, e, column, responses, truth, effects)
            eta = eta + z * effects[block.key][..., index, k]
    return eta


def _latent_columns(
    layout: Layout,
    e: EquationLayout,
    X: Array,
    responses: Mapping[str, Array],
    truth: Mapping[str, Array | float],
    effects: Mapping[str, Array],
) -> Array:
    """The design with latent unit means in place of observed ones."""
    moved = [_moved(layout, e, c, responses, truth, effects) for c in e.columns]
    if not any(isinstance(m, np.ndarray) for m in moved):
        return X
    shape = np.broadcast_shapes(X.shape[:-1], *(np.shape(m) for m in moved))
    return np.broadcast_to(X, (*shape, X.shape[-1])) + np.stack(
        [np.broadcast_to(m, shape) for m in moved], axis=-1
    )


def _moved(
    layout: Layout,
    e: EquationLayout,
    column: Column,
    responses: Mapping[str, Array],
    truth: Mapping[str, Array | float],
    effects: Mapping[str, Array],
) -> Array | float:
    """What a column changes by when latent means take the place of observed ones."""
    total: Array | float = 0.0
    for part in column.parts:
        source = part.operand.source
        if not is_latent(layout, e, source):
            continue
        d = layout.derived[source]
        gap = latent_mean(layout, d, responses, truth, effects)
        gap = (gap - unit_means(layout, d, responses))[..., d.code[e.rows]]
        for other in column.parts:
            if other is not part:
                values = variable_values(layout, other.operand.source, responses)
                gap = gap * part_values(other, values[..., e.rows])
        total = total + (d.mean or 0.0) * gap
    return total


def latent_mean(
    layout: Layout,
    d: Derived,
    responses: Mapping[str, Array],
    truth: Mapping[str, Array | float],
    effects: Mapping[str, Array],
) -> Array:
    """Latent mean of a response in each unit: what of its own predictor is constant there.

    Shape (J,); (R, J) for R data sets.
    """
    e = layout.equation(d.variable)
    X = _latent_columns(layout, e, design_matrix(layout, e, responses), responses, truth, effects)
    total: Array | float = 0.0
    for k, c in enumerate(e.columns):
        if constant_within(layout, c, d.code):
            total = total + X[..., k] * np.asarray(truth[e.coefficient(c)])[..., None]
    for block, mine in layout.blocks_of(e.response):
        if len(np.unique(d.code * len(block.levels) + block.code)) > len(d.levels):
            continue  # its groups are not made of whole units
        for k in mine:
            column = block.members[k].column
            if constant_within(layout, column, d.code):
                z = group_column(layout, e, column, responses)
                total = total + z * effects[block.key][..., block.index(e), k]
    own = d.code[e.rows]
    first = np.array([np.argmax(own == j) for j in range(len(d.levels))])
    if all(np.ptp(e.offset[own == j]) == 0 for j in range(len(d.levels))):
        total = total + e.offset
    return np.broadcast_to(total, (*np.shape(total)[:-1], e.n))[..., first]


def _sets(truth: Mapping[str, Array | float]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(np.shape(v) for v in truth.values()))


def _group_effects(
    block: Block, truth: Mapping[str, Array], rngs: Sequence[np.random.Generator]
) -> Array:
    sds = np.stack([truth[block.sd(m)] for m in block.members], axis=-1)
    root = _root(_matrix(block.correlations(), len(block.members), truth, len(rngs)))
    z = np.stack([g.standard_normal((len(block.levels), sds.shape[1])) for g in rngs])
    return z @ np.swapaxes(root, 1, 2) * sds[:, None, :]


def _residuals(
    layout: Layout, truth: Mapping[str, Array], rngs: Sequence[np.random.Generator]
) -> dict[int, Array]:
    out: dict[int, Array] = {}
    for r, members in enumerate(layout.residual):
        root = _root(_matrix(residual_pairs(layout, r), len(members), truth, len(rngs)))
        n = layout.equations[members[0]].n
        z = np.stack([g.standard_normal((n, len(members))) for g in rngs])
        z = z @ np.swapaxes(root, 1, 2)
        for column, i in enumerate(members):
            sigma = truth[layout.equations[i].sigma]
            out[i] = z[:, :, column] * sigma[:, None]
    return out


def _matrix(
    pairs: Sequence[tuple[int, int, str]], size: int, truth: Mapping[str, Array], R: int
) -> Array:
    correlation = np.tile(np.eye(size), (R, 1, 1))
    for i, j, name in pairs:
        correlation[:, i, j] = correlation[:, j, i] = truth[name]
    return correlation


def _root(correlation: Array) -> Array:
    """A square root by eigenvalues, so that correlations of 1 are allowed; (R, K, K)."""
    values, vectors = np.linalg.eigh(correlation)
    if np.min(values) < -1e-8:
        raise ValueError("not a correlation matrix")
    return vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
