"""Arrays that the kernels take, and their types."""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import float64, int64

LANES = 4
"""Points that are worked at once."""


class Structure(NamedTuple):
    """Where everything stands. m groupings in the chain, Kc effects of them, P dense columns.

    Attributes:
        K: effects a level of each grouping of the chain, shape (m,).
        rank: how many of them are no copies, (m,); copies come last.
        J: levels of each, (m,).
        node: first level of each grouping among all levels of the chain, (m + 1,).
        order: all levels, one nest after the other, those within a level before it, (levels,).
        row: first row of each grouping's levels among all rows of the chain, (m + 1,).
        effect: first effect of each grouping among all effects of the chain, (m + 1,).
        cell: first cell of each grouping in `Cross.chain`, (m,).
        equation: of each effect of the chain, (Kc,).
        parent: the level of the next grouping that each level lies in, (m, most levels).
        start: where each level begins in `column`, (levels + 1,).
        column: the dense columns that each level meets.
        up: the place of each of these columns among those of the level that it lies in.
        met: where each level begins in `Cross.chain_sparse`, (levels + 1,).
        room: where each level begins in `Work.W`, (levels + 1,).
        dense_equation: of each dense column, (P,).
        dense_effects, dense_levels: effects a level and levels of each dense grouping.
        dense_column: first column of each dense grouping, and one past the last.
        factor: where each grouping's factor begins in a point's row of factors.
        piece: the equation of each piece of a response; the responses themselves come first.
        copy, copy_of: dense columns that are another coefficient's again, and which one's.
    """

    K: Any
    rank: Any
    J: Any
    node: Any
    order: Any
    row: Any
    effect: Any
    cell: Any
    equation: Any
    parent: Any
    start: Any
    column: Any
    up: Any
    met: Any
    room: Any
    dense_equation: Any
    dense_effects: Any
    dense_levels: Any
    dense_column: Any
    factor: Any
    piece: Any
    copy: Any
    copy_of: Any


class Pools(NamedTuple):
    """Levels of a chain that are eliminated together; see `pooling`. U classes of levels.

    Lists of one class's entries lie between two of its `..._start`, (U + 1,).

    Attributes:
        grouping, representative: the grouping of each class and a level of it, (U,).
        count: levels of each class, (U,).
        sums: where each class's sums begin.
        matrix: where each class's pooled matrices begin, one for each pair of its sums.
        equation: the equation of the columns whose products each sum holds.
        own_start, own_effect, own_sum: the sums that make up an effect's own columns.
        below_start, below, below_count: classes below each, and how many of them lie in a level.
        lift_start, lift, lift_from, lift_to: classes below, by way of the levels between, with
            one of their sums and the same one as a sum of the class.
        member_class: the class of each level, grouping by grouping.
        member_start, member_row, member_sum: rows of the chain that are added to each level's sums.
    """

    grouping: Any
    representative: Any
    count: Any
    sums: Any
    matrix: Any
    equation: Any
    own_start: Any
    own_effect: Any
    own_sum: Any
    below_start: Any
    below: Any
    below_count: Any
    lift_start: Any
    lift: Any
    lift_from: Any
    lift_to: Any
    member_class: Any
    member_start: Any
    member_row: Any
    member_sum: Any


class Cross(NamedTuple):
    """Cross-products of R data sets, and the coefficients' prior. E pieces, p coefficients.

    Attributes:
        chain: each level's effects with themselves and those of the levels above, (R, cells).
        chain_y: with the pieces of the responses, (R, rows, E).
        chain_sparse: with the dense columns that the level meets, column by column, (R, cells).
        dense, dense_y, y: dense columns and pieces among themselves, (R, P, P), (R, P, E),
            (R, E, E).
        pooled: summed products of the sums of levels of one class, for each class and pair of
            sums, with dense columns and pieces, (R, matrices, P + E, P + E), lower triangles; none
            where levels are not pooled.
        pools: the classes.
        prior, prior_mean, prior_square: precision of the coefficients' prior, (R, p, p); its
            product with the mean, (R, p); and the mean's square in it, (R,).
    """

    chain: Any
    chain_y: Any
    chain_sparse: Any
    dense: Any
    dense_y: Any
    y: Any
    pooled: Any
    pools: Any
    prior: Any
    prior_mean: Any
    prior_square: Any


