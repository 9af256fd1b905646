"""Where the columns of a linear mixed model stand, and which of them meet in some row.

Of the groupings, a *chain*, each nested in the next, is eliminated level by level; the columns of
the others and of the coefficients are *dense*. A level meets a dense column where it has a row in
which the column is not zero; what lies in a level meets no more columns than the level does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acmodels.engines.collapsed.copies import Copies
from acmodels.engines.collapsed.kernels.arrays import Structure
from acmodels.system import Layout
from acmodels.system.arrays import Index


@dataclass(frozen=True)
class Grouping:
    """The effects of one grouping.

    Attributes:
        code: the level of each data row, shape (N,).
        levels: number of levels, J.
        effects: (block, member) of each of the effects, block by block.
        copies: positions among the component's copied effects of those that are of this grouping.
    """

    code: Index
    levels: int
    effects: tuple[tuple[int, int], ...]
    copies: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Effects and copies a level, K."""
        return len(self.effects) + len(self.copies)


@dataclass(frozen=True)
class SharedRows:
    """Rows that some equations of a component share, by level and place in the cross-products.

    Attributes:
        equations: which of the component's equations, by place in it.
        level, dense_level, slot: as `cross_products` takes them.
    """

    equations: tuple[int, ...]
    level: Index
    dense_level: Index
    slot: Index


def groupings_of(layout: Layout, blocks: Sequence[int], again: Copies) -> list[Grouping]:
    """Blocks of one grouping together, the grouping with most effects first."""
    found: dict[tuple[str, ...], list[int]] = {}
    for b in blocks:
        found.setdefault(layout.blocks[b].columns, []).append(b)
    out = [
        Grouping(
            layout.blocks[bs[0]].code,
            len(layout.blocks[bs[0]].levels),
            tuple((b, k) for b in bs for k in range(len(layout.blocks[b].members))),
            tuple(i for i, (_, b, _, _) in enumerate(again.effects) if b in bs),
        )
        for bs in found.values()
    ]
    return sorted(out, key=lambda g: -g.levels * g.width)


def arrange(groupings: list[Grouping]) -> tuple[tuple[Grouping, ...], tuple[Grouping, ...]]:
    """The longest chain of nested groupings from the largest up, and the rest."""
    if not groupings:
        return (), ()
    chain = [groupings[0]]
    dense: list[Grouping] = []
    for g in groupings[1:]:
        (chain if _nested(chain[-1], g) else dense).append(g)
    return tuple(chain), tuple(dense)


def _nested(inner: Grouping, outer: Grouping) -> bool:
    pairs = np.unique(inner.code * np.int64(outer.levels) + outer.code)
    return len(pairs) == inner.levels


def structure_of(
    layout: Layout,
    members: tuple[int, ...],
    groupings: tuple[tuple[Grouping, ...], tuple[Grouping, ...]],
    coefficients: tuple[tuple[int, int], ...],
    again: Copies,
    sets: Sequence[tuple[int, ...]],
) -> tuple[Structure, tuple[SharedRows, ...]]:
    """Say where everything stands.

    Args:
        layout: of the model.
        members: positions of the component's equations.
        groupings: the chain, and the dense ones.
        coefficients: as a component has them.
        again: what of one equation stands in another.
        sets: places of equations that have their rows in common.

    Returns:
        For the kernels; and the rows of each of the sets.
    """
    chain, dense = groupings
    of = {layout.equations[i].response: e for e, i in enumerate(members)}

    def equations(g: Grouping) -> list[int]:
        own = [of[layout.blocks[b].members[k].response] for b, k in g.effects]
        return own + [again.effects[i][0] for i in g.copies]

    K = np.array([g.width for g in chain], dtype=np.int64)
    J = np.array([g.levels for g in chain], dtype=np.int64)
    effect, row = _starts(K), _starts(J * K)
    cell = _starts(J * K * (effect[-1] - effect[:-1]))[:-1]
    parent = np.zeros((len(chain), max([1, *J])), dtype=np.int64)
    for s in range(len(chain) - 1):
        parent[s, chain[s].code] = chain[s + 1].code
    dK = np.array([g.width for g in dense], dtype=np.int64)
    dJ = np.array([g.levels for g in dense], dtype=np.int64)
    first = _starts(dJ * dK)
    dense_equation = [e for g in dense for e in equations(g) * g.levels]
    dense_equation += [e for e, _, _ in again.coefficients]
    dense_equation += [e for e, _ in coefficients]
    p = len(again.coefficients) + len(coefficients)
    node, along = _starts(J), np.repeat(effect[-1] - effect[:-1], J)
    level = np.repeat(np.arange(len(chain)), J)
    start, column, rows = _sparse(layout, members, groupings, first, p, sets)
    count = np.diff(start)
    room = np.where(level > 0, K[level] * (along + count + 1), 0)
    factor = _starts(np.concatenate([K, dK]) ** 2)
    chain_equation = [e for g in chain for e in equations(g)]
    pieces = [*range(len(members)), *(e for e, _ in again.pieces)]
    own = int(first[-1]) + len(again.coefficients)
    copied = [own + coefficients.index(base) for _, base, _ in again.coefficients]
    structure = Structure(
        K, np.array([len(g.effects) for g in chain], dtype=np.int64), J, node,
        _nest_by_nest(J, parent), row, effect, cell, np.array(chain_equation, np.int64), parent,
        start, column, _lifted(J, parent, start, column), _starts(count * K[level]), _starts(room),
        np.array(dense_equation, np.int64), dK, dJ, first, factor, np.array(pieces, np.int64),
        np.arange(int(first[-1]), own, dtype=np.int64), np.array(copied, np.int64),
    )  # fmt: skip
    return structure, rows


