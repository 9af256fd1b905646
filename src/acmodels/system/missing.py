"""Missing values that are modeled: which equations read them, and data with them filled in.

A continuous value is a quantity of its own, with its variable's equation as distribution (Little &
Rubin, 2002, chapter 15; Ibrahim, Chen, Lipsitz & Herring, 2005). The values of a discrete one are
summed out: what shares a missing value, in whatever rows, has a likelihood that is a sum over the
values it can take. Missing values that meet in one row are summed over together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from acmodels.system.arrays import Array, Index, Responses
from acmodels.system.columns import column_values, variable_values
from acmodels.system.equation import EquationLayout
from acmodels.system.layout import Layout, MissingValues
from acmodels.system.terms import reads, terms

CONFIGURATIONS = 64
"""Values, of all discrete cells that meet, over which a likelihood sums at most."""


def complete(
    layout: Layout, responses: Responses, gaps: Sequence[MissingValues], values: Mapping[str, Array]
) -> tuple[Layout, Responses]:
    """Fill missing values in.

    Args:
        layout: with or without the equations of incomplete predictors.
        responses: by name.
        gaps: what is missing.
        values: by variable, (M,): numbers, or for a discrete variable the positions of its
            values in `support`. Variables that are not there stay as they are.
    """
    variables = dict(layout.variables)
    filled = dict(responses)
    for gap in gaps:
        if gap.variable not in values:
            continue
        chosen = values[gap.variable]
        place = chosen.astype(np.int64) if gap.discrete else np.zeros(0, dtype=np.int64)
        if gap.variable in filled:
            y = filled[gap.variable].copy()
            y[gap.at] = np.array(gap.codes)[place] if gap.discrete else chosen
            filled[gap.variable] = y
        if gap.variable in variables:
            v = variables[gap.variable]
            here = gap.cell >= 0
            numbers = v.values.copy()
            new = np.array(gap.support)[place] if gap.discrete else chosen
            numbers[here] = new[gap.cell[here]]
            variables[gap.variable] = replace(v, values=numbers)
    moved = {g.variable for g in gaps if g.variable in values and g.variable in variables}
    if not moved:
        return layout, filled
    out = replace(layout, variables=variables)
    equations = tuple(_refreshed(out, e, moved) for e in layout.equations)
    return replace(out, equations=equations), filled


def _refreshed(layout: Layout, e: EquationLayout, moved: set[str]) -> EquationLayout:
    fixed = e.fixed
    for k, c in enumerate(e.columns):
        if k not in e.endogenous and moved & set(c.variables):
            fixed = fixed.copy() if fixed is e.fixed else fixed
            fixed[:, k] = column_values(c, e.rows, lambda n: variable_values(layout, n, {}))
    return e if fixed is e.fixed else replace(e, fixed=fixed)


def model_layout(layout: Layout) -> Layout:
    """The layout without the models of incomplete predictors: as the model file has it."""
    if not layout.auxiliary and not layout.missing:
        return layout
    own = tuple(e for e in layout.equations if e.response not in layout.auxiliary)
    kept = {e.response for e in own}
    return replace(
        layout,
        equations=own,
        order=tuple(i for i in layout.order if i < len(own)),
        blocks=tuple(b for b in layout.blocks if all(m.response in kept for m in b.members)),
        missing=(),
        auxiliary=(),
    )


def subset(e: EquationLayout, keep: np.ndarray) -> EquationLayout:
    """An equation on some of its rows; data rows of the others read the first, which none may.

    Args:
        e: the equation.
        keep: which rows stay, (n,).
    """
    if keep.all():
        return e
    place = np.cumsum(keep) - 1
    return replace(
        e,
        rows=e.rows[keep],
        carry=np.where(keep[e.carry], place[e.carry], 0).astype(np.int64),
        fixed=e.fixed[keep],
        offset=e.offset[keep],
        se=None if e.se is None else e.se[keep],
        trials=None if e.trials is None else e.trials[keep],
        weights=None if e.weights is None else e.weights[keep],
        first=None if e.first is None else e.first[keep],
    )


def known_rows(layout: Layout, e: EquationLayout, variables: Collection[str]) -> np.ndarray:
    """Rows of an equation where none of some variables is missing, (n,)."""
    out = np.ones(e.n, dtype=bool)
    for gap in layout.missing:
        if gap.variable in variables:
            for key in _keys(layout, e, gap.variable):
                out &= cells(layout, gap, key)[e.rows] < 0
    return out


def cells(layout: Layout, gap: MissingValues, key: str) -> Index:
    """Return which missing value each data row reads through a source of its variable, (N,)."""
    at = layout.at(key)
    return gap.cell if at is None else np.where(at >= 0, gap.cell[at], -1)


def _keys(layout: Layout, e: EquationLayout, variable: str) -> list[str]:
    """Sources by which an equation reads a variable; the variable itself where it reads none."""
    found = {s.key: s for t in terms(layout, e.response) for s in t.sources}
    return [k for k, s in found.items() if s.variable == variable] or [variable]


def observed(layout: Layout, e: EquationLayout) -> np.ndarray:
    """Rows of an equation whose response is known, (n,)."""
    out = np.ones(e.n, dtype=bool)
    for gap in layout.missing:
        if layout.equations[gap.equation].response == e.response:
            out[gap.at] = False
    return out


def whole_rows(layout: Layout, e: EquationLayout) -> np.ndarray:
    """Rows of an equation where neither the response nor anything it reads is missing, (n,)."""
    return known_rows(layout, e, reads(layout, e.response)) & observed(layout, e)


@dataclass(frozen=True)
class Component:
    """Discrete cells that meet in some row, directly or through others.

    Attributes:
        cells: (position among the gaps, position among its cells).
        configurations: their values by position in `support`, (C, cells).
    """

    cells: tuple[tuple[int, int], ...]
    configurations: Index


@dataclass(frozen=True)
class Summed:
    """What of an equation is summed over.

    Attributes:
        rows: rows of the equation that rest on a discrete cell.
        component: of each, (rows,).
    """

    rows: Index
    component: Index


def components(layout: Layout) -> tuple[tuple[Component, ...], tuple[Summed, ...]]:
    """Find the cells that are summed over together, and the rows of each equation they touch."""
    start: dict[int, int] = {}
    total = 0
    for g, gap in enumerate(layout.missing):
        if gap.discrete:
            start[g] = total
            total += len(gap.at)
    touched = [_touched(layout, i, start) for i in range(len(layout.equations))]
    parent = np.arange(total)

    def root(a: int) -> int:
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = int(parent[a])
        return a

    for cells in touched:
        for row in cells[(cells >= 0).sum(axis=1) > 1]:
            mine = row[row >= 0]
            for other in mine[1:]:
                parent[root(int(other))] = root(int(mine[0]))
    roots = np.array([root(a) for a in range(total)], dtype=np.int64)
    _, of_cell = np.unique(roots, return_inverse=True)
    of_cell = of_cell.astype(np.int64).reshape(-1)
    where = [(g, c) for g in start for c in range(len(layout.missing[g].at))]
    members: dict[int, list[tuple[int, int]]] = {}
    for place, k in enumerate(of_cell):
        members.setdefault(int(k), []).append(where[place])
    found = tuple(
        Component(tuple(members[k]), _configurations(layout, members[k])) for k in sorted(members)
    )
    summed: list[Summed] = []
    for cells in touched:
        rows = np.flatnonzero((cells >= 0).any(axis=1))
        first = cells[rows].max(axis=1) if len(rows) else np.zeros(0, dtype=np.int64)
        summed.append(Summed(rows, of_cell[first]))
    return found, tuple(summed)


def _touched(layout: Layout, i: int, start: Mapping[int, int]) -> Index:
    """For each row of an equation the discrete cells it rests on, numbered; -1 for none."""
    e = layout.equations[i]
    read = {s.key: s for t in terms(layout, e.response) for s in t.sources}
    out = [np.full(e.n, -1, dtype=np.int64)]
    for g, s in start.items():
        gap = layout.missing[g]
        for key in [k for k, source in read.items() if source.variable == gap.variable]:
            cell = cells(layout, gap, key)[e.rows]
            out.append(np.where(cell >= 0, cell + s, -1))
        if gap.equation == i:
            here = np.full(e.n, -1, dtype=np.int64)
            here[gap.at] = s + np.arange(len(gap.at))
            out.append(here)
    return np.stack(out, axis=1)


def _configurations(layout: Layout, cells: Sequence[tuple[int, int]]) -> Index:
    sizes = [len(layout.missing[g].support) for g, _ in cells]
    if len(sizes) > 8 or int(np.prod(sizes)) > CONFIGURATIONS:
        return np.zeros((0, len(cells)), dtype=np.int64)  # too many: refused before any fit
    return np.array(list(product(*(range(s) for s in sizes))), dtype=np.int64)