class Points(NamedTuple):
    """Points at which densities are evaluated, of R data sets.

    Attributes:
        factors: of group covariances, row by row, (R, N, cells).
        residual: residual precision, (R, N, equations, equations).
        pieces: what the pieces of the responses are multiplied by, (R, N, E).
        copies: what copied columns are multiplied by, (R, N, copies).
    """

    factors: Any
    residual: Any
    pieces: Any
    copies: Any


class Found(NamedTuple):
    """What `evaluate` finds at points.

    Attributes:
        log: the log likelihood, less what is the same at every point, (R, N).
        mean: w of the coefficients, (R, N, p), or nothing where it has no points. They are
            L'^-1 (w + z) with z standard normal.
        root: the lower triangle of L, row by row, (R, N, cells).
    """

    log: Any
    mean: Any
    root: Any


class Work(NamedTuple):
    """Work arrays of `evaluate`, from `work`; at the end they hold the last four points' values.

    Attributes:
        S: the dense systems, factored, (P + 1, P + 1, 4).
        W: what levels below took off each level of later groupings: effect by effect, with the
            effects of the level and those above, the dense columns it meets, and the response,
            (cells times 4,).
        t: factors of the group covariances.
        om: the residual precision.
        omy: the residual precision times the pieces' multipliers, and these in the last row.
        total: the log determinant of what was eliminated, (4,).
        product: of determinants, until it is large or small, (4,).
        flat: the cells of S in one row.
        D, M: the factor of one level, and its inverse times that of the grouping's covariance,
            (most effects, most effects, 4).
        Q: its half-solved columns, with room for one, (columns, most effects, 4).
        places, lifted: where they belong.
        above, sums: of classes of levels: half-solved columns of the effects above each,
            (classes times effects of the chain, most effects, 4), and of its sums; with room for
            one.
        weights: what pooled matrices are multiplied by, (matrices, 1, 4).
        scale: multipliers of dense columns and the response, (P + 1 times 4,).
        copies: multipliers of copied columns, (copies, 1, 4).
    """

    S: Any
    W: Any
    t: Any
    om: Any
    omy: Any
    total: Any
    product: Any
    flat: Any
    D: Any
    M: Any
    Q: Any
    places: Any
    lifted: Any
    above: Any
    sums: Any
    weights: Any
    scale: Any
    copies: Any


f1, f2, f3, f4 = (numba.types.Array(float64, d, "C") for d in (1, 2, 3, 4))
i1, i2, i3 = (numba.types.Array(int64, d, "C") for d in (1, 2, 3))
STRUCTURE = numba.types.NamedTuple(
    tuple(i2 if name == "parent" else i1 for name in Structure._fields), Structure
)
POOLS = numba.types.NamedTuple((i1, i1, f1, *(i1,) * 8, f1, *(i1,) * 8), Pools)
CROSS = numba.types.NamedTuple((f2, f3, f2, f3, f3, f3, f4, POOLS, f3, f2, f1), Cross)
POINTS = numba.types.NamedTuple((f3, f4, f3, f3), Points)
FOUND = numba.types.NamedTuple((f2, f3, f3), Found)
u1 = numba.types.Array(numba.uint64, 1, "C")
WORK = numba.types.NamedTuple(
    (f3, f1, f4, f3, f3, f1, f1, f1, f3, f3, f3, u1, i1, f3, f3, f3, f1, f3), Work
)


def work(f: Structure, c: Cross, points: Points) -> Work:
    """Make work arrays for `evaluate`."""
    P, Kc, E = len(f.dense_equation), len(f.equation), points.residual.shape[2]
    size = P + 1 + (P + 1) % 2
    most = max([1, *f.K, *f.dense_effects])
    groupings = len(f.K) + len(f.dense_effects)

    def room(*shape: int) -> Any:
        return np.empty((*shape, LANES))

    S = room(size, size)
    return Work(
        S=S,
        W=np.empty(int(f.room[-1]) * LANES),
        t=np.zeros((max(groupings, 1), most, most, LANES)),
        om=room(E, E),
        omy=room(E + 1, len(f.piece)),
        total=room(),
        product=room(),
        flat=S.reshape(-1),
        D=room(most, most),
        M=room(most, most),
        Q=room(P + Kc + 2, most),
        places=np.empty(P + Kc + 1, np.uint64),
        lifted=np.empty(P + 1, np.int64),
        above=room(len(c.pools.grouping) * Kc + 1, most),
        sums=room(int(c.pools.sums[-1]) + 1, most),
        weights=room(c.pooled.shape[1], 1),
        scale=np.empty((P + 1) * LANES),
        copies=room(points.copies.shape[2], 1),
    )
