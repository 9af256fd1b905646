"""Linear predictors of equations and the log density of their rows, forwards and backwards."""

# what Numba compiles has no annotations
# pyright: basic, reportMissingParameterType=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false

import math
from collections import namedtuple

import numpy as np

from acmodels.engines.hmc import places
from acmodels.engines.hmc.densities import CHUNK
from acmodels.engines.hmc.elementary import called, inlined, merged, summed

Room = namedtuple(
    "Room",
    "W V G e root move shift alternative V1 G1 inverse precision g_inverse g_precision g_root "
    "t g_t innovation chol g_chol h y v r q g_state rated g_rated",
)
"""Where a density works: `W` (8, CHUNK); `V` and `G`, see `density`; by effect `e`, `move` and
`shift`, which is added to effects and their products (zero, but for differences); `root`, as
`info`; `alternative`, of each configuration of discrete missing values the likelihood, then
probability. Of joint coordinates: `V1` and `G1` at the anchor; residual roots' `inverse` and
`precision`; by row `t`, the score at the anchor, and `innovation`; `chol`, the root of the states'
precision; by state `h`, the gradient at the anchor, solutions `y`, `v`, `r` and `q`; by rating its
information, `rated`. What begins with g_ holds slopes."""


@inlined
def room(M):
    """Make room for a density."""
    neff = M.sizes[0]
    seen = neff + M.sizes[1]
    joint = M.sizes[3]
    size = joint * M.V0.size
    small = M.gauss[M.gauss.shape[0] - 1, places.gauss_at]
    rows = M.info_row.size
    entries = M.entry_row.size
    n = M.anchor.size
    ratings = M.rating[M.rating.shape[0] - 1, places.rated_row0]
    return Room(
        np.empty((8, CHUNK)), np.empty(M.V0.size), np.empty(M.V0.size), np.empty(neff),
        np.empty(M.info.size), np.empty(neff), np.zeros(seen),
        np.empty(M.alternative0[M.alternative0.size - 1]),
        np.empty(size), np.empty(size), np.empty(small), np.empty(small), np.empty(small),
        np.empty(small), np.empty(small), np.empty(rows + ratings), np.empty(rows + ratings),
        np.empty(rows),
        np.empty(entries), np.empty(entries), np.empty(n), np.empty(n), np.empty(n), np.empty(n),
        np.empty(n), np.empty(n), np.empty(ratings), np.empty(ratings),
    )  # fmt: skip


@summed
def dot(a, b):
    """Inner product."""
    s = 0.0
    for k in range(b.size):
        s += a[k] * b[k]
    return s


@summed
def total(a):
    """Sum."""
    s = 0.0
    for k in range(a.size):
        s += a[k]
    return s


@inlined
def add(c, x, out):
    """Out += c x."""
    for k in range(x.size):
        out[k] += c * x[k]


@inlined
def gather(c, u, level, z, ones, out):
    """Add c times each row's group effect."""
    if ones:
        for i in range(level.size):
            out[i] += c * u[level[i]]
    else:
        for i in range(level.size):
            out[i] += c * z[i] * u[level[i]]


@inlined
def scatter(c, d, level, z, ones, out):
    """Add c times each row's slope to its group's."""
    if ones:
        for i in range(level.size):
            out[level[i]] += c * d[i]
    else:
        for i in range(level.size):
            out[level[i]] += c * z[i] * d[i]


@summed
def met(k, x, index):
    """Sum of k times what is at other places."""
    s = 0.0
    for i in range(k.size):
        s += k[i] * x[index[i]]
    return s


@summed
def met_twice(k, x, index, y, other):
    """Sum of k times what is at two other places."""
    s = 0.0
    for i in range(k.size):
        s += k[i] * x[index[i]] * y[other[i]]
    return s


@summed
def meeting(d, u, level, z, ones):
    """Sum of slopes times group effects."""
    s = 0.0
    if ones:
        for i in range(level.size):
            s += d[i] * u[level[i]]
    else:
        for i in range(level.size):
            s += d[i] * z[i] * u[level[i]]
    return s


