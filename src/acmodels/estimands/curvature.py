"""The slopes of an outcome on a variable where the variable is low and where it is high."""

from dataclasses import dataclass

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._effects import EffectSettings, PathSum, check_moderators, ends, path_sum
from acmodels.estimands._gformula import alone
from acmodels.estimands._names import At, Node, node_variable, settings_rows
from acmodels.estimands._paths import Steps, arrow, steps, touches
from acmodels.numbers import number
from acmodels.spec.names import quoted
from acmodels.system import Layout, Responses
from acmodels.system.columns import variable_values
from acmodels.system.terms import terms

QUANTILES = {"low": 0.1, "high": 0.9}
"""Where the slopes are taken, by the row's `at`."""

heading = "Slopes where a variable is low and where it is high"


class Settings(EffectSettings):
    """Keys of the table: `from`, `to`, `at`."""


@dataclass(frozen=True)
class Curvature:
    """The direct slope at the 10th and at the 90th percentile of the variable.

    The slope is that of the outcome's linear predictor, through every term of the outcome's own
    equation that holds the variable: x, square(x), spline(x, k), products. What it is multiplied
    by is as observed, or as `at` holds it. Percentiles are over the rows of the equation.

    Attributes:
        where: for messages.
        variable: what the slope is of.
        rows: labels and values of moderators.
        path: the arrow.
        slopes: at both percentiles, where they do not change with the responses.
    """

    where: str
    variable: str
    rows: tuple[tuple[str, At], ...]
    path: Steps
    slopes: PathSum | None

    @property
    def at(self) -> tuple[str, ...]:
        """`low` and `high` for each combination of moderators."""
        return tuple(f"{label}; {k}" if label else k for label, _ in self.rows for k in QUANTILES)

    def evaluate(self, draws: Draws) -> list[Array]:
        """Compute it row by row, (chain, draw); of R data sets one a chain."""
        if self.slopes is not None:
            return self.slopes.evaluate(draws)
        sets = [len(v) for v in draws.responses.values() if v.ndim > 1]
        if not sets:
            return _slopes(self, draws.layout, draws.responses).evaluate(draws)
        each = [alone(draws, r) for r in range(sets[0])]
        rows = [_slopes(self, d.layout, d.responses).evaluate(d) for d in each]
        return [np.concatenate(found) for found in zip(*rows, strict=True)]


def resolve(estimand: Estimand, scope: Scope) -> Curvature:
    """Look the arrow up.

    Raises:
        EstimandError: there is none, or the variable has no slope at a value.
    """
    layout, settings = scope.layout, estimand.settings
    start, to = ends(estimand, layout, alone=True)
    variable = start.variable
    if variable in {node_variable(name) for name in settings.at}:
        raise EstimandError(
            f"{estimand.where}.at: '{variable}' is what the slopes are of; curvature takes them "
            "at its 10th and 90th percentiles, slope_at at any values"
        )
    if start.level is not None:
        raise EstimandError(f"{estimand.where}.from: '{start.text}' is a category and has no slope")
    if start.operand is not None:
        raise EstimandError(
            f"{estimand.where}.from: name the variable itself, as it stands in square(...) or "
            f"spline(...), not '{start.text}'"
        )
    if not arrow(layout, start, to):
        raise EstimandError(
            f"{estimand.where}: there is no arrow from '{start.text}' to '{to}'; the formula of "
            f"equations.{to} does not hold '{start.text}', and curvature is of the direct effect"
        )
    _refuse_steps(estimand, layout, start, to)
    path = steps(start, (), to)
    rows = tuple(settings_rows(settings.at, layout, estimand.where))
    check_moderators(estimand, layout, [path], list(settings.at))
    asked = Curvature(estimand.where, variable, rows, path, None)
    if variable not in layout.variables:
        return asked
    low, high = _percentiles(asked, layout, {})
    if low == high:
        raise EstimandError(
            f"{estimand.where}.from: the 10th and 90th percentiles of '{variable}' are both "
            f"{number(low)}, so there are no two places to compare"
        )
    return Curvature(estimand.where, variable, rows, path, _slopes(asked, layout, {}))


def _refuse_steps(estimand: Estimand, layout: Layout, start: Node, to: str) -> None:
    """Refuse a monotonic effect, which has steps and no slope at a value."""
    for t in terms(layout, to):
        if touches(t, start) and any(p.above for p in t.column.parts):
            raise EstimandError(
                f"{estimand.where}.from: '{start.text}' enters equations.{to} as "
                f"mo({quoted(start.variable)}), whose steps are no slopes; compare its shares "
                "simo(...) instead"
            )


def _percentiles(asked: Curvature, layout: Layout, responses: Responses) -> list[float]:
    own = layout.equation(asked.path[-1][1]).rows
    x = variable_values(layout, asked.variable, responses)[..., own]
    return [float(np.quantile(x, q)) for q in QUANTILES.values()]


def _slopes(asked: Curvature, layout: Layout, responses: Responses) -> PathSum:
    held = [
        (f"{label}; {k}", {**at, asked.variable: x})
        for label, at in asked.rows
        for k, x in zip(QUANTILES, _percentiles(asked, layout, responses), strict=True)
    ]
    return path_sum(layout, [asked.path], held)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends."""
    del slopes
    return (
        f"the slopes of {settings.to} on {settings.from_} at the 10th and 90th percentiles of "
        f"{settings.from_}{scale}"
    )