def _starts(sizes: Index) -> Index:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _nest_by_nest(J: Index, parent: Index) -> Index:
    """All levels of a chain in an order in which each follows those that lie in it, (levels,)."""
    m = len(J)
    node = _starts(J)
    where = np.full((m, int(node[-1])), np.iinfo(np.int64).max)  # a level follows those within it
    for s in range(m):
        up = np.arange(J[s], dtype=np.int64)
        for later in range(s, m):
            where[later, node[s] : node[s + 1]] = up
            up = parent[later, up]
    return np.lexsort(where).astype(np.int64) if m else np.zeros(0, np.int64)


def _lifted(J: Index, parent: Index, start: Index, column: Index) -> Index:
    """Return the place of each level's columns among those of the level that it lies in."""
    out = np.zeros(len(column), dtype=np.int64)
    node = _starts(J)
    wide = int(column.max(initial=0)) + 1
    level = np.repeat(np.arange(len(start) - 1), np.diff(start))
    known = level * wide + column
    for s in range(len(J) - 1):
        own = slice(int(start[node[s]]), int(start[node[s + 1]]))
        up = node[s + 1] + parent[s, level[own] - node[s]]
        out[own] = np.searchsorted(known, up * wide + column[own]) - start[up]
    return out


def _sparse(
    layout: Layout,
    members: tuple[int, ...],
    groupings: tuple[tuple[Grouping, ...], tuple[Grouping, ...]],
    first: Index,
    p: int,
    sets: Sequence[tuple[int, ...]],
) -> tuple[Index, Index, tuple[SharedRows, ...]]:
    """Find the dense columns that each level of the chain meets, and their rows."""
    chain, dense = groupings
    P = int(first[-1]) + p
    node = _starts(np.array([g.levels for g in chain], dtype=np.int64))
    size = np.array([g.width for g in dense], dtype=np.int64)
    at: list[tuple[Index, Index, Index]] = []
    keys: list[Index] = []
    for s in sets:
        rows = layout.equations[members[s[0]]].rows
        level = np.zeros((len(rows), len(chain)), dtype=np.int64)
        where = np.zeros((len(rows), len(dense)), dtype=np.int64)
        for k, g in enumerate(chain):
            level[:, k] = g.code[rows]
        for k, g in enumerate(dense):
            where[:, k] = g.code[rows]
        column = first[:-1] + where * size
        at.append((level, where, column))
        keys += [
            np.unique((node[c] + level[:, c]) * P + column[:, g])[:, None]
            + np.arange(size[g], dtype=np.int64)
            for c in range(len(chain))
            for g in range(len(dense))
        ]
    own = np.arange(node[-1], dtype=np.int64)[:, None] * P
    keys.append(own + np.arange(P - p, P, dtype=np.int64))
    known = np.unique(np.concatenate([k.ravel() for k in keys]))
    start = np.searchsorted(known, np.arange(node[-1] + 1, dtype=np.int64) * P).astype(np.int64)
    out: list[SharedRows] = []
    for s, (level, where, column) in zip(sets, at, strict=True):
        last = np.full((len(level), 1), P - p)
        place = (node[:-1] + level)[:, :, None]
        slot = np.searchsorted(known, place * P + np.hstack([column, last])[:, None, :])
        slot = np.ascontiguousarray(slot - start[place], dtype=np.int64)
        out.append(SharedRows(s, level, where, slot))
    return start, (known % max(P, 1)).astype(np.int64), tuple(out)
