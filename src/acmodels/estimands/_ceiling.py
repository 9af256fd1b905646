"""Ceilings above a scatter of points: envelope, regression, effect sizes, permutation test.

Dul (2016, *Organizational Research Methods* 19, 10-52), computed as the R package NCA computes
them; the permutation test is that of Dul, van der Laan & Kuik (2020, *Organizational Research
Methods* 23, 385-395).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

CHUNK = 4_000_000
"""Numbers that the permutation test holds at once."""


@dataclass(frozen=True)
class Ceiling:
    """The ceiling of y over x.

    Attributes:
        x, y: the points that lie on the envelope, from left to right; points that coincide count
            each, as in a regression.
        low, high: the smallest and largest x.
        floor, top: the smallest and largest y.
        ce_fdh, cr_fdh: the empty area above the envelope (free disposal hull), and above the line
            through its points, each as a share of the whole area.
        slope, intercept: of that line; NaN where the envelope is one point.
    """

    x: Array
    y: Array
    low: float
    high: float
    floor: float
    top: float
    ce_fdh: float
    cr_fdh: float
    slope: float
    intercept: float

    def envelope(self, levels: Array) -> Array:
        """Return the x that the envelope asks for each level of y; -inf where none is needed."""
        near = 1e-9 * max(self.top - self.floor, 1e-300)
        first = np.searchsorted(self.y, levels - near)
        return self._edges(self.x[np.minimum(first, len(self.x) - 1)])

    def line(self, levels: Array) -> Array:
        """Return the x that the line asks for; -inf where none is needed, inf beyond the data."""
        if not np.isfinite(self.slope):
            return np.full(len(levels), -np.inf)
        return self._edges((levels - self.intercept) / self.slope)

    def _edges(self, x: Array) -> Array:
        near = 1e-9 * max(self.high - self.low, 1e-300)
        return np.where(x <= self.low + near, -np.inf, np.where(x > self.high + near, np.inf, x))


def ceiling(x: Array, y: Array) -> Ceiling:
    """Draw the ceiling of y over x.

    Args:
        x: the condition, (n,).
        y: the outcome, (n,).
    """
    order = np.lexsort((y, x))
    xs, ys = x[order], y[order]
    _, first, group = np.unique(xs, return_index=True, return_inverse=True)
    top_of = np.maximum.reduceat(ys, first)
    before = np.r_[-np.inf, np.maximum.accumulate(top_of)[:-1]]
    on = (ys == top_of[group]) & (top_of > before)[group]
    highest = np.maximum.accumulate(ys)
    px, py = xs[on], ys[on]
    low, high, floor, top = float(xs[0]), float(xs[-1]), float(ys.min()), float(ys.max())
    area = (high - low) * (top - floor)
    if area == 0:
        return Ceiling(px, py, low, high, floor, top, 0.0, 0.0, np.nan, np.nan)
    ce = float(np.diff(xs) @ (top - highest[:-1])) / area
    slope, intercept, cr = np.nan, np.nan, 0.0
    if len(np.unique(px)) > 1:
        slope = float(np.cov(px, py, bias=True)[0, 1] / np.var(px))
        intercept = float(py.mean() - slope * px.mean())
        cr = _above(slope, intercept, (low, high), (floor, top)) / area
    return Ceiling(px, py, low, high, floor, top, ce, cr, slope, intercept)


def _above(
    slope: float, intercept: float, across: tuple[float, float], up: tuple[float, float]
) -> float:
    """Return the area above a rising line within a rectangle."""
    (low, high), (floor, top) = across, up
    at = np.clip((np.array([floor, top]) - intercept) / slope, low, high)  # where it enters, leaves
    inside = np.clip(slope * at + intercept, floor, top)
    below = (at[0] - low) * (top - floor)
    return float(below + (at[1] - at[0]) * (top - inside.mean()))


def permutation_p(x: Array, y: Array, times: int, rng: np.random.Generator) -> float:
    """Return the share of random pairings of x and y whose CE-FDH is as large as that of the data.

    The data count as one of the pairings, (k + 1) / (B + 1).

    Args:
        x: the condition, (n,).
        y: the outcome, (n,).
        times: pairings, B.
        rng: of the pairings.
    """
    order = np.argsort(x, kind="stable")
    steps = np.diff(x[order])
    if not steps.any() or float(np.ptp(y)) == 0:
        return 1.0
    own = y[np.lexsort((y, x))]
    # The less there is under the envelope, the larger is the empty area above it.
    data = float(np.maximum.accumulate(own)[:-1] @ steps)
    within = 1e-9 * abs(float(np.ptp(y)) * float(steps.sum()))
    hits, left = 0, times
    while left:
        now = min(left, max(1, CHUNK // len(y)))
        shuffled = rng.permuted(np.broadcast_to(y, (now, len(y))), axis=1)
        under = np.maximum.accumulate(shuffled, axis=1)[:, :-1] @ steps
        hits += int((under <= data + within).sum())
        left -= now
    return (hits + 1) / (times + 1)
