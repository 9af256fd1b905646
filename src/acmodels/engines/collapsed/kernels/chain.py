"""Elimination of a chain's levels one after the other."""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

import numpy as np

from acmodels.engines.collapsed.kernels.compiling import inlined
from acmodels.engines.collapsed.kernels.lanes import (
    add,
    fma,
    fnma,
    four,
    load,
    load_flat,
    mul,
    root,
    rsqrt,
    store,
    store_flat,
)

_FOUR = np.uint64(4)


@inlined
def level(f, c, r, s, j, t, om, W, D):
    """Factor of a level's precision T' (Z'R^-1 Z) T + I, less what was eliminated below, in D.

    Its diagonal holds inverses.
    """
    k0 = f.effect[s]
    Ks = f.K[s]
    rank = f.rank[s]
    width = f.effect[-1] - k0
    base = f.cell[s] + j * Ks * width
    node = f.node[s] + j
    along = width + f.start[node + 1] - f.start[node] + 1
    for a in range(Ks):
        for b in range(a + 1):
            w = load(om, f.equation[k0 + a], f.equation[k0 + b])
            x = mul(w, four(c.chain[r, base + a * width + b]))
            if s > 0:
                at = _FOUR * np.uint64(f.room[node] + a * along + b)
                x = add(x, load_flat(W, at))
            store(D, a, b, x)
            store(D, b, a, x)
    for a in range(Ks):  # D T
        for b in range(rank):
            x = mul(load(D, a, b), root(t, s, b, b))
            for i in range(b + 1, Ks):
                x = fma(x, load(D, a, i), root(t, s, i, b))
            store(D, a, b, x)
    for b in range(rank):  # T' D
        for a in range(rank):
            x = mul(load(D, a, b), root(t, s, a, a))
            for i in range(a + 1, Ks):
                x = fma(x, root(t, s, i, a), load(D, i, b))
            store(D, a, b, x)
    for a in range(rank):
        store(D, a, a, add(load(D, a, a), four(1.0)))
    for a in range(rank):
        for b in range(a + 1):
            x = load(D, a, b)
            for i in range(b):
                x = fnma(x, load(D, a, i), load(D, b, i))
            store(D, a, b, rsqrt(x) if a == b else mul(x, load(D, b, b)))


@inlined
def determinant(rank, D, product, total):
    """Multiply a level's inverse determinant in; move what has grown small into the logarithm."""
    for a in range(rank):
        for lane in range(4):
            product[lane] *= D[a, a, lane] * D[a, a, lane]
    for lane in range(4):
        if product[lane] < 1e-100:
            total[lane] -= np.log(product[lane])
            product[lane] = 1.0


@inlined
def solver(Ks, rank, t, s, D, M):
    """D^-1 T', in M (rank, K, 4)."""
    for a in range(rank):
        for k in range(Ks):
            x = root(t, s, k, a) if k >= a else four(0.0)
            for b in range(a):
                x = fnma(x, load(D, a, b), load(M, b, k))
            store(M, a, k, mul(x, load(D, a, a)))


@inlined
def half(Ks, rank, M, Q, i):
    """M q for one column q (K, 4) of a level's cross-products, the i-th of Q, in place."""
    raw = Q.shape[0] - 1
    for b in range(Ks):
        store(Q, raw, b, load(Q, i, b))
    for a in range(rank):
        x = mul(load(M, a, 0), load(Q, raw, 0))
        for b in range(1, Ks):
            x = fma(x, load(M, a, b), load(Q, raw, b))
        store(Q, i, a, x)


@inlined
def columns(f, c, r, s, j, t, om, omy, W, D, M, Q, places):
    """Half-solved columns of a level, in Q: effects above, dense, response. Return their number.

    `places` says which of the dense columns each is, times 4; the response is at P.
    """
    Ks = f.K[s]
    k0 = f.effect[s]
    width = f.effect[-1] - k0
    node = f.node[s] + j
    first = f.start[node]
    count = f.start[node + 1] - first
    above = width - Ks
    n = above + count + 1
    single = om.shape[0] == 1
    for a in range(Ks):
        e = f.equation[k0 + a]
        w = load(om, e, 0)
        base = f.cell[s] + (j * Ks + a) * width + Ks
        for i in range(above):
            if not single:
                w = load(om, e, f.equation[k0 + Ks + i])
            store(Q, i, a, mul(w, four(c.chain[r, base + i])))
        base = f.met[node] + a
        for i in range(count):
            if not single:
                w = load(om, e, f.dense_equation[f.column[first + i]])
            store(Q, above + i, a, mul(w, four(c.chain_sparse[r, base + i * Ks])))
        x = four(0.0)
        for b in range(c.dense_y.shape[2]):
            x = fma(x, load(omy, e, b), four(c.chain_y[r, f.row[s] + j * Ks + a, b]))
        store(Q, n - 1, a, x)
        if s > 0:
            at = _FOUR * np.uint64(f.room[node] + a * (width + count + 1) + Ks)
            for i in range(n):
                store(Q, i, a, add(load(Q, i, a), load_flat(W, at + _FOUR * np.uint64(i))))
    for i in range(count):
        places[above + i] = _FOUR * np.uint64(f.column[first + i])
    places[n - 1] = _FOUR * np.uint64(f.dense_equation.shape[0])
    solver(Ks, f.rank[s], t, s, D, M)
    if Ks == 2 and f.rank[s] == 2:
        w = load(M, 0, 0)
        x = load(M, 0, 1)
        y = load(M, 1, 0)
        z = load(M, 1, 1)
        for i in range(n):
            p = load(Q, i, 0)
            q = load(Q, i, 1)
            store(Q, i, 0, fma(mul(w, p), x, q))
            store(Q, i, 1, fma(mul(y, p), z, q))
    elif Ks == 1:
        w = load(M, 0, 0)
        for i in range(n):
            store(Q, i, 0, mul(load(Q, i, 0), w))
    else:
        for i in range(n):
            half(Ks, f.rank[s], M, Q, i)
    return n


