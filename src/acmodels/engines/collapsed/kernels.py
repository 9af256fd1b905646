"""Compiled kernels of the collapsed engine: cross-products, likelihoods, back-substitution.

A *point* is one set of standard deviations and correlations. Four points are worked at once, in
the last axis of every work array, so that each arithmetic step is one vector instruction whatever
the shape of the model; LLVM's superword pass, switched on while these functions compile, sees to
it. All kernels release the GIL, take no Python object, and are compiled for one signature, on
disk, so that a later process only loads them.

Group effects are u = T v with v standard normal and T T' their covariance (Bates, Maechler,
Bolker & Walker, 2015, section 2), which stays smooth where a standard deviation reaches zero. A
*chain* of groupings, each nested in the next, is eliminated level by level; what is left, the
*dense* part (crossed groupings, then coefficients), by one Cholesky factorization, to which the
response is the last row. `_Chain`'s and `_Cross`'s fields are in these terms.
"""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import float64, int64

from acmodels.engines.compiling import cache_folder

_config: Any = numba.config  # pyright: ignore[reportPrivateImportUsage]

LANES = 4


class Structure(NamedTuple):
    """Where everything stands. m groupings in the chain, Kc effects of them, P dense columns.

    Attributes:
        K: effects a level of each grouping of the chain, shape (m,).
        J: levels of each, (m,).
        row: first row of each grouping's levels among all rows of the chain, (m + 1,).
        effect: first effect of each grouping among all effects of the chain, (m + 1,).
        cell: first cell of each grouping in `Cross.chain`, (m,).
        equation: of each effect of the chain, (Kc,).
        parent: the level of the next grouping that each level lies in, (m, most levels).
        start: where each level of the first grouping begins in `column`, (J_0 + 1,).
        column: the dense columns that each level of the first grouping meets.
        dense_equation: of each dense column, (P,).
        dense_effects, dense_levels: effects a level and levels of each dense grouping.
        dense_column: first column of each dense grouping, and one past the last.
        factor: where each grouping's factor begins in a point's row of factors.
        piece: the equation of each piece of a response; the responses themselves come first.
        copy, copy_of: dense columns that are another coefficient's again, and which one's.
    """

    K: Any
    J: Any
    row: Any
    effect: Any
    cell: Any
    equation: Any
    parent: Any
    start: Any
    column: Any
    dense_equation: Any
    dense_effects: Any
    dense_levels: Any
    dense_column: Any
    factor: Any
    piece: Any
    copy: Any
    copy_of: Any


class Pools(NamedTuple):
    """Levels of a chain that are eliminated together; see `pooling`. U classes of levels.

    Lists of one class's entries lie between two of its `..._start`, (U + 1,).

    Attributes:
        grouping, representative: the grouping of each class and a level of it, (U,).
        count: levels of each class, (U,).
        sums: where each class's sums begin.
        matrix: where each class's pooled matrices begin, one for each pair of its sums.
        equation: the equation of the columns whose products each sum holds.
        own_start, own_effect, own_sum: the sums that make up an effect's own columns.
        below_start, below, below_count: classes below each, and how many of them lie in a level.
        lift_start, lift, lift_from, lift_to: classes below, by way of the levels between, with
            one of their sums and the same one as a sum of the class.
        member_class: the class of each level, grouping by grouping.
        member_start, member_row, member_sum: rows of the chain that are added to each level's sums.
    """

    grouping: Any
    representative: Any
    count: Any
    sums: Any
    matrix: Any
    equation: Any
    own_start: Any
    own_effect: Any
    own_sum: Any
    below_start: Any
    below: Any
    below_count: Any
    lift_start: Any
    lift: Any
    lift_from: Any
    lift_to: Any
    member_class: Any
    member_start: Any
    member_row: Any
    member_sum: Any


class Cross(NamedTuple):
    """Cross-products of R data sets, and the coefficients' prior. E pieces, p coefficients.

    Attributes:
        chain: each level's effects with themselves and those of the levels above, (R, cells).
        chain_y: with the pieces of the responses, (R, rows, E).
        chain_sparse: of the first grouping with the dense columns it meets, (R, entries, K_0).
        chain_dense: of later groupings with all dense columns, (R, rows, P).
        dense, dense_y, y: dense columns and pieces among themselves, (R, P, P), (R, P, E),
            (R, E, E).
        pooled: summed products of the sums of levels of one class, for each class and pair of
            sums, with dense columns and pieces, (R, matrices, P + E, P + E), lower triangles; none
            where levels are not pooled.
        pools: the classes.
        prior, prior_mean, prior_square: precision of the coefficients' prior, (R, p, p); its
            product with the mean, (R, p); and the mean's square in it, (R,).
    """

    chain: Any
    chain_y: Any
    chain_sparse: Any
    chain_dense: Any
    dense: Any
    dense_y: Any
    y: Any
    pooled: Any
    pools: Any
    prior: Any
    prior_mean: Any
    prior_square: Any


class Points(NamedTuple):
    """Points at which densities are evaluated, of R data sets.

    Attributes:
        factors: of group covariances, row by row, (R, N, cells).
        residual: residual precision, (R, N, equations, equations).
        pieces: what the pieces of the responses are multiplied by, (R, N, E).
        copies: what copied columns are multiplied by, (R, N, copies).
    """

    factors: Any
    residual: Any
    pieces: Any
    copies: Any


