"""Normal responses with an identity link."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.families import Array, Own, _plain

links = ("identity",)
has_sigma = True
needs_trials = False
residual_correlation = True
whole = False
ordered = False
scalars = ()

guess = _plain.guess
warnings = _plain.warnings


def problems(y: Array, trials: Array | None) -> list[str]:
    """A normal response can be any finite number."""
    del y, trials
    return []


def scale(y: Array, trials: Array | None, link: str) -> tuple[float, float]:
    """Mean and sd of the response."""
    del trials, link
    return float(np.mean(y)), float(np.std(y, ddof=1))


def mean(eta: Array, link: str, own: Own | None = None) -> Array:
    """The linear predictor itself."""
    del link, own
    return eta


def variance(
    eta: Array, sigma: Array, trials: Array | None, link: str, own: Own | None = None
) -> Array:
    """Square of the residual sd."""
    del trials, link, own
    return np.broadcast_to(sigma**2, np.shape(eta))


def residual_variance(sigma: Array, link: str, own: Own | None = None, level: float = 1.0) -> Array:
    """Square of the residual sd."""
    del link, own, level
    return sigma**2


def draw(
    rng: np.random.Generator,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Draw normal responses."""
    del trials, link, own
    return eta + sigma * rng.standard_normal(eta.shape)


def log_density(
    y: Array,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Normal log density."""
    del trials, link, own
    z = (y - eta) / sigma
    return -0.5 * z * z - np.log(sigma) - 0.5 * np.log(2 * np.pi)


def likelihood(
    pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any, own: Mapping[str, Any]
) -> Any:
    """Add normal observations."""
    del link, own
    return pm.Normal(name, mu=eta, sigma=sigma, observed=data.y)
