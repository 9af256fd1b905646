"""Levels of a chain of nested groupings that are eliminated together.

With one equation of residual precision s, eliminating a level with effects u = T v takes

    s^2 B' T (I + s T' G T)^-1 T' B

off the dense system (Bates, Maechler, Bolker & Walker, 2015, section 3), where B are its columns'
cross-products with all that stays, and G with each other. Levels with the same G share the matrix
in the middle, so that sums of B'B over them can be taken once, before any point is known.

A level of a later grouping has columns that its own levels below have been taken off,

    s B_k - sum over levels j below of C_j' D_j^-1 B_j .

The coefficients C' D^-1 are the same for all levels below of one *class*: levels with the same
cross-products G, also with the effects above them, and the same number of levels of each class
below. So B_k less all this is a combination of the *sums* of B_j over each class below, with the
coefficients of its own class; and what the levels of a class take off the dense system is a
combination of fixed matrices, one for each pair of their sums. With departments of one size in
districts of one size, that is one matrix for departments and one for districts:

    s W'W + Lambda - c1 G_department - c2 G_district .

Linked equations differ in residual precision, so that each sum is of products with the columns of
one equation, and has the precision of its effect's equation and that one in the place of s.

Where an effect has the same multiplier as one of the grouping below (both are intercepts), its own
columns are the sum of theirs, and it needs no sum of its own. (The coefficients of a class are
those of a block Cholesky factorization of its levels' part of the system, with equal rows written
once: Golub & Van Loan, 2013, section 4.2.)
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from acmodels.engines.collapsed.kernels.arrays import Cross, Pools, Structure
from acmodels.system.arrays import Array, Index

CELLS_MOST = 4_000_000
"""Numbers in all pooled matrices of a data set, beyond which nothing is pooled."""
DIGITS = 12
"""Digits to which cross-products of levels of one class agree."""


def _ints(values: Iterable[int]) -> Index:
    return np.array(list(values), dtype=np.int64)


NO_POOLS = Pools(
    *(_ints([]), _ints([]), np.zeros(0), _ints([0]), _ints([0]), _ints([])),
    *(_ints([0]), _ints([]), _ints([]), _ints([0]), _ints([]), np.zeros(0)),
    *(_ints([0]), _ints([]), _ints([]), _ints([])),
    *(_ints([]), _ints([0]), _ints([]), _ints([])),
)
"""Nothing is pooled."""


@dataclass(frozen=True)
class _Sum:
    """One sum of a class.

    Attributes:
        path: the classes on the way down to the levels it goes over.
        effect: whose products with columns are summed.
        equation: of these columns.
    """

    path: tuple[int, ...]
    effect: int
    equation: int


@dataclass(frozen=True)
class _Class:
    """Levels of one class.

    Attributes:
        grouping: their grouping.
        levels: which ones.
        below: class of the levels of the grouping below, and how many lie in each level.
        sums: of each of them.
        own: the sums that make up the columns of each effect.
    """

    grouping: int
    levels: Index
    below: tuple[tuple[int, int], ...]
    sums: tuple[_Sum, ...]
    own: tuple[tuple[int, ...], ...]


def level_by_level(cross: Cross) -> Cross:
    """Return the same cross-products, for elimination of one level after the other."""
    empty = np.zeros((cross.pooled.shape[0], 0, *cross.pooled.shape[2:]))
    return cross._replace(pooled=empty, pools=NO_POOLS)


def find_pools(
    f: Structure, chain: Array, columns: Array, sets: Sequence[Sequence[int]]
) -> Pools | None:
    """Find the classes of a chain's levels, or None where pooling them saves no work.

    Args:
        f: the structure.
        chain: cross-products of levels' effects, as in `Cross.chain`, (cells,).
        columns: what multiplies each effect of the chain on each row, (n, effects).
        sets: equations whose residuals correlate; each equation is in one set.
    """
    P, E = len(f.dense_equation), len(f.piece)
    work = np.sum(np.repeat(f.rank, f.J) * (np.diff(f.start) + 1) ** 2)
    most = min(work, CELLS_MOST) / (P + E) ** 2
    linked = {e: tuple(s) for s in sets for e in s}
    found: list[_Class] = []
    of: list[Index] = []
    for s in range(len(f.K)):
        made = _classes(f, s, chain, columns, of, len(found))
        first = len(found)
        for levels, below in made:
            found.append(_class(f, s, levels, below, found, columns, linked))
            if sum(len(c.sums) * (len(c.sums) + 1) // 2 for c in found) >= most:
                return None
        here = np.empty(f.J[s], dtype=np.int64)
        for u, (levels, _) in enumerate(made):
            here[levels] = first + u
        of.append(here)
    return _arranged(f, found, of)


def _classes(
    f: Structure, s: int, chain: Array, columns: Array, of: Sequence[Index], first: int
) -> list[tuple[Index, tuple[tuple[int, int], ...]]]:
    """The levels of each class of a grouping, and what lies in one of them."""
    J = int(f.J[s])
    size = int(f.K[s] * (f.effect[-1] - f.effect[s]))
    products = chain[f.cell[s] : f.cell[s] + J * size].reshape(J, size)
    top = np.max(np.abs(products), axis=0)
    norm = np.max(np.abs(columns[:, f.effect[s] :]), axis=0, initial=0.0)
    nothing = top <= 10.0**-DIGITS * np.outer(norm[: f.K[s]], norm).ravel()  # but for rounding
    keys = np.round(np.where(nothing, 0.0, products / np.where(nothing, 1.0, top)), DIGITS) + 0.0
    if s > 0:
        counts = np.zeros((J, first))
        np.add.at(counts, (f.parent[s - 1, : f.J[s - 1]], of[s - 1]), 1)
        keys = np.concatenate([counts, keys], axis=1)
    _, places = np.unique(keys, axis=0, return_inverse=True)
    places = places.reshape(-1)
    out: list[tuple[Index, tuple[tuple[int, int], ...]]] = []
    order = np.argsort(places, kind="stable")
    for levels in np.split(order, np.cumsum(np.bincount(places))[:-1]):
        inside: tuple[tuple[int, int], ...] = ()
        if s > 0:
            row = keys[levels[0], :first]
            inside = tuple((int(v), int(row[v])) for v in np.flatnonzero(row))
        out.append((levels.astype(np.int64), inside))
    return out


def _class(
    f: Structure,
    s: int,
    levels: Index,
    below: tuple[tuple[int, int], ...],
    found: Sequence[_Class],
    columns: Array,
    linked: Mapping[int, Sequence[int]],
) -> _Class:
    sums = [replace(g, path=(v, *g.path)) for v, _ in below for g in found[v].sums]
    place = {g: i for i, g in enumerate(sums)}
    own: list[tuple[int, ...]] = []
    for a in range(int(f.K[s])):
        same = _same(f, s, a, columns) if s > 0 else None
        if same is None:
            equations = linked[int(f.equation[f.effect[s] + a])]
            own.append(tuple(range(len(sums), len(sums) + len(equations))))
            sums += [_Sum((), a, e) for e in equations]
            continue
        its = [(v, found[v].sums[i]) for v, _ in below for i in found[v].own[same]]
        own.append(tuple(place[replace(g, path=(v, *g.path))] for v, g in its))
    return _Class(s, levels, below, tuple(sums), tuple(own))


def _same(f: Structure, s: int, a: int, columns: Array) -> int | None:
    """The effect of the grouping below with the same equation and multiplier on every row."""
    mine, first = f.effect[s] + a, f.effect[s - 1]
    for b in range(int(f.K[s - 1])):
        same = f.equation[mine] == f.equation[first + b]
        if same and np.array_equal(columns[:, mine], columns[:, first + b]):
            return b
    return None


def _paths(found: Sequence[_Class], u: int) -> list[tuple[tuple[int, ...], int]]:
    """Ways down from a class, and how many levels lie at the end of each."""
    out: list[tuple[tuple[int, ...], int]] = []
    for v, n in found[u].below:
        out += [((v,), n), *(((v, *path), n * m) for path, m in _paths(found, v))]
    return out


def _arranged(f: Structure, found: Sequence[_Class], of: Sequence[Index]) -> Pools:
    first = np.cumsum([0, *(len(c.sums) for c in found)]).astype(np.int64)
    own: list[list[tuple[int, int]]] = []
    below: list[list[tuple[int, int]]] = []
    lifts: list[list[tuple[int, int, int]]] = []
    for u, c in enumerate(found):
        own.append([(a, int(first[u]) + i) for a, at in enumerate(c.own) for i in at])
        paths = _paths(found, u)
        counts: Counter[int] = Counter()
        for path, n in paths:
            counts[path[-1]] += n
        below.append(sorted(counts.items()))
        place = {g: int(first[u]) + i for i, g in enumerate(c.sums)}
        lifts.append([
            (path[-1], int(first[path[-1]]) + i, place[replace(g, path=(*path, *g.path))])
            for path, _ in paths
            for i, g in enumerate(found[path[-1]].sums)
        ])  # fmt: skip
    members = _members(f, found, of, first)
    below_start, below_class, below_count = _columns(below, 2)
    own_start, own_effect, own_sum = _columns(own, 2)
    lift_start, lift, lift_from, lift_to = _columns(lifts, 3)
    member_start, member_row, member_sum = _columns(members, 2)
    return Pools(
        _ints(c.grouping for c in found),
        _ints(int(c.levels[0]) for c in found),
        np.array([float(len(c.levels)) for c in found]),
        first,
        np.cumsum([0, *(len(c.sums) * (len(c.sums) + 1) // 2 for c in found)]).astype(np.int64),
        _ints(g.equation for c in found for g in c.sums),
        own_start, own_effect, own_sum,
        below_start, below_class, below_count.astype(np.float64),
        lift_start, lift, lift_from, lift_to,
        np.concatenate(of), member_start, member_row, member_sum,
    )  # fmt: skip


def _members(
    f: Structure, found: Sequence[_Class], of: Sequence[Index], first: Index
) -> list[list[tuple[int, int]]]:
    """Rows of the chain in each level's sums, level by level."""
    out: list[list[tuple[int, int]]] = []
    rows: list[dict[_Sum, list[int]]] = []
    for s, classes in enumerate(of):
        above: list[dict[_Sum, list[int]]] = [
            {g: [] for g in found[u].sums} for u in classes.tolist()
        ]
        for j, part in enumerate(rows):
            into = above[int(f.parent[s - 1, j])]
            for g, its in part.items():
                into[replace(g, path=(int(of[s - 1][j]), *g.path))] += its
        for k, sums in enumerate(above):
            for g, its in sums.items():
                if not g.path:
                    its.append(int(f.row[s] + k * f.K[s] + g.effect))
        for u, sums in zip(classes.tolist(), above, strict=True):
            places = range(int(first[u]), int(first[u + 1]))
            out.append([
                (row, i) for i, g in zip(places, found[u].sums, strict=True) for row in sums[g]
            ])  # fmt: skip
        rows = above
    return out


def _columns(lists: Sequence[Sequence[tuple[int, ...]]], width: int) -> tuple[Index, ...]:
    """Return where each list begins, and the columns of all entries."""
    every = np.array([e for entries in lists for e in entries], dtype=np.int64).reshape(-1, width)
    start = np.cumsum([0, *(len(entries) for entries in lists)]).astype(np.int64)
    return start, *(np.ascontiguousarray(every[:, i]) for i in range(width))
