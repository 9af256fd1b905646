"""Poisson counts with more zeros: a share `zi(y)` of rows is 0 whatever the predictors say.

As brms has it (`zero_inflated_poisson`): y is 0 with probability zi, else a Poisson count with mean
mu = exp(eta), so that P(0) = zi + (1 - zi) exp(-mu) and the mean is (1 - zi) mu (Lambert, 1992).
The predictors speak of mu. zi is one number for the response, with brms's default prior Beta(1, 1).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import Array, Noise, Scalar
from acmodels.families.poisson import Poisson
from acmodels.spec.distribution import beta

ZI = Scalar("zi", lambda _: beta(1.0, 1.0), upper=1.0, label="shares of extra zeros")


@dataclass(frozen=True, kw_only=True)
class ZeroInflatedPoisson(Poisson):
    """Zero with probability `zi`, else what the family that it extends says."""

    label = "zero-inflated Poisson"
    scalars = (ZI,)

    zi: Any

    @classmethod
    def scale(cls, y: Array, trials: Array | None, link: str) -> tuple[float, float]:
        """Log of the mean count of the rows that are not extra zeros, roughly."""
        at, spread = super().scale(y, trials, link)
        return at - float(np.log1p(-_extra_zeros(y))), spread

    @classmethod
    def guess(cls, y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """The zeros beyond a Poisson's, between 0.05 and 0.9; 0.2 without data."""
        if y is None:
            return {**super().guess(y, link, codes), "zi": 0.2}
        extra = _extra_zeros(y)
        counted = np.sort(y)[int(extra * len(y)) :]  # without the extra zeros
        return {**super().guess(counted, link, codes), "zi": extra}

    def mean(self, eta: Array) -> Array:
        """Expected count, (1 - zi) mu."""
        return (1 - self.zi) * super().mean(eta)

    def variance(self, eta: Array) -> Array:
        """(1 - zi) (v + zi mu^2), with mean mu and variance v of the counts."""
        return (1 - self.zi) * (super().variance(eta) + self.zi * super().mean(eta) ** 2)

    def exceeds(self, eta: Array, above: float) -> Array:
        """Upper tail of a count; an extra zero is larger than negative numbers alone."""
        counted = super().exceeds(eta, above)
        return counted if above < 0 else (1 - self.zi) * counted

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw counts, then extra zeros."""
        y = super().draw(rng, eta)
        return np.where(rng.random(eta.shape) < self.zi, 0.0, y)

    def log_density(self, y: Array, eta: Array) -> Array:
        """Log of the mixture's probability."""
        counted = np.log1p(-np.asarray(self.zi)) + super().log_density(y, eta)
        return np.where(np.asarray(y) == 0, np.logaddexp(np.log(self.zi), counted), counted)

    def draw_alike(self, noise: Noise, eta: Array, first: Array) -> Array:
        """Draw counts that move little; the same rows are extra zeros in every world."""
        y = super().draw_alike(noise, eta, first)
        return np.where(noise.generator("extra zeros").random(noise.shape) < self.zi, 0.0, y)

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add counts by their log density, since PyMC's mixtures take longer to compile."""
        m = pm.math
        law, more = self.counts(pm)
        counted = m.log(1.0 - self.zi) + pm.logp(law.dist(mu=m.exp(eta), **more), y)
        zeros = m.logaddexp(m.log(self.zi), counted)
        return pm.Potential(name, m.where(m.eq(y, 0.0), zeros, counted))


def _extra_zeros(y: Array) -> float:
    """A rough share of zeros beyond a Poisson's: the observed share less exp(-mean), by the rest.

    Iterated, since the mean of the rows that are not extra zeros rests on it.
    """
    share, zeros = 0.0, float(np.mean(y == 0))
    for _ in range(20):
        none = float(np.exp(-np.mean(y) / (1 - share)))
        share = float(np.clip((zeros - none) / (1 - none), 0.0, 0.9)) if none < 1 else 0.0
    return max(share, 0.05)
