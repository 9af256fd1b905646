"""Importance sampling of a few coordinates: mode, proposal, Pareto-smoothed weights, adaptation.

All functions work on a stack of R problems of one shape at once, so that a loop over simulated
data sets costs no more Python than one fit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, ndtri

from acmodels.engines.collapsed.kernels.proposal import folded_t
from acmodels.engines.collapsed.sobol import DIMENSIONS, shifted, sobol
from acmodels.system.arrays import Array

DF = 7.0
"""Degrees of freedom of the proposal: heavier tails than any posterior of sds we met."""

FEW, MANY = (1.0, 0.4), (1.0, 0.5, 0.2, 0.05)
"""Lengths tried along a Newton step."""
NEAR = 0.05
"""Gain of log density that one more Newton step must promise; weights make up for less."""

type Target = Callable[[Array, np.ndarray], Array]
"""Log density at points (R', N, d) of the problems listed, (R',); returns (R', N)."""


@dataclass(frozen=True)
class Proposal:
    """Multivariate t with seven degrees of freedom, its two halves along each axis scaled apart.

    Attributes:
        center: (R, d).
        axes: columns are axes of unit scale, (R, d, d).
        halves: scale of the lower and upper half of each axis, (R, d, 2) (Geweke, 1989).
    """

    center: Array
    axes: Array
    halves: Array

    def __getitem__(self, which: np.ndarray) -> "Proposal":
        return Proposal(self.center[which], self.axes[which], self.halves[which])


@dataclass(frozen=True)
class Mode:
    """Where a density peaks: `at` (R, d), its log there (R,), minus its Hessian (R, d, d)."""

    at: Array
    height: Array
    curvature: Array


def find_mode(
    target: Target,
    start: Array,
    canonical: Callable[[Array], Array],
    curvature: Array | None = None,
    rounds: int = 30,
) -> Mode:
    """Climb by Newton's method on finite differences, all problems in step.

    Args:
        target: the log density.
        start: (R, d).
        canonical: moves a point to its equivalent with positive sds.
        curvature: minus the Hessian near the start, (d, d); unknown if None.
        rounds: at most so many steps.
    """
    R, d = start.shape
    at = start.copy()
    everyone = np.arange(R)
    height = target(at[:, None, :], everyone)[:, 0]
    H = np.tile(np.eye(d) * 4.0 if curvature is None else curvature, (R, 1, 1))
    active = everyone
    for turn in range(rounds):
        step = np.clip(0.15 / np.sqrt(np.maximum(_diagonal(H[active]), 1e-2)), 1e-3, 0.3)
        first = turn == 0 and curvature is not None  # the gradient alone: the curvature is near
        gradient, negative = _derivatives(
            target, at[active], height[active], step, active, None if not first else H[active]
        )
        values, vectors = np.linalg.eigh(negative)
        H[active] = negative
        size = np.maximum(np.abs(values), 0.1)
        inward = np.einsum("rij,ri->rj", vectors, gradient) / size
        move = np.einsum("rij,rj->ri", vectors, inward)
        gain = np.einsum("ri,ri->r", gradient, move)
        longest = np.max(np.abs(move), axis=1, initial=1e-12)
        move *= np.minimum(1.0, 1.0 / longest)[:, None]
        lengths = np.array(FEW if first else MANY)
        tried = at[active][:, None, :] + lengths[:, None] * move[:, None, :]
        found = target(tried, active)
        best = np.argmax(np.nan_to_num(found, nan=-np.inf), axis=1)
        rows = np.arange(len(active))
        better = found[rows, best] > height[active]
        moved = active[better]
        at[moved] = canonical(tried[rows, best][better])
        height[moved] = found[rows, best][better]
        active = active[(first & (gain > NEAR / 10)) | (better & (gain > NEAR))]
        if not len(active):
            break
    return Mode(at, height, H)


def _diagonal(H: Array) -> Array:
    return np.diagonal(H, axis1=-2, axis2=-1)


def _derivatives(
    target: Target, at: Array, height: Array, step: Array, which: np.ndarray, known: Array | None
) -> tuple[Array, Array]:
    """Gradient and minus the Hessian (unless known), by central differences."""
    R, d = at.shape
    pairs = [(i, j) for i in range(d) for j in range(i)] if known is None else []
    unit = np.eye(d)
    both = [unit[i] + unit[j] for i, j in pairs]
    offsets = np.array([*unit, *-unit, *both, *(-b for b in both)]).reshape(-1, d)
    f = target(at[:, None, :] + offsets * step[:, None, :], which)
    f = np.where(np.isfinite(f), f, height[:, None] - 50.0)
    up, down = f[:, :d], f[:, d : 2 * d]
    gradient = (up - down) / (2 * step)
    if known is not None:
        return gradient, known
    H = np.zeros((R, d, d))
    H[:, range(d), range(d)] = (2 * height[:, None] - up - down) / step**2
    n = len(pairs)
    for k, (i, j) in enumerate(pairs):
        plus, minus = f[:, 2 * d + k], f[:, 2 * d + n + k]
        bend = plus + minus - up[:, i] - up[:, j] - down[:, i] - down[:, j] + 2 * height
        H[:, i, j] = H[:, j, i] = -bend / (2 * step[:, i] * step[:, j])
    return gradient, H


def laplace(target: Target, mode: Mode) -> Proposal:
    """A proposal from mode and curvature, its halves fitted to the fall of the density."""
    R, d = mode.at.shape
    values, vectors = np.linalg.eigh(mode.curvature)
    axes = vectors / np.sqrt(np.maximum(values, 0.06))[:, None, :]
    far = 2.0
    offsets = far * np.swapaxes(axes, 1, 2)
    tried = mode.at[:, None, :] + np.concatenate([-offsets, offsets], axis=1)
    fall = mode.height[:, None] - target(tried, np.arange(R))
    fall = np.where(np.isfinite(fall), fall, 8.0)
    halves = np.clip(far / np.sqrt(2 * np.maximum(fall, 0.05)), 0.4, 3.0)
    return Proposal(mode.at, axes, np.stack([halves[:, :d], halves[:, d:]], axis=2))


def standard_points(n: int, d: int, versions: int, rng: np.random.Generator) -> Array:
    """Draws of the standard t, (versions, n, d): directions from shifted Sobol points.

    Beyond the dimensions there are Sobol points for, plain random ones.
    """
    if d > DIMENSIONS:
        z = rng.standard_normal((versions, n, d))
    else:
        z = ndtri(np.stack([shifted(sobol(n, d), rng) for _ in range(versions)]))
    return z * np.sqrt(DF / rng.chisquare(DF, (versions, n, 1)))


def place(q: Proposal, standard: Array) -> Array:
    """Points of a proposal from standard ones; both (R, N, d)."""
    scaled = standard * np.where(standard < 0, q.halves[:, None, :, 0], q.halves[:, None, :, 1])
    return q.center[:, None, :] + scaled @ np.swapaxes(q.axes, 1, 2)


def log_density(q: Proposal, x: Array, flips: Array) -> Array:
    """Log density at points (R, N, d), summed over the sign changes that mean nothing, (F, d)."""
    d = x.shape[-1]
    inverse = np.linalg.inv(q.axes)
    log_volume = np.linalg.slogdet(q.axes)[1][:, None]
    base = gammaln((DF + d) / 2) - gammaln(DF / 2) - 0.5 * d * np.log(DF * np.pi) - log_volume
    total = np.empty(x.shape[:-1])
    arrays = (x, q.center, inverse, q.halves, flips)
    folded_t(*(np.ascontiguousarray(v, dtype=float) for v in arrays), DF, total)
    return base + np.log(total)


def pareto_smooth(log_weights: Array) -> tuple[Array, Array]:
    """Pareto-smoothed, normalized log weights and the shape k of each row's tail.

    Vehtari, Simpson, Gelman, Yao & Gabry (2024); the generalized Pareto distribution is fitted as
    in Zhang & Stephens (2009), with their weakly informative prior on k.

    Args:
        log_weights: (R, N).
    """
    R, N = log_weights.shape
    lw = log_weights - np.max(log_weights, axis=1, keepdims=True)
    M = int(3 * np.sqrt(N)) if N > 225 else N // 5
    if M < 5:
        return lw - _log_sum(lw)[:, None], np.full(R, np.inf)
    order = np.argpartition(lw, N - M - 1, axis=1)
    cut = np.take_along_axis(lw, order[:, N - M - 1 : N - M], axis=1)
    tail = order[:, N - M :]
    ranked = np.take_along_axis(
        tail, np.argsort(np.take_along_axis(lw, tail, axis=1), axis=1), axis=1
    )
    floor = np.exp(np.maximum(cut, -700.0))
    excess = np.exp(np.take_along_axis(lw, ranked, axis=1)) - floor
    k, sigma = _fit_pareto(np.maximum(excess, 1e-300))
    p = (np.arange(M) + 0.5) / M
    with np.errstate(all="ignore"):
        quantile = np.where(
            np.abs(k)[:, None] < 1e-10,
            -np.log1p(-p) * sigma[:, None],
            sigma[:, None] * np.expm1(-k[:, None] * np.log1p(-p)) / k[:, None],
        )
        smooth = np.minimum(np.log(quantile + floor), 0.0)
    ok = np.isfinite(k)[:, None] & np.isfinite(smooth)
    new = np.where(ok, smooth, np.take_along_axis(lw, ranked, axis=1))
    np.put_along_axis(lw, ranked, new, axis=1)
    return lw - _log_sum(lw)[:, None], k


def _fit_pareto(x: Array) -> tuple[Array, Array]:
    """Shape and scale of generalized Pareto tails, sorted, (R, M)."""
    M = x.shape[1]
    grid = 30 + int(np.sqrt(M))
    b = 1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    quartile = x[:, int(M / 4 + 0.5) - 1]
    with np.errstate(all="ignore"):
        b = b[None, :] / (3 * quartile[:, None]) + 1 / x[:, -1:]
        k = np.log1p(-b[:, :, None] * x[:, None, :]).mean(axis=2)
        profile = M * (np.log(-b / k) - k - 1)
        weights = 1 / np.exp(profile[:, None, :] - profile[:, :, None]).sum(axis=2)
        weights = np.where(np.isfinite(weights) & (weights > 10 * np.finfo(float).eps), weights, 0)
        weights /= weights.sum(axis=1, keepdims=True)
        mean = np.sum(b * weights, axis=1)
        shape = np.log1p(-mean[:, None] * x).mean(axis=1)
        sigma = -shape / mean
        return (M * shape + 10 * 0.5) / (M + 10), sigma


def _log_sum(lw: Array) -> Array:
    top = lw.max(axis=1)
    return top + np.log(np.sum(np.exp(lw - top[:, None]), axis=1))


def log_mean(log_weights: Array) -> Array:
    """Logarithm of the mean weight, (R,): the normalizing constant."""
    return _log_sum(log_weights) - np.log(log_weights.shape[1])


def effective(log_weights: Array) -> Array:
    """Effective number of draws of normalized weights, (R,)."""
    return 1 / np.sum(np.exp(2 * log_weights), axis=1)


def threshold(n: int) -> float:
    """Largest Pareto k at which n draws can be trusted (Vehtari et al., 2024, section 3.2.4)."""
    return min(1 - 1 / np.log10(n), 0.7)


def resample(log_weights: Array, u: Array) -> np.ndarray:
    """Systematic resampling: (R, S) positions in proportion to weights (R, N).

    Args:
        log_weights: normalized.
        u: a uniform number for each row, and S more to shuffle by, (R, 1 + S).
    """
    S = u.shape[1] - 1
    cumulative = np.cumsum(np.exp(log_weights), axis=1)
    cumulative /= cumulative[:, -1:]
    ticks = (np.arange(S) + u[:, :1]) / S
    out = np.empty((len(u), S), dtype=np.int64)
    for r in range(len(u)):
        out[r] = np.searchsorted(cumulative[r], ticks[r])
    return np.take_along_axis(
        np.minimum(out, log_weights.shape[1] - 1), np.argsort(u[:, 1:], axis=1), axis=1
    )


def refit(x: Array, log_weights: Array) -> Proposal:
    """A proposal with the weighted mean and covariance of points (1, N, d), a little wider."""
    w = np.exp(log_weights[0])
    mean = w @ x[0]
    away = x[0] - mean
    covariance = (away * w[:, None]).T @ away
    values, vectors = np.linalg.eigh(covariance)
    axes = vectors * np.sqrt(1.3 * np.maximum(values, 1e-8))
    d = x.shape[-1]
    return Proposal(mean[None], axes[None], np.ones((1, d, 2)))
