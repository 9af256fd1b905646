"""Marginal likelihoods by bridge sampling, from draws and points of a distribution beside them.

The optimal bridge of Meng & Wong (1996, *Statistica Sinica* 6, 831-860), with the error of
Frühwirth-Schnatter (2004, *The Econometrics Journal* 7, 143-167). Neither distribution's tails
decide, as those of one alone would.
"""

from dataclasses import replace

import numpy as np

from acmodels.numbers import decimal
from acmodels.posterior import Marginal, mean_effective
from acmodels.system.arrays import Array

LEAST, WORST = 100.0, 0.2
"""Effective draws and points below which no marginal likelihood is given, and error above which."""


def trusted(found: Marginal, slow: str) -> Marginal:
    """Return what was found, or the reason why it is not given.

    Args:
        found: from `bridge`.
        slow: what it means when the error is large, as a clause.
    """
    ess = found.ess or 0.0
    if ess < LEAST:
        reason = (
            "the posterior is too unlike the distribution that is compared with it: "
            f"{decimal(ess, 0)} effective draws, where {LEAST:g} are needed"
        )
    elif not found.mcse <= WORST:
        reason = (
            f"its Monte Carlo error is {decimal(found.mcse, 2)} on the log scale, above {WORST:g}; "
            f"{slow}"
        )
    else:
        return found
    return replace(found, log=None, reason=reason)


def bridge(of_draws: Array, of_points: Array, rounds: int = 1000) -> Marginal:
    """Return the log of a normalizing constant, its error and how many draws count.

    Args:
        of_draws: log density less that of the distribution beside it, at draws, (chain, draw).
        of_points: the same at points of that distribution, (N,).
        rounds: of the iteration, at most.
    """
    log, worth = float(np.median(of_draws)), float(of_draws.size)
    ours = theirs = np.ones(1)
    for known in (False, True):  # dependent draws count for less, which their terms show
        if known:
            worth = min(max(mean_effective(ours), 1.0), float(of_draws.size))
        share = worth / (worth + of_points.size)
        for _ in range(rounds):
            ours = 1 / (share * _exp(of_draws - log) + 1 - share)
            theirs = 1 / (share + (1 - share) * _exp(log - of_points))
            step = float(np.log(theirs.mean()) - np.log(ours.mean()))
            log += step
            if not abs(step) > 1e-9:
                break
    if not np.isfinite(log):
        return Marginal((), log=None, mcse=float("inf"), ess=0.0)
    error = _spread(theirs) / theirs.size + _spread(ours) / worth
    ess = min(theirs.size / (1 + _spread(theirs)), worth / (1 + _spread(ours)))
    return Marginal((), log, float(np.sqrt(error)), float(ess))


def _exp(x: Array) -> Array:
    return np.exp(np.clip(x, -700.0, 700.0))


def _spread(x: Array) -> float:
    """Squared coefficient of variation."""
    return float(np.var(x) / np.mean(x) ** 2)
