"""Log marginal density of linked gaussian equations by one dense multivariate normal."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from acmodels.engines.collapsed.mixed import Component
from acmodels.priors import Priors
from acmodels.system import Layout, Responses
from acmodels.system.arrays import Array
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.layout import residual_pairs


def matrices(
    layout: Layout,
    priors: Priors,
    responses: Responses,
    component: Component,
    value: Mapping[str, float],
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Stacked y, prior mean and covariance of all effects, their design, and residual covariance.

    Returns:
        y (n,), W (n, q), m (q,), V (q, q), R (n, n) and where the coefficients are among q. Group
        effects stand block by block, level by level, member by member; coefficients last.
    """
    es = [layout.equations[i] for i in component.equations]
    ends = np.cumsum([0, *(e.n for e in es)])
    rows = {e.response: slice(ends[k], ends[k + 1]) for k, e in enumerate(es)}
    n = int(ends[-1])
    y, R = np.zeros(n), np.zeros((n, n))
    designs: list[Array] = []
    covariances: list[Array] = []
    for b in component.blocks:
        block = layout.blocks[b]
        K = len(block.members)
        sd = np.array([value[block.sd(m)] for m in block.members])
        C = np.eye(K)
        for i, j, name in block.correlations():
            C[i, j] = C[j, i] = value[name]
        Z = np.zeros((n, len(block.levels) * K))
        for k, m in enumerate(block.members):
            e = layout.equation(m.response)
            at = np.arange(ends[es.index(e)], ends[es.index(e) + 1])
            Z[at, block.index(e) * K + k] = group_column(layout, e, m.column, responses)
        designs.append(Z)
        covariances.append(np.kron(np.eye(len(block.levels)), C * np.outer(sd, sd)))
    means: list[Array] = [np.zeros(Z.shape[1]) for Z in designs]
    for e in es:
        X = design_matrix(layout, e, responses)
        y[rows[e.response]] = responses[e.response] - e.offset
        names = [e.coefficient(c) for c in e.columns]
        found = [priors[n] for n in names]
        mean = np.array([p.distribution.location - p.constant for p in found])
        sd = np.array([p.distribution.scale for p in found])
        on = np.eye(len(names))  # what the priors are on, in terms of the coefficients
        for k, p in enumerate(found):
            if p.on:
                on[k] = [dict(p.on).get(n, 0.0) for n in names]
        turn = np.linalg.inv(on) if names else on
        whole = np.zeros((n, X.shape[1]))
        whole[rows[e.response]] = X
        designs.append(whole)
        means.append(turn @ mean)
        covariances.append(turn @ np.diag(sd**2) @ turn.T)
        if e.se is not None:
            R[rows[e.response], rows[e.response]] = np.diag(e.se**2)
        else:
            w = np.ones(e.n) if e.weights is None else e.weights
            R[rows[e.response], rows[e.response]] = np.diag(value[f"sigma({e.response})"] ** 2 / w)
    for r, members in enumerate(layout.residual):
        names = [layout.equations[i].response for i in members]
        for i, j, name in residual_pairs(layout, r):
            if names[i] in rows:
                both = value[name] * value[f"sigma({names[i]})"] * value[f"sigma({names[j]})"]
                size = layout.equation(names[i]).n
                R[rows[names[i]], rows[names[j]]] = both * np.eye(size)
                R[rows[names[j]], rows[names[i]]] = both * np.eye(size)
    q = sum(c.shape[0] for c in covariances)
    V, at = np.zeros((q, q)), 0
    for c in covariances:
        V[at : at + len(c), at : at + len(c)] = c
        at += len(c)
    p = sum(len(e.columns) for e in es)
    return y, np.concatenate(designs, 1), np.concatenate(means), V, R, np.arange(q - p, q)


def log_marginal(*found: Any) -> float:
    """Log density of y, everything but the sds integrated out."""
    y, W, m, V, R, _ = found
    return float(stats.multivariate_normal(W @ m, W @ V @ W.T + R).logpdf(y))


def conditional(*found: Any) -> tuple[Array, Array]:
    """Mean and covariance of group effects and coefficients given y and the sds."""
    y, W, m, V, R, _ = found
    gain = V @ W.T @ np.linalg.inv(W @ V @ W.T + R)
    return m + gain @ (y - W @ m), V - gain @ W @ V
