"""Arithmetic of four points at once, each a tuple of four numbers."""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

import numpy as np

from acmodels.engines.collapsed.kernels.compiling import inlined

_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)


@inlined
def load(S, i, k):
    """Four points' values of a cell."""
    return (S[i, k, 0], S[i, k, 1], S[i, k, 2], S[i, k, 3])


@inlined
def root(t, g, i, k):
    """Four points' values of a cell of a grouping's factor."""
    return (t[g, i, k, 0], t[g, i, k, 1], t[g, i, k, 2], t[g, i, k, 3])


@inlined
def store(S, i, k, a):
    """Write four points' values to a cell."""
    S[i, k, 0] = a[0]
    S[i, k, 1] = a[1]
    S[i, k, 2] = a[2]
    S[i, k, 3] = a[3]


@inlined
def load_flat(A, at):
    """Four points' values from a place in a flat array; places are unsigned, or they are slow."""
    return (A[at], A[at + _1], A[at + _2], A[at + _3])


@inlined
def store_flat(A, at, a):
    """Write four points' values to a place in a flat array."""
    A[at] = a[0]
    A[at + _1] = a[1]
    A[at + _2] = a[2]
    A[at + _3] = a[3]


@inlined
def fma(a, x, p):
    """A + x p."""
    return (a[0] + x[0] * p[0], a[1] + x[1] * p[1], a[2] + x[2] * p[2], a[3] + x[3] * p[3])


@inlined
def fnma(a, x, p):
    """A - x p."""
    return (a[0] - x[0] * p[0], a[1] - x[1] * p[1], a[2] - x[2] * p[2], a[3] - x[3] * p[3])


@inlined
def mul(x, p):
    """X p."""
    return (x[0] * p[0], x[1] * p[1], x[2] * p[2], x[3] * p[3])


@inlined
def add(x, p):
    """X + p."""
    return (x[0] + p[0], x[1] + p[1], x[2] + p[2], x[3] + p[3])


@inlined
def sub(x, p):
    """X - p."""
    return (x[0] - p[0], x[1] - p[1], x[2] - p[2], x[3] - p[3])


@inlined
def four(x):
    """One number at all four points."""
    return (x, x, x, x)


@inlined
def rsqrt(x):
    """1 / sqrt(x)."""
    return (
        1.0 / np.sqrt(x[0]),
        1.0 / np.sqrt(x[1]),
        1.0 / np.sqrt(x[2]),
        1.0 / np.sqrt(x[3]),
    )