class Found(NamedTuple):
    """What `evaluate` finds at points.

    Attributes:
        log: the log likelihood, less what is the same at every point, (R, N).
        mean: w of the coefficients, (R, N, p), or nothing where it has no points. They are
            L'^-1 (w + z) with z standard normal.
        root: the lower triangle of L, row by row, (R, N, cells).
    """

    log: Any
    mean: Any
    root: Any


class Work(NamedTuple):
    """Work arrays of `evaluate`, from `work`; at the end they hold the last four points' values.

    Attributes:
        S: the dense systems, factored, (P + 1, P + 1, 4).
        W: what levels below took off later groupings of the chain.
        t: factors of the group covariances.
        om: the residual precision.
        omy: the residual precision times the pieces' multipliers, and these in the last row.
        total: the log determinant of what was eliminated, (4,).
    """

    S: Any
    W: Any
    t: Any
    om: Any
    omy: Any
    total: Any


cache_folder(Path(__file__).parent)


def _kernel(signature: Any) -> Callable[[Any], Any]:
    """Compile for one signature with the superword pass on, and keep the code on disk."""

    def compiled(function: Any) -> Any:
        before = _config.SLP_VECTORIZE
        _config.SLP_VECTORIZE = 1
        try:
            return numba.njit(
                signature,
                nogil=True,
                cache=True,
                error_model="numpy",
                fastmath={"contract", "nsz", "arcp"},
            )(function)
        finally:
            _config.SLP_VECTORIZE = before

    return compiled


_inlined = numba.njit(error_model="numpy", fastmath={"contract", "nsz", "arcp"})

_f1, _f2, _f3, _f4 = (numba.types.Array(float64, d, "C") for d in (1, 2, 3, 4))
_i1, _i2 = (numba.types.Array(int64, d, "C") for d in (1, 2))
_STRUCTURE = numba.types.NamedTuple(
    (_i1, _i1, _i1, _i1, _i1, _i1, _i2, _i1, _i1, _i1, _i1, _i1, _i1, _i1, _i1, _i1, _i1),
    Structure,
)
_POOLS = numba.types.NamedTuple((_i1, _i1, _f1, *(_i1,) * 8, _f1, *(_i1,) * 8), Pools)
_CROSS = numba.types.NamedTuple(
    (_f2, _f3, _f3, _f3, _f3, _f3, _f3, _f4, _POOLS, _f3, _f2, _f1), Cross
)

_POINTS = numba.types.NamedTuple((_f3, _f4, _f3, _f3), Points)
_FOUND = numba.types.NamedTuple((_f2, _f3, _f3), Found)
_WORK = numba.types.NamedTuple((_f3, _f3, _f4, _f3, _f3, _f1), Work)


@_inlined
def _load(S, i, k):
    return (S[i, k, 0], S[i, k, 1], S[i, k, 2], S[i, k, 3])


@_inlined
def _store(S, i, k, a):
    S[i, k, 0] = a[0]
    S[i, k, 1] = a[1]
    S[i, k, 2] = a[2]
    S[i, k, 3] = a[3]


@_inlined
def _fma(a, x, p):
    return (a[0] + x[0] * p[0], a[1] + x[1] * p[1], a[2] + x[2] * p[2], a[3] + x[3] * p[3])


@_inlined
def _fnma(a, x, p):
    return (a[0] - x[0] * p[0], a[1] - x[1] * p[1], a[2] - x[2] * p[2], a[3] - x[3] * p[3])


@_inlined
def _mul(x, p):
    return (x[0] * p[0], x[1] * p[1], x[2] * p[2], x[3] * p[3])


@_inlined
def _sub(x, p):
    return (x[0] - p[0], x[1] - p[1], x[2] - p[2], x[3] - p[3])


@_inlined
def _four(x):
    return (x, x, x, x)


@_inlined
def _rsqrt(x):
    return (
        1.0 / np.sqrt(x[0]),
        1.0 / np.sqrt(x[1]),
        1.0 / np.sqrt(x[2]),
        1.0 / np.sqrt(x[3]),
    )


