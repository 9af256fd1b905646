"""The one place where a formula's terms are resolved: what each is, and where its values come from.

A linear predictor is an offset plus a sum of terms. A term is a column of numbers times a
coefficient, or times the effect of the group that a row lies in. Everyone who needs an equation
goes over its terms: engines, the generator, estimands, predictions, reports.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from weakref import WeakKeyDictionary

import numpy as np

from acmodels.system.arrays import Array, Index, Responses
from acmodels.system.columns import column_values, variable_values
from acmodels.system.equation import Column, EquationLayout, Part
from acmodels.system.groups import Block
from acmodels.system.layout import Derived, Layout


@dataclass(frozen=True)
class Source:
    """Where the values of one factor of a term come from.

    Attributes:
        key: what the values are looked up by: the variable, or `within(x, g)` and its like whole.
        variable: the column of the data.
        equation: position of the variable's own equation, or None: its values are given.
        derived: what is taken of the variable within units, or None for the variable itself.
        latent: position of the latent unit mean that it is or is taken from, or None.
        missing: position of the variable's missing values among those that are modeled, or None.
        raters: (block, member) of the deviations of raters that are added to the values of a
            construct as its items read it; in a panel these have a lasting part and one by wave.
        lag: how many waves earlier its values are; `Layout.at` says on which data rows.
    """

    key: str
    variable: str
    equation: int | None = None
    derived: Derived | None = None
    latent: int | None = None
    missing: int | None = None
    raters: tuple[tuple[int, int], ...] = ()
    lag: int = 0

    @property
    def endogenous(self) -> bool:
        """Whether the values change with the responses."""
        return self.equation is not None


@dataclass(frozen=True)
class Factor:
    """One part of a column, with the sources of its values: one, or several of `min` and `max`."""

    part: Part
    sources: tuple[Source, ...]

    @property
    def source(self) -> Source:
        """The source of its values, the first where there are several."""
        return self.sources[0]


@dataclass(frozen=True)
class LatentFactor:
    """How a term moves with a latent unit mean.

    Attributes:
        mean: position among `latent_means`.
        key: the text of the deviation or mean in the term.
        sign: 1 for a mean, -1 for a deviation from it.
        rest: what else the term multiplies.
        lag: how many waves earlier the deviation is.
    """

    mean: int
    key: str
    sign: float
    rest: Column
    lag: int = 0


@dataclass(frozen=True)
class Term:
    """A summand of a linear predictor: a column times a coefficient or times a group effect.

    Attributes:
        response: of the equation.
        column: what is multiplied.
        factors: the column's parts, each with the source of its values.
        rows: the data rows of the equation's rows, (n,).
        position: of the column in the design matrix; None for a group effect.
        effect: positions of the block and of the member in it; None for a coefficient.
        parameter: name of the coefficient, or of the sd of the group effect.
        latent: how it moves with a latent unit mean, or None. A product of two is refused.
    """

    response: str
    column: Column
    factors: tuple[Factor, ...]
    rows: Index
    position: int | None
    effect: tuple[int, int] | None
    parameter: str
    latent: LatentFactor | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where its values come from, each source once."""
        return tuple({s.key: s for f in self.factors for s in f.sources}.values())

    @property
    def variables(self) -> tuple[str, ...]:
        """The columns of the data it rests on."""
        return self.column.variables

    @property
    def intercept(self) -> bool:
        """Whether it multiplies by one in every row."""
        return not self.factors

    @property
    def endogenous(self) -> bool:
        """Whether its values change with the responses."""
        return any(s.endogenous for s in self.sources)

    @property
    def rated(self) -> bool:
        """Whether raters' deviations are added to its values."""
        return any(s.raters for s in self.sources)

    def values(self, layout: Layout, responses: Responses) -> Array:
        """What is multiplied, on the equation's rows, (n,); (R, n) where it rests on R data sets.

        Latent unit means are observed ones here.
        """
        return column_values(
            self.column, self.rows, lambda name: variable_values(layout, name, responses)
        )


