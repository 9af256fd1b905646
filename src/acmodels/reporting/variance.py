"""Where the unexplained variance of each equation lies: between groups, or below them.

The definition is that of the estimand `variance_share`, summed over a grouping's effects with
their covariances, so that the shares of an equation add up to one; see `acmodels.system.variances`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acmodels.posterior import intervals
from acmodels.system.terms import group_terms
from acmodels.system.variances import shares, unexplained

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit
    from acmodels.system import EquationLayout


@dataclass(frozen=True)
class Share:
    """One source of unexplained variance.

    Attributes:
        source: a grouping, or `residual`.
        units: how many units the grouping has; None for the residual.
        mean, lower, upper: of its share.
    """

    source: str
    units: int | None
    mean: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Shares:
    """The sources of one equation; none, and why, where the shares are not defined."""

    response: str
    rows: tuple[Share, ...]
    why_not: str = ""


def variance_shares(fit: "Fit") -> tuple[Shares, ...]:
    """Shares of every equation that has group effects."""
    out: list[Shares] = []
    for e in fit.system.layout.outcomes:
        if not group_terms(fit.system.layout, e.response):
            continue
        if e.se is not None:
            why = "Its standard errors are known and differ by row: there is no one residual."
            out.append(Shares(e.response, (), why))
            continue
        out.append(_of_equation(fit, e))
    return tuple(out)


def _of_equation(fit: "Fit", e: "EquationLayout") -> Shares:
    layout = fit.system.layout
    units = {b.group: len(b.levels) for b, _ in group_terms(layout, e.response)}
    parameter = fit.draws.__getitem__
    found = shares(unexplained(layout, e.response, fit.system.responses, parameter))
    draws = np.stack(list(found.values()), axis=2)
    low, high = intervals(draws, fit.interval, fit.prob)
    mean = draws.mean(axis=(0, 1))
    return Shares(
        e.response,
        tuple(
            Share(name, units.get(name), float(mean[k]), float(low[k]), float(high[k]))
            for k, name in enumerate(found)
        ),
    )
