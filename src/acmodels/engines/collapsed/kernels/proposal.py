"""The density of a folded split t."""

# what Numba compiles has its types in signatures
# pyright: reportMissingParameterType=false

import numba
import numpy as np
from numba import float64

from acmodels.engines.collapsed.kernels.arrays import f2, f3
from acmodels.engines.collapsed.kernels.compiling import kernel


@kernel(numba.void(f3, f2, f3, f3, f2, float64, f2), allocates=True)
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
