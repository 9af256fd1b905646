"""Counts that spread beyond their mean, by a log link: variance mu + mu^2 / phi.

`phi(y)` is the dispersion as in brms and in Stan's neg_binomial_2; phi without bound is
the Poisson, and 1 / phi is the alpha of statsmodels and Stata. Its default prior is lognormal
about a rough value from the response's mean and variance, with an sd of 2 on the log scale: a
factor of 50 either way.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.families import Array, Own, Scalar, _plain, poisson
from acmodels.spec.distribution import log_normal

links = ("log",)
has_sigma = False
needs_trials = False
residual_correlation = False
whole = True
ordered = False
scalars = (Scalar("phi", lambda rough: log_normal(float(np.log(rough)), 2.0)),)

problems = poisson.problems
warnings = _plain.warnings
scale = poisson.scale
mean = poisson.mean


def guess(y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
    """By moments, as if there were no predictors, between 0.1 and 100; 2 without data."""
    del link, codes
    if y is None:
        return {"phi": 2.0}
    m, v = float(np.mean(y)), float(np.var(y))
    return {"phi": float(np.clip(m**2 / max(v - m, 1e-12), 0.1, 100.0))}


def variance(
    eta: Array, sigma: Array, trials: Array | None, link: str, own: Own | None = None
) -> Array:
    """The mean and its square over phi."""
    del sigma, trials
    mu = mean(eta, link)
    return mu + mu**2 / _given(own)["phi"]


def residual_variance(sigma: Array, link: str, own: Own | None = None, level: float = 1.0) -> Array:
    """Variance of the log count by the lognormal approximation, ln(1 + 1 / mean + 1 / phi).

    Nakagawa, Johnson & Schielzeth (2017), table 1.
    """
    del link
    return np.broadcast_to(np.log1p(1.0 / level + 1.0 / _given(own)["phi"]), np.shape(sigma))


def draw(
    rng: np.random.Generator,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Draw counts: Poisson about means that vary by a gamma distribution."""
    del sigma, trials, link
    phi = np.broadcast_to(_given(own)["phi"], eta.shape)
    mu = np.exp(np.minimum(eta, np.log(poisson.LARGEST)))
    rate = np.minimum(mu * rng.gamma(phi) / phi, 100 * poisson.LARGEST)
    return rng.poisson(rate).astype(np.float64)


def log_density(
    y: Array,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Negative binomial log density."""
    del sigma, trials, link
    from scipy.special import betaln, log_expit

    phi = _given(own)["phi"]
    log_odds = eta - np.log(phi)
    # the coefficient is Gamma(y + phi) / (Gamma(phi) y!) = 1 / ((y + phi) B(y + 1, phi))
    choose = -np.log(y + phi) - betaln(y + 1, phi)
    return np.asarray(choose + y * log_expit(log_odds) + phi * log_expit(-log_odds))


def likelihood(
    pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any, own: Mapping[str, Any]
) -> Any:
    """Add counts."""
    del sigma, link
    return pm.NegativeBinomial(name, mu=pm.math.exp(eta), alpha=own["phi"], observed=data.y)


def _given(own: Own | None) -> Own:
    if own is None:
        raise TypeError("the family negative_binomial needs its dispersion")
    return own
