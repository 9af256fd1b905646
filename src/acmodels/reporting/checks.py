"""Posterior predictive checks: data replicated by the model beside the data observed.

Replicates keep the observed predictors and the fitted group effects (Gelman, Meng &
Stern, 1996). Nothing here leaves a row's value: densities are smoothed, binary
responses binned, categories and counts of few rows put together with their neighbors, and
what is too small to be pooled is not shown at all.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from acmodels.generate import linear_predictor
from acmodels.numbers import stated
from acmodels.rng import stream
from acmodels.system.missing import observed

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit
    from acmodels.posterior import Array
    from acmodels.system import EquationLayout

REPLICATES = 100
ROWS = 20_000
"""Rows looked at; more are thinned evenly at random."""
FEWEST = 20
"""Rows below which nothing is drawn: a density of few values would show them."""
PER_BIN = 10
"""Rows that a bin must hold."""
BARS = 12
"""Bars that counts are put into, at most; categories of an ordinal response have one each."""
GRID = 120


@dataclass(frozen=True)
class Statistic:
    """A summary of the data as observed and as replicated."""

    name: str
    observed: float
    mean: float
    lower: float
    upper: float

    @property
    def inside(self) -> bool:
        """Whether the observed value lies in the replicates' interval."""
        return self.lower <= self.observed <= self.upper


@dataclass(frozen=True)
class Density:
    """Smoothed densities over a grid; the replicates' as a band.

    Attributes:
        x: the grid.
        observed: density of the data.
        low, middle, high: of the replicates' densities, pointwise.
    """

    x: "Array"
    observed: "Array"
    low: "Array"
    middle: "Array"
    high: "Array"


@dataclass(frozen=True)
class Bin:
    """Rows of similar predicted probability: how many succeeded, and would have in replicates."""

    n: int
    predicted: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True)
class Bar:
    """A category, a count, or some that lie together: its share of the rows.

    Attributes:
        label: as `3`, `4-6` or `7+`.
        observed: share of the data's rows.
        middle, low, high: of the replicates' shares.
    """

    label: str
    observed: float
    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Check:
    """The check of one equation.

    Attributes:
        response: whose.
        n: rows looked at.
        of: rows of the equation with an observed response.
        density: for responses on a scale.
        bins: for binary responses and counts of successes.
        statistics: summaries, observed and replicated.
        bars: for categories and counts.
    """

    response: str
    n: int
    of: int
    density: Density | None
    bins: tuple[Bin, ...]
    statistics: tuple[Statistic, ...]
    bars: tuple[Bar, ...] = ()


def predictive_checks(fit: "Fit") -> tuple[Check, ...]:
    """Check every equation."""
    return tuple(_check(fit, e) for e in fit.system.layout.outcomes if not e.construct)


def _check(fit: "Fit", e: "EquationLayout") -> Check:
    rng = stream(fit.seed, "report", e.response)
    rows = np.flatnonzero(observed(fit.system.sampled.layout, e))
    seen = len(rows)
    if seen > ROWS:
        rows = np.sort(rng.choice(rows, ROWS, replace=False))
    if len(rows) < FEWEST:
        return Check(e.response, len(rows), seen, None, (), ())
    y = fit.system.responses[e.response][rows]
    replicated, fitted, fixed = _replicate(fit, e, rows, rng)
    if not np.isfinite(replicated).all():
        return Check(e.response, len(rows), seen, None, (), ())
    if e.distribution.successes:
        trials = np.ones(len(rows)) if e.trials is None else e.trials[rows]
        bins = _bins(y, replicated, fitted, fixed, trials)
        statistics = (_statistic("proportion", y.sum(), replicated.sum(axis=1), trials.sum()),)
        return Check(e.response, len(rows), seen, None, bins, statistics)
    if e.distribution.whole:
        statistics = _moments(y, replicated)[:2]
        if not e.codes:
            zeros = _statistic("share of zeros", np.sum(y == 0), (replicated == 0).sum(1), len(y))
            statistics = (*statistics, zeros)
        bars = _bars(y, replicated, most=len(e.codes) or BARS)
        return Check(e.response, len(rows), seen, None, (), statistics, bars)
    return Check(e.response, len(rows), seen, _density(y, replicated), (), _moments(y, replicated))


def _replicate(
    fit: "Fit", e: "EquationLayout", rows: "np.ndarray", rng: np.random.Generator
) -> tuple["Array", "Array", "Array"]:
    """Replicates, shape (replicate, row); by row, mean expected response and fixed part."""
    layout, responses = fit.system.layout, fit.system.responses
    chains, draws, _ = fit.draws.values.shape
    picked = np.linspace(0, chains * draws - 1, min(REPLICATES, chains * draws)).astype(int)
    flat = fit.draws.values.reshape(chains * draws, -1)[picked]
    truth = {n: flat[:, k] for k, n in enumerate(fit.draws.names)}
    effects = {
        b.key: fit.draws.group_effects[b.key].reshape(chains * draws, len(b.levels), -1)[picked]
        for b in layout.blocks
    }
    stack = {k: np.broadcast_to(v, (len(picked), len(v))) for k, v in responses.items()}
    eta = linear_predictor(layout, e, stack, truth, effects)[:, rows]
    out = np.empty((len(picked), len(rows)))
    fitted = np.zeros(len(rows))
    for r in range(len(picked)):
        response = e.conditional(lambda name, r=r: truth[name][r], rows)
        out[r] = response.draw(rng, eta[r])
        fitted += response.mean(eta[r]) / len(picked)
    mean = {n: fit.draws[n].mean() for n in fit.draws.names}
    none = {k: np.zeros(v.shape[1:]) for k, v in effects.items()}
    return out, fitted, linear_predictor(layout, e, responses, mean, none)[rows]


