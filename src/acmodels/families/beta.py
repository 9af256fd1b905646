"""Proportions strictly between 0 and 1, by a logit link for their mean.

With mean mu and precision `phi(y)` the response is Beta(mu phi, (1 - mu) phi), so that its
variance is mu (1 - mu) / (1 + phi) (Ferrari & Cribari-Neto, 2004; betareg, brms). The default
prior of phi is lognormal about a rough value from the response's mean and variance, with
an sd of 2 on the log scale: a factor of 50 either way.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import Array, Family, Noise, Scalar
from acmodels.spec.distribution import log_normal

TINY = 1e-300


@dataclass(frozen=True, kw_only=True)
class Beta(Family):
    """Beta proportions with mean mu and precision `phi`."""

    label = "beta"
    links = ("logit",)
    positive = True
    scalars = (
        Scalar("phi", lambda rough: log_normal(float(np.log(rough)), 2.0), label="dispersions"),
    )

    phi: Any

    @classmethod
    def problems(cls, y: Array, trials: Array | None) -> list[str]:
        """A proportion lies strictly between 0 and 1."""
        if np.any((y < 0) | (y > 1)):
            most = float(np.max(np.abs(y)))
            percents = 1 < most <= 100 and np.all(y >= 0)
            advice = "if these are percentages, divide by 100" if percents else "rescale it"
            said = (
                f"runs from {np.min(y):g} to {np.max(y):g} where the family beta needs "
                f"proportions between 0 and 1; {advice}"
            )
            return [said]
        ends = int(np.sum((y == 0) | (y == 1)))
        if ends:
            said = (
                f"is exactly 0 or 1 in {ends} rows, where the family beta has no density; if it "
                "counts successes, use the family binomial with trials; else move all values "
                "inwards, as (y * (n - 1) + 0.5) / n for n rows (Smithson & Verkuilen, 2006), and "
                "say so"
            )
            return [said]
        return []

    @classmethod
    def guess(cls, y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """By moments, as if there were no predictors, between 0.1 and 1000; 10 without data."""
        if y is None:
            return {"phi": 10.0}
        p, v = float(np.mean(y)), float(np.var(y))
        return {"phi": float(np.clip(p * (1 - p) / max(v, 1e-12) - 1, 0.1, 1000.0))}

    def variance(self, eta: Array) -> Array:
        """Variance of the proportion, mu (1 - mu) / (1 + phi)."""
        mu = self.mean(eta)
        return mu * (1 - mu) / (1 + self.phi)

    def residual_variance(self, level: float = 1.0) -> Array:
        """Variance of the response's logit where its mean is the overall mean."""
        from scipy.special import polygamma

        phi = self.phi
        return np.asarray(polygamma(1, level * phi) + polygamma(1, (1 - level) * phi))

    def exceeds(self, eta: Array, above: float) -> Array:
        """Upper tail of a proportion."""
        from scipy.special import betainc

        a, b = self.mean(eta) * self.phi, self.mean(-eta) * self.phi
        return np.asarray(betainc(b, a, 1 - np.clip(above, 0.0, 1.0)))

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw proportions, never exactly 0 or 1: what rounds to them is moved by a hair."""
        a, b = self.mean(eta) * self.phi, self.mean(-eta) * self.phi
        y = rng.beta(np.maximum(a, TINY), np.maximum(b, TINY))
        return np.clip(y, TINY, np.nextafter(1.0, 0.0))

    def log_density(self, y: Array, eta: Array) -> Array:
        """Beta log density."""
        from scipy.special import betaln

        a, b = self.mean(eta) * self.phi, self.mean(-eta) * self.phi
        return np.asarray((a - 1) * np.log(y) + (b - 1) * np.log1p(-y) - betaln(a, b))

    def draw_alike(self, noise: Noise, eta: Array, first: Array) -> Array:
        """Draw proportions as shares of two gammas, which grow or shrink."""
        p, before = (np.broadcast_to(self.mean(v), noise.shape) for v in (eta, first))
        phi = self.phi
        pairs = (("a", p * phi, before * phi), ("b", (1 - p) * phi, (1 - before) * phi))
        parts: list[Array] = []
        for name, now, then in pairs:
            part = noise.generator(f"draw {name}").gamma(then)
            if eta is not first:
                g = noise.generator(f"further {name}")
                more = g.gamma(np.maximum(now - then, 0.0))
                kept = g.beta(np.maximum(now, 1e-10), np.maximum(then - now, 1e-10))
                part = np.where(now >= then, part + more, part * kept)
            parts.append(part)
        whole = parts[0] + parts[1]
        return np.where(whole > 0, parts[0] / np.where(whole > 0, whole, 1.0), p > 0.5)

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add proportions."""
        a, b = pm.math.sigmoid(eta) * self.phi, pm.math.sigmoid(-eta) * self.phi
        return pm.Beta(name, alpha=a, beta=b, observed=y)
