"""Elimination of a chain's levels class by class; see `pooling` for the algebra."""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

import numpy as np

from acmodels.engines.collapsed.kernels.chain import half, level, solver
from acmodels.engines.collapsed.kernels.compiling import inlined
from acmodels.engines.collapsed.kernels.lanes import (
    add,
    fma,
    fnma,
    four,
    load,
    load_flat,
    mul,
    store,
    store_flat,
)

_FOUR = np.uint64(4)


@inlined
def _below(f, c, u, above, W):
    """Take what a class's levels below take off its representative, in W."""
    q = c.pools
    Kc = f.equation.shape[0]
    s = q.grouping[u]
    node = f.node[s] + q.representative[u]
    width = f.effect[-1] - f.effect[s]
    along = width + f.start[node + 1] - f.start[node] + 1
    for a in range(f.K[s]):
        for b in range(width):
            store_flat(W, _FOUR * np.uint64(f.room[node] + a * along + b), four(0.0))
    for at in range(q.below_start[u], q.below_start[u + 1]):
        v = q.below[at]
        first = f.effect[s] - f.effect[q.grouping[v] + 1]
        rank = f.rank[q.grouping[v]]
        for a in range(f.K[s]):
            for b in range(width):
                x = four(0.0)
                for k in range(rank):
                    x = fma(
                        x, load(above, v * Kc + first + a, k), load(above, v * Kc + first + b, k)
                    )
                cell = _FOUR * np.uint64(f.room[node] + a * along + b)
                store_flat(W, cell, fnma(load_flat(W, cell), x, four(q.below_count[at])))


@inlined
def _class_columns(f, c, r, u, om, W, M, above, sums):
    """Half-solved columns of a class: effects above it, and its sums."""
    q = c.pools
    Kc = f.equation.shape[0]
    s = q.grouping[u]
    j = q.representative[u]
    Ks = f.K[s]
    rank = f.rank[s]
    k0 = f.effect[s]
    width = f.effect[-1] - k0
    node = f.node[s] + j
    along = width + f.start[node + 1] - f.start[node] + 1
    for i in range(width - Ks):
        other = f.equation[k0 + Ks + i]
        for a in range(Ks):
            value = c.chain[r, f.cell[s] + (j * Ks + a) * width + Ks + i]
            x = mul(load(om, f.equation[k0 + a], other), four(value))
            if s > 0:
                cell = _FOUR * np.uint64(f.room[node] + a * along + Ks + i)
                x = add(x, load_flat(W, cell))
            store(above, u * Kc + i, a, x)
        half(Ks, rank, M, above, u * Kc + i)
    for g in range(q.sums[u], q.sums[u + 1]):
        for a in range(Ks):
            store(sums, g, a, four(0.0))
    for at in range(q.own_start[u], q.own_start[u + 1]):
        g = q.own_sum[at]
        a = q.own_effect[at]
        store(sums, g, a, add(load(sums, g, a), load(om, f.equation[k0 + a], q.equation[g])))
    for at in range(q.lift_start[u], q.lift_start[u + 1]):
        v = q.lift[at]
        first = f.effect[s] - f.effect[q.grouping[v] + 1]
        g = q.lift_to[at]
        for a in range(Ks):
            x = load(sums, g, a)
            for k in range(f.rank[q.grouping[v]]):
                x = fnma(x, load(above, v * Kc + first + a, k), load(sums, q.lift_from[at], k))
            store(sums, g, a, x)
    for g in range(q.sums[u], q.sums[u + 1]):
        half(Ks, rank, M, sums, g)


@inlined
def pooled(f, c, r, t, om, W, D, M, above, sums, weights, total):
    """What pooled cross-products are multiplied by; see `pooling` for the algebra."""
    q = c.pools
    for u in range(q.grouping.shape[0]):
        s = q.grouping[u]
        if s > 0:
            _below(f, c, u, above, W)
        level(f, c, r, s, q.representative[u], t, om, W, D)
        for lane in range(4):
            product = 1.0
            for a in range(f.rank[s]):
                product *= D[a, a, lane]
            total[lane] -= 2.0 * q.count[u] * np.log(product)
        solver(f.K[s], f.rank[s], t, s, D, M)
        _class_columns(f, c, r, u, om, W, M, above, sums)
        at = q.matrix[u]
        for g in range(q.sums[u], q.sums[u + 1]):
            for h in range(q.sums[u], g + 1):
                acc = four(0.0)
                for k in range(f.rank[s]):
                    acc = fma(acc, load(sums, g, k), load(sums, h, k))
                store(weights, at, 0, acc)
                at += 1
