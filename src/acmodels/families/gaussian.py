"""Normal responses with an identity link."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

links = ("identity",)
has_sigma = True
needs_trials = False
residual_correlation = True


def problems(y: Array, trials: Array | None) -> list[str]:
    """A normal response can be any finite number."""
    del y, trials
    return []


def scale(y: Array, trials: Array | None, link: str) -> tuple[float, float]:
    """Mean and sd of the response."""
    del trials, link
    return float(np.mean(y)), float(np.std(y, ddof=1))


def mean(eta: Array, link: str) -> Array:
    """The linear predictor itself."""
    del link
    return eta


def residual_variance(sigma: Array, link: str) -> Array:
    """Square of the residual sd."""
    del link
    return sigma**2


def draw(
    rng: np.random.Generator, eta: Array, sigma: Array, trials: Array | None, link: str
) -> Array:
    """Draw normal responses."""
    del trials, link
    return eta + sigma * rng.standard_normal(eta.shape)


def log_density(y: Array, eta: Array, sigma: Array, trials: Array | None, link: str) -> Array:
    """Normal log density."""
    del trials, link
    z = (y - eta) / sigma
    return -0.5 * z * z - np.log(sigma) - 0.5 * np.log(2 * np.pi)


def likelihood(pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any) -> Any:
    """Add normal observations."""
    del link
    return pm.Normal(name, mu=eta, sigma=sigma, observed=data.y)
