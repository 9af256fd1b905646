"""Cross-products, taken once for all points."""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

import numba
import numpy as np

from acmodels.engines.collapsed.kernels.arrays import CROSS, STRUCTURE, f3, i1, i2, i3
from acmodels.engines.collapsed.kernels.compiling import kernel


@kernel(numba.void(STRUCTURE, CROSS, i2, i2, i3, f3, f3, f3, f3, i1, i1), allocates=True)
def cross_products(f, c, level, dense_level, slot, zc, zd, X, Y, fresh, visit):  # noqa: PLR0915
    """Add a set of rows to the cross-products of group effects with all else, in R data sets.

    Pairs are added where one of the two is fresh; coefficients' and responses' products with each
    other are matrix products and not taken here.

    Args:
        f: the structure.
        c: what is added to.
        level: of each row in each grouping of the chain, (n, m).
        dense_level: in each dense grouping, (n, groupings).
        slot: where the columns of each dense grouping begin among those that the row's level of
            each grouping of the chain meets, and last where the coefficients' begin,
            (n, m, groupings + 1).
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
    group = np.empty(Kd + p, np.int64)
    within = np.empty(Kd + p, np.int64)
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
                        group[n] = g
                        within[n] = a
                        value[n] = zd[rd, i, at]
                        new[n] = fresh[Kc + at]
                        n += 1
                    at += 1
            grouped = n
            for a in visit:
                if X[rx, i, a] != 0.0:
                    column[n] = P - p + a
                    group[n] = groups
                    within[n] = a
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
                cells = f.met[f.node[s] + level[i, s]]
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
                            place = slot[i, s, group[b]] + within[b]
                            c.chain_sparse[r, cells + place * f.K[s] + a] += z * value[b]


@kernel(numba.void(STRUCTURE, CROSS), allocates=True)
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
                s = 0
                while row >= f.row[s + 1]:
                    s += 1
                j = (row - f.row[s]) // f.K[s]
                a = row - f.row[s] - j * f.K[s]
                begin = f.start[f.node[s] + j]
                for i in range(begin, f.start[f.node[s] + j + 1]):
                    if f.dense_equation[f.column[i]] == equation:
                        cell = f.met[f.node[s] + j] + (i - begin) * f.K[s] + a
                        B[g, f.column[i]] += c.chain_sparse[r, cell]
                        met[f.column[i]] = True
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
