"""Correlation matrices with an LKJ prior, of group effects and of residuals.

From canonical partial correlations: p[i, j] on (-1, 1) is Beta with both shapes
eta + (K - 2 - j) / 2, and L[i, j] = p[i, j] prod_{k<j} sqrt(1 - p[i, k]^2) is the Cholesky factor
(Lewandowski, Kurowicka & Joe, 2009).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from acmodels.engines.nuts.forms import shape_of
from acmodels.engines.nuts.rows import Stack
from acmodels.priors import Priors, held_matrix
from acmodels.system.arrays import Array
from acmodels.system.layout import first_pairs, residual_pairs

type Pairs = Sequence[tuple[int, int, str]]
"""Positions and names of correlations: (1, 2), (1, 3), ..., (2, 3), ..."""


def cholesky(pm: Any, name: str, K: int, priors: Priors, pairs: Pairs) -> Any:
    """Add the Cholesky factor of a K x K correlation matrix, held or with an LKJ(eta) prior.

    Args:
        pm: the PyMC module.
        name: of the partial correlations.
        K: rows.
        priors: in force.
        pairs: the correlations.
    """
    names = [n for _, _, n in pairs]
    known = held_matrix(K, priors, names)
    if known is not None:
        return np.linalg.cholesky(known)
    eta = priors[names[0]].distribution.parameters["eta"]
    rows, columns = np.tril_indices(K, -1)
    shape = eta + (K - 2 - columns) / 2
    partial = 2.0 * pm.Beta(name, shape, shape, shape=len(rows)) - 1.0
    place = np.zeros((K * K, len(rows)))
    place[rows * K + columns, range(len(rows))] = 1.0
    lower = pm.math.dot(place, partial).reshape((K, K))
    before = np.triu(np.ones((K, K)), 1)
    left = pm.math.exp(pm.math.dot(0.5 * pm.math.log(1.0 - lower**2), before))
    return (lower + np.eye(K)) * left


def cholesky_draws(
    draws: Mapping[str, Array], name: str, K: int, priors: Priors, pairs: Pairs
) -> tuple[Array, dict[str, Array]]:
    """Return draws of the Cholesky factor, (chain, draw, K, K), and of the correlations by name."""
    known = held_matrix(K, priors, [n for _, _, n in pairs])
    if known is None:
        L = _from_partial(draws[name], K)
    else:
        L = np.broadcast_to(np.linalg.cholesky(known), (*shape_of(draws), K, K))
    R = L @ np.swapaxes(L, -1, -2)
    return L, {n: R[..., i, j] for i, j, n in pairs}


def _from_partial(partial: Array, K: int) -> Array:
    rows, columns = np.tril_indices(K, -1)
    lower = np.zeros((*partial.shape[:2], K, K))
    lower[..., rows, columns] = 2.0 * partial - 1.0
    left = np.exp(0.5 * np.log1p(-(lower**2)) @ np.triu(np.ones((K, K)), 1))
    return (lower + np.eye(K)) * left


# --- of residuals ----------------------------------------------------------------------------


def condition(
    pm: Any,
    stack: Stack,
    members: Sequence[int],
    moments: tuple[Any, Any],
    y: Any,
    first: Any,
) -> tuple[Any, Any]:
    """Condition each equation of a residual block on the residuals of those before it.

    With residuals e_k = sigma_k sum_j L[k, j] z_j, equation k given the earlier ones is
    normal about eta_k + sigma_k sum_{j<k} L[k, j] z_j with sd sigma_k L[k, k].

    Args:
        pm: the PyMC module.
        stack: the equations.
        members: positions of the equations of one family.
        moments: their means, stacked, and the residual sd of every row.
        y: their responses, stacked.
        first: 1 for rows of first waves, where correlations are others, stacked, or None.
    """
    layout = stack.layout
    eta, sigma = moments
    starts = np.cumsum([0, *(stack.count(i) for i in members)])
    place = {i: slice(int(starts[p]), int(starts[p + 1])) for p, i in enumerate(members)}
    means = [eta[place[i]] for i in members]
    ones = [np.ones(stack.count(i)) for i in members]
    stretch: list[Any] = list(ones)
    if len(members) == 1:
        return eta, sigma
    for r, block in enumerate(layout.residual):
        pairs = residual_pairs(layout, r)
        L = cholesky(pm, f"residual_partial_{r}", len(block), stack.priors, pairs)
        names = dict(first_pairs(layout)).get(r)
        L1 = None
        if names is not None and first is not None:
            L1 = cholesky(pm, f"first_partial_{r}", len(block), stack.priors, names)
        z: list[Any] = []
        for k, i in enumerate(block):
            p = members.index(i)
            sd = sigma[place[i]]

            def at(k: int, j: int, i: int = i, L: Any = L, L1: Any = L1) -> Any:
                if L1 is None or first is None:
                    return L[k, j]
                return L[k, j] + first[place[i]] * (L1[k, j] - L[k, j])

            for j in range(k):
                means[p] = means[p] + sd * at(k, j) * z[j]
            stretch[p] = at(k, k) * ones[p]
            z.append((y[place[i]] - means[p]) / (sd * at(k, k)))
    return pm.math.concatenate(means), sigma * pm.math.concatenate(stretch)


def residual_draws(stack: Stack, draws: Mapping[str, Array]) -> dict[str, Array]:
    """Return draws of the residual correlations by name."""
    out: dict[str, Array] = {}
    for r, block in enumerate(stack.layout.residual):
        pairs = residual_pairs(stack.layout, r)
        name = f"residual_partial_{r}"
        out |= cholesky_draws(draws, name, len(block), stack.priors, pairs)[1]
    for r, pairs in first_pairs(stack.layout):
        size = len(stack.layout.residual[r])
        out |= cholesky_draws(draws, f"first_partial_{r}", size, stack.priors, pairs)[1]
    return out
