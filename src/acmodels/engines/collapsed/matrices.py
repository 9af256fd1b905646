"""Correlation matrices among the coordinates, by partial correlations.

Correlations are sampled as inverse hyperbolic tangents of partial correlations, which under an LKJ
prior are independent Beta variables (Lewandowski, Kurowicka & Joe, 2009).
"""

from dataclasses import dataclass

import numpy as np

from acmodels.system.arrays import Array


@dataclass(frozen=True)
class Matrix:
    """A correlation matrix among the coordinates.

    Attributes:
        sds: coordinates of the K standard deviations.
        partials: coordinates of the partial correlations, lower triangle row by row.
        eta: of its LKJ prior.
        known: the correlations (K, K), where they are held; there are no partials then.
    """

    sds: tuple[int, ...]
    partials: tuple[int, ...]
    eta: float
    known: Array | None = None

    @property
    def size(self) -> int:
        """K."""
        return len(self.sds)

    @property
    def free(self) -> bool:
        """Return whether nothing in it is held."""
        return self.known is None and all(i >= 0 for i in self.sds)

    @property
    def shapes(self) -> Array:
        """Shape b of the Beta(b, b) of each partial correlation."""
        columns = np.tril_indices(self.size, -1)[1]
        return self.eta + (self.size - 2 - columns) / 2


def cholesky(matrix: Matrix, x: Array) -> Array:
    """Cholesky factor of a correlation matrix at coordinates (..., d); shape (..., K, K)."""
    K = matrix.size
    if K == 1:
        return np.ones((*x.shape[:-1], 1, 1))
    if matrix.known is not None:  # of effects with positive sds: a sign of either turns it
        signs = signs_of(matrix, x)
        return signs[..., :, None] * np.linalg.cholesky(matrix.known) * signs[..., None, :]
    rows, columns = np.tril_indices(K, -1)
    L = np.zeros((*x.shape[:-1], K, K))
    L[..., rows, columns] = np.tanh(x[..., list(matrix.partials)])
    for i in range(K):
        left = np.ones(x.shape[:-1])
        for j in range(i):
            here = L[..., i, j].copy()
            L[..., i, j] *= left
            left = left * np.sqrt(np.maximum(1 - here**2, 1e-300))
        L[..., i, i] = left
    return L


def signs_of(matrix: Matrix, x: Array) -> Array:
    """Return the signs of the sds at coordinates (..., d); those that are held are positive."""
    out = np.ones((*x.shape[:-1], matrix.size))
    for k, i in enumerate(matrix.sds):
        if i >= 0:
            out[..., k] = np.where(x[..., i] < 0, -1.0, 1.0)
    return out
