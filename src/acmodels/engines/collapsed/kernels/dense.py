"""The dense system of four points: its cells before elimination, and its Cholesky factor."""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

import numba
import numpy as np

from acmodels.engines.collapsed.kernels.arrays import f3
from acmodels.engines.collapsed.kernels.compiling import inlined, kernel
from acmodels.engines.collapsed.kernels.lanes import (
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
    sub,
)

_FOUR = np.uint64(4)


@kernel(numba.void(f3))
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
                p = load(S, j, k)
                q = load(S, j + 1, k)
                x = load(S, i, k)
                a = fma(a, x, p)
                b = fma(b, x, q)
                x = load(S, i + 1, k)
                c = fma(c, x, p)
                d = fma(d, x, q)
                x = load(S, i + 2, k)
                e = fma(e, x, p)
                f = fma(f, x, q)
                x = load(S, i + 3, k)
                g = fma(g, x, p)
                h = fma(h, x, q)
            store(S, i, j, sub(load(S, i, j), a))
            store(S, i, j + 1, sub(load(S, i, j + 1), b))
            store(S, i + 1, j, sub(load(S, i + 1, j), c))
            store(S, i + 1, j + 1, sub(load(S, i + 1, j + 1), d))
            store(S, i + 2, j, sub(load(S, i + 2, j), e))
            store(S, i + 2, j + 1, sub(load(S, i + 2, j + 1), f))
            store(S, i + 3, j, sub(load(S, i + 3, j), g))
            store(S, i + 3, j + 1, sub(load(S, i + 3, j + 1), h))
            i += 4
        while i < n:
            a = z
            b = z
            c = z
            d = z
            for k in range(j):
                p = load(S, j, k)
                q = load(S, j + 1, k)
                x = load(S, i, k)
                a = fma(a, x, p)
                b = fma(b, x, q)
                x = load(S, i + 1, k)
                c = fma(c, x, p)
                d = fma(d, x, q)
            store(S, i, j, sub(load(S, i, j), a))
            store(S, i, j + 1, sub(load(S, i, j + 1), b))
            store(S, i + 1, j, sub(load(S, i + 1, j), c))
            store(S, i + 1, j + 1, sub(load(S, i + 1, j + 1), d))
            i += 2
        first = rsqrt(load(S, j, j))
        below = mul(load(S, j + 1, j), first)
        second = rsqrt(fnma(load(S, j + 1, j + 1), below, below))
        for i in range(j, n):
            x = mul(load(S, i, j), first)
            store(S, i, j, x)
            store(S, i, j + 1, mul(fnma(load(S, i, j + 1), below, x), second))


@inlined
def fill(f, c, r, om, omy, weights, scale, S):
    """The dense system before levels are subtracted one by one, rows and columns scaled."""
    P = f.dense_equation.shape[0]
    E = c.dense_y.shape[2]
    pooled = weights.shape[0]
    for b in range(P):
        acc = four(0.0)
        for e in range(E):
            acc = fma(acc, load(omy, f.dense_equation[b], e), four(c.dense_y[r, b, e]))
        store(S, P, b, mul(acc, load_flat(scale, _FOUR * np.uint64(b))))
    acc = four(c.prior_square[r])
    for e in range(E):
        own = load(omy, om.shape[0], e)
        for i in range(E):
            both = mul(own, load(omy, f.piece[e], i))
            acc = fma(acc, both, four(c.y[r, e, i]))
    store(S, P, P, acc)
    w = load(om, 0, 0)
    single = pooled > 0 and om.shape[0] == 1
    for a in range(P):
        row = load_flat(scale, _FOUR * np.uint64(a))
        if single:  # the first pooled matrix in the same pass
            both = mul(row, w)
            less = mul(row, load(weights, 0, 0))
            for b in range(a + 1):
                cell = mul(both, four(c.dense[r, a, b]))
                cell = fnma(cell, less, four(c.pooled[r, 0, a, b]))
                store(S, a, b, mul(cell, load_flat(scale, _FOUR * np.uint64(b))))
        else:
            for b in range(a + 1):
                w = load(om, f.dense_equation[a], f.dense_equation[b])
                both = mul(row, load_flat(scale, _FOUR * np.uint64(b)))
                store(S, a, b, mul(four(c.dense[r, a, b]), mul(w, both)))
    for j in range(pooled):
        w = load(weights, j, 0)
        for a in range(P if single and j == 0 else 0, P):
            row = mul(w, load_flat(scale, _FOUR * np.uint64(a)))
            for b in range(a + 1):
                both = mul(row, load_flat(scale, _FOUR * np.uint64(b)))
                store(S, a, b, fnma(load(S, a, b), both, four(c.pooled[r, j, a, b])))
        for e in range(E):
            row = mul(w, load(omy, om.shape[0], e))
            for b in range(P):
                both = mul(row, load_flat(scale, _FOUR * np.uint64(b)))
                store(S, P, b, fnma(load(S, P, b), both, four(c.pooled[r, j, P + e, b])))
            for i in range(e + 1):
                both = mul(row, load(omy, om.shape[0], i))
                value = c.pooled[r, j, P + e, P + i] * (1.0 if i == e else 2.0)
                store(S, P, P, fnma(load(S, P, P), both, four(value)))


