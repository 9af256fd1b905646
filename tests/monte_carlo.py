"""How far a number that rests on random draws may lie from what it should be.

A tolerance is k standard errors, with k such that a test of so many comparisons fails by chance
once in ten thousand runs.
"""

import numpy as np
from scipy.stats import norm

FALSE_ALARM = 1e-4
"""Chance that a test of correct code fails, over random seeds."""


def allowed(*errors: float, comparisons: int = 1) -> float:
    """Return the distance allowed of a normal estimate: k times its standard error.

    Args:
        errors: standard errors of independent parts, whose squares add.
        comparisons: how many of such a kind the test makes, two-sided each.
    """
    k = float(norm.isf(FALSE_ALARM / (2 * comparisons)))
    return k * float(np.sqrt(np.sum(np.square(errors))))


def sd_error(n: float, kurtosis: float = 3.0) -> float:
    """Relative standard error of the sd of n independent values: sqrt((kurtosis - 1) / (4 n))."""
    return float(np.sqrt((kurtosis - 1) / (4 * n)))


def icc_error(icc: float, size: float, groups: int) -> float:
    """Standard error of an intraclass correlation (Donner, 1986, equation 2.2).

    Args:
        icc: the true one.
        size: rows of each group.
        groups: how many.
    """
    spread = (1 - icc) * (1 + (size - 1) * icc)
    return float(spread * np.sqrt(2 / (size * (size - 1) * (groups - 1))))
