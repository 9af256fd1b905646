"""Further parameters of families as coordinates on the whole line, and back.

A parameter above a bound is sampled by its log, one between two bounds by its logit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from acmodels.priors import Prior
from acmodels.system.arrays import Array


def to_line(values: Array, priors: Sequence[Prior]) -> Array:
    """Find the coordinates of rough values, which are moved inside narrower bounds."""
    out = np.zeros(len(values))
    for k, (v, p) in enumerate(zip(values, priors, strict=True)):
        if np.isinf(p.upper):
            out[k] = np.log(v - p.lower)
        else:
            share = np.clip((v - p.lower) / (p.upper - p.lower), 0.02, 0.98)
            out[k] = np.log(share / (1 - share))
    return out


def between(at: Array, prior: Prior) -> Array:
    """Find a parameter from draws of its coordinate."""
    if np.isinf(prior.upper):
        return prior.lower + np.exp(at)
    from scipy.special import expit

    return prior.lower + (prior.upper - prior.lower) * expit(at)


def from_line(m: Any, at: Any, priors: Sequence[Prior]) -> tuple[Any, Any]:
    """Find parameters from their coordinates, as PyMC expressions.

    Args:
        m: `pymc.math`.
        at: coordinates, a vector.
        priors: of the parameters, whose bounds are taken.

    Returns:
        The parameters, and the sum of the log derivatives by their coordinates.
    """
    low = np.array([p.lower for p in priors])
    high = np.array([p.upper for p in priors])
    above, inside = np.flatnonzero(np.isinf(high)), np.flatnonzero(np.isfinite(high))
    if not len(inside):
        return m.exp(at) + low, at.sum()
    z = at[inside]
    values = low[inside] + (high - low)[inside] * m.sigmoid(z)
    slope = -(m.log1pexp(z) + m.log1pexp(-z)).sum()  # log of sigmoid(z) (1 - sigmoid(z))
    if len(above):
        values = m.concatenate([m.exp(at[above]) + low[above], values])
        values = values[np.argsort([*above, *inside])]
        slope = slope + at[above].sum()
    return values, slope
