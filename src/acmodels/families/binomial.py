"""Counts of successes out of known trials, by logit or probit."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.families import Array, Own, _plain

links = ("logit", "probit")
has_sigma = False
needs_trials = True
residual_correlation = False
whole = True
ordered = False
scalars = ()

guess = _plain.guess
warnings = _plain.warnings


def problems(y: Array, trials: Array | None) -> list[str]:
    """Successes are whole numbers from 0 to the row's trials, of which there is at least one."""
    out: list[str] = []
    if np.any(y != np.round(y)) or np.any(y < 0):
        out.append("must be whole numbers of successes, 0 or more, for the family binomial")
    if trials is not None:
        if np.any(trials != np.round(trials)) or np.any(trials < 1):
            out.append("needs trials that are whole numbers of at least 1")
        elif np.any(y > trials):
            row = int(np.argmax(y > trials))
            out.append(
                f"is larger than its trials in {int(np.sum(y > trials))} rows "
                f"(first: {y[row]:g} of {trials[row]:g})"
            )
    return out


def scale(y: Array, trials: Array | None, link: str) -> tuple[float, float]:
    """Link of the overall proportion, and the spread the contract states for the link."""
    n = np.ones_like(y) if trials is None else trials
    p = (np.sum(y) + 0.5) / (np.sum(n) + 1.0)
    if link == "logit":
        return float(np.log(p / (1 - p))), 1.8
    from scipy.special import ndtri

    return float(ndtri(p)), 1.0


def mean(eta: Array, link: str, own: Own | None = None) -> Array:
    """Probability of a success."""
    del own
    from scipy.special import expit, ndtr

    return np.asarray(expit(eta) if link == "logit" else ndtr(eta))


def variance(
    eta: Array, sigma: Array, trials: Array | None, link: str, own: Own | None = None
) -> Array:
    """Variance of the proportion of successes."""
    del sigma
    p = mean(eta, link, own)
    return p * (1 - p) / (1.0 if trials is None else trials)


def residual_variance(sigma: Array, link: str, own: Own | None = None, level: float = 1.0) -> Array:
    """Variance of the latent response: pi^2/3 (logit), 1 (probit)."""
    del own, level
    return np.full_like(sigma, np.pi**2 / 3 if link == "logit" else 1.0)


def draw(
    rng: np.random.Generator,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Draw numbers of successes."""
    del sigma, own
    n = np.ones(eta.shape) if trials is None else np.broadcast_to(trials, eta.shape)
    return rng.binomial(n.astype(np.int64), mean(eta, link)).astype(np.float64)


def log_density(
    y: Array,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Binomial log density."""
    del sigma, own
    from scipy.special import gammaln, log_expit, log_ndtr

    n = np.ones_like(y) if trials is None else trials
    log = log_expit if link == "logit" else log_ndtr
    choose = gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)
    return np.asarray(choose + y * log(eta) + (n - y) * log(-eta))


def likelihood(
    pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any, own: Mapping[str, Any]
) -> Any:
    """Add binomial observations."""
    del sigma, own
    if link == "logit":
        return pm.Binomial(name, n=data.trials, logit_p=eta, observed=data.y)
    # written out, since p = Phi(eta) loses the tail where Phi rounds to 0 or 1; the binomial
    # coefficient is left out as a constant
    failures = data.trials - data.y
    return pm.Potential(name, data.y * log_ndtr(pm, eta) + failures * log_ndtr(pm, -eta))


def log_ndtr(pm: Any, x: Any) -> Any:
    """Log of the standard normal distribution function, as a PyMC expression."""
    return pm.logcdf(pm.Normal.dist(0.0, 1.0), x)
