"""Where the unexplained variance of each equation lies: between groups, or below them.

The definition is that of the estimand `variance_share` (Snijders & Bosker, 2012, section
4.3; Johnson, 2014, for random slopes), summed over a grouping's effects with their
covariances, so that the shares of an equation add up to one.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acmodels.posterior import Array, Posterior, intervals
from acmodels.system.columns import group_column
from acmodels.system.terms import residual_variance

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit
    from acmodels.system import Block, EquationLayout, System


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
    for e in fit.system.layout.equations:
        if not any(True for _ in fit.system.layout.blocks_of(e.response)):
            continue
        if e.se is not None:
            why = "Its standard errors are known and differ by row: there is no one residual."
            out.append(Shares(e.response, (), why))
            continue
        out.append(_of_equation(fit, e))
    return tuple(out)


def _of_equation(fit: "Fit", e: "EquationLayout") -> Shares:
    variances: dict[str, Array] = {}
    units: dict[str, int | None] = {}
    for block, mine in fit.system.layout.blocks_of(e.response):
        found = _variance(fit.system, fit.draws, block, mine, e)
        variances[block.group] = variances.get(block.group, 0.0) + found
        units[block.group] = len(block.levels)
    left = residual_variance(e, fit.draws.__getitem__, fit.system.responses)
    variances["residual"] = np.broadcast_to(left, fit.draws.values.shape[:2])
    stacked = np.stack(list(variances.values()), axis=2)
    whole = stacked.sum(axis=2, keepdims=True)
    shares = np.where(np.isfinite(whole), stacked, 0.0) / np.where(np.isfinite(whole), whole, 1.0)
    shares[..., -1] = np.where(np.isfinite(whole[..., 0]), shares[..., -1], 1.0)
    low, high = intervals(shares, fit.interval, fit.prob)
    mean = shares.mean(axis=(0, 1))
    return Shares(
        e.response,
        tuple(
            Share(name, units.get(name), float(mean[k]), float(low[k]), float(high[k]))
            for k, name in enumerate(variances)
        ),
    )


def _variance(
    system: "System", draws: Posterior, block: "Block", mine: list[int], e: "EquationLayout"
) -> Array:
    """Mean over rows of the variance that a block's effects give the predictor."""
    columns = {
        k: group_column(system.layout, e, block.members[k].column, system.responses) for k in mine
    }
    names = {(i, j): name for i, j, name in block.correlations()}
    total = np.zeros(draws.values.shape[:2])
    for i in mine:
        for j in mine:
            covariance = draws[block.sd(block.members[i])] * draws[block.sd(block.members[j])]
            if i != j:
                covariance = covariance * draws[names[min(i, j), max(i, j)]]
            total = total + float(np.mean(columns[i] * columns[j])) * covariance
    return total
