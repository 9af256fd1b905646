"""Whether as many factors as constructs predict units left out better than fewer do.

Units' means of items are taken as normal with the covariance of a factor model, each item on one
factor, which is fitted by maximum likelihood to the other units (Jöreskog, 1969, *Psychometrika*
34, 183-202) and gives the left-out ones their density.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.optimize import minimize

from acmodels.theory.compiling.setting import Array, Index

FOLDS = 5


def gains(x: Array, factor: Sequence[int], seed: int = 1) -> dict[tuple[int, int], float]:
    """Compare all factors with each model that has two of them as one.

    Args:
        x: units' means of items, shape (units, items); units with a missing mean are left out.
        factor: of each item, numbered from 0.
        seed: of the folds.

    Returns:
        By pair of factors, the gain in log predictive density of units left out, summed over them.
    """
    from threadpoolctl import threadpool_limits

    x = x[np.isfinite(x).all(axis=1)]
    with threadpool_limits(1):  # matrices of a few items
        return _compared(x, np.asarray(factor, dtype=np.int64), seed)


def _compared(x: Array, own: Index, seed: int) -> dict[tuple[int, int], float]:
    order = np.random.default_rng(seed).permutation(len(x))
    folds = [order[k::FOLDS] for k in range(FOLDS)]
    whole = _left_out(x, own, folds)
    out: dict[tuple[int, int], float] = {}
    for a, b in combinations(range(int(own.max()) + 1), 2):
        merged = np.where(own == b, a, own)
        merged = np.unique(merged, return_inverse=True)[1].astype(np.int64)
        out[a, b] = whole - _left_out(x, merged, folds)
    return out


def _left_out(x: Array, factor: Index, folds: Sequence[Index]) -> float:
    total = 0.0
    for held in folds:
        rest = np.delete(x, held, axis=0)
        mean, sd = rest.mean(axis=0), rest.std(axis=0)
        z = (x[held] - mean) / sd
        covariance = fitted(np.cov((rest - mean) / sd, rowvar=False, bias=True), factor)
        root = np.linalg.cholesky(covariance)
        away = np.linalg.solve(root, z.T)
        logs = np.log(np.diag(root)).sum() + 0.5 * z.shape[1] * np.log(2 * np.pi)
        total -= 0.5 * float((away**2).sum()) + len(z) * float(logs)
        total -= len(z) * float(np.log(sd).sum())
    return total


def fitted(S: Array, factor: Index) -> Array:
    """Return the covariance of the factor model nearest to a covariance by maximum likelihood.

    Args:
        S: of the items, (items, items), near to a correlation matrix.
        factor: of each item, numbered from 0.
    """
    n, k = len(S), int(factor.max()) + 1
    place = (np.arange(n), factor)
    lower = np.tril_indices(k)

    def parts(v: Array) -> tuple[Array, Array, Array]:
        loadings, root = np.zeros((n, k)), np.zeros((k, k))
        loadings[place] = v[:n]
        root[lower] = v[2 * n :]
        norm = np.sqrt((root**2).sum(axis=1, keepdims=True))
        return loadings, root / norm, np.exp(v[n : 2 * n])

    def loss(v: Array) -> tuple[float, Array]:
        loadings, root, noise = parts(v)
        joint = loadings @ root
        sigma = joint @ joint.T + np.diag(noise)
        inverse = np.linalg.inv(sigma)
        value = float(np.linalg.slogdet(sigma)[1] + np.trace(S @ inverse))
        G = inverse @ (sigma - S) @ inverse
        of_loadings = 2 * (G @ joint @ root.T)[place]
        of_root = 2 * loadings.T @ G @ joint
        raw = np.zeros((k, k))
        raw[lower] = v[2 * n :]
        norm = np.sqrt((raw**2).sum(axis=1, keepdims=True))
        of_raw = (of_root - root * (of_root * root).sum(axis=1, keepdims=True)) / norm
        return value, np.concatenate([of_loadings, np.diag(G) * noise, of_raw[lower]])

    start = np.concatenate([np.full(n, 0.7), np.full(n, np.log(0.5)), (np.eye(k) + 0.3)[lower]])
    bounds = [(-5.0, 5.0)] * n + [(-6.0, 2.0)] * n + [(-20.0, 20.0)] * len(lower[0])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    loadings, root, noise = parts(found.x)
    joint = loadings @ root
    return joint @ joint.T + np.diag(noise)