@_kernel(numba.void(_f3))
def factor(S):  # noqa: PLR0915, tiles are written out
    """Cholesky factors of four matrices at once, in the lower triangle; S (n, n, 4), n even.

    Left-looking in tiles of 4 x 2 whose sums stay in registers: about a tenth of the loads and
    stores of the textbook loop.
    """
    n = S.shape[0]
    z = (0.0, 0.0, 0.0, 0.0)
    for j in range(0, n, 2):
        i = j
        while i + 4 <= n:
            a = z
            b = z
            c = z
            d = z
            e = z
            f = z
            g = z
            h = z
            for k in range(j):
                p = _load(S, j, k)
                q = _load(S, j + 1, k)
                x = _load(S, i, k)
                a = _fma(a, x, p)
                b = _fma(b, x, q)
                x = _load(S, i + 1, k)
                c = _fma(c, x, p)
                d = _fma(d, x, q)
                x = _load(S, i + 2, k)
                e = _fma(e, x, p)
                f = _fma(f, x, q)
                x = _load(S, i + 3, k)
                g = _fma(g, x, p)
                h = _fma(h, x, q)
            _store(S, i, j, _sub(_load(S, i, j), a))
            _store(S, i, j + 1, _sub(_load(S, i, j + 1), b))
            _store(S, i + 1, j, _sub(_load(S, i + 1, j), c))
            _store(S, i + 1, j + 1, _sub(_load(S, i + 1, j + 1), d))
            _store(S, i + 2, j, _sub(_load(S, i + 2, j), e))
            _store(S, i + 2, j + 1, _sub(_load(S, i + 2, j + 1), f))
            _store(S, i + 3, j, _sub(_load(S, i + 3, j), g))
            _store(S, i + 3, j + 1, _sub(_load(S, i + 3, j + 1), h))
            i += 4
        while i < n:
            a = z
            b = z
            c = z
            d = z
            for k in range(j):
                p = _load(S, j, k)
                q = _load(S, j + 1, k)
                x = _load(S, i, k)
                a = _fma(a, x, p)
                b = _fma(b, x, q)
                x = _load(S, i + 1, k)
                c = _fma(c, x, p)
                d = _fma(d, x, q)
            _store(S, i, j, _sub(_load(S, i, j), a))
            _store(S, i, j + 1, _sub(_load(S, i, j + 1), b))
            _store(S, i + 1, j, _sub(_load(S, i + 1, j), c))
            _store(S, i + 1, j + 1, _sub(_load(S, i + 1, j + 1), d))
            i += 2
        first = _rsqrt(_load(S, j, j))
        below = _mul(_load(S, j + 1, j), first)
        second = _rsqrt(_fnma(_load(S, j + 1, j + 1), below, below))
        for i in range(j, n):
            x = _mul(_load(S, i, j), first)
            _store(S, i, j, x)
            _store(S, i, j + 1, _mul(_fnma(_load(S, i, j + 1), below, x), second))


@_inlined
def _level(f, c, r, s, j, t, om, W, D):
    """Factor of a level's precision T' (Z'R^-1 Z) T + I, less what was eliminated below, in D."""
    k0 = f.effect[s]
    Ks = f.K[s]
    width = f.effect[-1] - k0
    base = f.cell[s] + j * Ks * width
    row = f.row[s] - f.row[1] + j * Ks
    for a in range(Ks):
        for b in range(a + 1):
            value = c.chain[r, base + a * width + b]
            for lane in range(4):
                D[a, b, lane] = om[f.equation[k0 + a], f.equation[k0 + b], lane] * value
            if s > 0:
                for lane in range(4):
                    D[a, b, lane] += W[row + a, b, lane]
            for lane in range(4):
                D[b, a, lane] = D[a, b, lane]
    for a in range(Ks):  # D T
        for b in range(Ks):
            for lane in range(4):
                D[a, b, lane] *= t[s, b, b, lane]
            for i in range(b + 1, Ks):
                for lane in range(4):
                    D[a, b, lane] += D[a, i, lane] * t[s, i, b, lane]
    for b in range(Ks):  # T' D
        for a in range(Ks):
            for lane in range(4):
                D[a, b, lane] *= t[s, a, a, lane]
            for i in range(a + 1, Ks):
                for lane in range(4):
                    D[a, b, lane] += t[s, i, a, lane] * D[i, b, lane]
    for a in range(Ks):
        for lane in range(4):
            D[a, a, lane] += 1.0
    for a in range(Ks):
        for b in range(a + 1):
            for i in range(b):
                for lane in range(4):
                    D[a, b, lane] -= D[a, i, lane] * D[b, i, lane]
            if a == b:
                for lane in range(4):
                    D[a, a, lane] = np.sqrt(D[a, a, lane])
            else:
                for lane in range(4):
                    D[a, b, lane] /= D[b, b, lane]


@_inlined
def _determinant(Ks, D, product, total):
    """Multiply a level's determinant in; move what has grown large into the logarithm."""
    for a in range(Ks):
        for lane in range(4):
            product[lane] *= D[a, a, lane] * D[a, a, lane]
    for lane in range(4):
        if product[lane] > 1e100:
            total[lane] += np.log(product[lane])
            product[lane] = 1.0


@_inlined
def _half(Ks, t, s, D, q):
    """D^-1 T' q for one column q (K, 4) of a level's cross-products, in place."""
    for a in range(Ks):
        for lane in range(4):
            q[a, lane] *= t[s, a, a, lane]
        for b in range(a + 1, Ks):
            for lane in range(4):
                q[a, lane] += t[s, b, a, lane] * q[b, lane]
    for a in range(Ks):
        for b in range(a):
            for lane in range(4):
                q[a, lane] -= D[a, b, lane] * q[b, lane]
        for lane in range(4):
            q[a, lane] /= D[a, a, lane]


