"""Continuous missing values: quantities of the graph, and what columns differ by with them.

Arrays hold rough values where some are missing. A continuous one is a quantity of its own, and the
graph adds what columns differ by with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from acmodels.engines.nuts.forms import joined
from acmodels.engines.nuts.group_effects import GroupEffects
from acmodels.engines.nuts.population import Population
from acmodels.engines.nuts.rows import Stack
from acmodels.spec.formula import PLAIN, Operand
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import column_values, variable_values
from acmodels.system.curves import Curve
from acmodels.system.equation import Column
from acmodels.system.layout import MissingValues
from acmodels.system.missing import cells
from acmodels.system.terms import is_latent, latent_means, latent_terms, terms
from acmodels.system.terms import source as find_source
from acmodels.system.versions import Unknown, Versions


@dataclass(frozen=True)
class Moved:
    """A column that moves with continuous missing values.

    Attributes:
        key: what its arrays are named by.
        equation: position of the equation.
        column: what it is.
        slope: (equation, column) of its coefficient, or None.
        effect: (block, member) of the group effect it multiplies, or None.
        term: for what multiplies a latent mean: position among the equation's latent terms.
    """

    key: str
    equation: int
    column: Column
    slope: tuple[int, int] | None = None
    effect: tuple[int, int] | None = None
    term: int | None = None


def moved_columns(layout: Layout) -> list[Moved]:
    """List the columns that rest on continuous missing values, equation by equation."""
    if not any(not g.discrete for g in layout.missing):
        return []
    out: list[Moved] = []
    for i, e in enumerate(layout.equations):
        found: list[Moved] = []
        for t in terms(layout, e.response):
            if t.effect is None:
                k = t.position or 0
                found.append(Moved(f"{i}_c{k}", i, t.column, slope=(i, k)))
            else:
                b, k = t.effect
                found.append(Moved(f"{i}_e{b}_{k}", i, t.column, effect=t.effect))
        for j, (_, how) in enumerate(latent_terms(layout, e.response)):
            found.append(Moved(f"{i}_l{j}", i, how.rest, term=j))
        out += [
            m for m in found if any(_continuous(layout, e, s) is not None for s in m.column.sources)
        ]
    return out


def is_linear(layout: Layout, m: Moved) -> bool:
    """Whether a column moves in the rows of missing values only, and in proportion to them."""
    e = layout.equations[m.equation]
    moves = [p for p in m.column.parts if _continuous(layout, e, p.operand.source) is not None]
    if m.term is not None or len(moves) > 1:
        return False
    o = moves[0].operand
    if o.inner is None or o.function in PLAIN:
        return True
    return is_latent(layout, e, o.source) and not layout.derived[o.source].constant


def _continuous(layout: Layout, e: EquationLayout, source: str) -> int | None:
    """The gap that a source moves with, where that is continuous."""
    d = layout.derived.get(source)
    if d is not None and d.constant and is_latent(layout, e, source):
        return None
    variable = source if d is None else d.variable
    for g, gap in enumerate(layout.missing):
        if gap.variable == variable and not gap.discrete:
            return g
    return None


def moved_sources(layout: Layout) -> list[tuple[int, str, int]]:
    """Equation, source and gap of everything that moves, each once."""
    out: dict[tuple[int, str], int] = {}
    for m in moved_columns(layout):
        if is_linear(layout, m) and not _in_some_mean(layout, m):
            continue
        for s in m.column.sources:
            g = _continuous(layout, layout.equations[m.equation], s)
            if g is not None:
                out.setdefault((m.equation, s), g)
    return [(i, s, g) for (i, s), g in out.items()]


def split(layout: Layout, m: Moved) -> tuple[Column, Column]:
    """The parts of a column that move, and those that stay."""
    e = layout.equations[m.equation]
    moves = tuple(p for p in m.column.parts if _continuous(layout, e, p.operand.source) is not None)
    stays = tuple(p for p in m.column.parts if p not in moves)
    return replace(m.column, parts=moves), replace(m.column, parts=stays)


@dataclass(frozen=True)
class SourceArrays:
    """Values that something takes, and how they move with missing ones, on an equation's rows.

    Attributes:
        value: with rough ones where they are missing, (n,).
        cell: the missing value that each row holds, from 1; 0 for none, (n,).
        share: how much of each unit's observed mean each missing value is, (J, M).
        unit: of each row, (n,).
    """

    value: Array
    cell: Index | None
    share: Array | None
    unit: Index | None


@dataclass(frozen=True)
class ColumnArrays:
    """A column that moves: all of it with rough values, and the part that stays."""

    column: Array
    rest: Array


@dataclass(frozen=True)
class LinearArrays:
    """What columns add that move in proportion to a missing value, value by value.

    Attributes:
        row: of the graph.
        cell: the missing value, from 1, or after all of these a rater's deviation.
        rest: what multiplies it beside the coefficient.
        coefficient: its place among slopes and, after these, group effects.
    """

    row: Index
    cell: Index
    rest: Array
    coefficient: Index


@dataclass(frozen=True)
class MissingArrays:
    """What continuous missing values read.

    Attributes:
        unit: a rough sd of each.
        sources: as `moved_sources` lists them.
        columns: by key of a column that moves otherwise than linearly.
        means: by key of a column and number of a latent mean, at the rows where that is read.
        linear: the other columns, or None.
        groups: by key, the group effect of each row that a column multiplies.
    """

    unit: Array
    sources: tuple[SourceArrays, ...]
    columns: Mapping[str, ColumnArrays]
    means: Mapping[tuple[str, int], ColumnArrays]
    linear: LinearArrays | None
    groups: Mapping[str, Index]


def missing_arrays(
    part: GroupEffects, population: Population, responses: Responses, versions: Versions
) -> MissingArrays | None:
    """Read what moves; None where no continuous value is missing."""
    stack = part.stack
    layout, what = stack.layout, stack.unknown
    if not what.size:
        return None
    columns: dict[str, ColumnArrays] = {}
    at_means: dict[tuple[str, int], ColumnArrays] = {}
    groups: dict[str, Index] = {}
    for m in moved_columns(layout):
        linear = is_linear(layout, m)
        _, stays = split(layout, m)
        if not linear:
            columns[m.key] = ColumnArrays(
                *(_spread(versions, m.equation, c) for c in (m.column, stays))
            )
            if m.effect is not None:
                e = layout.equations[m.equation]
                level = part.blocks[m.effect[0]].index(e)[what.rows[m.equation].source]
                groups[m.key] = part.at(*m.effect).start + level
        for n, mean in enumerate(latent_means(layout)):
            if in_mean(m, n, layout):
                at_means[m.key, n] = ColumnArrays(
                    *(_column(layout, responses, m.equation, c)[mean.at] for c in (m.column, stays))
                )
    return MissingArrays(
        np.concatenate(
            [np.full(len(g.at), g.spread) for g in (layout.missing[k] for k in what.starts)]
        ),
        tuple(_source(layout, what, responses, *s) for s in moved_sources(layout)),
        columns,
        at_means,
        _linear(part, population, versions),
        groups,
    )


def _column(layout: Layout, responses: Responses, i: int, column: Column) -> Array:
    """Values of a column on an equation's rows."""
    rows = layout.equations[i].rows
    return column_values(column, rows, lambda v: variable_values(layout, v, responses))