@merged
def products_forward(M, e, V):
    """Add a list of products."""
    for i in range(M.equation[e, places.product0], M.equation[e + 1, places.product0]):
        V[M.product[i, places.to]] += (
            M.factor[i] * V[M.product[i, places.first]] * V[M.product[i, places.second]]
        )


@merged
def products_back(M, e, V, G):
    """Slopes in these, the last first."""
    for i in range(M.equation[e + 1, places.product0] - 1, M.equation[e, places.product0] - 1, -1):
        d = M.factor[i] * G[M.product[i, places.to]]
        a, b = M.product[i, places.first], M.product[i, places.second]
        va, vb = V[a], V[b]
        G[a] += d * vb
        G[b] += d * va


@inlined
def ratings_forward(M, V):
    """Fill in ratings, once effects and missing values are there."""
    u = V[1:]
    for c in range(M.rating.shape[0] - 1):
        at = M.rating[c, places.rated_at]
        n = M.rating[c + 1, places.rated_row0] - M.rating[c, places.rated_row0]
        for t in range(M.rating[c, places.rated_term0], M.rating[c + 1, places.rated_term0]):
            z0 = max(M.term[t, places.Z0], 0)
            l0 = M.term[t, places.zero_level]
            gather(
                1.0,
                u[M.member[M.term[t, places.effect], places.eff0] :],
                M.level[l0 : l0 + n],
                M.Z[z0 : z0 + n],
                M.term[t, places.Z0] < 0,
                V[at : at + n],
            )


@inlined
def ratings_back(M, G):
    """Slopes in what ratings are made of."""
    gu = G[1:]
    for c in range(M.rating.shape[0] - 1):
        at = M.rating[c, places.rated_at]
        n = M.rating[c + 1, places.rated_row0] - M.rating[c, places.rated_row0]
        for t in range(M.rating[c, places.rated_term0], M.rating[c + 1, places.rated_term0]):
            z0 = max(M.term[t, places.Z0], 0)
            l0 = M.term[t, places.zero_level]
            scatter(
                1.0,
                G[at : at + n],
                M.level[l0 : l0 + n],
                M.Z[z0 : z0 + n],
                M.term[t, places.Z0] < 0,
                gu[M.member[M.term[t, places.effect], places.eff0] :],
            )


@merged
def predictor_forward(M, e, V):
    """Add known columns times slopes, the constant and group effects to an equation's predictor."""
    r0 = M.equation[e, places.row0]
    n = M.equation[e + 1, places.row0] - r0
    p = M.equation[e, places.p] + M.equation[e, places.raw]
    lin = M.equation[e, places.lin_at]
    constant = V[lin + p] if M.equation[e, places.constant] >= 0 else 0.0
    u = V[1:]
    first = 0
    while first < n:
        m = min(CHUNK, n - first)
        eta = V[M.equation[e, places.eta_at] + first : M.equation[e, places.eta_at] + first + m]
        for i in range(m):
            eta[i] += M.eta0[r0 + first + i] + constant
        for k in range(p):
            o = M.equation[e, places.X0] + k * n + first
            add(V[lin + k], M.X[o : o + m], eta)
        for t in range(M.equation[e, places.term0], M.equation[e + 1, places.term0]):
            z0 = M.term[t, places.Z0] + first if M.term[t, places.Z0] >= 0 else 0
            l0 = M.term[t, places.zero_level] + first
            gather(
                V[M.term[t, places.by]],
                u[M.member[M.term[t, places.effect], places.eff0] :],
                M.level[l0 : l0 + m],
                M.Z[z0 : z0 + m],
                M.term[t, places.Z0] < 0,
                eta,
            )
        first += m


