"""Proportions strictly between 0 and 1, by a logit link for their mean.

With mean mu and precision `phi(y)` the response is Beta(mu phi, (1 - mu) phi), so that its
variance is mu (1 - mu) / (1 + phi) (Ferrari & Cribari-Neto, 2004; betareg, brms). The default
prior of phi is lognormal about a rough value from the response's mean and variance, with
an sd of 2 on the log scale: a factor of 50 either way.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.families import Array, Own, Scalar, _plain
from acmodels.spec.distribution import log_normal

links = ("logit",)
has_sigma = False
needs_trials = False
residual_correlation = False
whole = False
ordered = False
scalars = (Scalar("phi", lambda rough: log_normal(float(np.log(rough)), 2.0)),)

warnings = _plain.warnings


def problems(y: Array, trials: Array | None) -> list[str]:
    """A proportion lies strictly between 0 and 1."""
    del trials
    if np.any((y < 0) | (y > 1)):
        most = float(np.max(np.abs(y)))
        percents = 1 < most <= 100 and np.all(y >= 0)
        advice = "if these are percentages, divide by 100" if percents else "rescale it"
        said = (
            f"runs from {np.min(y):g} to {np.max(y):g} where the family beta wants proportions "
            f"between 0 and 1; {advice}"
        )
        return [said]
    ends = int(np.sum((y == 0) | (y == 1)))
    if ends:
        said = (
            f"is exactly 0 or 1 in {ends} rows, where the family beta has no density; if it counts "
            "successes, use the family binomial with trials; else move all values inwards, as "
            "(y * (n - 1) + 0.5) / n for n rows (Smithson & Verkuilen, 2006), and say so"
        )
        return [said]
    return []


def scale(y: Array, trials: Array | None, link: str) -> tuple[float, float]:
    """Logit of the mean, and the spread the contract states for the link."""
    del trials, link
    p = float(np.mean(y))
    return float(np.log(p / (1 - p))), 1.8


def guess(y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
    """By moments, as if there were no predictors, between 0.1 and 1000; 10 without data."""
    del link, codes
    if y is None:
        return {"phi": 10.0}
    p, v = float(np.mean(y)), float(np.var(y))
    return {"phi": float(np.clip(p * (1 - p) / max(v, 1e-12) - 1, 0.1, 1000.0))}


def mean(eta: Array, link: str, own: Own | None = None) -> Array:
    """Expected proportion."""
    del link, own
    from scipy.special import expit

    return np.asarray(expit(eta))


def variance(
    eta: Array, sigma: Array, trials: Array | None, link: str, own: Own | None = None
) -> Array:
    """Variance of the proportion, mu (1 - mu) / (1 + phi)."""
    del sigma, trials
    mu = mean(eta, link)
    return mu * (1 - mu) / (1 + _given(own)["phi"])


def residual_variance(sigma: Array, link: str, own: Own | None = None, level: float = 1.0) -> Array:
    """Variance of the response's logit where its mean is the overall mean."""
    del link
    from scipy.special import polygamma

    phi = _given(own)["phi"]
    found = polygamma(1, level * phi) + polygamma(1, (1 - level) * phi)
    return np.broadcast_to(np.asarray(found), np.shape(sigma))


def draw(
    rng: np.random.Generator,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Draw proportions, never exactly 0 or 1: what rounds to them is moved by a hair."""
    del sigma, trials
    mu, phi = mean(eta, link), _given(own)["phi"]
    tiny = 1e-300
    y = rng.beta(np.maximum(mu * phi, tiny), np.maximum(mean(-eta, link) * phi, tiny))
    return np.clip(y, tiny, np.nextafter(1.0, 0.0))


def log_density(
    y: Array,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Beta log density."""
    del sigma, trials
    from scipy.special import betaln

    phi = _given(own)["phi"]
    a, b = mean(eta, link) * phi, mean(-eta, link) * phi
    return np.asarray((a - 1) * np.log(y) + (b - 1) * np.log1p(-y) - betaln(a, b))


def likelihood(
    pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any, own: Mapping[str, Any]
) -> Any:
    """Add proportions."""
    del sigma, link
    a, b = pm.math.sigmoid(eta) * own["phi"], pm.math.sigmoid(-eta) * own["phi"]
    return pm.Beta(name, alpha=a, beta=b, observed=data.y)


def _given(own: Own | None) -> Own:
    if own is None:
        raise TypeError("the family beta needs its precision")
    return own