def _spread(versions: Versions, i: int, column: Column) -> Array:
    """The same on the graph's rows."""
    return versions.spread(i, lambda lay, res: _column(lay, res, i, column))


def _source(
    layout: Layout, what: Unknown, responses: Responses, i: int, source: str, g: int
) -> SourceArrays:
    e, gap = layout.equations[i], layout.missing[g]
    d = layout.derived.get(source)
    averaged = d is not None and d.mean is not None and not is_latent(layout, e, source)
    cell = share = unit = None
    if d is None or not d.constant or not averaged:
        mine = cells(layout, gap, source)
        cell = np.where(mine < 0, 0, mine + what.starts[g] + 1)[e.rows]
    if d is not None and averaged:
        share, unit = _shares(layout, gap, source), d.code[e.rows]
        at = layout.at(source)
        if at is not None:  # a last unit without missing values, for rows without a lag
            share = np.concatenate([share, np.zeros((1, share.shape[1]))])
            unit = np.where(at[e.rows] >= 0, d.code[np.maximum(at, 0)][e.rows], len(share) - 1)
    return SourceArrays(variable_values(layout, source, responses)[e.rows], cell, share, unit)


def _linear(part: GroupEffects, population: Population, versions: Versions) -> LinearArrays | None:
    stack = part.stack
    layout, what, place, first = stack.layout, stack.unknown, population.place, stack.first
    found: list[tuple[Index, Index, Array, Index]] = []
    for m in moved_columns(layout):
        if not is_linear(layout, m):
            continue
        i, e = m.equation, layout.equations[m.equation]
        moves, stays = split(layout, m)
        g = _continuous(layout, e, moves.parts[0].operand.source) or 0
        source = what.rows[i].source
        mine = cells(layout, layout.missing[g], moves.parts[0].operand.source)
        cell = mine[e.rows][source]
        here = np.flatnonzero(cell >= 0)
        if m.effect is None:
            coefficient = np.full(len(here), place[m.slope or (0, 0)])
        else:
            level = part.blocks[m.effect[0]].index(e)[source][here]
            coefficient = len(population.slopes) + part.at(*m.effect).start + level
        rest = _spread(versions, i, stays)[here]
        found.append((first[i] + here, what.starts[g] + 1 + cell[here], rest, coefficient))
        for raters in find_source(layout, e, moves.parts[0].operand.source).raters:
            # they are added to the construct's value
            level = part.blocks[raters[0]].index(e)[source][here]
            value = 1 + what.size + part.at(*raters).start + level
            found.append((first[i] + here, value, rest, coefficient))
    if not found:
        return None
    row, cell, rest, coefficient = (np.concatenate(x) for x in zip(*found, strict=True))
    return LinearArrays(row, cell, rest, coefficient)