@merged
def predictor_back(M, e, V, G):
    """Slopes in the slopes, the constant, group effects and what these are multiplied by."""
    r0 = M.equation[e, places.row0]
    n = M.equation[e + 1, places.row0] - r0
    p = M.equation[e, places.p] + M.equation[e, places.raw]
    lin = M.equation[e, places.lin_at]
    u, gu = V[1:], G[1:]
    first = 0
    while first < n:
        m = min(CHUNK, n - first)
        d = G[M.equation[e, places.eta_at] + first : M.equation[e, places.eta_at] + first + m]
        for k in range(p):
            o = M.equation[e, places.X0] + k * n + first
            G[lin + k] += dot(d, M.X[o : o + m])
        if M.equation[e, places.constant] >= 0:
            G[lin + p] += total(d)
        for t in range(M.equation[e, places.term0], M.equation[e + 1, places.term0]):
            z0 = M.term[t, places.Z0] + first if M.term[t, places.Z0] >= 0 else 0
            l0 = M.term[t, places.zero_level] + first
            by = M.term[t, places.by]
            o = M.member[M.term[t, places.effect], places.eff0]
            level, z = M.level[l0 : l0 + m], M.Z[z0 : z0 + m]
            ones = M.term[t, places.Z0] < 0
            scatter(V[by], d, level, z, ones, gu[o:])
            if by > 0:
                G[by] += meeting(d, u[o:], level, z, ones)
        first += m


@merged
def waves_density(M, e, R):
    """Log density of normal rows whose residual sd is another one in first waves."""
    r0 = M.equation[e, places.row0]
    par, first = M.equation[e, places.row_par_at], M.equation[e, places.first_par_at]
    eta, data = M.equation[e, places.eta_at], M.equation[e, places.data0]
    lp = 0.0
    for i in range(M.equation[e, places.plain]):
        at = first if M.first_row[r0 + i] == 1 else par
        w, sd = M.weight[r0 + i], R.V[at]
        r = (M.data[data + i] - R.V[eta + i]) / sd
        lp -= w * (0.5 * r * r + math.log(sd))
        R.G[eta + i] = w * r / sd
        R.G[at] += w * (r * r - 1.0) / sd
    return lp


@merged
def rows_density(M, e, R):
    """Log density of an equation's rows; leaves slopes in its predictor and parameters in G.

    Rows at the end that stand for values of a discrete variable that is missing are left out.
    """
    if M.equation[e, places.first_par_at] >= 0:
        return waves_density(M, e, R)
    r0 = M.equation[e, places.row0]
    stride = M.equation[e + 1, places.row0] - r0
    n = M.equation[e, places.plain]
    par = M.equation[e, places.row_par_at]
    lp = 0.0
    first = 0
    while first < n:
        m = min(CHUNK, n - first)
        at = M.equation[e, places.eta_at] + first
        lp += called(
            M.equation[e, places.address],
            m,
            stride,
            R.V[at:].ctypes.data,
            M.data[M.equation[e, places.data0] + first :].ctypes.data,
            R.V[par:].ctypes.data,
            M.weight[r0 + first :].ctypes.data,
            R.W[0].ctypes.data,
            R.G[at:].ctypes.data,
            R.G[par:].ctypes.data,
            R.W[2].ctypes.data,
        )
        first += m
    return lp


@inlined
def row_density(M, e, i, weight, g_par, R):
    """Log density of one row, with a weight; leaves its slope in G and adds those in parameters."""
    r0 = M.equation[e, places.row0]
    at = M.equation[e, places.eta_at] + i
    R.W[1, 0] = weight * M.weight[r0 + i]
    return called(
        M.equation[e, places.address],
        1,
        M.equation[e + 1, places.row0] - r0,
        R.V[at:].ctypes.data,
        M.data[M.equation[e, places.data0] + i :].ctypes.data,
        R.V[M.equation[e, places.row_par_at] :].ctypes.data,
        R.W[1].ctypes.data,
        R.W[0].ctypes.data,
        R.G[at:].ctypes.data,
        g_par.ctypes.data,
        R.W[2].ctypes.data,
    )
