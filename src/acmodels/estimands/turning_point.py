"""Where the effect of a variable on an outcome turns: the top or the bottom of a parabola."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._effects import EffectSettings, PathSum, check_moderators, ends, path_sum
from acmodels.estimands._names import At, Node, node_variable, settings_rows
from acmodels.estimands._paths import Steps, arrow, steps, touches
from acmodels.spec.names import quoted
from acmodels.system import Layout, Responses
from acmodels.system.columns import variable_values
from acmodels.system.terms import terms

INSIDE = "inside"
"""What `at` says of the row that holds the probability."""

heading = "Turning points, and whether they are inside the data"
calibrated = False


class Settings(EffectSettings):
    """Keys of the table: `from`, `to`, `at`, `shape`.

    `shape = "maximum"` (an inverted U) or `"minimum"` counts a turning point as there only where it
    is one; without it either will do.
    """

    shape: Literal["maximum", "minimum"] | None = None


@dataclass(frozen=True)
class Ends:
    """The range of the variable in the data, and its slope at both ends and half-way."""

    low: float
    high: float
    slopes: tuple[PathSum, PathSum, PathSum]


@dataclass(frozen=True)
class TurningPoint:
    """Where the direct slope is zero, and whether that is there and inside the data.

    The slope of a quadratic is linear, s(x) = b + 2 c x, and zero at -b / (2 c). For each
    combination of moderators there are two rows: the place, and with `inside` as the last part of
    `at` 1 where the place is within the range of the data and of the shape asked for, 0 elsewhere,
    so that its mean is P(there and inside) (Lind & Mehlum, 2010, for why both are needed).

    Attributes:
        where: for messages.
        variable, to: x and the outcome.
        shape: what is asked for, or None.
        rows: values of moderators.
        path: the arrow.
        ends: where x does not change with the responses, the slopes at its ends.
    """

    where: str
    variable: str
    to: str
    shape: str | None
    rows: tuple[tuple[str, At], ...]
    path: Steps
    ends: Ends | None

    @property
    def at(self) -> tuple[str, ...]:
        """Two rows for each combination of moderators."""
        return tuple(
            text
            for label, _ in self.rows
            for text in (label, f"{label}; {INSIDE}" if label else INSIDE)
        )

    def evaluate(self, draws: Draws) -> list[Array]:
        """Compute place and whether it is inside, row by row.

        Raises:
            EstimandError: the effect is no parabola.
        """
        x = self.ends or _ends(draws.layout, draws.responses, self)
        out: list[Array] = []
        for first, middle, last in zip(*(s.evaluate(draws) for s in x.slopes), strict=True):
            bend = first + last - 2 * middle
            scale = np.abs(first) + np.abs(last) + 1e-300
            if np.max(np.abs(bend) / scale) > 1e-8:
                raise EstimandError(
                    f"{self.where}: the effect of '{self.variable}' on '{self.to}' is not a "
                    "parabola, so it may not have a single turning point; a turning point needs "
                    "x and square(x), and no other "
                    "transform"
                )
            rise = last - first
            with np.errstate(all="ignore"):
                place = x.low - first * (x.high - x.low) / rise
            place = np.where(np.isfinite(place), place, 0.0)
            there = (place >= x.low) & (place <= x.high) & (rise != 0)
            if self.shape is not None:
                there &= (rise < 0) if self.shape == "maximum" else (rise > 0)
            out += [place, there.astype(np.float64)]
        return out


def resolve(estimand: Estimand, scope: Scope) -> TurningPoint:
    """Look the arrow up.

    Raises:
        EstimandError: there is none, or the effect cannot turn.
    """
    layout, settings = scope.layout, estimand.settings
    start, to = ends(estimand, layout)
    if settings.scale == "standardized":
        raise EstimandError(
            f"{estimand.where}.scale: a turning point is a value of '{start.text}' and has no "
            'scale = "standardized"'
        )
    variable = start.variable
    if variable in {node_variable(name) for name in settings.at}:
        raise EstimandError(
            f"{estimand.where}.at: '{variable}' is the variable whose turning "
            "point is asked for; it cannot be held"
        )
    if start.operand is not None or start.level is not None:
        raise EstimandError(
            f"{estimand.where}.from: name the variable itself, as it stands in square(...), not "
            f"'{start.text}'"
        )
    if not arrow(layout, start, to):
        raise EstimandError(
            f"{estimand.where}: there is no arrow from '{start.text}' to '{to}'; the formula of "
            f"equations.{to} does not hold '{start.text}'"
        )
    path = steps(start, (), to)
    _parabola(estimand, layout, start, to)
    rows = tuple(settings_rows(settings.at, layout, estimand.where))
    check_moderators(estimand, layout, [path], [*settings.at, quoted(variable)])
    asked = TurningPoint(estimand.where, variable, to, settings.shape, rows, path, None)
    if variable not in layout.variables:
        return asked
    known = _ends(layout, {}, asked)
    return TurningPoint(estimand.where, variable, to, settings.shape, rows, path, known)


def _parabola(estimand: Estimand, layout: Layout, start: Node, to: str) -> None:
    """Refuse a variable that enters through a spline, a minimum or a maximum.

    Raises:
        EstimandError: it does.
    """
    for p in (p for t in terms(layout, to) if touches(t, start) for p in t.column.parts):
        if start.variable in p.operand.variables and (p.curve or p.operand.others):
            raise EstimandError(
                f"{estimand.where}: '{start.text}' enters equations.{to} as {p.operand.text}, "
                "which may not have a single turning point; a turning point needs x and "
                'square(x). kind = "curvature" gives the slopes of any curve'
            )


def _ends(layout: Layout, responses: Responses, asked: TurningPoint) -> Ends:
    x = variable_values(layout, asked.variable, responses)[..., layout.equation(asked.to).rows]
    low, high = float(np.min(x)), float(np.max(x))
    first, middle, last = (
        path_sum(
            layout, [asked.path], [(at, {**held, asked.variable: v}) for at, held in asked.rows]
        )
        for v in (low, (low + high) / 2, high)
    )
    return Ends(low, high, (first, middle, last))


def judged(rows: Sequence[str]) -> list[str]:
    """The place is what a proposition is about, not the probability that it is there."""
    return [r for r in rows if r.split("; ")[-1] != INSIDE]


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends."""
    del scale, slopes
    return f"where the effect of {settings.from_} on {settings.to} turns"
