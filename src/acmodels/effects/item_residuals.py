"""Correlations that a measurement model leaves between items, with posterior predictive p-values.

Where two items share more than their constructs explain (similar wording, say), their residuals
correlate in the data more than in data that the model draws (Gelman, Meng & Stern, 1996). The
residual of an ordinal answer is the mean of its latent residual given the category.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from acmodels.generate import linear_predictor
from acmodels.posterior import Array
from acmodels.rng import stream
from acmodels.system.equation import EquationLayout

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit

DRAWS = 100
"""Posterior draws that are looked at."""
FEWEST = 20
"""Rows that two items must share."""
LARGE, UNLIKELY = 0.1, 0.01
"""A correlation is flagged from this size on, where its p is this small."""


@dataclass(frozen=True)
class ItemPair:
    """Two items and the correlation of their residuals.

    Attributes:
        first, second: responses.
        mean: of the correlation in the data less that in replicated data, over draws.
        p: share of draws in which replicated data have a correlation at least as high.
    """

    first: str
    second: str
    mean: float
    p: float

    @property
    def flagged(self) -> bool:
        """Whether the pair is worth a look."""
        return abs(self.mean) >= LARGE and min(self.p, 1.0 - self.p) <= UNLIKELY


def item_residuals(fit: "Fit") -> tuple[ItemPair, ...]:
    """Compare residual correlations of items with those of data that the model draws.

    Args:
        fit: from `fit`, of a model with measures.

    Returns:
        Every pair of items with enough rows in common, the largest first.
    """
    layout = fit.system.layout
    places = dict.fromkeys(i for m in layout.measures for i in m.items)
    items = [layout.equations[i] for i in places]
    chains, draws, _ = fit.draws.values.shape
    picked = np.unique(np.linspace(0, chains * draws - 1, min(DRAWS, chains * draws)).astype(int))
    rng = stream(fit.seed, "item residuals")
    seen: list[Array] = []
    made: list[Array] = []
    for p in picked:
        observed, replicated = _residuals(fit, items, divmod(int(p), draws), rng)
        seen.append(_correlations(observed))
        made.append(_correlations(replicated))
    r, again = np.stack(seen), np.stack(made)
    out = [
        ItemPair(
            items[i].response,
            items[j].response,
            float(np.mean(r[:, k] - again[:, k])),
            float(np.mean(again[:, k] >= r[:, k])),
        )
        for k, (i, j) in enumerate(combinations(range(len(items)), 2))
        if np.isfinite(r[:, k]).all() and np.isfinite(again[:, k]).all()
    ]
    return tuple(sorted(out, key=lambda pair: -abs(pair.mean)))


def _residuals(
    fit: "Fit", items: Sequence[EquationLayout], at: tuple[int, int], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Residuals of the data and of replicated data at one draw, (items, N), NaN where missing."""
    layout = fit.system.layout
    values = fit.draws.values[at]
    truth: Mapping[str, float] = dict(zip(fit.draws.names, values.tolist(), strict=True))
    effects = {b.key: fit.draws.group_effects[b.key][at] for b in layout.blocks}
    responses = dict(fit.system.responses)
    for m in layout.measures:
        responses[m.name] = fit.draws.imputed[m.name][at]
    observed = np.full((len(items), layout.n_rows), np.nan)
    replicated = observed.copy()
    for k, e in enumerate(items):
        eta = linear_predictor(layout, e, responses, truth, effects)
        law = e.conditional(truth.__getitem__)
        for out, y in ((observed, responses[e.response]), (replicated, law.draw(rng, eta))):
            out[k, e.rows] = _residual(e, y, eta, truth)
    return observed, replicated


def _residual(e: EquationLayout, y: Array, eta: Array, truth: Mapping[str, float]) -> Array:
    if not e.codes:
        return (y - eta) / truth[e.sigma]
    from scipy.special import ndtr

    cuts = np.array([-np.inf, *(truth[n] for n in e.thresholds), np.inf])
    place = np.rint(y - e.codes[0]).astype(np.int64)
    low, high = cuts[place] - eta, cuts[place + 1] - eta
    mass = np.maximum(ndtr(high) - ndtr(low), 1e-12)
    return (_density(low) - _density(high)) / mass


def _density(x: Array) -> Array:
    return np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)


def _correlations(x: Array) -> Array:
    """Correlations of all pairs of rows over the columns that both have, (pairs,)."""
    out: list[float] = []
    for i, j in combinations(range(len(x)), 2):
        both = np.isfinite(x[i]) & np.isfinite(x[j])
        a, b = x[i][both], x[j][both]
        spread = a.std() * b.std() if len(a) >= FEWEST else 0.0
        out.append(float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread else np.nan)
    return np.array(out)
