"""Effect sizes: standardized coefficients and shares of explained variance, draw by draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from acmodels.errors import NotYetError
from acmodels.posterior import Array, intervals
from acmodels.system.columns import design_matrix
from acmodels.system.spreads import spread
from acmodels.system.terms import group_terms, reads, slopes
from acmodels.system.variances import residual_variance, shares, unexplained

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.inference.fitting import Fit
    from acmodels.system import EquationLayout

MOST_ROWS = 50_000
"""Rows up to which the R2 of an equation with a link is computed without being asked for."""
SIZES: Mapping[str, str] = {
    "marginal": "R2 (predictors)",
    "conditional": "R2 (predictors and groups)",
    "bayesian": "R2",
}
"""What kinds of R2 are called where people read them."""
SUMMARY = ("mean", "sd", "median", "lower", "upper")


def summary(fit: "Fit", draws: Array) -> dict[str, Array]:
    """Mean, sd, median and the fit's interval of quantities.

    Args:
        fit: whose kind and mass of interval are taken.
        draws: shape (draw, quantity), over all chains.
    """
    low, high = intervals(draws[None], fit.interval, fit.prob)
    return {
        "mean": draws.mean(axis=0),
        "sd": draws.std(axis=0, ddof=1),
        "median": np.median(draws, axis=0),
        "lower": low,
        "upper": high,
    }


def kind_words(kind: str) -> str:
    """Return what a kind of `effect_sizes` is called where people read it.

    >>> kind_words("marginal"), kind_words("icc district")
    ('R2 (predictors)', 'ICC of district')
    """
    return SIZES.get(kind) or f"ICC of {kind.removeprefix('icc ')}"


def standardized(fit: "Fit") -> "pd.DataFrame":
    """Compute coefficients in standard deviations of the predictor and of the response.

    Each draw of a coefficient is multiplied by the sd of its column of the design matrix over the
    rows of its equation (a factor's level by that of its indicator, a product by that of the
    product) and divided by the sd of the response. With a link that is the sd of the latent
    response in that draw: of predictors, group effects and the link's own distribution together
    (McKelvey & Zavoina, 1975). Intercepts are left out.

    Args:
        fit: from `fit`.

    Returns:
        The columns `name, mean, sd, median, lower, upper`.
    """
    import pandas as pd

    names: list[str] = []
    found: list[Array] = []
    for e in fit.system.layout.outcomes:
        X = design_matrix(fit.system.layout, e, fit.system.responses)
        if e.construct:
            size_of_y = _implied(fit, e.response)
        elif e.link == "identity":
            size_of_y = np.asarray(fit.system.responses[e.response].std(ddof=1))
        else:
            size_of_y = np.sqrt(sum(_sources(fit, e).values()))
        mine = slopes(fit.system.layout, e.response)
        for t, sd in zip(mine, X.std(axis=0, ddof=1), strict=True):
            if not t.intercept:
                latent = fit.system.layout.measure(t.column.name)
                size = sd if latent is None else _implied(fit, latent.name)
                names.append(t.parameter)
                found.append(parameter(fit, t.parameter) * size / size_of_y)
    draws = np.column_stack(found) if found else np.zeros((2, 0))
    return pd.DataFrame({"name": names, **summary(fit, draws)})


def r2(fit: "Fit") -> "pd.DataFrame":
    """Compute how much of each response's variance its predictors and groups account for.

    For an equation with group effects, the marginal R2 (predictors alone) and the conditional R2
    (predictors and groups) of Nakagawa & Schielzeth (2013), random slopes averaged over rows as
    Johnson (2014) does, with the shares they are made of: `share of predictors`, `share of
    GROUPING` and `share of residual`, which add up to one. With a link this is on the latent
    scale. For an equation without group effects, the Bayesian R2 of Gelman, Goodrich, Gabry &
    Vehtari (2019), `bayesian`, on the scale of the response.

    An equation's predictors are taken as observed, mediators too.

    Args:
        fit: from `fit`.

    Returns:
        The columns `response, kind, mean, sd, median, lower, upper`.
    """
    found: list[_Quantity] = []
    for e in fit.system.layout.outcomes:
        if not _grouped(fit, e):
            found.append((e.response, "bayesian", _bayesian(fit, e)))
            continue
        sources = _sources(fit, e)
        found += _r2_of(e, sources)
        found += [(e.response, f"share of {k}", v) for k, v in shares(sources).items()]
    return _table(fit, found)


def icc(fit: "Fit") -> "pd.DataFrame":
    """Compute intraclass correlations: the share of unexplained variance of each grouping.

    The adjusted intraclass correlation: the variance of a grouping's effects over that of all
    group effects and the residual, with random slopes averaged over rows (Johnson, 2014). With a
    link this is on the latent scale. Equations without group effects have no row.

    Args:
        fit: from `fit`.

    Returns:
        The columns `response, kind, mean, sd, median, lower, upper`, with `icc GROUPING` as kind.
    """
    found: list[_Quantity] = []
    for e in fit.system.layout.outcomes:
        if _grouped(fit, e) and e.se is None:
            found += _icc_of(e, _sources(fit, e))
    return _table(fit, found)


@dataclass(frozen=True)
class Sizes:
    """R2 and intraclass correlations of a fit.

    Attributes:
        table: the columns `response, kind, mean, sd, median, lower, upper`.
        why_not: why an equation has no R2, by response.
    """

    table: "pd.DataFrame"
    why_not: Mapping[str, str]


def effect_sizes(fit: "Fit") -> Sizes:
    """R2 and intraclass correlations of every equation that has them.

    Args:
        fit: from `fit`.
    """
    found: list[_Quantity] = []
    why_not: dict[str, str] = {}
    for e in fit.system.layout.outcomes:
        if not _grouped(fit, e):
            if e.link != "identity" and e.n > MOST_ROWS:
                why_not[e.response] = f"it takes long for more than {MOST_ROWS} rows; see ac.r2"
                continue
            try:
                found.append((e.response, "bayesian", _bayesian(fit, e)))
            except NotYetError:
                why_not[e.response] = (
                    f"it is not computed yet for the family {e.family} without group effects"
                )
            continue
        sources = _sources(fit, e)
        found += [*_r2_of(e, sources), *(_icc_of(e, sources) if e.se is None else [])]
    return Sizes(_table(fit, found), why_not)


type _Quantity = tuple[str, str, Array]
"""Response, kind, and draws of shape (draw,)."""


def _grouped(fit: "Fit", e: "EquationLayout") -> bool:
    return bool(group_terms(fit.system.layout, e.response))


def _r2_of(e: "EquationLayout", sources: Mapping[str, Array]) -> list[_Quantity]:
    part = shares(sources)
    return [
        (e.response, "marginal", part["predictors"]),
        (e.response, "conditional", 1 - part["residual"]),
    ]


def _icc_of(e: "EquationLayout", sources: Mapping[str, Array]) -> list[_Quantity]:
    part = shares({k: v for k, v in sources.items() if k != "predictors"})
    return [(e.response, f"icc {k}", v) for k, v in part.items() if k != "residual"]


def _table(fit: "Fit", found: Sequence[_Quantity]) -> "pd.DataFrame":
    import pandas as pd

    draws = np.column_stack([q[2] for q in found]) if found else np.zeros((2, 0))
    names = {"response": [q[0] for q in found], "kind": [q[1] for q in found]}
    return pd.DataFrame({**names, **summary(fit, draws)})


def parameter(fit: "Fit", name: str) -> Array:
    """Draws of a structural parameter, shape (draw,), over all chains."""
    return fit.draws[name].reshape(-1)


def coefficients(fit: "Fit", e: "EquationLayout") -> Array:
    """Draws of an equation's coefficients, shape (draw, p), over all chains."""
    size = int(np.prod(fit.draws.values.shape[:2]))
    found = [parameter(fit, t.parameter) for t in slopes(fit.system.layout, e.response)]
    return np.stack(found, axis=1) if found else np.zeros((size, 0))


