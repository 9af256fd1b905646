"""The Layout: everything about a fit that stays when the responses are redrawn.

Arrays with names, no PyMC. N is the number of data rows in use, n the number of
rows of an equation (units of its level), J the number of levels of a grouping, K
the number of effects that share a covariance.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import listing
from acmodels.families import Family, family
from acmodels.sources import unit_function
from acmodels.spec import parameters as named
from acmodels.spec.formula import Operand

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]
type Responses = Mapping[str, Array]
"""By response: its values on the rows of its equation, shape (n,); of R data sets, (R, n)."""


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
class Part:
    """One operand of a column: a number, or the indicator of a factor's level.

    Attributes:
        operand: as parsed.
        level: the code of the level whose indicator this is; None for a number.
        above: whether it indicates that level and all above: a step of a monotonic effect.
    """

    operand: Operand
    level: int | None = None
    above: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a design matrix: a product of parts; no parts is the intercept."""

    name: str
    parts: tuple[Part, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The columns of the data it rests on."""
        return tuple(dict.fromkeys(p.operand.variable for p in self.parts))

    @property
    def sources(self) -> tuple[str, ...]:
        """What its values are looked up by: columns, and means and deviations of columns."""
        return tuple(dict.fromkeys(p.operand.source for p in self.parts))


@dataclass(frozen=True)
class Derived:
    """What a function of a unit takes of a variable, as `within(x, g)` and `between(x, g)`.

    Attributes:
        variable: x.
        unit: g.
        function: its name, a file in `acmodels.sources`.
        code: the unit of each data row, shape (N,).
        levels: labels of the units, shape (J,).
    """

    variable: str
    unit: str
    function: str
    code: Index
    levels: tuple[str, ...]

    @property
    def constant(self) -> bool:
        """Whether its values are the same for all rows of a unit."""
        return unit_function(self.function).constant

    @property
    def mean(self) -> float | None:
        """How it moves with the unit's mean: 1, -1, or None for what is not taken from a mean."""
        return unit_function(self.function).mean

    @property
    def pattern(self) -> Index:
        """Something that varies over the data's rows as its values can, (N,)."""
        return self.code if self.constant else np.arange(len(self.code), dtype=np.int64)


@dataclass(frozen=True)
class EquationLayout:
    """One equation on its rows.

    Attributes:
        response, family, link, level: as in the model, the link filled in.
        rows: positions in the data of the equation's rows, shape (n,).
        carry: for each data row, the equation row it belongs to, shape (N,).
        columns: of the design matrix, the intercept first where there is one.
        fixed: the design matrix, shape (n, p); NaN in the columns that rest on responses.
        endogenous: positions of those columns.
        offset: shape (n,), added to the linear predictor.
        se: known standard errors, shape (n,), or None.
        trials: shape (n,), or None.
        has_sigma: whether there is a residual sd to estimate.
        observed: whether `within` and `between` take observed means even of variables that have
            an equation.
        scalars: kinds of the family's further parameters, such as `nu`.
        weights: of the rows' log likelihoods, of mean 1 where they are not 0, (n,), or None.
        codes: categories of an ordered response, from the lowest; its thresholds lie between
            neighbors and stand in for the intercept.
    """

    response: str
    family: str
    link: str
    level: str | None
    rows: Index
    carry: Index
    columns: tuple[Column, ...]
    fixed: Array
    endogenous: tuple[int, ...]
    offset: Array
    se: Array | None
    trials: Array | None
    has_sigma: bool
    observed: bool = False
    scalars: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    weights: Array | None = None

    @property
    def row_sd(self) -> Array | None:
        """What residuals of a gaussian equation are multiples of, row by row, shape (n,), or None.

        Known standard errors; or 1 / sqrt(w), since w log N(r; 0, s) is log N(r; 0, s / sqrt(w)) up
        to a constant where weights have mean 1. Infinite for a weight of zero.
        """
        if self.se is not None:
            return self.se
        if self.weights is None:
            return None
        with np.errstate(divide="ignore"):
            return 1.0 / np.sqrt(self.weights)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def counted(self) -> int:
        """Number of rows whose likelihood counts: those of weight 0 do not."""
        return self.n if self.weights is None else int(np.sum(self.weights > 0))

    @property
    def intercept(self) -> int | None:
        """Position of the intercept among the columns."""
        return 0 if self.columns and not self.columns[0].parts else None

    @property
    def monotonic(self) -> Mapping[str, tuple[int, ...]]:
        """Positions of the steps of each monotonic effect, by how it is written: `mo(x)`."""
        out: dict[str, tuple[int, ...]] = {}
        for k, c in enumerate(self.columns):
            if c.parts and c.parts[0].above:
                name = c.parts[0].operand.text
                out[name] = (*out.get(name, ()), k)
        return out

    def shares(self, effect: str) -> tuple[str, ...]:
        """Names of the shares of a monotonic effect that its steps have; they sum to 1."""
        steps = range(1, len(self.monotonic[effect]) + 1)
        return tuple(named.share(self.response, effect, k) for k in steps)

    @property
    def has_constant(self) -> bool:
        """Whether a constant is fitted: an intercept, or thresholds."""
        return self.intercept is not None or bool(self.codes)

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Names of the thresholds between an ordered response's categories."""
        return tuple(named.threshold(self.response, k) for k in range(1, len(self.codes)))

    def scalar(self, kind: str) -> str:
        """Name of a further parameter of the family."""
        return named.of_family(kind, self.response)

    @property
    def distribution(self) -> type[Family]:
        """Its family, which knows what responses can be."""
        return family(self.family)

    def conditional(
        self, parameter: Callable[[str], Any], rows: Any = slice(None), sd: Any = None
    ) -> Family:
        """Make the distribution of the response given the linear predictor.

        Args:
            parameter: looks up a parameter: draws of any shape D, which are held as (*D, 1), to
                broadcast against linear predictors (*D, row).
            rows: the rows of the equation that are asked for.
            sd: residual sds to take instead of the equation's own, to broadcast likewise.
        """

        def by_row(name: str) -> Array:
            return np.asarray(parameter(name), dtype=np.float64)[..., None]

        known: dict[str, Any] = {kind: by_row(self.scalar(kind)) for kind in self.scalars}
        if self.codes:
            cuts = [by_row(name) for name in self.thresholds]
            known |= {"threshold": np.stack(cuts, axis=-1), "lowest": float(self.codes[0])}
        if sd is None and self.se is not None:
            sd = self.se[rows]
        elif sd is None and self.has_sigma:
            sd = by_row(self.sigma)
        return self.distribution(
            link=self.link,
            sd=sd,
            trials=None if self.trials is None else self.trials[rows],
            weights=None if self.weights is None else self.weights[rows],
            **known,
        )

    @property
    def sigma(self) -> str:
        """Name of the residual sd."""
        return named.sigma(self.response)

    def coefficient(self, column: Column) -> str:
        """Name of a column's coefficient."""
        return named.coefficient(self.response, column.name)


@dataclass(frozen=True)
class Member:
    """One effect of a block: how `column` in the equation of `response` varies by group."""

    response: str
    column: Column

    @property
    def name(self) -> str:
        """As in `sd(... | g)`, without the grouping."""
        return named.coefficient(self.response, self.column.name)


@dataclass(frozen=True)
class Block:
    """Group effects that share one covariance over the levels of one grouping.

    Attributes:
        group: the grouping as parameters name it.
        columns: the id columns whose combination is the grouping.
        levels: labels, shape (J,).
        members: the K effects, in model order.
        code: the level of each data row, shape (N,).
    """

    group: str
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    members: tuple[Member, ...]
    code: Index

    def index(self, e: EquationLayout) -> Index:
        """Level of each row of an equation, shape (n,)."""
        return self.code[e.rows]

    @property
    def key(self) -> str:
        """A name unique within the layout."""
        return f"{', '.join(m.name for m in self.members)} | {self.group}"

    @property
    def sds(self) -> tuple[str, ...]:
        """Names of the members' standard deviations, in model order."""
        return tuple(self.sd(m) for m in self.members)

    def sd(self, member: Member) -> str:
        """Name of a member's standard deviation."""
        return named.sd(member.name, self.group)

    def correlations(self) -> tuple[tuple[int, int, str], ...]:
        """Positions and names of the correlations, in model order."""
        return tuple(
            (i, j, named.cor(self.members[i].name, self.members[j].name, self.group))
            for i, j in combinations(range(len(self.members)), 2)
        )


@dataclass(frozen=True)
class Correlations:
    """A correlation matrix among the parameters.

    Attributes:
        size: K.
        entries: positions and name of each correlation, in model order.
    """

    size: int
    entries: tuple[tuple[int, int, str], ...]

    def matrix(self, value: Callable[[str], Any]) -> Array:
        """Make the matrix from values of the correlations.

        Args:
            value: looks a correlation up by its name: a number, or an array (...).

        Returns:
            Shape (..., K, K).
        """
        found = [np.asarray(value(name), dtype=np.float64) for _, _, name in self.entries]
        shape = np.broadcast_shapes(*(f.shape for f in found))
        out = np.tile(np.eye(self.size), (*shape, 1, 1))
        for (i, j, _), f in zip(self.entries, found, strict=True):
            out[..., i, j] = out[..., j, i] = f
        return out


type ParameterKind = str
"""`coefficient`, `threshold`, `sd`, `cor`, `sigma`, `simo`, or a family's own, such as `nu`;
`step` for the coefficient of a step of a monotonic effect, which follows from others."""


@dataclass(frozen=True)
class Parameter:
    """A structural parameter.

    Attributes:
        name: as in files and tables.
        kind: what patterns match by.
        owner: position of its block (sd, cor), of its residual block (cor with `residual`
            true), or of its equation.
        residual: whether it is a residual correlation.
    """

    name: str
    kind: ParameterKind
    owner: int
    residual: bool = False


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

    def equation(self, response: str) -> EquationLayout:
        """Find the equation of a response."""
        return next(e for e in self.equations if e.response == response)

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses, in the order written."""
        return tuple(e.response for e in self.equations)

    @property
    def correlations(self) -> tuple[Correlations, ...]:
        """Every correlation matrix of group effects, then those of residuals."""
        blocks = (Correlations(len(b.members), b.correlations()) for b in self.blocks)
        sets = enumerate(self.residual)
        residual = (Correlations(len(s), residual_pairs(self, n)) for n, s in sets)
        return (*blocks, *residual)


def left_out(layout: Layout, name: str) -> str | None:
    """Say why a coefficient of that name was left out of a model; None where none was."""
    return next((a.why(name) for a in layout.absent if name in a.names), None)


def parameters(layout: Layout) -> tuple[Parameter, ...]:
    """List the structural parameters, in the order of every table.

    Those of the models of incomplete predictors come after all others.
    """
    out: list[Parameter] = []
    for i, e in enumerate(layout.equations):
        out += [Parameter(name, "threshold", i) for name in e.thresholds]
        out += _coefficients(e, i)
    for b, block in enumerate(layout.blocks):
        out += [Parameter(block.sd(m), "sd", b) for m in block.members]
        out += [Parameter(name, "cor", b) for _, _, name in block.correlations()]
    out += [Parameter(e.sigma, "sigma", i) for i, e in enumerate(layout.equations) if e.has_sigma]
    out += [
        Parameter(e.scalar(kind), kind, i)
        for i, e in enumerate(layout.equations)
        for kind in e.scalars
    ]
    for r in range(len(layout.residual)):
        out += [
            Parameter(name, "cor", r, residual=True) for _, _, name in residual_pairs(layout, r)
        ]
    return tuple(sorted(out, key=lambda p: _auxiliary(layout, p)))


def _coefficients(e: EquationLayout, i: int) -> Iterator[Parameter]:
    first = {places[0]: effect for effect, places in e.monotonic.items()}
    for k, c in enumerate(e.columns):
        if k in first:
            yield Parameter(named.coefficient(e.response, first[k]), "coefficient", i)
            yield from (Parameter(name, "simo", i) for name in e.shares(first[k]))
        step = bool(c.parts) and c.parts[0].above
        yield Parameter(e.coefficient(c), "step" if step else "coefficient", i)


def with_steps[T](layout: Layout, value: Mapping[str, T]) -> dict[str, T]:
    """Add the steps of monotonic effects to what they follow from.

    A step is the mean step times their number times its share (Bürkner & Charpentier, 2020).

    Args:
        layout: of the model.
        value: numbers or arrays by parameter.
    """
    out: dict[str, Any] = dict(value)
    for e in layout.equations:
        for effect, places in e.monotonic.items():
            for k, name in zip(places, e.shares(effect), strict=True):
                mean = out[named.coefficient(e.response, effect)]
                out[e.coefficient(e.columns[k])] = mean * len(places) * out[name]
    return out


def _auxiliary(layout: Layout, p: Parameter) -> bool:
    """Whether a parameter is of the model of an incomplete predictor."""
    if p.residual or not layout.auxiliary:
        return False
    if p.kind in ("sd", "cor"):
        return layout.blocks[p.owner].members[0].response in layout.auxiliary
    return layout.equations[p.owner].response in layout.auxiliary


def residual_pairs(layout: Layout, r: int) -> tuple[tuple[int, int, str], ...]:
    """Positions within a residual block, and names, of its correlations."""
    names = [layout.equations[i].response for i in layout.residual[r]]
    return tuple(
        (i, j, named.cor(names[i], names[j])) for i, j in combinations(range(len(names)), 2)
    )