@_inlined
def _columns(f, c, r, s, j, t, om, omy, W, D, Q, places):
    """Half-solved columns of a level, in Q: ancestors, dense, response. Return their number.

    `places` says where each belongs: ancestors as -1 - row, dense columns as they are, the
    response as P.
    """
    m = f.K.shape[0]
    Ks = f.K[s]
    k0 = f.effect[s]
    width = f.effect[m] - k0
    P = f.dense_equation.shape[0]
    row = f.row[s] - f.row[1] + j * Ks
    n = 0
    up = j
    for later in range(s + 1, m):
        up = f.parent[later - 1, up]
        for i in range(f.K[later]):
            places[n] = -1 - (f.row[later] + up * f.K[later] + i)
            n += 1
    ancestors = n
    if s == 0:
        for at in range(f.start[j], f.start[j + 1]):
            places[n] = f.column[at]
            n += 1
    else:
        for i in range(P):
            places[n] = i
            n += 1
    places[n] = P
    n += 1
    for i in range(n):
        for a in range(Ks):
            e = f.equation[k0 + a]
            if i == n - 1:
                for lane in range(4):
                    Q[i, a, lane] = 0.0
                for b in range(c.dense_y.shape[2]):
                    value = c.chain_y[r, f.row[s] + j * Ks + a, b]
                    for lane in range(4):
                        Q[i, a, lane] += omy[e, b, lane] * value
            else:
                if i < ancestors:
                    other = f.equation[f.effect[s + 1] + i]
                    value = c.chain[r, f.cell[s] + (j * Ks + a) * width + Ks + i]
                else:
                    other = f.dense_equation[places[i]]
                    if s == 0:
                        value = c.chain_sparse[r, f.start[j] + i - ancestors, a]
                    else:
                        value = c.chain_dense[r, row + a, places[i]]
                for lane in range(4):
                    Q[i, a, lane] = om[e, other, lane] * value
            if s > 0:
                for lane in range(4):
                    Q[i, a, lane] += W[row + a, Ks + i, lane]
        _half(Ks, t, s, D, Q[i])
    return n


@_inlined
def _subtract(f, s, n, Q, places, scale, W, S):
    """Take the outer product of a level's half-solved columns off all that lies above it."""
    m = f.K.shape[0]
    Ks = f.K[s]
    dense = 0
    while places[dense] < 0:
        dense += 1
    for i in range(dense):
        row = -1 - places[i]
        later = s + 1
        while row >= f.row[later + 1]:
            later += 1
        width = f.effect[m] - f.effect[later]
        for j in range(n):
            if places[j] >= 0:
                place = width + places[j]
            else:
                up = -1 - places[j]
                if up < f.row[later]:
                    continue
                group = later
                while up >= f.row[group + 1]:
                    group += 1
                place = f.effect[group] - f.effect[later] + (up - f.row[group]) % f.K[group]
            for a in range(Ks):
                for lane in range(4):
                    W[row - f.row[1], place, lane] -= Q[i, a, lane] * Q[j, a, lane]
    for i in range(dense, n):
        for a in range(Ks):
            _store(Q, i, a, _mul(_load(Q, i, a), _load(scale, places[i], 0)))
    for i in range(dense, n):  # places ascend
        for j in range(dense, i + 1):
            acc = _load(S, places[i], places[j])
            for a in range(Ks):
                acc = _fnma(acc, _load(Q, i, a), _load(Q, j, a))
            _store(S, places[i], places[j], acc)


@_inlined
def _below(f, c, u, above, W):
    """Take what a class's levels below take off its representative, in W."""
    q = c.pools
    s = q.grouping[u]
    row = f.row[s] - f.row[1] + q.representative[u] * f.K[s]
    width = f.effect[-1] - f.effect[s]
    for a in range(f.K[s]):
        for b in range(width):
            for lane in range(4):
                W[row + a, b, lane] = 0.0
    for at in range(q.below_start[u], q.below_start[u + 1]):
        v = q.below[at]
        first = f.effect[s] - f.effect[q.grouping[v] + 1]
        for a in range(f.K[s]):
            for b in range(width):
                for k in range(f.K[q.grouping[v]]):
                    for lane in range(4):
                        both = above[v, first + a, k, lane] * above[v, first + b, k, lane]
                        W[row + a, b, lane] -= q.below_count[at] * both


@_inlined
def _class_columns(f, c, r, u, t, om, W, D, above, sums):
    """Half-solved columns of a class: effects above it, and its sums."""
    q = c.pools
    s = q.grouping[u]
    j = q.representative[u]
    Ks = f.K[s]
    k0 = f.effect[s]
    width = f.effect[-1] - k0
    for i in range(width - Ks):
        other = f.equation[k0 + Ks + i]
        for a in range(Ks):
            value = c.chain[r, f.cell[s] + (j * Ks + a) * width + Ks + i]
            for lane in range(4):
                above[u, i, a, lane] = om[f.equation[k0 + a], other, lane] * value
            if s > 0:
                for lane in range(4):
                    above[u, i, a, lane] += W[f.row[s] - f.row[1] + j * Ks + a, Ks + i, lane]
        _half(Ks, t, s, D, above[u, i])
    for g in range(q.sums[u], q.sums[u + 1]):
        for a in range(Ks):
            for lane in range(4):
                sums[g, a, lane] = 0.0
    for at in range(q.own_start[u], q.own_start[u + 1]):
        g = q.own_sum[at]
        a = q.own_effect[at]
        for lane in range(4):
            sums[g, a, lane] += om[f.equation[k0 + a], q.equation[g], lane]
    for at in range(q.lift_start[u], q.lift_start[u + 1]):
        v = q.lift[at]
        first = f.effect[s] - f.effect[q.grouping[v] + 1]
        for a in range(Ks):
            for k in range(f.K[q.grouping[v]]):
                for lane in range(4):
                    both = above[v, first + a, k, lane] * sums[q.lift_from[at], k, lane]
                    sums[q.lift_to[at], a, lane] -= both
    for g in range(q.sums[u], q.sums[u + 1]):
        _half(Ks, t, s, D, sums[g])


