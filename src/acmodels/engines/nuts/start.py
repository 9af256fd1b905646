"""A rough fit of the population-level part: where sampling starts, and in which units.

A few rounds of iteratively reweighted least squares, the priors as ridge and the group
effects left out. What comes out only moves and turns the axes along which the sampler
steps, so that collinear predictors or wide priors cost nothing; the posterior stays.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.system import EquationLayout
from acmodels.system.layout import Array

ROUNDS = 6


@dataclass(frozen=True)
class Start:
    """For one equation, with a design centered where there is an intercept.

    Attributes:
        intercept: estimate and standard error, or None.
        slopes: estimates, shape (p,).
        root: Cholesky factor of their covariance, shape (p, p).
    """

    intercept: tuple[float, float] | None
    slopes: Array
    root: Array


def rough(e: EquationLayout, y: Array) -> dict[str, Any]:
    """Rough values of what the family owns."""
    return e.distribution.guess(y, e.link, e.codes)


def _relative(own: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Thresholds relative to the middle one, and the constant that this makes: minus it."""
    cuts = own.get("threshold")
    if cuts is None:
        return 0.0, own
    at = cuts[(len(cuts) - 1) // 2]
    return -float(at), {**own, "threshold": cuts - at}


def working(e: EquationLayout, y: Array, eta: Array) -> tuple[Array, Array]:
    """Working response (less the offset) on the link's scale, and its precision."""
    if e.se is not None:
        return y - e.offset, 1.0 / e.se**2
    if e.has_sigma:
        return y - e.offset, np.ones(e.n) if e.weights is None else e.weights
    _, own = _relative(rough(e, y))
    response = e.distribution(link=e.link, trials=e.trials, **own)
    step = 1e-4
    mean = response.mean(eta)
    slope = (response.mean(eta + step) - mean) / step
    trials = np.ones(e.n) if e.trials is None else e.trials
    precision = slope**2 / response.variance(eta)
    if e.weights is not None:
        precision = precision * e.weights
    precision = np.maximum(precision, 1e-8)
    return eta + (y / trials - mean) / slope - e.offset, precision


def pooled(e: EquationLayout, y: Array) -> Array:
    """Linear predictor of the pooled mean."""
    if e.has_sigma or e.se is not None:
        return np.zeros(e.n)
    at = e.distribution.scale(y, e.trials, e.link)[0] + _relative(rough(e, y))[0]
    if e.link == "log":  # offsets of exposure span orders of magnitude
        top = float(e.offset.max())
        return at + e.offset - top - float(np.log(np.mean(np.exp(e.offset - top))))
    return np.full(e.n, at)


def start(e: EquationLayout, X: Array, y: Array, pull: Array, ridge: Array) -> Start:
    """Fit one equation roughly.

    Args:
        e: the equation.
        X: its design without the intercept, centered where there is one, shape (n, p).
        y: its response.
        pull: precision of the slopes' priors times their mean, shape (p,).
        ridge: precision of the slopes' priors, shape (p, p).
    """
    has = e.has_constant
    D = np.column_stack([np.ones(e.n), X]) if has else X
    if has:
        ridge, pull = np.pad(ridge, (1, 0)), np.pad(pull, (1, 0))
    around = pooled(e, y) if e.link == "log" else 0.0
    eta = pooled(e, y)
    beta = np.zeros(D.shape[1])
    cov = np.eye(D.shape[1])
    for _ in range(1 if e.has_sigma or e.se is not None else ROUNDS):
        target, precision = working(e, y, eta)
        sigma2 = _spread(e, D, target)
        cov = np.linalg.pinv((D.T * precision) @ D / sigma2 + ridge, hermitian=True)
        beta = cov @ ((D.T * precision) @ target / sigma2 + pull)
        eta = around + np.clip(D @ beta + e.offset - around, -8.0, 8.0)
    first = int(has)
    intercept = (float(beta[0]), float(np.sqrt(cov[0, 0]))) if has else None
    return Start(intercept, beta[first:], _root(cov[first:, first:]))


def _spread(e: EquationLayout, D: Array, target: Array) -> float:
    """Residual variance, where the family has one."""
    if not e.has_sigma:
        return 1.0
    fit = D @ np.linalg.lstsq(D, target, rcond=None)[0] if D.shape[1] else 0.0
    return float(np.mean((target - fit) ** 2)) or 1.0


def _root(cov: Array) -> Array:
    """Lower-triangular root of a covariance, scaled first so that units do not matter."""
    sd = np.sqrt(np.maximum(np.diag(cov), 1e-300))
    correlation = cov / np.outer(sd, sd)
    jitter = 1e-10 * np.eye(len(sd))
    return sd[:, None] * np.linalg.cholesky(correlation + jitter) if len(sd) else cov
