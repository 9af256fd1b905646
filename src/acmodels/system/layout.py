"""The Layout: everything about a fit that stays when the responses are redrawn.

Arrays with names, no PyMC. N is the number of data rows in use, n the number of
rows of an equation (units of its level), J the number of levels of a grouping, K
the number of effects that share a covariance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from acmodels.errors import listing
from acmodels.sources import unit_function
from acmodels.spec import parameters as named
from acmodels.spec.formula import PLAIN
from acmodels.system.arrays import Array, Index
from acmodels.system.equation import Curves, EquationLayout
from acmodels.system.groups import Block, Correlations


@dataclass(frozen=True)
class Variable:
    """A predictor on the data's rows.

    Attributes:
        name: the column.
        values: shape (N,); for a factor, codes into `levels`.
        levels: a factor's levels, the reference first; empty for a number.
    """

    name: str
    values: Array
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Derived:
    """What a function of a unit takes of a variable, as `within(x, g)` and `between(x, g)`.

    Attributes:
        variable: x.
        unit: g.
        function: its name, a file in `acmodels.sources`.
        code: the unit of each data row, shape (N,).
        levels: labels of the units, shape (J,).
        lag: how many waves earlier it is taken, -1 for one later; `lag(x)` itself has the function
            `lag`, `lead(x)` the function `lead`.
    """

    variable: str
    unit: str
    function: str
    code: Index
    levels: tuple[str, ...]
    lag: int = 0

    @property
    def plain(self) -> bool:
        """Whether it is the variable itself, of another wave."""
        return self.function in PLAIN

    @property
    def constant(self) -> bool:
        """Whether its values are the same for all rows of a unit."""
        return not self.plain and unit_function(self.function).constant

    @property
    def mean(self) -> float | None:
        """How it moves with the unit's mean: 1, -1, or None for what is not taken from a mean."""
        return None if self.plain else unit_function(self.function).mean

    @property
    def pattern(self) -> Index:
        """Something that varies over the data's rows as its values can, (N,)."""
        return self.code if self.constant else np.arange(len(self.code), dtype=np.int64)


@dataclass(frozen=True)
class MissingValues:
    """Values of a variable that are missing and modeled, each by the variable's own equation.

    Attributes:
        variable: the column.
        equation: position of the equation that is their distribution.
        at: rows of that equation whose value is missing, (M,).
        cell: for each data row, which of the M values it holds, -1 where its value is known, (N,).
        support: of a discrete variable, the numbers (codes of a factor) that it can be in other
            equations; empty for a continuous one.
        codes: the same as responses of its own equation.
        spread: of a continuous variable, a rough sd of what is not known of it.
    """

    variable: str
    equation: int
    at: Index
    cell: Index
    support: tuple[float, ...] = ()
    codes: tuple[float, ...] = ()
    spread: float = 1.0

    @property
    def discrete(self) -> bool:
        """Whether the likelihood sums over its values."""
        return bool(self.support)


@dataclass(frozen=True)
class Measure:
    """A construct and what measures it, by position in the layout.

    Attributes:
        name: of the construct.
        equation: its own, all of whose values are missing.
        items: the equations of its items.
        raters: (block, member) of the deviations of raters: none, one, or in a panel a lasting
            part and one by wave.
        marker: the item (a response) whose loading is 1, or None: then `sigma(NAME)` is 1.
        reverse: the items (responses) that load negatively.
        by: the column of rater groups between which items may differ, or None.
        scale: a rough sd of the construct's values: 1, or that of its marker.
        units: what its units are called: labels of its level, or row numbers.
        waves: of a panel, the wave of each of them as the data number it; else none.
    """

    name: str
    equation: int
    items: tuple[int, ...]
    raters: tuple[tuple[int, int], ...] = ()
    marker: str | None = None
    reverse: tuple[str, ...] = ()
    by: str | None = None
    scale: float = 1.0
    units: tuple[str, ...] = ()
    waves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Confounder:
    """A cause of several responses that is not measured, standard normal.

    Attributes:
        code: its unit on each data row, (N,).
        units: how many there are.
        loadings: by response, what it adds to the linear predictor.
    """

    code: Index
    units: int
    loadings: Mapping[str, float]


@dataclass(frozen=True)
class Absent:
    """Columns of a product of categories that were left out, since no row is in some cells.

    Attributes:
        response: of the equation.
        names: of the coefficients that were left out.
        variables: of the cells, in order.
        cells: for each cell a code of each variable, or its value where it is a number.
        labels: the cells in words.
    """

    response: str
    names: tuple[str, ...]
    variables: tuple[str, ...]
    cells: tuple[tuple[float, ...], ...]
    labels: tuple[str, ...]

    def why(self, name: str) -> str:
        """Say that a coefficient was left out, and why."""
        rows = listing(list(self.labels), 5)
        return f"'{name}' was left out of the model, since no row has {rows}"


