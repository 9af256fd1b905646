"""Counts whose variance is their mean, by a log link; an exposure enters as offset(log(x))."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import Array, Family, Noise

LARGEST = 1e15
"""Mean from which draws no longer grow: whole numbers beyond are not exact."""

NEAR_LARGEST = 34.0
"""Log of the largest rate of counts that are drawn alike in several worlds."""


@dataclass(frozen=True, kw_only=True)
class Poisson(Family):
    """Poisson counts about exp(eta)."""

    label = "Poisson"
    links = ("log",)
    whole = True
    ends = (0.0, np.inf)

    @classmethod
    def problems(cls, y: Array, trials: Array | None) -> list[str]:
        """A count is a whole number, 0 or more."""
        out: list[str] = []
        if np.any(y < 0):
            out.append(
                f"holds {np.min(y):g} where a count is 0 or more; correct it, or leave the cell "
                "empty if it is a code for missing"
            )
        if np.any(y != np.round(y)):
            odd = y[y != np.round(y)][0]
            out.append(
                f"holds {odd:g} where a count is a whole number; for a rate, give the count and "
                "its exposure, as offset(log(exposure)); for other numbers use the family gaussian"
            )
        return out

    @classmethod
    def scale(cls, y: Array, trials: Array | None, link: str) -> tuple[float, float]:
        """Log of the mean count, and the spread the contract states for the link."""
        return float(np.log((np.sum(y) + 0.5) / len(y))), 1.0

    def variance(self, eta: Array) -> Array:
        """The mean."""
        return np.exp(eta)

    def exceeds(self, eta: Array, above: float) -> Array:
        """Upper tail of a count."""
        from scipy.special import gammainc

        k = np.floor(above)
        if k < 0:
            return np.ones(np.shape(eta))
        return np.asarray(gammainc(k + 1, np.exp(eta)))

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw counts."""
        return rng.poisson(np.exp(np.minimum(eta, np.log(LARGEST)))).astype(np.float64)

    def log_density(self, y: Array, eta: Array) -> Array:
        """Poisson log density."""
        from scipy.special import gammaln

        return np.asarray(y * eta - np.exp(eta) - gammaln(y + 1))

    def frailty(self, noise: Noise) -> Array | float:
        """What rates are multiplied by, the same in every world; 1 for Poisson counts."""
        return 1.0

    def draw_alike(self, noise: Noise, eta: Array, first: Array) -> Array:
        """Draw the counts of the first world with some more or some fewer.

        Their distribution stays what it is, by thinning and superposition.
        """
        times = self.frailty(noise)
        rate, before = (np.exp(np.minimum(v, NEAR_LARGEST)) * times for v in (eta, first))
        rate, before = (np.broadcast_to(v, noise.shape) for v in (rate, before))
        y = noise.generator("draw").poisson(before)
        if eta is first:
            return y.astype(np.float64)
        g = noise.generator("further")
        more = g.poisson(np.maximum(rate - before, 0.0))
        fewer = g.binomial(y, np.minimum(rate / np.where(before > 0, before, 1.0), 1.0))
        return np.where(rate >= before, y + more, fewer).astype(np.float64)

    def counts(self, pm: Any) -> tuple[Any, dict[str, Any]]:
        """Give PyMC's distribution of counts, and what it takes beside their mean."""
        return pm.Poisson, {}

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add counts."""
        law, more = self.counts(pm)
        return law(name, mu=pm.math.exp(eta), **more, observed=y)
