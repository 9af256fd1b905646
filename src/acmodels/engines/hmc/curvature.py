"""The curvature of the log density at a point, by differences of its gradient."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from acmodels.engines.hmc.design import Design
from acmodels.engines.hmc.roots import root_of
from acmodels.engines.hmc.sampler import differences
from acmodels.system.arrays import Array, Index

STEP = 1e-5
CROSSED = 30
"""Coordinates of the border from which curvature of crossed effects is summed up over rows."""
OPEN_CORRELATION = 0.7
"""Curvature at which that of a correlation is floored."""


@dataclass(frozen=True)
class Order:
    """Say which coordinates are eliminated first.

    Attributes:
        primary: places of the primary block's effects, level by level, (J * K,).
        border: all other places that are sampled.
        K: effects a level.
    """

    primary: Index
    border: Index
    K: int


def hessian(design: Design, x: Array, o: Order) -> tuple[Array, Array, Array]:
    """Take the Hessian of minus the log density: (J, K, K), (J * K, q) and (q, q).

    Coordinates of the border are moved one by one and the primary block's effects all levels at
    once, since no row belongs to two levels. Group effects of the border that meet those of the
    primary block in rows alone are not moved: their curvature is that of the rows.
    """
    if design.chart is not None:
        return _joint(design, x, o)
    if len(o.border) > CROSSED and simple(design):
        return _crossed(design, x, o)
    q, K = len(o.border), o.K
    sets = [[k] for k in o.border]
    J = len(o.primary) // K
    if J:
        sets += [list(o.primary.reshape(J, K)[:, k]) for k in range(K)]
    at = np.concatenate([np.asarray(s, dtype=np.int64) for s in sets])
    first = np.cumsum([0, *(len(s) for s in sets)])
    h = STEP * np.maximum(design.unit, 1e-3)
    out = np.empty((len(sets) + 1, len(x) + int(design.arrays.sizes[:2].sum())))
    differences(design.arrays, x, at, first, h[at], out, levels=False)
    B = -out[1 : q + 1, o.border] / h[o.border][:, None]
    B = (B + B.T) / 2
    C = -(out[1 : q + 1, o.primary] / h[o.border][:, None]).T
    D = np.zeros((J, K, K))
    for k in range(K if J else 0):
        D[:, k, :] = -out[q + 1 + k, o.primary].reshape(J, K) / h[o.primary[k]]
    D = (D + D.transpose(0, 2, 1)) / 2
    _floor(design, o, B)
    return D, C, B


def _joint(design: Design, x: Array, o: Order) -> tuple[Array, Array, Array]:
    """Take the Hessian where states have joint coordinates: of all others alone.

    At the anchor that of states is the identity, and they hardly turn with anything else.
    """
    q, N = len(o.border), len(o.primary)
    h = STEP * np.maximum(design.unit[o.border], 1e-3)
    out = np.empty((q + 1, len(x) + int(design.arrays.sizes[:2].sum())))
    first = np.arange(q + 1)
    differences(design.arrays, x, o.border, first, h, out, levels=False)
    B = -out[1:, o.border] / h[:, None]
    B = (B + B.T) / 2
    _floor(design, o, B)
    return np.ones((N, 1, 1)), np.zeros((N, q)), B


def _floor(design: Design, o: Order, B: Array) -> None:
    """Floor the curvature of sds and correlations by what their prior alone would leave."""
    M = design.arrays
    place = {int(k): i for i, k in enumerate(o.border)}
    for b in range(len(M.J)):
        for k in range(int(M.K[b])):
            i = place.get(int(M.sd0[b]) + k)
            if i is not None:
                B[i, i] = max(B[i, i], 2.0 * np.sqrt(0.5 * M.J[b]))
        pairs = int(M.K[b]) * (int(M.K[b]) - 1) // 2
        for c in range(pairs):
            i = place.get(int(M.cor0[b]) + c)
            if i is not None:
                B[i, i] = max(B[i, i], OPEN_CORRELATION)


def simple(design: Design) -> bool:
    """Say whether group effects enter predictors of rows alone, with one likelihood a row."""
    M = design.arrays
    return not (len(M.product) or len(M.cells) or len(M.bin) or len(M.residual_member))


def _crossed(design: Design, x: Array, o: Order) -> tuple[Array, Array, Array]:
    """Take the Hessian with that in group effects from the curvature of the rows."""
    M = design.arrays
    neff, D = int(M.sizes[0]), len(x)
    at = o.border[o.border >= neff]
    h = STEP * np.maximum(design.unit[at], 1e-3)
    wide = D + int(M.sizes[:2].sum())
    out = np.empty((len(at) + 1, wide))
    _, _, G, _, _ = differences(M, x, at, np.arange(len(at) + 1), h, out, levels=False)
    rows = M.eta_at[0] + np.arange(int(M.row0[len(design.parts)]))
    moved = M.V0.copy()
    moved[rows] += STEP
    none = (np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0), np.empty((1, wide)))
    _, _, other, _, _ = differences(M._replace(V0=moved), x, *none, levels=False)
    W = -(other[rows] - G[rows]) / STEP
    H = _of_effects(design, x, W)
    q, K, J = len(o.border), o.K, len(o.primary) // o.K
    fixed, z = np.flatnonzero(o.border >= neff), np.flatnonzero(o.border < neff)
    theirs = o.border[z]
    B, C = np.zeros((q, q)), np.zeros((J * K, q))
    change = -out[1:] / h[:, None]
    B[np.ix_(fixed, fixed)] = (change[:, at] + change[:, at].T) / 2
    B[np.ix_(fixed, z)] = change[:, theirs]
    B[np.ix_(z, fixed)] = change[:, theirs].T
    B[np.ix_(z, z)] = H[theirs][:, theirs].toarray()
    C[:, fixed] = change[:, o.primary].T
    mine = H[o.primary]
    C[:, z] = mine[:, theirs].toarray()
    own = mine[:, o.primary].tocoo()
    blocks = np.zeros((J, K, K))
    inside = own.row // K == own.col // K
    blocks[own.row[inside] // K, own.row[inside] % K, own.col[inside] % K] = own.data[inside]
    _floor(design, o, B)
    return blocks, C, B


def _of_effects(design: Design, x: Array, W: Array) -> Any:
    """Curvature in the coordinates of group effects, (effects, effects).

    Args:
        design: a simple one.
        x: coordinates.
        W: minus the second derivative of each row's log density in its predictor, (rows,).
    """
    M = design.arrays
    neff = int(M.sizes[0])
    of_row: list[Array] = []
    of_effect: list[Array] = []
    value: list[Array] = []
    for e in range(len(design.parts)):
        n = int(M.row0[e + 1] - M.row0[e])
        for t in range(int(M.term0[e]), int(M.term0[e + 1])):
            level = M.level[M.zero_level[t] : M.zero_level[t] + n]
            of_row.append(M.row0[e] + np.arange(n))
            of_effect.append(M.eff0[M.effect[t]] + level)
            value.append(np.ones(n) if M.Z0[t] < 0 else M.Z[M.Z0[t] : M.Z0[t] + n])
    entries = np.concatenate(of_row), np.concatenate(of_effect)
    Z = sparse.csr_matrix((np.concatenate(value), entries), shape=(len(W), neff))
    moves: list[Array] = []
    row: list[Array] = []
    column: list[Array] = []
    prior: list[Array] = []
    for b in range(len(M.J)):
        J, K = int(M.J[b]), int(M.K[b])
        T, _ = root_of(design, x, b)
        info = M.info[M.info0[b] : M.info0[b] + J * K * K].reshape(J, K, K)
        R = np.linalg.cholesky(np.eye(K) + T.T @ info @ T)
        back = np.linalg.inv(R).transpose(0, 2, 1)  # innovations by coordinates
        k, j = np.meshgrid(range(K), range(K), indexing="ij")
        place = [M.block0[b] + a[None] * J + np.arange(J)[:, None, None] for a in (k, j)]
        row.append(place[0].ravel())
        column.append(place[1].ravel())
        moves.append((T @ back).ravel())
        prior.append((back.transpose(0, 2, 1) @ back).ravel())
    where = np.concatenate(row), np.concatenate(column)
    U = sparse.csr_matrix((np.concatenate(moves), where), shape=(neff, neff))
    P = sparse.csr_matrix((np.concatenate(prior), where), shape=(neff, neff))
    ZU: Any = Z @ U
    H: Any = ZU.T @ ZU.multiply(W[:, None]) + P
    return sparse.csr_matrix(H)