def _moments(y: "Array", replicated: "Array") -> tuple[Statistic, ...]:
    def skewness(v: "Array") -> "Array":
        centred = v - v.mean(axis=-1, keepdims=True)
        spread = np.maximum(v.std(axis=-1), 1e-300)
        return (centred**3).mean(axis=-1) / spread**3

    return (
        _statistic("mean", y.mean(), replicated.mean(axis=1)),
        _statistic("standard deviation", y.std(ddof=1), replicated.std(axis=1, ddof=1)),
        _statistic("skewness", float(skewness(y)), skewness(replicated)),
    )


def _statistic(name: str, observed: float, replicated: "Array", over: float = 1.0) -> Statistic:
    values = replicated / over
    low, high = np.quantile(values, [0.025, 0.975])
    return Statistic(name, float(observed / over), float(values.mean()), float(low), float(high))


def _density(y: "Array", replicated: "Array") -> Density:
    """Kernel densities, by smoothing a fine histogram with a normal kernel (Silverman's width)."""
    quartiles = np.quantile(y, [0.25, 0.75])
    spread = min(float(y.std(ddof=1)), float(quartiles[1] - quartiles[0]) / 1.349)
    spread = spread if spread > 0 else float(y.std(ddof=1)) or 1.0
    width = 0.9 * spread * len(y) ** -0.2
    pooled = np.concatenate(
        [np.quantile(replicated, [0.001, 0.999]), np.quantile(y, [0.005, 0.995])]
    )
    edges = np.linspace(pooled.min() - 3 * width, pooled.max() + 3 * width, GRID + 1)
    step = edges[1] - edges[0]
    reach = min(GRID // 2 - 1, max(1, int(np.ceil(4 * width / step))))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    kernel /= kernel.sum()

    def smooth(values: "Array") -> "Array":
        counts = np.histogram(values, edges)[0] / (len(values) * step)
        return np.convolve(counts, kernel, mode="same")

    curves = np.stack([smooth(r) for r in replicated])
    low, middle, high = np.quantile(curves, [0.025, 0.5, 0.975], axis=0)
    return Density((edges[1:] + edges[:-1]) / 2, smooth(y), low, middle, high)


def _bars(y: "Array", replicated: "Array", most: int) -> tuple[Bar, ...]:
    """Shares of whole numbers, neighbors put together until each bar holds enough rows."""
    enough = max(PER_BIN, 0 if len(np.unique(y)) <= most else len(y) // most)
    values, counts = np.unique(y, return_counts=True)
    starts: list[float] = []
    held = enough
    for value, n in zip(values, counts, strict=True):
        if held >= enough:
            starts.append(float(value))
            held = 0
        held += int(n)
    if held < enough and len(starts) > 1:
        starts.pop()
    edges = np.array([-np.inf, *starts[1:], np.inf])
    out: list[Bar] = []
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = (replicated >= low) & (replicated < high)
        shares = inside.mean(axis=1)
        ends = np.quantile(shares, [0.025, 0.5, 0.975])
        observed = float(np.mean((y >= low) & (y < high)))
        first, last = starts[k], (starts[k + 1] - 1 if k + 1 < len(starts) else values[-1])
        label = stated(first) if first == last else f"{stated(first)}–{stated(last)}"
        if k + 1 == len(starts) and replicated.max() > last:
            label = f"{stated(first)}+"
        out.append(Bar(label, observed, float(ends[1]), float(ends[0]), float(ends[2])))
    return tuple(out)


def _bins(
    y: "Array", replicated: "Array", fitted: "Array", fixed: "Array", trials: "Array"
) -> tuple[Bin, ...]:
    """Bin rows by the fixed part of their linear predictor.

    Not by the fitted probability, which has seen the row's own response through its group's
    effect: under the right model such bins would look more extreme than their predictions.
    """
    many = min(10, len(y) // PER_BIN) if np.ptp(fixed) > 1e-12 else 1
    order = np.argsort(fixed, kind="stable")
    out: list[Bin] = []
    for rows in np.array_split(order, many):
        n = float(trials[rows].sum())
        low, high = np.quantile(replicated[:, rows].sum(axis=1) / n, [0.025, 0.975])
        predicted = float((fitted[rows] * trials[rows]).sum() / n)
        out.append(Bin(len(rows), predicted, float(y[rows].sum() / n), float(low), float(high)))
    return tuple(out)