@dataclass(frozen=True)
class LatentMean:
    """The latent mean of a response in a unit.

    Attributes:
        variable, unit: x and g.
        key: a text by which its observed counterpart is looked up.
        equation: position of x's equation.
        code: the unit of each data row, (N,).
        at: for each unit a row of x's equation, (J,).
        columns: positions of the design columns that are constant within g.
        effects: (block, member) of the group effects that are.
        offset: the offset where it is constant within g, else 0, (J,).
    """

    variable: str
    unit: str
    key: str
    equation: int
    code: Index
    at: Index
    columns: tuple[int, ...]
    effects: tuple[tuple[int, int], ...]
    offset: Array


def per_layout[T](find: Callable[[Layout], T]) -> Callable[[Layout], T]:
    """Keep what a function finds of a layout for as long as the layout lives."""
    kept: WeakKeyDictionary[Layout, T] = WeakKeyDictionary()

    @wraps(find)
    def found(layout: Layout) -> T:
        if layout not in kept:
            kept[layout] = find(layout)
        return kept[layout]

    return found


def terms(layout: Layout, response: str) -> tuple[Term, ...]:
    """List the terms of an equation: its design columns in order, then its group effects.

    Args:
        layout: the model on its rows.
        response: of the equation.
    """
    return _terms(layout)[response]


def slopes(layout: Layout, response: str) -> tuple[Term, ...]:
    """List the terms of an equation that have a coefficient, as the design matrix has them."""
    return tuple(t for t in terms(layout, response) if t.effect is None)


def group_terms(layout: Layout, response: str) -> tuple[tuple[Block, tuple[Term, ...]], ...]:
    """List the group effects of an equation, those of one block together."""
    out: dict[int, list[Term]] = {}
    for t in terms(layout, response):
        if t.effect is not None:
            out.setdefault(t.effect[0], []).append(t)
    return tuple((layout.blocks[b], tuple(mine)) for b, mine in out.items())


def reads(layout: Layout, response: str) -> frozenset[str]:
    """List the columns of the data that an equation's terms rest on."""
    return frozenset(v for t in terms(layout, response) for v in t.variables)


def source(layout: Layout, e: EquationLayout, key: str) -> Source:
    """Resolve what an equation looks values up by: a variable, or what is taken of one."""
    d = layout.derived.get(key)
    variable = key if d is None else d.variable
    given = variable in layout.variables
    names = layout.responses
    equation = None if given or variable not in names else names.index(variable)
    missing = next((n for n, g in enumerate(layout.missing) if g.variable == variable), None)
    latent = None
    if is_latent(layout, e, key) and d is not None:
        pairs = [(m.variable, m.unit) for m in latent_means(layout)]
        latent = pairs.index((d.variable, d.unit))
    measure = layout.measure(variable) if variable in e.measured else None
    raters = () if measure is None else measure.raters
    lag = 0 if d is None else d.lag
    return Source(key, variable, equation, d, latent, missing, raters, lag)


def is_latent(layout: Layout, e: EquationLayout, key: str) -> bool:
    """Say whether what an equation reads is, or is taken from, a latent unit mean."""
    d = layout.derived.get(key)
    if d is None or d.mean is None or d.variable in layout.variables:
        return False
    return d.variable in layout.responses and not e.observed


@per_layout
def latent_means(layout: Layout) -> tuple[LatentMean, ...]:
    """List every latent mean that an equation reads, those that others rest on first."""
    wanted: dict[tuple[str, str], str] = {}
    for e in layout.equations if layout.derived else ():
        for key in (k for c in _columns(layout, e) for k in c.sources):
            if is_latent(layout, e, key):
                d = layout.derived[key]
                wanted.setdefault((d.variable, d.unit), key)
    order = {layout.equations[i].response: n for n, i in enumerate(layout.order)}
    pairs = sorted(wanted, key=lambda p: (order[p[0]], p[1]))
    return tuple(_mean(layout, *p, wanted[p]) for p in pairs)


def latent_terms(layout: Layout, response: str) -> tuple[tuple[Term, LatentFactor], ...]:
    """List the terms of an equation that move with a latent unit mean, and how they do."""
    return tuple((t, t.latent) for t in terms(layout, response) if t.latent is not None)


def constant_within(layout: Layout, column: Column, code: Index) -> bool:
    """Say whether a column is constant within units, from what it is made of."""
    return all(is_constant(pattern(layout, s), code) for s in column.sources)