@_inlined
def _pooled(f, c, r, t, om, W, D, above, sums, weights, total):
    """What pooled cross-products are multiplied by; see `pooling` for the algebra."""
    q = c.pools
    for u in range(q.grouping.shape[0]):
        s = q.grouping[u]
        if s > 0:
            _below(f, c, u, above, W)
        _level(f, c, r, s, q.representative[u], t, om, W, D)
        for lane in range(4):
            product = 1.0
            for a in range(f.K[s]):
                product *= D[a, a, lane]
            total[lane] += 2.0 * q.count[u] * np.log(product)
        _class_columns(f, c, r, u, t, om, W, D, above, sums)
        at = q.matrix[u]
        for g in range(q.sums[u], q.sums[u + 1]):
            for h in range(q.sums[u], g + 1):
                acc = _four(0.0)
                for k in range(f.K[s]):
                    acc = _fma(acc, _load(sums, g, k), _load(sums, h, k))
                _store(weights, at, 0, acc)
                at += 1


@_inlined
def _fill(f, c, r, om, omy, weights, scale, S):
    """The dense system before levels are subtracted one by one, rows and columns scaled."""
    P = f.dense_equation.shape[0]
    E = c.dense_y.shape[2]
    pooled = weights.shape[0]
    for b in range(P):
        acc = _four(0.0)
        for e in range(E):
            acc = _fma(acc, _load(omy, f.dense_equation[b], e), _four(c.dense_y[r, b, e]))
        _store(S, P, b, _mul(acc, _load(scale, b, 0)))
    acc = _four(c.prior_square[r])
    for e in range(E):
        own = _load(omy, om.shape[0], e)
        for i in range(E):
            both = _mul(own, _load(omy, f.piece[e], i))
            acc = _fma(acc, both, _four(c.y[r, e, i]))
    _store(S, P, P, acc)
    w = _load(om, 0, 0)
    single = pooled > 0 and om.shape[0] == 1
    for a in range(P):
        row = _load(scale, a, 0)
        if single:  # the first pooled matrix in the same pass
            both = _mul(row, w)
            less = _mul(row, _load(weights, 0, 0))
            for b in range(a + 1):
                cell = _mul(both, _four(c.dense[r, a, b]))
                cell = _fnma(cell, less, _four(c.pooled[r, 0, a, b]))
                _store(S, a, b, _mul(cell, _load(scale, b, 0)))
        else:
            for b in range(a + 1):
                w = _load(om, f.dense_equation[a], f.dense_equation[b])
                both = _mul(row, _load(scale, b, 0))
                _store(S, a, b, _mul(_four(c.dense[r, a, b]), _mul(w, both)))
    for j in range(pooled):
        w = _load(weights, j, 0)
        for a in range(P if single and j == 0 else 0, P):
            row = _mul(w, _load(scale, a, 0))
            for b in range(a + 1):
                both = _mul(row, _load(scale, b, 0))
                _store(S, a, b, _fnma(_load(S, a, b), both, _four(c.pooled[r, j, a, b])))
        for e in range(E):
            row = _mul(w, _load(omy, om.shape[0], e))
            for b in range(P):
                both = _mul(row, _load(scale, b, 0))
                _store(S, P, b, _fnma(_load(S, P, b), both, _four(c.pooled[r, j, P + e, b])))
            for i in range(e + 1):
                both = _mul(row, _load(omy, om.shape[0], i))
                value = c.pooled[r, j, P + e, P + i] * (1.0 if i == e else 2.0)
                _store(S, P, P, _fnma(_load(S, P, P), both, _four(value)))


@_inlined
def _scales(f, t, scale):
    """What dense columns are multiplied by; True if a grouping needs more than that (`_turn`)."""
    m = f.K.shape[0]
    for i in range(scale.shape[0]):
        for lane in range(4):
            scale[i, 0, lane] = 1.0
    several = False
    for g in range(f.dense_effects.shape[0]):
        several = several or f.dense_effects[g] > 1
    if not several:
        for g in range(f.dense_effects.shape[0]):
            for i in range(f.dense_column[g], f.dense_column[g + 1]):
                for lane in range(4):
                    scale[i, 0, lane] = t[m + g, 0, 0, lane]
    return several


