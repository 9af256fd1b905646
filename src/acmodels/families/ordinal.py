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

from collections.abc import Mapping
from typing import Any

import numpy as np

from acmodels.families import Array, Own

links = ("logit", "probit")
has_sigma = False
needs_trials = False
residual_correlation = False
whole = True
ordered = True
scalars = ()

MOST = 50
"""Categories that a response may have."""


def problems(y: Array, trials: Array | None) -> list[str]:
    """Categories are whole numbers, and not too many."""
    del trials
    if np.any(y != np.round(y)):
        odd = y[y != np.round(y)][0]
        said = (
            f"holds {odd:g} where the family ordinal wants categories coded in whole numbers, such "
            "as 1 to 5; recode its values in their order (half steps: times 2), or use the "
            "family gaussian for an average of items"
        )
        return [said]
    many = int(np.ptp(y)) + 1
    if many > MOST:
        said = (
            f"runs from {np.min(y):g} to {np.max(y):g}, which would be {many} categories (at most "
            f"{MOST} are fitted); empty the cells that hold a code for missing, or use another "
            "family"
        )
        return [said]
    return []


def warnings(y: Array) -> list[str]:
    """Categories between the lowest and the highest that no row has."""
    unused = sorted(set(range(int(y.min()), int(y.max()) + 1)) - {int(v) for v in np.unique(y)})
    if not unused:
        return []
    shown = ", ".join(map(str, unused[:6])) + (" …" if len(unused) > 6 else "")
    said = (
        f"has no row in category {shown}, between its lowest and its highest; the thresholds about "
        "it rest on the prior. If it is no category, recode the others without a gap"
    )
    return [said]


def scale(y: Array, trials: Array | None, link: str) -> tuple[float, float]:
    """Zero, since thresholds give the location; the spread the contract states for the link."""
    del y, trials
    return 0.0, 1.8 if link == "logit" else 1.0


def guess(y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
    """The link of cumulative proportions: observed, or equal in all categories without data."""
    if y is None:
        below = np.arange(1, len(codes)) / len(codes)
    else:
        counts = np.array([np.sum(y == c) for c in codes])
        below = (np.cumsum(counts)[:-1] + 0.5) / (len(y) + 1.0)
    from scipy.special import logit, ndtri

    found = logit(below) if link == "logit" else ndtri(below)
    return {"threshold": np.asarray(found, dtype=np.float64), "lowest": float(codes[0])}


def probabilities(eta: Array, link: str, own: Own | None) -> Array:
    """Probability of each category, shape (*eta.shape, categories)."""
    t = _thresholds(eta, own)
    from scipy.special import expit, ndtr

    cdf = expit if link == "logit" else ndtr
    below = np.concatenate([np.zeros((*eta.shape, 1)), cdf(t)], axis=-1)
    above = np.concatenate([cdf(-t), np.zeros((*eta.shape, 1))], axis=-1)
    by_below = np.diff(below, axis=-1, append=1.0)
    by_above = -np.diff(above, axis=-1, prepend=1.0)
    return np.where(below < 0.5, by_below, by_above)  # each from the tail that it lies in


def probability(eta: Array, link: str, own: Own | None, place: int) -> Array:
    """Probability of one category, counted from 0 at the lowest, in the shape of `eta`."""
    from scipy.special import expit, ndtr

    cdf = expit if link == "logit" else ndtr
    t = np.asarray(_given(own)["threshold"])
    low = t[..., place - 1] - eta if place > 0 else np.full(eta.shape, -np.inf)
    high = t[..., place] - eta if place < _count(own) else np.full(eta.shape, np.inf)
    flip = low + high > 0  # the difference is taken in the nearer tail
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    return np.asarray(cdf(high) - cdf(low))


def mean(eta: Array, link: str, own: Own | None = None) -> Array:
    """Expected code."""
    p = probabilities(eta, link, own)
    return _lowest(own) + p @ np.arange(p.shape[-1], dtype=np.float64)


def variance(
    eta: Array, sigma: Array, trials: Array | None, link: str, own: Own | None = None
) -> Array:
    """Variance of the code."""
    del sigma, trials
    p = probabilities(eta, link, own)
    place = np.arange(p.shape[-1], dtype=np.float64)
    return p @ place**2 - (p @ place) ** 2


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
    """Draw latent responses and cut them at the thresholds."""
    del sigma, trials
    noise = rng.logistic(size=eta.shape) if link == "logit" else rng.standard_normal(eta.shape)
    cut = np.broadcast_to(_given(own)["threshold"], (*eta.shape, _count(own)))
    return _lowest(own) + np.sum((eta + noise)[..., None] > cut, axis=-1)


def log_density(
    y: Array,
    eta: Array,
    sigma: Array,
    trials: Array | None,
    link: str,
    own: Own | None = None,
) -> Array:
    """Log probability of each category: the log of a difference, taken in the nearer tail."""
    del sigma, trials
    from scipy.special import log_expit, log_ndtr

    log_cdf = log_expit if link == "logit" else log_ndtr
    t = _thresholds(eta, own)
    ends = np.full((*eta.shape, 1), np.inf)
    padded = np.concatenate([-ends, t, ends], axis=-1)
    place = (np.broadcast_to(y, eta.shape) - _lowest(own)).astype(np.int64)[..., None]
    low = np.take_along_axis(padded, place, -1)[..., 0]
    high = np.take_along_axis(padded, place + 1, -1)[..., 0]
    flip = low + high > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    whole_part = log_cdf(high)
    return np.asarray(whole_part + np.log1p(-np.exp(log_cdf(low) - whole_part)))


def likelihood(
    pm: Any, name: str, eta: Any, sigma: Any, link: str, data: Any, own: Mapping[str, Any]
) -> Any:
    """Add categories.

    By logit, F(a) - F(b) = F(a) F(-b) (1 - e^(b - a)). By probit the difference is taken in
    the nearer tail.
    """
    del sigma
    m = pm.math
    middle = 1.0 - data.first - data.last
    a, b = own["above"] - eta, own["below"] - eta
    if link == "logit":
        gap = m.where(m.gt(middle, 0.5), own["above"] - own["below"], 1.0)
        ends = (1.0 - data.last) * m.log1pexp(-a) + (1.0 - data.first) * m.log1pexp(b)
        return pm.Potential(name, middle * m.log1mexp(-gap) - ends)
    from acmodels.families.binomial import log_ndtr

    flip = m.gt(a + b, 0.0)
    inner = m.where(flip, -b, a)
    high = m.where(m.gt(middle, 0.5), inner, m.where(m.gt(data.first, 0.5), a, -b))
    low = m.where(m.gt(middle, 0.5), m.where(flip, -a, b), high - 1.0)
    top = log_ndtr(pm, high)
    return pm.Potential(name, top + middle * m.log1mexp(log_ndtr(pm, low) - top))


def _given(own: Own | None) -> Own:
    if own is None:
        raise TypeError("the family ordinal needs its thresholds")
    return own


def _lowest(own: Own | None) -> Array:
    return np.asarray(_given(own)["lowest"], dtype=np.float64)


def _count(own: Own | None) -> int:
    return int(np.shape(_given(own)["threshold"])[-1])


def _thresholds(eta: Array, own: Own | None) -> Array:
    """Thresholds less the predictor, (*eta.shape, thresholds)."""
    return np.asarray(_given(own)["threshold"]) - np.asarray(eta)[..., None]
