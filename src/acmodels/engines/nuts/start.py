"""A rough fit of the population-level part: where sampling starts, and in which units.

A few rounds of iteratively reweighted least squares, the priors as ridge and the group
effects left out. What comes out only moves and turns the axes along which the sampler
steps, so that collinear predictors or wide priors cost nothing; the posterior stays.
"""

from dataclasses import dataclass

import numpy as np

from acmodels.system import EquationLayout
from acmodels.system.arrays import Array
from acmodels.system.working import pooled, working

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
