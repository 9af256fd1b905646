"""Roots of covariances of group effects and residuals, from their coordinates."""

import numpy as np

from acmodels.engines.hmc.design import Design
from acmodels.system.arrays import Array


def correlation_root(partial: Array) -> Array:
    """Upper triangular roots of correlation matrices from partial correlations, (..., K(K-1)/2)."""
    return lower_root(partial)[..., ::-1, ::-1]  # they take the last member first


def lower_root(partial: Array) -> Array:
    """Cholesky factors of correlation matrices from partial correlations, (..., K(K-1)/2)."""
    K = int((1 + np.sqrt(1 + 8 * partial.shape[-1])) / 2)
    L = np.zeros((*partial.shape[:-1], K, K))
    at = 0
    for k in range(K):
        left = np.ones(partial.shape[:-1])
        for j in range(k):
            L[..., k, j] = partial[..., at] * left
            left = left * np.sqrt(np.maximum(1 - partial[..., at] ** 2, 1e-300))
            at += 1
        L[..., k, k] = left
    return L


def root_of(design: Design, x: Array, b: int) -> tuple[Array, Array]:
    """Root of the covariance of a block's effects, (K, K), and their sds."""
    M = design.arrays
    K, m0 = int(M.K[b]), int(M.member0[b])
    if M.sd0[b] < 0:
        sd = residual_sd(design, x, int(M.cell_equation[b]))
        return np.full((1, 1), sd), np.full(1, sd)
    tau = M.rho[m0 : m0 + K] * np.sinh(x[M.sd0[b] : M.sd0[b] + K])
    c0 = int(M.cor0[b])
    return tau[:, None] * correlation_root(np.tanh(x[c0 : c0 + K * (K - 1) // 2])), tau


def residual_sd(design: Design, x: Array, e: int) -> float:
    """Residual sd of an equation, the first of its further parameters."""
    return float(np.exp(x[design.arrays.par0[e]]))