@inlined
def _subtract_above(f, s, j, n, Q, lifted, W):
    """Take the products of a level's half-solved columns off the levels that it lies in."""
    m = f.K.shape[0]
    rank = f.rank[s]
    above = f.effect[m] - f.effect[s + 1]
    here = f.node[s] + j
    count = n - 1 - above
    for i in range(count):
        lifted[i] = i
    up = j
    for later in range(s + 1, m):
        for i in range(count):
            lifted[i] = f.up[f.start[here] + lifted[i]]
        up = f.parent[later - 1, up]
        here = f.node[later] + up
        skip = f.effect[later] - f.effect[s + 1]
        along = above - skip + f.start[here + 1] - f.start[here] + 1
        for k in range(f.K[later]):
            begin = f.room[here] + k * along - skip
            for a in range(rank):
                x = load(Q, skip + k, a)
                for i in range(skip, above):
                    at = _FOUR * np.uint64(begin + i)
                    store_flat(W, at, fnma(load_flat(W, at), x, load(Q, i, a)))
                for i in range(count):
                    at = _FOUR * np.uint64(begin + above + lifted[i])
                    store_flat(W, at, fnma(load_flat(W, at), x, load(Q, above + i, a)))
                at = _FOUR * np.uint64(begin + skip + along - 1)
                store_flat(W, at, fnma(load_flat(W, at), x, load(Q, n - 1, a)))


@inlined
def _outer(S, size, first, n, Q, a, places):
    """Take the outer product of one effect's half-solved columns off the dense system."""
    i = first
    while i + 1 < n:  # two rows at once; places ascend
        x = load(Q, i, a)
        y = load(Q, i + 1, a)
        p = places[i] * size
        q = places[i + 1] * size
        for k in range(first, i + 1):
            z = load(Q, k, a)
            at = places[k]
            store_flat(S, p + at, fnma(load_flat(S, p + at), x, z))
            store_flat(S, q + at, fnma(load_flat(S, q + at), y, z))
        at = q + places[i + 1]
        store_flat(S, at, fnma(load_flat(S, at), y, y))
        i += 2
    if i < n:
        x = load(Q, i, a)
        for k in range(first, n):
            at = places[i] * size + places[k]
            store_flat(S, at, fnma(load_flat(S, at), x, load(Q, k, a)))


@inlined
def _outer_two(S, size, first, n, Q, a, places):
    """The same of two effects, the a-th and the next."""
    i = first
    while i + 1 < n:
        x = load(Q, i, a)
        y = load(Q, i + 1, a)
        x2 = load(Q, i, a + 1)
        y2 = load(Q, i + 1, a + 1)
        p = places[i] * size
        q = places[i + 1] * size
        for k in range(first, i + 1):
            z = load(Q, k, a)
            z2 = load(Q, k, a + 1)
            at = places[k]
            store_flat(S, p + at, fnma(fnma(load_flat(S, p + at), x, z), x2, z2))
            store_flat(S, q + at, fnma(fnma(load_flat(S, q + at), y, z), y2, z2))
        at = q + places[i + 1]
        store_flat(S, at, fnma(fnma(load_flat(S, at), y, y), y2, y2))
        i += 2
    if i < n:
        x = load(Q, i, a)
        x2 = load(Q, i, a + 1)
        for k in range(first, n):
            at = places[i] * size + places[k]
            z = load(Q, k, a)
            z2 = load(Q, k, a + 1)
            store_flat(S, at, fnma(fnma(load_flat(S, at), x, z), x2, z2))


@inlined
def subtract(f, s, j, n, Q, places, lifted, scale, W, size, S):
    """Take the outer product of a level's half-solved columns off all that lies above it."""
    rank = f.rank[s]
    first = f.effect[-1] - f.effect[s + 1]
    _subtract_above(f, s, j, n, Q, lifted, W)
    i = first
    grouped = _FOUR * np.uint64(f.dense_column[-1])
    while places[i] < grouped:  # the others' scale is one
        w = load_flat(scale, places[i])
        for a in range(rank):
            store(Q, i, a, mul(load(Q, i, a), w))
        i += 1
    a = 0
    while a + 1 < rank:
        _outer_two(S, size, first, n, Q, a, places)
        a += 2
    if a < rank:
        _outer(S, size, first, n, Q, a, places)