@_inlined
def _turn(f, t, S):
    """T' S T over dense groupings with several effects."""
    m = f.K.shape[0]
    P = f.dense_equation.shape[0]
    for a in range(P + 1):
        for b in range(a):
            _store(S, b, a, _load(S, a, b))
    for g in range(f.dense_effects.shape[0]):
        Kg = f.dense_effects[g]
        for level in range(f.dense_levels[g]):
            first = f.dense_column[g] + level * Kg
            for rows in range(2):
                for a in range(P + 1):
                    for k in range(Kg):
                        acc = _four(0.0)
                        for i in range(k, Kg):
                            other = _load(S, first + i, a) if rows else _load(S, a, first + i)
                            factor = (
                                t[m + g, i, k, 0],
                                t[m + g, i, k, 1],
                                t[m + g, i, k, 2],
                                t[m + g, i, k, 3],
                            )
                            acc = _fma(acc, other, factor)
                        if rows:
                            _store(S, first + k, a, acc)
                        else:
                            _store(S, a, first + k, acc)


@_inlined
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


@_inlined
def _gather_copies(f, copies, S):
    """Add copies of coefficients' columns to the columns they are of, and idle the copies."""
    P = f.dense_equation.shape[0]
    for a in range(P + 1):
        for b in range(a):
            _store(S, b, a, _load(S, a, b))
    for i in range(f.copy.shape[0]):
        w = _load(copies, i, 0)
        for a in range(P + 1):
            acc = _fma(_load(S, a, f.copy_of[i]), w, _load(S, a, f.copy[i]))
            _store(S, a, f.copy_of[i], acc)
        for a in range(P + 1):
            acc = _fma(_load(S, f.copy_of[i], a), w, _load(S, f.copy[i], a))
            _store(S, f.copy_of[i], a, acc)
    for i in range(f.copy.shape[0]):
        for a in range(P + 1):
            _store(S, a, f.copy[i], _four(0.0))
            _store(S, f.copy[i], a, _four(0.0))


@_inlined
def _assemble(
    f, c, r, t, om, omy, copies, W, D, Q, places, above, sums, weights, scale, S, product, total
):
    """The dense system of four points, in S; log determinant of what was eliminated, in total."""
    m = f.K.shape[0]
    P = f.dense_equation.shape[0]
    p = c.prior.shape[1]
    for lane in range(4):
        total[lane] = 0.0
        product[lane] = 1.0
    several = _scales(f, t, scale)
    if weights.shape[0] > 0:
        _pooled(f, c, r, t, om, W, D, above, sums, weights, total)
    _fill(f, c, r, om, omy, weights, scale, S)
    if weights.shape[0] == 0:
        for i in range(W.shape[0]):
            for j in range(W.shape[1]):
                _store(W, i, j, _four(0.0))
        for s in range(m):
            for j in range(f.J[s]):
                _level(f, c, r, s, j, t, om, W, D)
                _determinant(f.K[s], D, product, total)
                n = _columns(f, c, r, s, j, t, om, omy, W, D, Q, places)
                _subtract(f, s, n, Q, places, scale, W, S)
        for lane in range(4):
            total[lane] += np.log(product[lane])
    if several:
        _turn(f, t, S)
    if f.copy.shape[0] > 0:
        _gather_copies(f, copies, S)
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
            _store(S, a, b, _four(1.0 if b == a else 0.0))


@_inlined
def _most(f):
    """Most effects a level has; most columns a level meets."""
    most = 1
    for g in range(f.K.shape[0]):
        most = max(most, f.K[g])
    return most, f.dense_equation.shape[0] + f.equation.shape[0] + 1


@_inlined
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


@_inlined
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


@_kernel(numba.void(_STRUCTURE, _CROSS, _i1, int64, int64, numba.boolean, _POINTS, _FOUND, _WORK))
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
    most, width = _most(f)
    # arrays go to inner functions, not the tuples that hold them, which was slower
    S, W, t, om, omy, total = room
    T, OM, PIECE, COPY = points
    D = np.empty((most, most, 4))
    Q = np.empty((width, most, 4))
    places = np.empty(width, np.int64)
    weights = np.empty((c.pooled.shape[1], 1, 4))
    sums = np.empty((c.pools.sums[-1], most, 4))
    above = np.empty((c.pools.grouping.shape[0], f.equation.shape[0], most, 4))
    scale = np.empty((P + 1, 1, 4))
    copies = np.empty((COPY.shape[2], 1, 4))
    product = np.ones(4)
    for i in range(which.shape[0]):
        r = which[i]
        for first in range(n0, n1, 4):
            _lanes(f, i, first, n1, T, OM, PIECE, COPY, t, om, omy, copies)
            _assemble(
                f,
                c,
                r,
                t,
                om,
                omy,
                copies,
                W,
                D,
                Q,
                places,
                above,
                sums,
                weights,
                scale,
                S,
                product,
                total,
            )
            if not whole:
                continue
            factor(S)
            for lane in range(min(4, n1 - first)):
                found.log[i, first + lane] = _log_likelihood(S, P, total, lane)
                _keep(S, lane, P, c.prior.shape[1], found, i, first + lane)