def _in_some_mean(layout: Layout, m: Moved) -> bool:
    return any(in_mean(m, n, layout) for n in range(len(latent_means(layout))))


def in_mean(m: Moved, n: int, layout: Layout) -> bool:
    """Whether a moved column is part of a latent mean."""
    mean = latent_means(layout)[n]
    if m.equation != mean.equation:
        return False
    if m.term is not None:
        e = layout.equations[m.equation]
        term, _ = latent_terms(layout, e.response)[m.term]
        return term.position in mean.columns
    if m.effect is not None:
        return m.effect in mean.effects
    return m.slope is not None and m.slope[1] in mean.columns


def _shares(layout: Layout, gap: MissingValues, source: str) -> Array:
    """How much of each unit's observed mean each missing value is, (J, M)."""
    d = layout.derived[source]
    rows = np.arange(layout.n_rows)
    if d.variable not in layout.variables:
        rows = layout.equation(d.variable).rows
    code, cell = d.code[rows], gap.cell[rows]
    out = np.zeros((len(d.levels), len(gap.at)))
    np.add.at(out, (code[cell >= 0], cell[cell >= 0]), 1.0)
    return out / np.bincount(code, minlength=len(d.levels))[:, None]


# --- the graph -------------------------------------------------------------------------------


class Shifts:
    """What columns differ by with the missing values, as expressions of the graph.

    Args:
        pm: the PyMC module.
        stack: the equations.
        data: the arrays of missing values; None where no continuous one is missing.
    """

    def __init__(self, pm: Any, stack: Stack, data: MissingArrays | None) -> None:
        self.pm, self.layout, self.what, self.data = pm, stack.layout, stack.unknown, data
        self.deltas: Any = None
        self.sources: dict[tuple[int, str], tuple[int, int]] = {}
        self.columns: list[Moved] = []
        self._values: dict[tuple[int, str], Any] = {}
        if data is not None:
            z = pm.Flat("missing", shape=self.what.size)
            self.deltas = pm.math.concatenate([np.zeros(1), data.unit * z])
            found = enumerate(moved_sources(stack.layout))
            self.sources = {(i, s): (n, g) for n, (i, s, g) in found}
            self.columns = moved_columns(stack.layout)

    def value(self, i: int, source: str) -> Any:
        """Values of a source on an equation's rows."""
        if self.data is None:
            raise LookupError(source)
        if (i, source) not in self._values:
            n, g = self.sources[i, source]
            s = self.data.sources[n]
            shift: Any = 0.0 if s.cell is None else self.deltas[s.cell]
            if s.share is not None:
                start = self.what.starts[g] + 1
                mine = self.deltas[start : start + len(self.layout.missing[g].at)]
                mean = self.pm.math.dot(s.share, mine)[s.unit]
                shift = mean if self.layout.derived[source].constant else shift - mean
            self._values[i, source] = s.value + shift
        return self._values[i, source]

    def of(self, m: Moved) -> Any:
        """What a column differs by on the graph's rows."""
        moving = self._product(m)
        if self.what.components:
            moving = moving[self.what.rows[m.equation].source]
        return self._less(moving, None if self.data is None else self.data.columns[m.key])

    def of_mean(self, m: Moved, n: int) -> Any:
        """The same at the rows that a latent mean is read at, or None where it has no part."""
        if self.data is None or not in_mean(m, n, self.layout):
            return None
        at = latent_means(self.layout)[n].at
        return self._less(self._product(m)[at], self.data.means[m.key, n])

    @staticmethod
    def _less(moving: Any, column: ColumnArrays | None) -> Any:
        return 0.0 if column is None else column.rest * moving - column.column

    def _product(self, m: Moved) -> Any:
        moving, _ = split(self.layout, m)
        parts = [
            curved(
                self.pm,
                p.curve,
                transformed(self.pm, p.operand, self.value(m.equation, p.operand.source)),
            )
            for p in moving.parts
        ]
        return reduce(lambda a, b: a * b, parts)


