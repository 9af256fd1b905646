"""Counts of successes out of known trials, by logit or probit."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import SPREADS, Array, Family, Noise, linked


@dataclass(frozen=True, kw_only=True)
class Binomial(Family):
    """Binomial successes; means and variances are those of the proportion of successes."""

    label = "binomial"
    links = ("logit", "probit")
    needs_trials = True
    whole = True
    successes = True
    ends = (0.0, 1.0)

    @classmethod
    def problems(cls, y: Array, trials: Array | None) -> list[str]:
        """Successes are whole numbers from 0 to the row's trials, of which there are 1 or more."""
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

    @classmethod
    def scale(cls, y: Array, trials: Array | None, link: str) -> tuple[float, float]:
        """Link of the overall proportion, and the spread the contract states for the link."""
        n = np.ones_like(y) if trials is None else trials
        p = (np.sum(y) + 0.5) / (np.sum(n) + 1.0)
        return float(linked(link, p)), SPREADS[link]

    def variance(self, eta: Array) -> Array:
        """Variance of the proportion of successes."""
        p = self.mean(eta)
        return p * (1 - p) / (1.0 if self.trials is None else self.trials)

    def exceeds(self, eta: Array, above: float) -> Array:
        """Upper tail of the number of successes."""
        from scipy.special import betainc

        n, k = self._trials(np.shape(eta)), np.floor(above)
        found = betainc(np.clip(k + 1, 1, n), np.maximum(n - k, 1), self.mean(eta))
        return np.where(k < 0, 1.0, np.where(k >= n, 0.0, found))

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw numbers of successes."""
        return rng.binomial(self._trials(eta.shape), self.mean(eta)).astype(np.float64)

    def log_density(self, y: Array, eta: Array) -> Array:
        """Binomial log density."""
        from scipy.special import gammaln, log_expit, log_ndtr

        n = np.ones_like(y) if self.trials is None else self.trials
        log = log_expit if self.link == "logit" else log_ndtr
        choose = gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)
        return np.asarray(choose + y * log(eta) + (n - y) * log(-eta))

    def draw_alike(self, noise: Noise, eta: Array, first: Array) -> Array:
        """Draw the successes of the first world; some turn into failures, or failures turn."""
        n = self._trials(noise.shape)
        p, before = (np.broadcast_to(self.mean(v), noise.shape) for v in (eta, first))
        y = noise.generator("draw").binomial(n, before)
        if eta is first:
            return y.astype(np.float64)
        g = noise.generator("further")
        up = np.maximum(p - before, 0.0) / np.where(before < 1, 1 - before, 1.0)
        more = g.binomial(n - y, np.minimum(up, 1.0))
        fewer = g.binomial(y, np.minimum(p / np.where(before > 0, before, 1.0), 1.0))
        return np.where(p >= before, y + more, fewer).astype(np.float64)

    def _trials(self, shape: tuple[int, ...]) -> Any:
        n = 1.0 if self.trials is None else self.trials
        return np.broadcast_to(n, shape).astype(np.int64)

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add binomial observations."""
        if self.link == "logit":
            return pm.Binomial(name, n=self.trials, logit_p=eta, observed=y)
        # written out, since p = Phi(eta) loses the tail where Phi rounds to 0 or 1; the binomial
        # coefficient is left out as a constant
        failures = self.trials - y
        return pm.Potential(name, y * log_ndtr(pm, eta) + failures * log_ndtr(pm, -eta))


def log_ndtr(pm: Any, x: Any) -> Any:
    """Log of the standard normal distribution function, as a PyMC expression."""
    return pm.logcdf(pm.Normal.dist(0.0, 1.0), x)