@dataclass(frozen=True, eq=False)
class Layout:
    """A model on the rows of a study, before any response is seen; equal to itself alone.

    Attributes:
        equations: in the order written.
        order: positions of the equations such that predictors come first.
        blocks: group effects by shared covariance.
        residual: sets of equations (positions) whose residuals correlate.
        variables: exogenous predictors by name.
        n_rows: N.
        derived: what is taken of variables within units, by its text.
        missing: missing values that are modeled; design columns hold rough values in their place.
        auxiliary: responses that are exogenous predictors with missing values; their equations,
            which come last, are models of these alone.
        confounder: a cause that is not measured, its loadings held.
        absent: columns that were left out for cells without rows.
        measures: constructs with their items.
        lags: by number of waves, for each data row one of the same unit so many waves earlier,
            -1 where there is none, (N,).
        waves: of a panel, the wave of each data row, counted from 0, (N,).
        stationary: whether first-wave deviations are those that the process implies.
    """

    equations: tuple[EquationLayout, ...]
    order: tuple[int, ...]
    blocks: tuple[Block, ...]
    residual: tuple[tuple[int, ...], ...]
    variables: Mapping[str, Variable]
    n_rows: int
    derived: Mapping[str, Derived] = field(default_factory=dict)
    missing: tuple[MissingValues, ...] = ()
    auxiliary: tuple[str, ...] = ()
    confounder: Confounder | None = None
    absent: tuple[Absent, ...] = ()
    measures: tuple[Measure, ...] = ()
    lags: Mapping[int, Index] = field(default_factory=dict)
    waves: Index | None = None
    stationary: bool = False

    def at(self, key: str) -> Index | None:
        """Return the data rows on which the values of a source stand, -1 for none, (N,).

        None where each row has its own: the source is not lagged.
        """
        d = self.derived.get(key)
        return None if d is None or not d.lag else self.lags[d.lag]

    def equation(self, response: str) -> EquationLayout:
        """Find the equation of a response."""
        return next(e for e in self.equations if e.response == response)

    @property
    def outcomes(self) -> tuple[EquationLayout, ...]:
        """The equations that have something to say beside how constructs are measured."""
        bare = (e for e in self.equations if not e.measured)
        read = {m.response for b in self.blocks if not b.raters for m in b.members}
        return tuple(e for e in bare if not e.construct or e.columns or e.response in read)

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses, in the order written."""
        return tuple(e.response for e in self.equations)

    def measure(self, construct: str) -> Measure | None:
        """Find what measures a construct; None of any other variable."""
        return next((m for m in self.measures if m.name == construct), None)

    @property
    def correlations(self) -> tuple[Correlations, ...]:
        """Every correlation matrix of group effects, then those of residuals."""
        blocks = (Correlations(len(b.members), b.correlations()) for b in self.blocks)
        sets = enumerate(self.residual)
        residual = (Correlations(len(s), residual_pairs(self, n)) for n, s in sets)
        first = (Correlations(len(self.residual[n]), p) for n, p in first_pairs(self))
        return (*blocks, *residual, *first)


def curves_in(layout: Layout) -> dict[str, Curves]:
    """List the columns of every spline, by equation."""
    out: dict[str, Curves] = {e.response: {} for e in layout.equations}
    columns = [(e.response, c) for e in layout.equations for c in e.columns]
    columns += [(m.response, m.column) for b in layout.blocks for m in b.members]
    for response, column in columns:
        for p in column.parts:
            mine = out[response].get(p.operand, ())
            if p.curve is not None and p.curve not in mine:
                out[response] = {**out[response], p.operand: (*mine, p.curve)}
    return out


def left_out(layout: Layout, name: str) -> str | None:
    """Say why a coefficient of that name was left out of a model; None where none was."""
    return next((a.why(name) for a in layout.absent if name in a.names), None)


def first_pairs(layout: Layout) -> list[tuple[int, tuple[tuple[int, int, str], ...]]]:
    """List the residual blocks with first waves: position, and the correlations there."""
    out: list[tuple[int, tuple[tuple[int, int, str], ...]]] = []
    for r, members in enumerate(layout.residual):
        names = [layout.equations[i].response for i in members]
        if layout.equations[members[0]].has_sigma1:
            pairs = combinations(range(len(names)), 2)
            out.append((r, tuple((i, j, named.cor1(names[i], names[j])) for i, j in pairs)))
    return out


def residual_pairs(layout: Layout, r: int) -> tuple[tuple[int, int, str], ...]:
    """Positions within a residual block, and names, of its correlations."""
    names = [layout.equations[i].response for i in layout.residual[r]]
    return tuple(
        (i, j, named.cor(names[i], names[j])) for i, j in combinations(range(len(names)), 2)
    )
