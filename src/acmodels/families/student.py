"""Student-t responses with an identity link: a normal response that forgives outliers.

`sigma(y)` is the scale, not the sd (which is sigma sqrt(nu / (nu - 2)) where nu > 2), and
`nu(y)` the degrees of freedom. nu lies above 1, so that the response has a mean. Its default
prior is brms's: Gamma(2, 0.1), on that side of 1 (Juárez & Steel, 2010; Bürkner, 2017).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.families import Array, Own, Scalar, _plain, gaussian
from acmodels.spec.distribution import Distribution

links = ("identity",)
has_sigma = True
needs_trials = False
residual_correlation = False
whole = False
ordered = False
scalars = (Scalar("nu", lambda _: Distribution("Gamma", {"alpha": 2.0, "beta": 0.1}), lower=1.0),)

problems = gaussian.problems
warnings = _plain.warnings
scale = gaussian.scale
mean = gaussian.mean


def guess(y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
    """Five degrees of freedom: outliers, but not wild ones."""
    del y, link, codes
    return {"nu": 5.0}


def variance(
    eta: Array, sigma: Array, trials: Array | None, link: str, own: Own | None = None
) -> Array:
    """Sigma^2 nu / (nu - 2); infinite up to two degrees of freedom."""
    del trials
    return np.broadcast_to(residual_variance(sigma, link, own), np.shape(eta))


def residual_variance(sigma: Array, link: str, own: Own | None = None, level: float = 1.0) -> Array:
    """Sigma^2 nu / (nu - 2); infinite up to two degrees of freedom."""
    del link, level
    nu = np.asarray(_given(own)["nu"], dtype=np.float64)
    left = np.where(nu > 2, nu - 2, 1.0)
    return np.where(nu > 2, sigma**2 * nu / left, np.inf)


def draw(
    rng: np.random.Generator,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Draw Student-t responses, as a normal over the root of a chi-square."""
    del trials, link
    nu = np.broadcast_to(_given(own)["nu"], eta.shape)
    return eta + sigma * rng.standard_normal(eta.shape) / np.sqrt(rng.chisquare(nu) / nu)


def log_density(
    y: Array,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Student-t log density."""
    del trials, link
    from scipy.special import gammaln

    nu = _given(own)["nu"]
    z = (y - eta) / sigma
    whole_part = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(np.pi * nu) - np.log(sigma)
    return np.asarray(whole_part - 0.5 * (nu + 1) * np.log1p(z * z / nu))


def likelihood(
    pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any, own: Mapping[str, Any]
) -> Any:
    """Add Student-t observations."""
    del link
    return pm.StudentT(name, nu=own["nu"], mu=eta, sigma=sigma, observed=data.y)


def _given(own: Own | None) -> Own:
    if own is None:
        raise TypeError("the family student needs its degrees of freedom")
    return own