def work(f: Structure, equations: int) -> Work:
    """Make work arrays for `evaluate`."""
    P = len(f.dense_equation)
    size = P + 1 + (P + 1) % 2
    most = max([1, *f.K, *f.dense_effects])
    later = f.row[-1] - f.row[1] if len(f.K) else 0
    return Work(
        np.empty((size, size, LANES)),
        np.empty((later, f.effect[-1] + P + 1, LANES)),
        np.zeros((max(len(f.K) + len(f.dense_effects), 1), most, most, LANES)),
        np.empty((equations, equations, LANES)),
        np.empty((equations + 1, len(f.piece), LANES)),
        np.empty(LANES),
    )


@_kernel(numba.void(_f3, _f3, _i2, _f3, _f3))
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


@_kernel(numba.void(_f3, _i1, _f2, _f2, _f2))
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


@_kernel(numba.void(_STRUCTURE, _CROSS, int64, _i1, _WORK, _f2, _f2, _f2))
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
    _, W, t, om, omy, _ = room
    m = f.K.shape[0]
    most, width = _most(f)
    D = np.empty((most, most, 4))
    Q = np.empty((width, most, 4))
    places = np.empty(width, np.int64)
    v = np.empty(most)
    for s in range(m - 1, -1, -1):
        Ks = f.K[s]
        for j in range(f.J[s]):
            _level(f, c, r, s, j, t, om, W, D)
            n = _columns(f, c, r, s, j, t, om, omy, W, D, Q, places)
            row = f.row[s] + j * Ks
            for d in range(out.shape[0]):
                lane = lanes[d]
                for a in range(Ks):
                    v[a] = Q[n - 1, a, lane] + z[d, row + a]
                    for i in range(n - 1):
                        at = places[i]
                        known = dense[d, at] if at >= 0 else out[d, -1 - at]
                        v[a] -= Q[i, a, lane] * known
                for a in range(Ks - 1, -1, -1):
                    for b in range(a + 1, Ks):
                        v[a] -= D[b, a, lane] * v[b]
                    v[a] /= D[a, a, lane]
                for a in range(Ks):
                    out[d, row + a] = 0.0
                    for b in range(a + 1):
                        out[d, row + a] += t[s, a, b, lane] * v[b]


@_kernel(numba.void(_STRUCTURE, _CROSS, _i2, _i2, _i2, _f3, _f3, _f3, _f3, _i1, _i1))
def cross_products(f, c, level, dense_level, slot, zc, zd, X, Y, fresh, visit):  # noqa: PLR0915
    """Add a set of rows to the cross-products of group effects with all else, in R data sets.

    Pairs are added where one of the two is fresh; coefficients' and responses' products with each
    other are matrix products and not taken here.

    Args:
        f: the structure.
        c: what is added to.
        level: of each row in each grouping of the chain, (n, m).
        dense_level: in each dense grouping, (n, groupings).
        slot: where the row's columns of each dense grouping begin in `column`, and last where the
            coefficients' begin, (n, groupings + 1).
        zc: what multiplies the effects of the chain, (R or 1, n, Kc).
        zd: the same of the dense groupings, (R or 1, n, effects).
        X: the coefficients' columns, (R or 1, n, p).
        Y: responses, each in the column of its equation, (R, n, E); always fresh.
        fresh: 1 for effects of the chain, dense effects and coefficients whose columns are fresh,
            (Kc + effects + p,).
        visit: coefficients that may be in a pair.
    """
    m = f.K.shape[0]
    P = f.dense_equation.shape[0]
    p = X.shape[2]
    E = Y.shape[2]
    Kc = zc.shape[2]
    Kd = zd.shape[2]
    groups = f.dense_effects.shape[0]
    column = np.empty(Kd + p, np.int64)
    place = np.empty(Kd + p, np.int64)
    value = np.empty(Kd + p)
    new = np.empty(Kd + p, np.int64)
    for r in range(Y.shape[0]):
        rc = r if zc.shape[0] > 1 else 0
        rd = r if zd.shape[0] > 1 else 0
        rx = r if X.shape[0] > 1 else 0
        for i in range(Y.shape[1]):
            n = 0
            at = 0
            for g in range(groups):
                for a in range(f.dense_effects[g]):
                    if zd[rd, i, at] != 0.0:
                        column[n] = f.dense_column[g] + dense_level[i, g] * f.dense_effects[g] + a
                        place[n] = slot[i, g] + a
                        value[n] = zd[rd, i, at]
                        new[n] = fresh[Kc + at]
                        n += 1
                    at += 1
            grouped = n
            for a in visit:
                if X[rx, i, a] != 0.0:
                    column[n] = P - p + a
                    place[n] = slot[i, groups] + a
                    value[n] = X[rx, i, a]
                    new[n] = fresh[Kc + Kd + a]
                    n += 1
            for a in range(grouped):  # columns ascend
                for e in range(E):
                    c.dense_y[r, column[a], e] += value[a] * Y[r, i, e]
                for b in range(a + 1):
                    if new[a] or new[b]:
                        c.dense[r, column[a], column[b]] += value[a] * value[b]
                for b in range(grouped, n):
                    if new[a] or new[b]:
                        c.dense[r, column[b], column[a]] += value[a] * value[b]
            for s in range(m):
                k0 = f.effect[s]
                width = f.effect[m] - k0
                for a in range(f.K[s]):
                    z = zc[rc, i, k0 + a]
                    if z == 0.0:
                        continue
                    row = level[i, s] * f.K[s] + a
                    base = f.cell[s] + row * width
                    for b in range(width):
                        if fresh[k0 + a] or fresh[k0 + b]:
                            c.chain[r, base + b] += z * zc[rc, i, k0 + b]
                    row += f.row[s]
                    for e in range(E):
                        c.chain_y[r, row, e] += z * Y[r, i, e]
                    for b in range(n):
                        if fresh[k0 + a] or new[b]:
                            if s == 0:
                                c.chain_sparse[r, place[b], a] += z * value[b]
                            else:
                                c.chain_dense[r, row - f.row[1], column[b]] += z * value[b]