@per_layout
def _terms(layout: Layout) -> dict[str, tuple[Term, ...]]:
    out: dict[str, list[Term]] = {e.response: [] for e in layout.equations}
    by_response = {e.response: e for e in layout.equations}
    for e in layout.equations:
        for k, c in enumerate(e.columns):
            out[e.response].append(_term(layout, e, c, k, None, e.coefficient(c)))
    for b, block in enumerate(layout.blocks):
        for k, m in enumerate(block.members if not block.raters else ()):
            e = by_response[m.response]
            out[m.response].append(_term(layout, e, m.column, None, (b, k), block.sd(m)))
    return {r: tuple(found) for r, found in out.items()}


def _term(
    layout: Layout,
    e: EquationLayout,
    column: Column,
    position: int | None,
    effect: tuple[int, int] | None,
    parameter: str,
) -> Term:
    factors = tuple(
        Factor(p, tuple(source(layout, e, key) for key in p.operand.sources)) for p in column.parts
    )
    latent = [
        LatentFactor(
            f.source.latent,
            f.source.key,
            f.source.derived.mean,
            replace(column, parts=tuple(p for p in column.parts if p is not f.part)),
            f.source.lag,
        )
        for f in factors
        if f.source.latent is not None
        and f.source.derived is not None
        and f.source.derived.mean is not None
    ]
    first = latent[0] if latent else None
    return Term(e.response, column, factors, e.rows, position, effect, parameter, first)


def _columns(layout: Layout, e: EquationLayout) -> list[Column]:
    """Columns of an equation, before its terms are resolved."""
    members = (m for b in layout.blocks for m in b.members if m.response == e.response)
    return [*e.columns, *(m.column for m in members)]


def _mean(layout: Layout, variable: str, unit: str, key: str) -> LatentMean:
    d = layout.derived[key]
    i = layout.responses.index(variable)
    e = layout.equations[i]
    own = d.code[e.rows]
    at = np.zeros(len(d.levels), dtype=np.int64)
    at[own[::-1]] = np.arange(e.n, dtype=np.int64)[::-1]
    columns = tuple(k for k, c in enumerate(e.columns) if constant_within(layout, c, d.code))
    effects = tuple(
        (b, k)
        for b, block in enumerate(layout.blocks)
        for k, m in enumerate(block.members)
        if m.response == variable
        and not block.raters
        and is_constant(block.code, d.code)
        and constant_within(layout, m.column, d.code)
    )
    offset = e.offset[at] if is_constant(e.offset, own) else np.zeros(len(at))
    return LatentMean(variable, unit, key, i, d.code, at, columns, effects, offset)


def pattern(layout: Layout, key: str) -> Array | Index:
    """Return something that varies over the data's rows as a source can, (N,).

    The deviation of a variable from the mean of its unit is the same in rows that share both the
    variable's value and the unit: that of a department's variable from its district's mean is one
    number for all rows of the department.
    """
    kept = _patterns(layout)
    if key not in kept:
        kept[key] = _pattern(layout, key)
    return kept[key]


@per_layout
def _patterns(layout: Layout) -> dict[str, Array | Index]:
    del layout
    return {}


def _pattern(layout: Layout, key: str) -> Array | Index:
    d = layout.derived.get(key)
    if d is not None and d.lag:
        at = layout.lags[d.lag]
        of = pattern(layout, d.variable)
        if not d.plain:
            of = np.unique(np.stack([of, d.code]), axis=1, return_inverse=True)[1]
        _, number = np.unique(of, return_inverse=True)
        return np.where(at >= 0, number.reshape(-1)[at], -1).astype(np.int64)
    if d is None:
        known = layout.variables.get(key)
        return layout.equation(key).carry if known is None else known.values
    if d.constant:
        return d.code
    pairs = np.stack([np.unique(pattern(layout, d.variable), return_inverse=True)[1], d.code])
    return np.unique(pairs, axis=1, return_inverse=True)[1].astype(np.int64)


def is_constant(values: Array | Index, code: Index) -> bool:
    """Say whether values on the data's rows are the same within every unit."""
    first = np.zeros(int(code.max()) + 1, dtype=values.dtype)
    first[code[::-1]] = values[::-1]
    return bool(np.all(values == first[code]))
