"""The marginal likelihood of four points at a time."""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

import numba
import numpy as np
from numba import int64

from acmodels.engines.collapsed.kernels.arrays import CROSS, FOUND, POINTS, STRUCTURE, WORK, i1
from acmodels.engines.collapsed.kernels.chain import columns, determinant, level, subtract
from acmodels.engines.collapsed.kernels.classes import pooled
from acmodels.engines.collapsed.kernels.compiling import inlined, kernel
from acmodels.engines.collapsed.kernels.dense import factor, fill, gather_copies, scales, turn
from acmodels.engines.collapsed.kernels.lanes import four, store


@inlined
def _lanes(f, r, first, last, T, OM, PIECE, COPY, t, om, omy, copies):
    """Copy what is four points' own into lanes; past the last point, the last.

    omy holds the residual precision times the multiplier of each piece, and in its last row these
    multipliers.
    """
    m = f.K.shape[0]
    E = OM.shape[2]
    for lane in range(4):
        point = min(first + lane, last - 1)
        for g in range(m + f.dense_effects.shape[0]):
            size = f.K[g] if g < m else f.dense_effects[g - m]
            for a in range(size):
                for b in range(size):
                    t[g, a, b, lane] = T[r, point, f.factor[g] + a * size + b]
        for e in range(E):
            for i in range(E):
                om[e, i, lane] = OM[r, point, e, i]
        for i in range(PIECE.shape[2]):
            omy[E, i, lane] = PIECE[r, point, i]
            for e in range(E):
                omy[e, i, lane] = OM[r, point, e, f.piece[i]] * PIECE[r, point, i]
        for i in range(COPY.shape[2]):
            copies[i, 0, lane] = COPY[r, point, i]


@inlined
def _one_by_one(
    f, c, r, t, om, omy, W, flat, D, M, Q, places, lifted, scale, size, product, total
):  # fmt: skip
    """Eliminate every level of the chain, one nest after the other."""
    for i in range(W.shape[0]):
        W[i] = 0.0
    for lane in range(4):
        product[lane] = 1.0
    for node in f.order:
        s = 0
        while node >= f.node[s + 1]:
            s += 1
        j = node - f.node[s]
        level(f, c, r, s, j, t, om, W, D)
        determinant(f.rank[s], D, product, total)
        n = columns(f, c, r, s, j, t, om, omy, W, D, M, Q, places)
        subtract(f, s, j, n, Q, places, lifted, scale, W, size, flat)
    for lane in range(4):
        total[lane] -= np.log(product[lane])


@inlined
def _assemble(
    f, c, r, t, om, omy, copies, W, flat, D, M, Q, places, lifted, above, sums, weights, scale, S,
    product, total,
):  # fmt: skip
    """The dense system of four points, in S; log determinant of what was eliminated, in total."""
    P = f.dense_equation.shape[0]
    p = c.prior.shape[1]
    for lane in range(4):
        total[lane] = 0.0
    several = scales(f, t, scale)
    if weights.shape[0] > 0:
        pooled(f, c, r, t, om, W, D, M, above, sums, weights, total)
    fill(f, c, r, om, omy, weights, scale, S)
    if weights.shape[0] == 0:
        size = np.uint64(S.shape[0])
        _one_by_one(
            f, c, r, t, om, omy, W, flat, D, M, Q, places, lifted, scale, size, product, total
        )  # fmt: skip
    if several:
        turn(f, t, S)
    if f.copy.shape[0] > 0:
        gather_copies(f, copies, S)
    for a in range(P - p):
        for lane in range(4):
            S[a, a, lane] += 1.0
    for a in range(p):
        for b in range(a + 1):
            for lane in range(4):
                S[P - p + a, P - p + b, lane] += c.prior[r, a, b]
        for lane in range(4):
            S[P, P - p + a, lane] += c.prior_mean[r, a]
    for a in range(P + 1, S.shape[0]):  # an idle last row where P + 1 is odd
        for b in range(a + 1):
            store(S, a, b, four(1.0 if b == a else 0.0))


@inlined
def _log_likelihood(S, P, total, lane):
    log = 0.5 * total[lane] + 0.5 * S[P, P, lane] ** 2
    product = 1.0
    for a in range(P):
        product *= S[a, a, lane]
        if product > 1e100 or product < 1e-100:
            log += np.log(product)
            product = 1.0
    log += np.log(product)
    return -log if np.isfinite(log) else -np.inf


@inlined
def _keep(S, lane, P, p, found, i, point):
    """Copy what draws of the coefficients need of a factored system."""
    if found.mean.shape[1] == 0:
        return
    at = 0
    for a in range(P - p, P):
        found.mean[i, point, a - P + p] = S[P, a, lane]
        for b in range(P - p, a + 1):
            found.root[i, point, at] = S[a, b, lane]
            at += 1


@kernel(numba.void(STRUCTURE, CROSS, i1, int64, int64, numba.boolean, POINTS, FOUND, WORK))
def evaluate(f, c, which, n0, n1, whole, points, found, room):
    """Marginal log likelihood at points n0 to n1 of some data sets, and what draws need.

    Args:
        f: the structure.
        c: cross-products.
        which: data sets; points and what is found are in this order, R of them.
        n0: first point.
        n1: one past the last point.
        whole: False leaves the dense systems unfactored, and `found` as it was.
        points: see there.
        found: receives what is found.
        room: work arrays.
    """
    P = f.dense_equation.shape[0]
    (
        S, W, t, om, omy, total, product, flat, D, M, Q, places, lifted, above, sums, weights,
        scale, copies,
    ) = room  # fmt: skip
    T, OM, PIECE, COPY = points
    for i in range(which.shape[0]):
        r = which[i]
        for first in range(n0, n1, 4):
            _lanes(f, i, first, n1, T, OM, PIECE, COPY, t, om, omy, copies)
            _assemble(
                f, c, r, t, om, omy, copies, W, flat, D, M, Q, places, lifted, above, sums,
                weights, scale, S, product, total,
            )  # fmt: skip
            if not whole:
                continue
            factor(S)
            for lane in range(min(4, n1 - first)):
                found.log[i, first + lane] = _log_likelihood(S, P, total, lane)
                _keep(S, lane, P, c.prior.shape[1], found, i, first + lane)
