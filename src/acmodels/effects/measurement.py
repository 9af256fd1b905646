"""What a fit says of how well constructs are measured: loadings, reliability, agreement, scores.

Ordinal items count by their latent responses, whose residuals have an sd of 1. Quantities are
computed draw by draw from the variances that the model implies.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acmodels.posterior import Array, intervals
from acmodels.spec import parameters as named
from acmodels.system.arrays import Index
from acmodels.system.layout import Layout, Measure
from acmodels.system.missing import observed
from acmodels.system.spreads import spread
from acmodels.system.terms import group_terms

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.inference.fitting import Fit

QUANTITIES = ("standardized", "omega", "icc1", "icc2", "determinacy")
"""What is computed, in the order of the table."""


@dataclass(frozen=True)
class Variances:
    """Variances of a construct, draw by draw, (chain, draw).

    Attributes:
        construct: that the model implies of it.
        raters: of raters' deviations; 0 where there are none.
        number: raters of a unit, their harmonic mean over units; 1 where there are none.
    """

    construct: Array
    raters: Array
    number: float


def measurement(fit: "Fit") -> "pd.DataFrame":
    """Compute standardized loadings, and each construct's reliability and agreement of raters.

    Of `f =~ item`, `standardized` is the correlation of the item's latent response with the
    construct as this rater sees it. Of `f`: `omega`, the share of the variance of a unit's average
    over its items and raters that is the construct's (McDonald, 1999; at unit level with raters,
    Geldhof, Preacher & Zyphur, 2014), in a panel that of a unit in a wave, of which lasting
    differences of single items are no part; `icc1`, the share of the variance of raters' views of
    the construct that lies between units, and `icc2`, the same of the average over a unit's raters
    (Bliese, 2000), both free of the error of items; `determinacy`, the correlation of estimated
    scores with the construct.

    Args:
        fit: from `fit`, of a model with measures.

    Returns:
        The columns `name, quantity, mean, sd, lower, upper`.
    """
    import pandas as pd

    layout = fit.system.layout
    names: list[tuple[str, str]] = []
    found: list[Array] = []
    for m in layout.measures:
        v = variances(fit, m)
        for i in m.items:
            name = named.loading(m.name, layout.equations[i].response)
            names.append((name, "standardized"))
            found.append(_standardized(fit, i, name, v))
        names.append((m.name, "omega"))
        found.append(_omega(fit, m, v))
        if m.raters:
            agreement = v.construct / (v.construct + v.raters)
            names += [(m.name, "icc1"), (m.name, "icc2")]
            found += [agreement, _stepped_up(agreement, v.number)]
        scores = fit.draws.imputed.get(m.name)
        if scores is not None:
            names.append((m.name, "determinacy"))
            found.append(_determinacy(scores))
    draws = np.stack(found, axis=2) if found else np.zeros((2, 2, 0))
    low, high = intervals(draws, fit.interval, fit.prob)
    return pd.DataFrame(
        {
            "name": [n for n, _ in names],
            "quantity": [q for _, q in names],
            "mean": draws.mean(axis=(0, 1)),
            "sd": draws.std(axis=(0, 1), ddof=1),
            "lower": low,
            "upper": high,
        }
    )


def constructs(fit: "Fit") -> "pd.DataFrame":
    """List the posterior means and sds of constructs, unit by unit.

    Args:
        fit: from `fit`, of a model with measures.

    Returns:
        The columns `construct, unit, wave, mean, sd`; `wave` is empty where there are no waves.
    """
    import pandas as pd

    out: list[pd.DataFrame] = []
    for m in fit.system.layout.measures:
        scores = fit.draws.imputed[m.name]
        out.append(
            pd.DataFrame(
                {
                    "construct": m.name,
                    "unit": list(m.units),
                    "wave": list(m.waves) if m.waves else "",
                    "mean": scores.mean(axis=(0, 1)),
                    "sd": scores.std(axis=(0, 1), ddof=1),
                }
            )
        )
    columns = ["construct", "unit", "wave", "mean", "sd"]
    return pd.concat(out, ignore_index=True) if out else pd.DataFrame(columns=columns)


def variances(fit: "Fit", m: Measure) -> Variances:
    """Compute the variances of a construct."""
    layout, draws = fit.system.layout, fit.draws
    total = spread(layout, m.name, (), fit.system.responses, draws.__getitem__) ** 2
    raters = np.zeros_like(total)
    for b, k in m.raters:
        raters = raters + draws[layout.blocks[b].sds[k]] ** 2
    return Variances(total, raters, raters_per_unit(layout, m))


def raters_per_unit(layout: Layout, m: Measure) -> float:
    """Return the harmonic mean, over units (in each wave), of the number of raters who answered."""
    if not m.raters:
        return 1.0
    code = layout.blocks[m.raters[-1][0]].code
    carry = layout.equations[m.equation].carry
    rows = np.unique(np.concatenate([_answered(layout, i) for i in m.items]))
    if not len(rows):
        return 1.0
    pairs = np.unique(np.stack([carry[rows], code[rows]]), axis=1)
    counts = np.bincount(pairs[0])
    return float(1.0 / np.mean(1.0 / counts[counts > 0]))


def _answered(layout: Layout, i: int) -> Index:
    e = layout.equations[i]
    return e.rows[observed(layout, e)]


def _standardized(fit: "Fit", i: int, name: str, v: Variances) -> Array:
    e = fit.system.layout.equations[i]
    item = spread(fit.system.layout, e.response, (), fit.system.responses, fit.draws.__getitem__)
    return fit.draws[name] * np.sqrt(v.construct + v.raters) / item


def _omega(fit: "Fit", m: Measure, v: Variances) -> Array:
    layout, draws = fit.system.layout, fit.draws
    loadings = np.zeros_like(v.construct)
    errors = np.zeros_like(v.construct)
    lasting = np.zeros_like(v.construct)
    for i in m.items:
        e = layout.equations[i]
        sign = -1.0 if e.response in m.reverse else 1.0
        loadings = loadings + sign * draws[named.loading(m.name, e.response)]
        errors = errors + (draws[e.sigma] ** 2 if e.has_sigma else 1.0)
        for name in _lasting(layout, m, e.response):
            lasting = lasting + draws[name] ** 2
    own = loadings**2 * v.construct
    return own / (own + lasting + (loadings**2 * v.raters + errors) / v.number)


def _lasting(layout: Layout, m: Measure, item: str) -> list[str]:
    """Names of the sds of an item's own lasting differences between units, in a panel."""
    mine = (b for b, _ in group_terms(layout, item) if b.columns != (m.by,))
    return [b.sd(x) for b in mine for x in b.members if x.response == item]


def _stepped_up(reliability: Array, number: float) -> Array:
    """Return the reliability of an average, by the formula of Spearman and Brown."""
    return number * reliability / (1.0 + (number - 1.0) * reliability)


def _determinacy(scores: Array) -> Array:
    """Return the correlation over units of posterior means with each draw's values."""
    typical = scores.mean(axis=(0, 1))
    away = typical - typical.mean()
    each = scores - scores.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.sqrt((away**2).sum() * (each**2).sum(axis=-1))
        return np.where(size > 0, (each * away).sum(axis=-1) / size, 0.0)
