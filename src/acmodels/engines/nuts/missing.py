"""Missing values in the NUTS graph.

Arrays hold rough values where some are missing. A continuous one is a quantity of its own, and
the graph adds what columns differ by with it. Rows that rest on a discrete one stand in the graph
once for each value (`version`) that it, and what is missing with it, can have; their likelihoods
are multiplied within a value and summed over values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.columns import column_values, variable_values
from acmodels.system.layout import Array, Column, Gap, Index
from acmodels.system.missing import Component, complete, components
from acmodels.system.terms import is_latent, latent_means, latent_terms

NEVER = -1e10
"""Log density of a value that a component does not have."""


@dataclass(frozen=True)
class GraphRows:
    """Rows of the graph that stand for rows of an equation.

    Attributes:
        source: the equation's row, (m,).
        version: which values of the discrete cells it is for; -1 where it rests on none, (m,).
        bin: to which value of which component its likelihood belongs, -1 for none, (m,).
        latent: the place of its response among the continuous missing values, -1 for none, (m,).
    """

    source: Index
    version: Index
    bin: Index
    latent: Index

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.source)

    @property
    def special(self) -> np.ndarray:
        """Those whose likelihood is more than that of an observed response, (m,)."""
        return (self.bin >= 0) | (self.latent >= 0)


@dataclass(frozen=True)
class Unknown:
    """What is missing, in the graph's order.

    Attributes:
        rows: of each equation.
        components: discrete cells that are summed over together.
        width: configurations of the largest.
        starts: by gap that is continuous, where its values start among all.
        size: number of continuous values.
    """

    rows: tuple[GraphRows, ...]
    components: tuple[Component, ...]
    width: int
    starts: Mapping[int, int]
    size: int

    @property
    def floor(self) -> Array:
        """Zero for the configurations that there are, else very low, (components * width,)."""
        out = np.full((len(self.components), self.width), NEVER)
        for k, c in enumerate(self.components):
            out[k, : len(c.configurations)] = 0.0
        return out.reshape(-1)


def unknown(layout: Layout) -> Unknown:
    """Lay out what is missing."""
    starts: dict[int, int] = {}
    size = 0
    for g, gap in enumerate(layout.gaps):
        if not gap.discrete:
            starts[g] = size
            size += len(gap.at)
    found, summed = components(layout)
    width = max((len(c.configurations) for c in found), default=0)
    rows: list[GraphRows] = []
    for i, e in enumerate(layout.equations):
        latent = np.full(e.n, -1, dtype=np.int64)
        for g, s in starts.items():
            if layout.gaps[g].equation == i:
                latent[layout.gaps[g].at] = s + np.arange(len(layout.gaps[g].at))
        alone = np.setdiff1d(np.arange(e.n), summed[i].rows)
        sizes = np.array([len(found[k].configurations) for k in summed[i].component], dtype=int)
        again = np.repeat(np.arange(len(sizes)), sizes)
        version = np.concatenate([np.arange(s) for s in sizes]) if len(sizes) else again
        source = np.concatenate([alone, summed[i].rows[again]]).astype(np.int64)
        none = np.full(len(alone), -1, dtype=np.int64)
        bins = summed[i].component[again] * width + version
        rows.append(
            GraphRows(
                source,
                np.concatenate([none, version]).astype(np.int64),
                np.concatenate([none, bins]).astype(np.int64),
                latent[source],
            )
        )
    return Unknown(tuple(rows), found, width, starts, size)


class Versions:
    """The data with each set of values that discrete missing ones can have."""

    def __init__(self, layout: Layout, what: Unknown, responses: Responses) -> None:
        self.rows = what.rows
        self.filled = (layout, responses)
        self.others = [
            complete(layout, responses, layout.gaps, _version(layout.gaps, what, c))
            for c in range(what.width)
        ]

    def spread(self, i: int, read: Callable[[Layout, Responses], Array]) -> Array:
        """Something of an equation on the graph's rows, (m, ...), read on the equation's."""
        rows = self.rows[i]
        base = read(*self.filled)
        if not self.others:
            return base
        out = base[rows.source]
        for c, version in enumerate(self.others):
            here = rows.version == c
            if here.any():
                out[here] = read(*version)[rows.source[here]]
        return out


def _version(gaps: Sequence[Gap], what: Unknown, c: int) -> dict[str, Array]:
    out = {g.variable: np.zeros(len(g.at)) for g in gaps if g.discrete}
    for component in what.components:
        if c < len(component.configurations):
            for (g, cell), value in zip(component.cells, component.configurations[c], strict=True):
                out[gaps[g].variable][cell] = value
    return out


# --- columns that rest on continuous missing values ----------------------------------


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
    """Find them."""
    if not any(not g.discrete for g in layout.gaps):
        return []
    out: list[Moved] = []
    for i, e in enumerate(layout.equations):
        found = [Moved(f"{i}_c{k}", i, c, slope=(i, k)) for k, c in enumerate(e.columns)]
        for b, block in enumerate(layout.blocks):
            for k, m in enumerate(block.members):
                if m.response == e.response:
                    found.append(Moved(f"{i}_e{b}_{k}", i, m.column, effect=(b, k)))
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
    if o.inner is None:
        return True
    return is_latent(layout, e, o.source) and not layout.derived[o.source].constant


def _continuous(layout: Layout, e: EquationLayout, source: str) -> int | None:
    """The gap that a source moves with, where that is continuous."""
    d = layout.derived.get(source)
    if d is not None and d.constant and is_latent(layout, e, source):
        return None
    variable = source if d is None else d.variable
    for g, gap in enumerate(layout.gaps):
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


def missing_arrays(layout: Layout, what: Unknown, responses: Responses) -> dict[str, Array]:
    """Arrays of the graph that only missing values need."""
    out: dict[str, Array] = {}
    versions = Versions(layout, what, responses)
    if what.size:
        spread = [np.full(len(layout.gaps[g].at), layout.gaps[g].spread) for g in what.starts]
        out["missing_unit"] = np.concatenate(spread)
    if what.components:
        out["missing_floor"] = what.floor
    for n, (i, source, g) in enumerate(moved_sources(layout)):
        e, gap = layout.equations[i], layout.gaps[g]
        d = layout.derived.get(source)
        out[f"moved_value_{n}"] = variable_values(layout, source, responses)[e.rows]
        averaged = d is not None and not is_latent(layout, e, source)
        if d is None or not d.constant or not averaged:
            cell = np.where(gap.cell < 0, 0, gap.cell + what.starts[g] + 1)
            out[f"moved_cell_{n}"] = cell[e.rows]
        if d is not None and averaged:
            out[f"moved_share_{n}"] = _shares(layout, gap, source)
            out[f"moved_unit_{n}"] = d.code[e.rows]
    for m in moved_columns(layout):
        if is_linear(layout, m) and not _in_some_mean(layout, m):
            continue
        _, stays = split(layout, m)

        def read(lay: Layout, res: Responses, c: Column, i: int = m.equation) -> Array:
            return column_values(c, lay.equations[i].rows, lambda v: variable_values(lay, v, res))

        for what_, c in () if is_linear(layout, m) else (("column", m.column), ("rest", stays)):
            out[f"moved_{what_}_{m.key}"] = versions.spread(
                m.equation, lambda lay, res, c=c, read=read: read(lay, res, c)
            )
        for n, mean in enumerate(latent_means(layout)):
            if in_mean(m, n, layout):
                for what_, c in (("column", m.column), ("rest", stays)):
                    found = read(layout, responses, c)[mean.at]
                    out[f"moved_{what_}_{m.key}_mean{n}"] = found
    return out


def linear_arrays(
    layout: Layout,
    what: Unknown,
    versions: Versions,
    places: Mapping[tuple[int, int], int],
    starts: Mapping[int, int],
    effects: Sequence[int],
) -> dict[str, Array]:
    """What linear columns add, value by value: coefficient, missing value and multiplier.

    Args:
        layout: of the model.
        what: is missing.
        versions: the data.
        places: by equation and column, where its coefficient is among the slopes.
        starts: by equation, where its rows start in the graph.
        effects: where each block's effects start, after the slopes.
    """
    rows: list[Index] = []
    cells: list[Index] = []
    rests: list[Array] = []
    coefficients: list[Index] = []
    for m in moved_columns(layout):
        if not is_linear(layout, m):
            continue
        i, e = m.equation, layout.equations[m.equation]
        moves, stays = split(layout, m)
        g = _continuous(layout, e, moves.parts[0].operand.source) or 0
        source = what.rows[i].source
        cell = layout.gaps[g].cell[e.rows][source]
        here = np.flatnonzero(cell >= 0)
        rest = versions.spread(
            i,
            lambda lay, res, i=i, c=stays: column_values(
                c, lay.equations[i].rows, lambda v: variable_values(lay, v, res)
            ),
        )
        rows.append(starts[i] + here)
        cells.append(what.starts[g] + 1 + cell[here])
        rests.append(rest[here])
        if m.effect is None:
            coefficients.append(np.full(len(here), places[m.slope or (0, 0)]))
        else:
            b, k = m.effect
            block = layout.blocks[b]
            level = block.index(e)[source][here]
            coefficients.append(effects[b] + k * len(block.levels) + level)
    if not rows:
        return {}
    return {
        "linear_row": np.concatenate(rows),
        "linear_cell": np.concatenate(cells),
        "linear_rest": np.concatenate(rests),
        "linear_coefficient": np.concatenate(coefficients),
    }


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


def _shares(layout: Layout, gap: Gap, source: str) -> Array:
    """How much of each unit's observed mean each missing value is, (J, M)."""
    d = layout.derived[source]
    rows = np.arange(layout.n_rows)
    if d.variable not in layout.variables:
        rows = layout.equation(d.variable).rows
    code, cell = d.code[rows], gap.cell[rows]
    out = np.zeros((len(d.levels), len(gap.at)))
    np.add.at(out, (code[cell >= 0], cell[cell >= 0]), 1.0)
    return out / np.bincount(code, minlength=len(d.levels))[:, None]


# --- draws -------------------------------------------------------------------------------


def imputed_draws(
    layout: Layout, what: Unknown, draws: Mapping[str, Array], responses: Responses
) -> dict[str, Array]:
    """Draws of the continuous missing values, by variable, (chain, draw, M)."""
    out: dict[str, Array] = {}
    for g, s in what.starts.items():
        gap = layout.gaps[g]
        rough = responses[gap.variable][gap.at]
        out[gap.variable] = rough + gap.spread * draws["missing"][..., s : s + len(gap.at)]
    return out