def _sources(fit: "Fit", e: "EquationLayout") -> dict[str, Array]:
    """Variances that make up that of the (latent) response, by source; shape (draw,)."""
    layout, responses = fit.system.layout, fit.system.responses
    left = unexplained(layout, e.response, responses, partial(parameter, fit))
    return {"predictors": _fixed_variance(fit, e), **left}


def _implied(fit: "Fit", response: str) -> Array:
    """Sd of a variable that the model implies, shape (draw,)."""
    return spread(
        fit.system.layout, response, (), fit.system.responses, fit.draws.__getitem__
    ).reshape(-1)


def _reads_constructs(fit: "Fit", e: "EquationLayout") -> bool:
    return any(fit.system.layout.measure(v) for v in reads(fit.system.layout, e.response))


def _fixed_variance(fit: "Fit", e: "EquationLayout") -> Array:
    """Variance over rows of the predictors' part, shape (draw,)."""
    if _reads_constructs(fit, e):  # whose values are not known: what the model implies is
        left = unexplained(
            fit.system.layout, e.response, fit.system.responses, partial(parameter, fit)
        )
        return np.maximum(_implied(fit, e.response) ** 2 - sum(left.values()), 0.0)
    X = design_matrix(fit.system.layout, e, fit.system.responses)
    full = np.column_stack([X, e.offset])
    full -= full.mean(axis=0)
    S = full.T @ full / (len(full) - 1)
    B = coefficients(fit, e)
    B = np.column_stack([B, np.ones(len(B))])
    return np.einsum("si,ij,sj->s", B, S, B)


def _bayesian(fit: "Fit", e: "EquationLayout") -> Array:
    if not (e.distribution.normal or e.distribution.successes):
        raise NotYetError(f"r2: the family {e.family} without group effects is not computed yet")
    if e.link != "identity" and _reads_constructs(fit, e):
        raise NotYetError(f"r2: the family {e.family} with constructs is not computed yet")
    if e.link == "identity":
        explained = _fixed_variance(fit, e)
        left = residual_variance(
            fit.system.layout, e, fit.system.responses, partial(parameter, fit)
        )
        return explained / (explained + left)
    X = design_matrix(fit.system.layout, e, fit.system.responses)
    B = coefficients(fit, e)
    response = e.conditional(lambda n: fit.draws[n].reshape(-1))
    out = np.empty(len(B))
    step = max(1, 2_000_000 // len(X))
    for start in range(0, len(B), step):
        some = slice(start, start + step)
        p = response.mean(B[some] @ X.T + e.offset)
        explained = p.var(axis=1, ddof=1)
        trials = 1.0 if e.trials is None else e.trials
        out[some] = explained / (explained + (p * (1 - p) / trials).mean(axis=1))
    return out
