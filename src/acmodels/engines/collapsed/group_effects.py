"""Draws of group effects, given draws of everything else."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from acmodels.engines.collapsed.hyper import Factors, factors
from acmodels.engines.collapsed.kernels.arrays import LANES, Found, Points, Work, work
from acmodels.engines.collapsed.kernels.likelihood import evaluate
from acmodels.engines.collapsed.kernels.solving import solve_above, solve_chain
from acmodels.engines.collapsed.marginal import LAPACK_FROM, Problem, lapack_factor
from acmodels.engines.collapsed.pooling import level_by_level
from acmodels.errors import EngineError
from acmodels.system import Layout
from acmodels.system.arrays import Array

SHARES = 8
"""Pieces that the work is cut into."""


def group_effects(
    problem: Problem,
    layout: Layout,
    x: Array,
    points: np.ndarray,
    beta: Array,
    rng: np.random.Generator,
    threads: Executor | None,
) -> Mapping[str, Array]:
    """Draw the group effects of one data set. The draws do not depend on the threads.

    Args:
        problem: of that data set, R = 1.
        layout: of the model.
        x: coordinates of points, (N, d).
        points: the point of each draw, (S,).
        beta: internal coefficients of each draw, (S, p).
        rng: the stream to draw from.
        threads: to work in, or None.

    Returns:
        By block key, (S, J, K).
    """
    component = problem.hyper.component
    f = component.structure
    if not component.blocks:
        return {}
    S, P, rows = len(points), problem.dense, int(f.row[-1])
    dense, chain = np.empty((S, P)), np.empty((S, rows))
    z_dense, z_chain = rng.standard_normal((S, P)), rng.standard_normal((S, rows))
    made = factors(problem.hyper, x[None])
    order = np.argsort(points, kind="stable")
    used, start = np.unique(points[order], return_index=True)
    ends = np.append(start, S)
    fours = range(0, len(used), LANES)
    # what the levels below take off later groupings is needed here: eliminated level by level
    cross = level_by_level(problem.moments.cross)
    problem = replace(problem, moments=replace(problem.moments, cross=cross))

    def some(share: range) -> None:
        w = work(f, cross, Points(*made.arrays))
        for first in share:
            last = min(first + LANES, len(used))
            draws = order[ends[first] : ends[last]]
            here = used[first:last]
            lanes = np.searchsorted(here, points[draws])
            dense[draws], chain[draws] = _four(
                problem, made.at(here), lanes, beta[draws], z_dense[draws], z_chain[draws], w
            )

    if threads is None:
        some(fours)
    else:
        list(threads.map(some, [fours[k::SHARES] for k in range(SHARES)]))
    return _by_block(problem, layout, dense, chain)


def _four(
    problem: Problem,
    made: Factors,
    lanes: np.ndarray,
    beta: Array,
    z_dense: Array,
    z_chain: Array,
    w: Work,
) -> tuple[Array, Array]:
    """Effects of draws at up to four points."""
    component = problem.hyper.component
    f, c = component.structure, problem.moments.cross
    n, P, p = made.log.shape[1], problem.dense, beta.shape[1]
    none = Found(np.empty((1, n)), np.empty((1, 0, p)), np.empty((1, 0, 0)))
    large = P >= LAPACK_FROM
    one = np.zeros(1, dtype=np.int64)
    evaluate(f, c, one, 0, n, not large, Points(*made.arrays), none, w)
    dense = np.empty((len(lanes), P))
    if large:
        _above_lapack(w.S, lanes, beta, z_dense, dense)
    else:
        solve_above(w.S, lanes, beta, z_dense, dense)
    first = 0
    for g, grouping in enumerate(component.dense):
        K = grouping.width
        size = grouping.levels * K
        v = dense[:, first : first + size].reshape(len(lanes), grouping.levels, K)
        factor = np.moveaxis(w.t[len(component.chain) + g, :K, :K], 2, 0)[lanes]
        dense[:, first : first + size] = np.einsum("sjb,sab->sja", v, factor).reshape(-1, size)
        first += size
    if len(f.copy):
        dense[:, f.copy] = made.copies[0][lanes] * dense[:, f.copy_of]
    chain = np.empty(z_chain.shape)
    solve_chain(f, c, 0, lanes, w, dense, z_chain, chain)
    return dense, chain


def _above_lapack(S: Array, lanes: np.ndarray, beta: Array, z: Array, out: Array) -> None:
    """`solve_above` where the dense part is large."""
    from scipy.linalg import solve_triangular

    P, p = out.shape[1], beta.shape[1]
    for lane in np.unique(lanes):
        L = lapack_factor(S, P, int(lane))
        if L is None:
            raise EngineError("a point of positive weight has no Cholesky factor")
        draws = np.flatnonzero(lanes == lane)
        right = L[P, : P - p, None] + z[draws, : P - p].T - L[P - p : P, : P - p].T @ beta[draws].T
        out[draws, P - p :] = beta[draws]
        out[draws, : P - p] = solve_triangular(
            L[: P - p, : P - p], right, trans=1, lower=True, check_finite=False
        ).T


def _by_block(problem: Problem, layout: Layout, dense: Array, chain: Array) -> dict[str, Array]:
    component = problem.hyper.component
    places: dict[tuple[int, int], Array] = {}
    for groupings, values in ((component.chain, chain), (component.dense, dense)):
        first = 0
        for g in groupings:
            K = g.width
            size = g.levels * K
            cut = values[:, first : first + size].reshape(len(values), g.levels, K)
            places |= {effect: cut[..., k] for k, effect in enumerate(g.effects)}
            first += size
    out: dict[str, Array] = {}
    for b in component.blocks:
        block = layout.blocks[b]
        drawn = np.stack([places[b, k] for k in range(len(block.members))], axis=-1)
        out[block.key] = drawn @ component.bases[b].T if b in component.bases else drawn
    return out