@_kernel(numba.void(_STRUCTURE, _CROSS))
def pool(f, c):
    """Sum the products of each level's sums with each other over the levels of a class."""
    q = c.pools
    P = f.dense_equation.shape[0]
    E = f.piece.shape[0]
    most = 1
    for u in range(q.grouping.shape[0]):
        most = max(most, q.sums[u + 1] - q.sums[u])
    B = np.zeros((most, P + E))
    met = np.zeros(P + E, np.bool_)
    column = np.empty(P + E, np.int64)
    for r in range(c.pooled.shape[0]):
        for node in range(q.member_class.shape[0]):
            u = q.member_class[node]
            first = q.sums[u]
            for e in range(E):
                met[P + e] = True
            for at in range(q.member_start[node], q.member_start[node + 1]):
                row = q.member_row[at]
                g = q.member_sum[at] - first
                equation = q.equation[q.member_sum[at]]
                for e in range(E):
                    if f.piece[e] == equation:
                        B[g, P + e] += c.chain_y[r, row, e]
                if row < f.row[1]:
                    j = row // f.K[0]
                    for i in range(f.start[j], f.start[j + 1]):
                        if f.dense_equation[f.column[i]] == equation:
                            B[g, f.column[i]] += c.chain_sparse[r, i, row - j * f.K[0]]
                            met[f.column[i]] = True
                else:
                    for i in range(P):
                        value = c.chain_dense[r, row - f.row[1], i]
                        if value != 0.0 and f.dense_equation[i] == equation:
                            B[g, i] += value
                            met[i] = True
            n = 0
            for i in range(P + E):
                if met[i]:
                    column[n] = i
                    n += 1
            at = q.matrix[u]
            for g in range(q.sums[u + 1] - first):
                for h in range(g + 1):
                    for i in range(n):
                        x = B[g, column[i]]
                        z = B[h, column[i]] if h < g else 0.0
                        for k in range(i + 1):
                            both = x * B[h, column[k]] + z * B[g, column[k]]
                            c.pooled[r, at, column[i], column[k]] += both
                    at += 1
            for i in range(n):
                met[column[i]] = False
                for g in range(q.sums[u + 1] - first):
                    B[g, column[i]] = 0.0


@_kernel(numba.void(_f3, _f2, _f3, _f3, _f2, float64, _f2))
def folded_t(x, center, inverse, halves, flips, df, out):
    """Density of a split t, but for a constant, summed over sign changes.

    Args:
        x: points, (R, N, d).
        center: of each proposal, (R, d).
        inverse: of its axes, (R, d, d).
        halves: scale of the lower and upper half of each axis, (R, d, 2).
        flips: the sign changes, (F, d).
        df: degrees of freedom.
        out: receives the density, (R, N).
    """
    d = x.shape[2]
    there = np.empty((d, 16))
    turned = np.empty((d, d))
    base = np.empty(d)
    c = np.empty(16)
    square = np.empty(16)
    volume = np.empty(16)
    value = np.empty(16)
    for r in range(x.shape[0]):
        for i in range(d):
            base[i] = 0.0
            for k in range(d):
                base[i] += inverse[r, i, k] * center[r, k]
        for first in range(0, x.shape[1], 16):
            n = min(16, x.shape[1] - first)
            for lane in range(16):
                at = first + min(lane, n - 1)
                value[lane] = 0.0
                for k in range(d):
                    there[k, lane] = x[r, at, k]
            for f in range(flips.shape[0]):
                for i in range(d):
                    for k in range(d):
                        turned[i, k] = inverse[r, i, k] * flips[f, k]
                for lane in range(16):
                    square[lane] = 0.0
                    volume[lane] = 1.0
                for i in range(d):
                    for lane in range(16):
                        c[lane] = -base[i]
                    for k in range(d):
                        w = turned[i, k]
                        for lane in range(16):
                            c[lane] += w * there[k, lane]
                    low = 1.0 / halves[r, i, 0]
                    high = 1.0 / halves[r, i, 1]
                    for lane in range(16):
                        over = low if c[lane] < 0.0 else high
                        square[lane] += (c[lane] * over) * (c[lane] * over)
                        volume[lane] *= over
                for lane in range(16):
                    c[lane] = 1.0 / np.sqrt(1.0 + square[lane] / df)
                for _ in range(d + int(df)):
                    for lane in range(16):
                        volume[lane] *= c[lane]
                for lane in range(16):
                    value[lane] += volume[lane]
            for lane in range(n):
                out[r, first + lane] = value[lane]