def shifted(
    pm: Any, part: GroupEffects, population: Population, shifts: Shifts, slopes: Any, effects: Any
) -> Any:
    """Return what continuous missing values add to the stacked predictor beyond rough ones."""
    data, stack = shifts.data, part.stack
    total: Any = 0.0
    if data is None:
        return total
    if data.linear is not None:
        from pytensor import tensor as pt

        d = data.linear
        both = joined(pm, [v for v in (slopes, effects) if v is not None])
        values = shifts.deltas
        if any(b.raters for b in part.blocks):
            values = joined(pm, [values, effects])
        moved = values[d.cell] * d.rest * both[d.coefficient]
        rows = sum(stack.count(i) for i in stack.order)
        total = pt.inc_subtensor(pt.zeros(rows)[d.row], moved)
    bent = [m for m in shifts.columns if m.term is None and m.key in data.columns]
    if not bent:
        return total
    pieces: list[Any] = []
    for i in stack.order:
        piece: Any = np.zeros(stack.count(i))
        for m in (m for m in bent if m.equation == i):
            if m.slope is not None:
                piece = piece + slopes[population.place[m.slope]] * shifts.of(m)
            else:
                piece = piece + effects[data.groups[m.key]] * shifts.of(m)
        pieces.append(pm.math.as_tensor(piece))
    return total + joined(pm, pieces)


def transformed(pm: Any, operand: Operand, value: Any) -> Any:
    """An operand's transforms, as `system.columns.apply` has them for arrays."""
    if operand.inner is None:
        return value
    inner = transformed(pm, operand.inner, value)
    match operand.function:
        case "square":
            return inner**2
        case "center":
            return inner - inner.mean()
        case "standardize":
            away = inner - inner.mean()
            return away / pm.math.sqrt((away**2).sum() / (away.shape[0] - 1))
        case "spline":  # see `curved`
            return inner
        case _ if operand.unit is not None:
            return inner
        case _:
            raise NotImplementedError(operand.function)  # refused before any fit


# --- draws -----------------------------------------------------------------------------------


def imputed_draws(
    layout: Layout, what: Unknown, draws: Mapping[str, Array], responses: Responses
) -> dict[str, Array]:
    """Draws of the continuous missing values, by variable, (chain, draw, M)."""
    out: dict[str, Array] = {}
    for g, s in what.starts.items():
        gap = layout.missing[g]
        rough = responses[gap.variable][gap.at]
        out[gap.variable] = rough + gap.spread * draws["missing"][..., s : s + len(gap.at)]
    return out


def curved(pm: Any, curve: Curve | None, value: Any) -> Any:
    """A column of a spline at values of its variable, as `Curve` has it for arrays."""
    if curve is None:
        return value
    first, rise, cubes = curve.cubes
    low, high = curve.knots[0], curve.knots[-1]
    inside = pm.math.minimum(value, high)  # below the first knot all cubes are 0
    total = first + rise * (inside - low)
    for knot, c in zip(curve.knots, cubes, strict=False):
        total = total + c * pm.math.maximum(inside - knot, 0.0) ** 3
    return total + float(curve.slope(np.array(high))) * (value - inside)
