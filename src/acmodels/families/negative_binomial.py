"""Counts that spread beyond their mean, by a log link: variance mu + mu^2 / phi.

`phi(y)` is the dispersion as in brms and in Stan's neg_binomial_2; phi without bound is
the Poisson, and 1 / phi is the alpha of statsmodels and Stata. Its default prior is lognormal
about a rough value from the response's mean and variance, with an sd of 2 on the log scale: a
factor of 50 either way.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import Array, Noise, Scalar
from acmodels.families.poisson import LARGEST, Poisson
from acmodels.spec.distribution import log_normal


@dataclass(frozen=True, kw_only=True)
class NegativeBinomial(Poisson):
    """Poisson counts about rates that vary by a gamma distribution of shape `phi`."""

    label = "negative binomial"
    scalars = (
        Scalar("phi", lambda rough: log_normal(float(np.log(rough)), 2.0), label="dispersions"),
    )

    phi: Any

    @classmethod
    def guess(cls, y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """By moments, as if there were no predictors, between 0.1 and 100; 2 without data."""
        if y is None:
            return {"phi": 2.0}
        m, v = float(np.mean(y)), float(np.var(y))
        return {"phi": float(np.clip(m**2 / max(v - m, 1e-12), 0.1, 100.0))}

    def variance(self, eta: Array) -> Array:
        """The mean and its square over phi."""
        mu = np.exp(eta)
        return mu + mu**2 / self.phi

    def exceeds(self, eta: Array, above: float) -> Array:
        """Upper tail of a count."""
        from scipy.special import betainc, expit

        k = np.floor(above)
        if k < 0:
            return np.ones(np.broadcast_shapes(np.shape(eta), np.shape(self.phi)))
        return np.asarray(betainc(k + 1, self.phi, expit(eta - np.log(self.phi))))

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw counts: Poisson about means that vary by a gamma distribution."""
        phi = np.broadcast_to(self.phi, eta.shape)
        mu = np.exp(np.minimum(eta, np.log(LARGEST)))
        rate = np.minimum(mu * rng.gamma(phi) / phi, 100 * LARGEST)
        return rng.poisson(rate).astype(np.float64)

    def log_density(self, y: Array, eta: Array) -> Array:
        """Negative binomial log density."""
        from scipy.special import betaln, log_expit

        phi = self.phi
        log_odds = eta - np.log(phi)
        # the coefficient is Gamma(y + phi) / (Gamma(phi) y!) = 1 / ((y + phi) B(y + 1, phi))
        choose = -np.log(y + phi) - betaln(y + 1, phi)
        return np.asarray(choose + y * log_expit(log_odds) + phi * log_expit(-log_odds))

    def frailty(self, noise: Noise) -> Array | float:
        """Gamma numbers of mean 1."""
        phi = np.broadcast_to(self.phi, noise.shape)
        return noise.generator("rate").gamma(phi) / phi

    def counts(self, pm: Any) -> tuple[Any, dict[str, Any]]:
        """Give PyMC's distribution of counts, and what it takes beside their mean."""
        return pm.NegativeBinomial, {"alpha": self.phi}
