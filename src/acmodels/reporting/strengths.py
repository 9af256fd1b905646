"""What the arrows of the path diagram show: slopes with what they are multiplied by at its mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acmodels.families import family
from acmodels.numbers import significant
from acmodels.posterior import Array, intervals
from acmodels.system.columns import column_values, design_matrix, slope, variable_values
from acmodels.system.equation import Column

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit
    from acmodels.system import EquationLayout


@dataclass(frozen=True)
class Strength:
    """What an arrow shows.

    Attributes:
        mean, lower, upper: of the coefficient, on the data's own scale.
        standardized: mean times sd(column) over the response's spread.
        p_positive: posterior probability that it is above zero.
        at: the means at which it is taken, in words; nothing for a coefficient as it is.
    """

    mean: float
    lower: float
    upper: float
    standardized: float
    p_positive: float
    at: str = ""

    @property
    def kind(self) -> str:
        """`positive`, `negative`, or `unclear` where the interval covers zero."""
        if self.lower > 0:
            return "positive"
        return "negative" if self.upper < 0 else "unclear"

    @property
    def weight(self) -> float:
        """Line width."""
        return 1.1 + 6.5 * min(1.0, abs(self.standardized))


def strengths(fit: "Fit", estimates: Mapping[str, Mapping[str, float]]) -> dict[str, Strength]:
    """Strength of every coefficient, by name."""
    out: dict[str, Strength] = {}
    for e in fit.system.layout.outcomes:
        for c, size in zip(e.columns, _sizes(fit, e), strict=True):
            name = e.coefficient(c)
            row = estimates[name]
            out[name] = Strength(
                row["mean"], row["lower"], row["upper"],
                float(row["mean"] * size), float((fit.draws[name] > 0).mean()),
            )  # fmt: skip
    return out


def at_means(fit: "Fit", found: Mapping[str, Strength]) -> dict[str, Strength]:
    """Strengths for a drawing: a term that is part of a product has its slope at the mean.

    The coefficient of such a term is the effect where what it is multiplied by is 0, which may lie
    outside the data. What is drawn is the effect where that is at its mean over the equation's
    rows; a factor's indicator is at its share.

    Args:
        fit: whose draws are taken.
        found: from `strengths`.
    """
    out = dict(found)
    for e in fit.system.layout.outcomes:
        for c, size in zip(e.columns, _sizes(fit, e), strict=True):
            if len(c.variables) != 1:
                continue
            more = [m for p in e.columns if (m := _multiplied(fit, e, c, p)) is not None]
            if not more:
                continue
            draws = fit.draws[e.coefficient(c)].copy()
            for name, times, _ in more:
                draws = draws + times * fit.draws[name]
            low, high = intervals(draws[..., None], fit.interval, fit.prob)
            said = dict.fromkeys(word for _, _, words in more for word in words)
            mean = float(draws.mean())
            out[e.coefficient(c)] = Strength(
                mean, float(low[0]), float(high[0]), mean * size, float((draws > 0).mean()),
                ", ".join(said),
            )  # fmt: skip
    return out


def _sizes(fit: "Fit", e: "EquationLayout") -> Array:
    """Return what turns each coefficient of an equation into a standardized one."""
    X = design_matrix(fit.system.layout, e, fit.system.responses)
    y = fit.system.responses[e.response]
    spread = family(e.family).scale(y, e.trials, e.link)[1] or 1.0
    return np.asarray(X.std(axis=0) / spread)


def _multiplied(
    fit: "Fit", e: "EquationLayout", c: Column, product: Column
) -> tuple[str, float, tuple[str, ...]] | None:
    """A product with a term in it: its coefficient, what that is taken times, and at what means."""
    name = e.coefficient(product)
    left = list(product.parts)
    for part in c.parts:
        if part not in left:
            return _squared(fit, e, c, product)
        left.remove(part)
    if not left:
        return None
    times, words = 1.0, list[str]()
    for part in left:
        mean = _mean(fit, e, Column("", (part,)))
        times *= mean
        label = _label(fit, part.operand.source, part.level)
        words.append(f"{label} = {significant(mean)}")
    return name, times, tuple(words)


def _squared(
    fit: "Fit", e: "EquationLayout", c: Column, product: Column
) -> tuple[str, float, tuple[str, ...]] | None:
    """The same for `square(x)` beside x: the slope at the mean of x."""
    if len(product.parts) != 1 or len(c.parts) != 1 or c.parts[0].operand.inner is not None:
        return None
    operand, plain = product.parts[0].operand, c.parts[0]
    if operand.function != "square" or operand.inner != plain.operand or plain.level is not None:
        return None
    mean = _mean(fit, e, c)
    at = np.array([mean])
    times = float(slope(operand, at, at)[0])
    return e.coefficient(product), times, (f"{c.name} = {significant(mean)}",)


def _mean(fit: "Fit", e: "EquationLayout", column: Column) -> float:
    layout, responses = fit.system.layout, fit.system.responses
    values = column_values(column, e.rows, lambda n: variable_values(layout, n, responses))
    return float(np.mean(values))


def _label(fit: "Fit", source: str, level: int | None) -> str:
    """A variable, or a factor's level, whose indicator's mean is its share."""
    known = fit.system.layout.variables.get(source)
    if level is None or known is None or not known.levels:
        return source
    return f"share of {source}[{known.levels[level]}]"
