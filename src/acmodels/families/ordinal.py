"""Ordered categories by cumulative logit or probit, with a threshold between any two neighbors.

P(y <= k) = F(t_k - eta), so that a larger predictor makes higher categories likelier (McCullagh,
1980; R's polr, brms). The thresholds `y | t1`, `y | t2` ... stand in for the intercept, which an
ordinal response does not have, whether its formula says `1`, `0` or nothing. Responses are
whole numbers; the categories are all from the lowest to the highest in the data, and `y | t1`
lies above the lowest.

Each threshold has by default an independent normal prior, restricted to thresholds in
order. It is on the threshold at the predictors' means (less what the predictors add there), about
the link of the observed cumulative proportion, with 2.5 times the contract's scale of the link as
sd. A stated prior is on the raw threshold, under the same restriction.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import SPREADS, Array, Family, inverse
from acmodels.families.binomial import log_ndtr

MOST = 50
"""Categories that a response may have."""


@dataclass(frozen=True, kw_only=True)
class Ordinal(Family):
    """Ordered codes from `lowest` on, cut at `threshold`, whose last axis is thresholds."""

    label = "ordinal"
    links = ("logit", "probit")
    whole = True
    ordered = True

    threshold: Any = None
    lowest: Any = 0.0

    @classmethod
    def problems(cls, y: Array, trials: Array | None) -> list[str]:
        """Categories are whole numbers, and not too many."""
        if np.any(y != np.round(y)):
            odd = y[y != np.round(y)][0]
            said = (
                f"holds {odd:g} where the family ordinal needs categories coded in whole numbers, "
                "such as 1 to 5; recode its values in their order (half steps: times 2), or use "
                "the family gaussian for an average of items"
            )
            return [said]
        many = int(np.ptp(y)) + 1
        if many > MOST:
            said = (
                f"runs from {np.min(y):g} to {np.max(y):g}, which would be {many} categories (at "
                f"most {MOST} are fitted); empty the cells that hold a code for missing, or use "
                "another family"
            )
            return [said]
        return []

    @classmethod
    def warnings(cls, y: Array) -> list[str]:
        """Categories between the lowest and the highest that no row has."""
        unused = sorted(set(range(int(y.min()), int(y.max()) + 1)) - {int(v) for v in np.unique(y)})
        if not unused:
            return []
        shown = ", ".join(map(str, unused[:6])) + (" …" if len(unused) > 6 else "")
        said = (
            f"has no row in category {shown}, between its lowest and its highest; the thresholds "
            "next to it depend on the prior. If it is no category, recode the others without a gap"
        )
        return [said]

    @classmethod
    def scale(cls, y: Array, trials: Array | None, link: str) -> tuple[float, float]:
        """Zero, since thresholds give the location; the spread the contract states for the link."""
        return 0.0, SPREADS[link]

    @classmethod
    def guess(cls, y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
        """The link of cumulative proportions: observed, or equal in all categories without data."""
        if y is None:
            below = np.arange(1, len(codes)) / len(codes)
        else:
            counts = np.array([np.sum(y == c) for c in codes])
            below = (np.cumsum(counts)[:-1] + 0.5) / (len(y) + 1.0)
        from scipy.special import logit, ndtri

        found = logit(below) if link == "logit" else ndtri(below)
        return {"threshold": np.asarray(found, dtype=np.float64), "lowest": float(codes[0])}

    def mean(self, eta: Array) -> Array:
        """Expected code."""
        p = self.probabilities(eta)
        return self.lowest + p @ np.arange(p.shape[-1], dtype=np.float64)

    def variance(self, eta: Array) -> Array:
        """Variance of the code."""
        p = self.probabilities(eta)
        place = np.arange(p.shape[-1], dtype=np.float64)
        return p @ place**2 - (p @ place) ** 2

    def probabilities(self, eta: Array) -> Array:
        """Probability of each category, shape (*eta.shape, categories)."""
        t = self.threshold - np.asarray(eta)[..., None]
        end = np.zeros((*t.shape[:-1], 1))
        below = np.concatenate([end, inverse(self.link, t)], axis=-1)
        above = np.concatenate([inverse(self.link, -t), end], axis=-1)
        by_below = np.diff(below, axis=-1, append=1.0)
        by_above = -np.diff(above, axis=-1, prepend=1.0)
        return np.where(below < 0.5, by_below, by_above)  # each from the tail that it lies in

    def probability(self, eta: Array, place: int) -> Array:
        """Probability of one category, counted from 0 at the lowest."""
        t = np.asarray(self.threshold)
        low = t[..., place - 1] - eta if place > 0 else np.full(eta.shape, -np.inf)
        high = t[..., place] - eta if place < t.shape[-1] else np.full(eta.shape, np.inf)
        flip = low + high > 0  # the difference is taken in the nearer tail
        low, high = np.where(flip, -high, low), np.where(flip, -low, high)
        return inverse(self.link, high) - inverse(self.link, low)

    def exceeds(self, eta: Array, above: float) -> Array:
        """Probability of the categories above a code."""
        place = int(np.floor(above) - np.min(self.lowest))
        cuts = np.asarray(self.threshold)
        if not 0 <= place < cuts.shape[-1]:
            return np.full(np.broadcast_shapes(np.shape(eta), cuts.shape[:-1]), float(place < 0))
        return inverse(self.link, eta - cuts[..., place])

    def draw(self, rng: np.random.Generator, eta: Array) -> Array:
        """Draw latent responses and cut them at the thresholds."""
        logit = self.link == "logit"
        noise = rng.logistic(size=eta.shape) if logit else rng.standard_normal(eta.shape)
        cut = np.broadcast_to(self.threshold, (*eta.shape, np.shape(self.threshold)[-1]))
        return self.lowest + np.sum((eta + noise)[..., None] > cut, axis=-1)

    def log_density(self, y: Array, eta: Array) -> Array:
        """Log probability of each category: the log of a difference, taken in the nearer tail."""
        from scipy.special import log_expit, log_ndtr

        log_cdf = log_expit if self.link == "logit" else log_ndtr
        t = self.threshold - np.asarray(eta)[..., None]
        ends = np.full((*t.shape[:-1], 1), np.inf)
        padded = np.concatenate([-ends, t, ends], axis=-1)
        place = (np.broadcast_to(y, t.shape[:-1]) - self.lowest).astype(np.int64)[..., None]
        low = np.take_along_axis(padded, place, -1)[..., 0]
        high = np.take_along_axis(padded, place + 1, -1)[..., 0]
        flip = low + high > 0
        low, high = np.where(flip, -high, low), np.where(flip, -low, high)
        top = log_cdf(high)
        return np.asarray(top + np.log1p(-np.exp(log_cdf(low) - top)))

    def likelihood(self, pm: Any, name: str, y: Any, eta: Any) -> Any:
        """Add categories.

        By logit, F(a) - F(b) = F(a) F(-b) (1 - e^(b - a)). By probit the difference is taken in
        the nearer tail.
        """
        m = pm.math
        middle = 1.0 - y.first - y.last
        a, b = y.above - eta, y.below - eta
        if self.link == "logit":
            gap = m.where(m.gt(middle, 0.5), y.above - y.below, 1.0)
            ends = (1.0 - y.last) * m.log1pexp(-a) + (1.0 - y.first) * m.log1pexp(b)
            return pm.Potential(name, middle * m.log1mexp(-gap) - ends)
        flip = m.gt(a + b, 0.0)
        inner = m.where(flip, -b, a)
        high = m.where(m.gt(middle, 0.5), inner, m.where(m.gt(y.first, 0.5), a, -b))
        low = m.where(m.gt(middle, 0.5), m.where(flip, -a, b), high - 1.0)
        top = log_ndtr(pm, high)
        return pm.Potential(name, top + middle * m.log1mexp(log_ndtr(pm, low) - top))
