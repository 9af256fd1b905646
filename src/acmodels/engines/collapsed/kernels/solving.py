"""Draws of coefficients and group effects, given a point."""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

import numba
import numpy as np
from numba import int64

from acmodels.engines.collapsed.kernels.arrays import CROSS, STRUCTURE, WORK, f2, f3, i1, i2
from acmodels.engines.collapsed.kernels.chain import columns, level
from acmodels.engines.collapsed.kernels.compiling import kernel

_TWO = np.uint64(2)


@kernel(numba.void(f3, f3, i2, f3, f3), allocates=True)
def coefficients(MEAN, ROOT, points, z, out):
    """Draws of the coefficients at chosen points: (R, S) points, z and out (R, S, p)."""
    p = MEAN.shape[2]
    left = np.empty(p)
    for r in range(points.shape[0]):
        for s in range(points.shape[1]):
            i = points[r, s]
            for a in range(p):
                left[a] = MEAN[r, i, a] + z[r, s, a]
            for a in range(p - 1, -1, -1):
                row = a * (a + 1) // 2
                value = left[a] / ROOT[r, i, row + a]
                out[r, s, a] = value
                for b in range(a):
                    left[b] -= ROOT[r, i, row + b] * value


@kernel(numba.void(f3, i1, f2, f2, f2))
def solve_above(S, lanes, beta, z, out):
    """Dense group effects (as v) given coefficients: the rest of L' v = w + z.

    Args:
        S: factors of four systems, from `evaluate`.
        lanes: the system of each draw, (D,).
        beta: coefficients, (D, p).
        z: standard normal, (D, P).
        out: receives v, and the coefficients last, (D, P).
    """
    P = out.shape[1]
    p = beta.shape[1]
    for d in range(out.shape[0]):
        lane = lanes[d]
        for a in range(p):
            out[d, P - p + a] = beta[d, a]
        for a in range(P - p - 1, -1, -1):
            value = S[P, a, lane] + z[d, a]
            for b in range(a + 1, P):
                value -= S[b, a, lane] * out[d, b]
            out[d, a] = value / S[a, a, lane]


@kernel(numba.void(STRUCTURE, CROSS, int64, i1, WORK, f2, f2, f2), allocates=True)
def solve_chain(f, c, r, lanes, room, dense, z, out):
    """Group effects (as u) of the chain given the dense part, the last grouping first.

    Args:
        f: the structure.
        c: cross-products.
        r: the data set.
        lanes: the system of each draw, (D,).
        room: from `evaluate`.
        dense: dense group effects (as u) and coefficients, (D, P).
        z: standard normal, (D, rows).
        out: receives u, (D, rows).
    """
    _, W, t, om, omy, _, _, _, D, M, Q, places, _, _, _, _, _, _ = room
    m = f.K.shape[0]
    known = np.empty(Q.shape[0])
    v = np.empty(Q.shape[1])
    for s in range(m - 1, -1, -1):
        Ks = f.K[s]
        rank = f.rank[s]
        for j in range(f.J[s]):
            level(f, c, r, s, j, t, om, W, D)
            n = columns(f, c, r, s, j, t, om, omy, W, D, M, Q, places)
            row = f.row[s] + j * Ks
            above = f.effect[m] - f.effect[s + 1]
            for d in range(out.shape[0]):
                lane = lanes[d]
                up = j
                i = 0
                for later in range(s + 1, m):
                    up = f.parent[later - 1, up]
                    for k in range(f.K[later]):
                        known[i] = out[d, f.row[later] + up * f.K[later] + k]
                        i += 1
                for i in range(above, n - 1):
                    known[i] = dense[d, places[i] >> _TWO]
                for a in range(rank):
                    v[a] = Q[n - 1, a, lane] + z[d, row + a]
                    for i in range(n - 1):
                        v[a] -= Q[i, a, lane] * known[i]
                for a in range(rank - 1, -1, -1):
                    for b in range(a + 1, rank):
                        v[a] -= D[b, a, lane] * v[b]
                    v[a] *= D[a, a, lane]
                for a in range(Ks):
                    out[d, row + a] = 0.0
                    for b in range(min(a + 1, rank)):
                        out[d, row + a] += t[s, a, b, lane] * v[b]
