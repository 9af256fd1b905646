"""Where a curve of power reaches its target, and the error of a share."""

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from acmodels.system.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


def wilson(share: float, n: float, prob: float = 0.95) -> tuple[float, float]:
    """Wilson's (1927) interval of a share among n; n may be an effective number."""
    from scipy.special import ndtri

    z = float(ndtri((1 + prob) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def is_truth(key: str) -> bool:
    """Return whether a key of a grid is a parameter, and no number of units."""
    return "~" in key or re.match(r"[a-z]+\d?\(", key) is not None


def reached(rows: "pd.DataFrame", key: str, target: float) -> tuple[float, float, float] | None:
    """Return where power along a key reaches the target; see `crossing`."""
    if len(set(rows[key])) < 3:
        return None
    return crossing(
        rows[key].to_numpy(float), rows["power"].to_numpy(float), rows["n"].to_numpy(float),
        target, root=not is_truth(key),
    )  # fmt: skip


def crossing(
    x: Array, share: Array, n: Array, target: float, *, root: bool = True
) -> tuple[float, float, float] | None:
    """Return where a rising probit curve through shares reaches a target, with its 95 % interval.

    probit(share) = a + b sqrt(x), by maximum likelihood; the interval is Fieller's (1954). Along
    a number of units the mean of a test statistic rises as its root, which makes the curve nearly
    straight there, and along the size of an effect it rises as the size itself (`root` False); no
    answer is given where the curve does not rise, bends away from the shares (Pearson's
    chi-squared above its 99 % point) or reaches the target outside of x.

    Args:
        x: values, (k,), at least 3.
        share: successes among n, (k,).
        n: replicates, (k,).
        target: the share that is wanted.
        root: whether the curve is straight in the root of x, or in x.
    """
    import warnings

    import statsmodels.api as sm
    from scipy.special import ndtri
    from scipy.stats import chi2

    if np.any(x < 0) or share.min() >= target or share.max() < target:
        return None
    X = np.stack([np.ones_like(x), np.sqrt(x) if root else x], axis=1)
    hits = np.stack([share * n, n - share * n], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sm.GLM(hits, X, sm.families.Binomial(sm.families.links.Probit())).fit()
    (a, b), V = fit.params, np.asarray(fit.cov_params())
    if fit.pearson_chi2 > chi2.ppf(0.99, max(1, len(x) - 2)) or not np.isfinite(V).all():
        return None
    z = float(ndtri(0.975))
    if b <= z * math.sqrt(V[1, 1]):
        return None
    c = float(ndtri(target)) - a
    # Fieller: roots in r of (c - b r)^2 = z^2 (V00 + 2 r V01 + r^2 V11)
    A = b**2 - z**2 * V[1, 1]
    B = -2 * (b * c + z**2 * V[0, 1])
    C = c**2 - z**2 * V[0, 0]
    half = math.sqrt(max(0.0, B**2 - 4 * A * C))
    low, high = (-B - half) / (2 * A), (-B + half) / (2 * A)
    at = c / b
    degree = 2 if root else 1
    if not x.min() <= at**degree <= x.max() or at < 0:
        return None
    return at**degree, max(0.0, low) ** degree, high**degree
