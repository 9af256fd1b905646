"""Natural cubic splines: cubic between knots, with two derivatives, and linear beyond the last.

A curve is kept by its values and second derivatives at the knots (Green & Silverman, 1994, chapter
2). The columns of `spline(x, k)` span what R's `splines::ns(x, df = k)` spans with an intercept:
boundary knots at the smallest and the largest value, inner ones at quantiles. They are chosen so
that default and stated priors mean the same for each: mean 0, sd 1 and uncorrelated over the
rows. The first is x itself, standardized; the others are what bends, in order of how much (Demmler
& Reinsch, 1975), so that the second is close to a parabola.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import DataError

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A natural cubic spline.

    Attributes:
        knots: increasing.
        values: at the knots.
        bends: second derivatives at the knots, 0 at both ends.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]
    bends: tuple[float, ...]

    def __call__(self, x: Array) -> Array:
        """Compute its values, of the shape of x."""
        knots, f, m = np.array(self.knots), np.array(self.values), np.array(self.bends)
        inside = np.clip(x, knots[0], knots[-1])
        j, h, left, right = _place(knots, inside)
        out = left * f[j] + right * f[j + 1]
        out = out + ((left**3 - left) * m[j] + (right**3 - right) * m[j + 1]) * h**2 / 6
        return out + (x - inside) * self.slope(inside)

    def slope(self, x: Array) -> Array:
        """Compute its derivative, of the shape of x; beyond the knots that at the last of them."""
        knots, f, m = np.array(self.knots), np.array(self.values), np.array(self.bends)
        j, h, left, right = _place(knots, np.clip(x, knots[0], knots[-1]))
        bent = (1 - 3 * left**2) * m[j] + (3 * right**2 - 1) * m[j + 1]
        return (f[j + 1] - f[j]) / h + bent * h / 6

    @property
    def cubes(self) -> tuple[float, float, tuple[float, ...]]:
        """Value and slope at the first knot, and the cube that begins at each knot but the last.

        At x the curve is `value + slope * (x - first) + sum of c_j max(x - knot_j, 0)^3` up to the
        last knot, and linear from there on.
        """
        third = np.diff(self.bends) / np.diff(self.knots)
        jumps = np.diff(third, prepend=0.0) / 6
        first = np.array([self.knots[0]])
        return self.values[0], float(self.slope(first)[0]), tuple(float(c) for c in jumps)


def _place(knots: Array, x: Array) -> tuple[NDArray[np.int64], Array, Array, Array]:
    """Find the interval of each x, its width, and the weights of its two ends."""
    j = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    h = knots[j + 1] - knots[j]
    right = (x - knots[j]) / h
    return j, h, 1 - right, right


def spline(x: Array, df: int, text: str) -> tuple[Curve, ...]:
    """Make the columns of `spline(x, df)`.

    Args:
        x: values over the rows of an equation, (n,).
        df: how many columns there are.
        text: how it is written, for messages.

    Raises:
        DataError: x has fewer than `df + 1` distinct values.
    """
    distinct = np.unique(x)
    if len(distinct) < df + 1:
        have = f"{len(distinct)} distinct value" + ("" if len(distinct) == 1 else "s")
        most = f"; at most {len(distinct) - 1} degrees of freedom are possible"
        raise DataError(
            f"{text} needs at least {df + 1} distinct values, and there are only {have} in the "
            f"rows used" + (most if len(distinct) > 1 else "")
        )
    knots = _knots(x, distinct, df)
    low, width = knots[0], knots[-1] - knots[0]
    at = (knots - low) / width
    second = _second(at)
    cardinal = _cardinal(at, second, (x - low) / width)
    inner = np.eye(len(at))[:, 1:-1]
    span = np.column_stack([np.ones(len(at)), at, inner])  # values at knots, column by column
    R = np.linalg.qr(cardinal @ span, mode="r")
    V = span @ np.linalg.inv(R) * np.sign(np.diag(R))
    bent = V[:, 2:]
    hats = _hats(at)
    M = second @ bent
    _, turn = np.linalg.eigh(M.T @ hats @ M)
    V = np.column_stack([V[:, 1], bent @ turn]) * np.sqrt(len(x) - 1)
    V = V * np.where(V[-1] < 0, -1.0, 1.0)
    M = second @ V
    M[[0, -1]] = 0.0
    places = tuple(float(k) for k in knots)
    return tuple(
        Curve(places, tuple(map(float, v)), tuple(map(float, m / width**2)))
        for v, m in zip(V.T, M.T, strict=True)
    )


def _knots(x: Array, distinct: Array, df: int) -> Array:
    """Quantiles of the values; of the distinct ones, where ties would make knots coincide."""
    shares = np.linspace(0, 1, df + 1)
    knots = np.quantile(x, shares)
    if np.all(np.diff(knots) > 1e-9 * (knots[-1] - knots[0])):
        return knots
    return np.quantile(distinct, shares)


def _second(knots: Array) -> Array:
    """What turns values at the knots into second derivatives there, (K, K)."""
    K = len(knots)
    h = np.diff(knots)
    A, B = np.eye(K), np.zeros((K, K))
    for j in range(1, K - 1):
        A[j, j - 1 : j + 2] = h[j - 1] / 6, (h[j - 1] + h[j]) / 3, h[j] / 6
        B[j, j - 1 : j + 2] = 1 / h[j - 1], -1 / h[j - 1] - 1 / h[j], 1 / h[j]
    return np.linalg.solve(A, B)


def _cardinal(knots: Array, second: Array, x: Array) -> Array:
    """The splines that are 1 at one knot and 0 at the others, at x inside the knots, (n, K)."""
    j, h, left, right = _place(knots, x)
    eye = np.eye(len(knots))
    out = left[:, None] * eye[j] + right[:, None] * eye[j + 1]
    first, last = (left**3 - left) * h**2 / 6, (right**3 - right) * h**2 / 6
    return out + first[:, None] * second[j] + last[:, None] * second[j + 1]


def _hats(knots: Array) -> Array:
    """Integrals of the products of piecewise linear functions that are 1 at one knot, (K, K)."""
    K = len(knots)
    h = np.diff(knots)
    out = np.zeros((K, K))
    for j in range(K - 1):
        out[j : j + 2, j : j + 2] += h[j] / 6 * np.array([[2.0, 1.0], [1.0, 2.0]])
    return out