@inlined
def scales(f, t, scale):
    """What dense columns are multiplied by; True if a grouping needs more than that (`turn`)."""
    m = f.K.shape[0]
    for g in range(f.dense_effects.shape[0]):
        for a in range(f.dense_effects[g]):
            for b in range(a):
                for lane in range(4):
                    if t[m + g, a, b, lane] != 0.0:
                        for i in range(scale.shape[0]):
                            scale[i] = 1.0
                        return True
    for g in range(f.dense_effects.shape[0]):
        K = f.dense_effects[g]
        for i in range(f.dense_column[g], f.dense_column[g + 1]):
            a = (i - f.dense_column[g]) % K
            store_flat(scale, _FOUR * np.uint64(i), root(t, m + g, a, a))
    for i in range(f.dense_column[-1] * 4, scale.shape[0]):
        scale[i] = 1.0
    return False


@inlined
def turn(f, t, S):
    """T' S T over dense groupings with several effects."""
    m = f.K.shape[0]
    P = f.dense_equation.shape[0]
    for a in range(P + 1):
        for b in range(a):
            store(S, b, a, load(S, a, b))
    for g in range(f.dense_effects.shape[0]):
        Kg = f.dense_effects[g]
        for level in range(f.dense_levels[g]):
            first = f.dense_column[g] + level * Kg
            for rows in range(2):
                for a in range(P + 1):
                    for k in range(Kg):
                        acc = four(0.0)
                        for i in range(k, Kg):
                            other = load(S, first + i, a) if rows else load(S, a, first + i)
                            factor = root(t, m + g, i, k)
                            acc = fma(acc, other, factor)
                        if rows:
                            store(S, first + k, a, acc)
                        else:
                            store(S, a, first + k, acc)


@inlined
def gather_copies(f, copies, S):
    """Add copies of coefficients' columns to the columns they are of, and idle the copies."""
    P = f.dense_equation.shape[0]
    for a in range(P + 1):
        for b in range(a):
            store(S, b, a, load(S, a, b))
    for i in range(f.copy.shape[0]):
        w = load(copies, i, 0)
        for a in range(P + 1):
            acc = fma(load(S, a, f.copy_of[i]), w, load(S, a, f.copy[i]))
            store(S, a, f.copy_of[i], acc)
        for a in range(P + 1):
            acc = fma(load(S, f.copy_of[i], a), w, load(S, f.copy[i], a))
            store(S, f.copy_of[i], a, acc)
    for i in range(f.copy.shape[0]):
        for a in range(P + 1):
            store(S, a, f.copy[i], four(0.0))
            store(S, f.copy[i], a, four(0.0))
