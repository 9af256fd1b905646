"""An equation on the rows of a study: its columns, and the names of its parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.families import Family, family
from acmodels.spec import parameters as named
from acmodels.spec.formula import Operand
from acmodels.system.arrays import Array, Index
from acmodels.system.curves import Curve


@dataclass(frozen=True)
class Part:
    """One operand of a column: a number, or the indicator of a factor's level.

    Attributes:
        operand: as parsed.
        level: the code of the level whose indicator this is; None for a number.
        above: whether it indicates that level and all above: a step of a monotonic effect.
        curve: of a spline, the function that this column is of the variable.
    """

    operand: Operand
    level: int | None = None
    above: bool = False
    curve: Curve | None = None


type Curves = Mapping[Operand, tuple[Curve, ...]]
"""The columns of each spline of an equation."""


@dataclass(frozen=True)
class Column:
    """One column of a design matrix: a product of parts; no parts is the intercept."""

    name: str
    parts: tuple[Part, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The columns of the data it rests on."""
        return tuple(dict.fromkeys(v for p in self.parts for v in p.operand.variables))

    @property
    def sources(self) -> tuple[str, ...]:
        """What its values are looked up by: columns, and means and deviations of columns."""
        return tuple(dict.fromkeys(s for p in self.parts for s in p.operand.sources))


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
        first: rows of first waves, whose residuals have an sd of their own, (n,), or None.
        codes: categories of an ordered response, from the lowest; its thresholds lie between
            neighbors and stand in for the intercept.
        measured: of an item, the constructs that it measures; their coefficients are loadings.
        construct: whether the response is a construct, of which no value is known.
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
    measured: tuple[str, ...] = ()
    construct: bool = False
    first: NDArray[np.bool_] | None = None

    @property
    def has_sigma1(self) -> bool:
        """Whether residuals of first waves have an sd of their own."""
        return self.has_sigma and self.first is not None

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
    def located(self) -> bool:
        """Whether a constant is fitted, here or, of a construct, in the equations of its items."""
        return self.has_constant or self.construct

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
            if self.first is not None:
                sd = np.where(self.first[rows], by_row(self.sigma1), sd)
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

    @property
    def sigma1(self) -> str:
        """Name of the residual sd of first waves."""
        return named.sigma1(self.response)

    def coefficient(self, column: Column) -> str:
        """Name of a column's coefficient."""
        construct = self.loaded(column)
        if construct is not None:
            return named.loading(construct, self.response)
        return named.coefficient(self.response, column.name)

    def loaded(self, column: Column) -> str | None:
        """Return the construct whose loading a column's coefficient is, or None."""
        plain = len(column.parts) == 1 and column.parts[0].operand.function is None
        variable = column.parts[0].operand.variable if plain else ""
        return variable if variable in self.measured else None
