"""The posterior density of standard deviations and correlations, coefficients integrated out."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from acmodels.engines.collapsed.hyper import Factors, Hyper, factors, log_prior
from acmodels.engines.collapsed.kernels.arrays import LANES, Found, Points, work
from acmodels.engines.collapsed.kernels.likelihood import evaluate
from acmodels.engines.collapsed.mixed import Moments
from acmodels.system.arrays import Array

LAPACK_FROM = 200
"""Dense columns from which a library's blocked Cholesky beats four at once in the cache."""


@dataclass(frozen=True)
class Problem:
    """One component on R data sets.

    Attributes:
        hyper: its coordinates.
        moments: its cross-products.
        threads: for the points of a single data set; None works in the caller's thread.
    """

    hyper: Hyper
    moments: Moments
    threads: Executor | None = None

    @property
    def dense(self) -> int:
        """Dense columns, P."""
        return len(self.hyper.component.structure.dense_equation)


@dataclass(frozen=True)
class Values:
    """The density at points, and what draws of coefficients need.

    Attributes:
        log: log posterior density, normalized prior included, (R, N).
        mean, root: w (R, N, p) and the lower triangle of L, row by row, of the coefficients.
    """

    log: Array
    mean: Array
    root: Array


def density(problem: Problem, x: Array, which: np.ndarray, *, bare: bool = False) -> Values:
    """Evaluate at coordinates (R, N, d) of the data sets listed, (R,).

    With `bare` only the density, not what draws of coefficients need.

    Where a residual sd is zero or a matrix is singular, the log density is -inf.
    """
    h = problem.hyper
    made = factors(h, x)
    R, N = x.shape[:2]
    p = len(h.component.coefficients)
    kept = 0 if bare else N
    out = Values(np.empty((R, N)), np.empty((R, kept, p)), np.empty((R, kept, p * (p + 1) // 2)))
    with np.errstate(all="ignore"):
        _fill(problem, made, which, out)
        total = out.log + made.log + problem.moments.constant[which][:, None] + log_prior(h, x)
    return Values(np.where(np.isfinite(total), total, -np.inf), out.mean, out.root)


def _fill(problem: Problem, made: Factors, which: np.ndarray, out: Values) -> None:
    R, N = out.log.shape
    large = problem.dense >= LAPACK_FROM
    pieces = [(0, N)]
    if large:
        pieces = [(i, min(i + LANES, N)) for i in range(0, N, LANES)]
    elif problem.threads is not None and N >= 64:
        size = LANES * -(-N // (8 * LANES))
        pieces = [(i, min(i + size, N)) for i in range(0, N, size)]
    sets = [which[r : r + 1] for r in range(R)] if large else [which]

    def run(piece: tuple[int, int]) -> None:
        for r, one in enumerate(sets):
            rows = slice(r, r + 1) if large else slice(0, R)
            cut = Values(out.log[rows], out.mean[rows], out.root[rows])
            _piece(problem, made[rows], one, piece, cut, large=large)

    if problem.threads is None or len(pieces) == 1:
        for piece in pieces:
            run(piece)
    else:
        list(problem.threads.map(run, pieces))


def _piece(
    problem: Problem,
    made: Factors,
    which: np.ndarray,
    piece: tuple[int, int],
    out: Values,
    *,
    large: bool,
) -> None:
    f, c = problem.hyper.component.structure, problem.moments.cross
    points = Points(*made.arrays)
    w = work(f, c, points)
    found = Found(out.log, out.mean, out.root)
    evaluate(f, c, which, *piece, not large, points, found, w)
    if large:
        for lane in range(piece[1] - piece[0]):
            P, p, at = problem.dense, out.mean.shape[2], piece[0] + lane
            L = lapack_factor(w.S, P, lane)
            if L is None:
                out.log[0, at] = -np.inf
                continue
            log_root = np.sum(np.log(np.diag(L)[:P]))
            out.log[0, at] = -0.5 * w.total[lane] - log_root - 0.5 * L[P, P] ** 2
            if out.mean.shape[1]:
                out.mean[0, at] = L[P, P - p : P]
                out.root[0, at] = L[P - p : P, P - p : P][np.tril_indices(p)]


def lapack_factor(S: Array, P: int, lane: int) -> Array | None:
    """Cholesky factor of one lane's dense system by LAPACK; None if it is not positive.

    Handed over transposed: LAPACK's upper form is the faster one here. (SciPy's call would be
    faster still, but keeps the GIL.)
    """
    whole = np.ascontiguousarray(S[: P + 1, : P + 1, lane])
    try:
        return np.linalg.cholesky(whole.T, upper=True).T
    except np.linalg.LinAlgError:
        return None
