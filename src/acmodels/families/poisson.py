"""Counts whose variance is their mean, by a log link; an exposure enters as offset(log(x))."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.families import Array, Own, _plain

links = ("log",)
has_sigma = False
needs_trials = False
residual_correlation = False
whole = True
ordered = False
scalars = ()

guess = _plain.guess
warnings = _plain.warnings

LARGEST = 1e15
"""Mean from which draws no longer grow: whole numbers beyond are not exact."""


def problems(y: Array, trials: Array | None) -> list[str]:
    """A count is a whole number, 0 or more."""
    del trials
    out: list[str] = []
    if np.any(y < 0):
        out.append(
            f"holds {np.min(y):g} where a count is 0 or more; correct it, or leave the cell empty "
            "if it is a code for missing"
        )
    if np.any(y != np.round(y)):
        odd = y[y != np.round(y)][0]
        out.append(
            f"holds {odd:g} where a count is a whole number; for a rate, give the count and its "
            "exposure, as offset(log(exposure)); for other numbers use the family gaussian"
        )
    return out


def scale(y: Array, trials: Array | None, link: str) -> tuple[float, float]:
    """Log of the mean count, and the spread the contract states for the link."""
    del trials, link
    return float(np.log((np.sum(y) + 0.5) / len(y))), 1.0


def mean(eta: Array, link: str, own: Own | None = None) -> Array:
    """Expected count."""
    del link, own
    return np.exp(eta)


def variance(
    eta: Array, sigma: Array, trials: Array | None, link: str, own: Own | None = None
) -> Array:
    """The mean."""
    del sigma, trials
    return mean(eta, link, own)


def residual_variance(sigma: Array, link: str, own: Own | None = None, level: float = 1.0) -> Array:
    """Variance of the log count by the lognormal approximation, ln(1 + 1 / mean count).

    Nakagawa, Johnson & Schielzeth (2017), table 1.
    """
    del link, own
    return np.full_like(sigma, np.log1p(1.0 / level))


def draw(
    rng: np.random.Generator,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Draw counts."""
    del sigma, trials, link, own
    return rng.poisson(np.exp(np.minimum(eta, np.log(LARGEST)))).astype(np.float64)


def log_density(
    y: Array,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Poisson log density."""
    del sigma, trials, link, own
    from scipy.special import gammaln

    return np.asarray(y * eta - np.exp(eta) - gammaln(y + 1))


def likelihood(
    pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any, own: Mapping[str, Any]
) -> Any:
    """Add counts."""
    del sigma, link, own
    return pm.Poisson(name, mu=pm.math.exp(eta), observed=data.y)
