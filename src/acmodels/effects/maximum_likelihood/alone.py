"""One equation by itself, as statsmodels takes it, and what is found of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from acmodels.posterior import Array


@dataclass(frozen=True)
class Varying:
    """Effects that vary by one grouping and are correlated with each other.

    Attributes:
        group: the grouping's name.
        code: level of each row, shape (n,), from 0 on.
        Z: what the effects multiply, shape (n, K).
        sds: names of the K standard deviations.
        cors: positions and names of the correlations.
    """

    group: str
    code: NDArray[np.int64]
    Z: Array
    sds: tuple[str, ...]
    cors: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True)
class Alone:
    """One equation on its own, its predictors' values known.

    Attributes:
        response: its name, from which names of its own parameters are made.
        link: as in the layout.
        y, X, offset: shapes (n,), (n, p), (n,).
        names: of the p coefficients.
        trials, se, weights: shape (n,), or None.
        varying: group effects.
    """

    response: str
    link: str
    y: Array
    X: Array
    offset: Array
    names: tuple[str, ...]
    trials: Array | None = None
    se: Array | None = None
    weights: Array | None = None
    varying: tuple[Varying, ...] = ()


@dataclass
class Found:
    """Maximum-likelihood estimates.

    Attributes:
        method: in a few words.
        values: estimate and standard error by parameter.
        covariance: of the coefficients, shape (p, p).
        words: what must be said of all of them.
        said: what must be said of one.
    """

    method: str
    values: dict[str, tuple[float, float]]
    covariance: Array
    words: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)


class NoCounterpartError(Exception):
    """Statsmodels does not have this; the text says why."""


NOT_CONVERGED = "statsmodels did not converge, so its numbers are not the maximum"
