"""The probability that a new unit's outcome exceeds a number, for values of a variable."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._gformula import alone, worlds
from acmodels.estimands._names import Node, equation_name, held_at, node, node_variable
from acmodels.estimands._paths import arrow, paths
from acmodels.estimands._response import said_beyond
from acmodels.estimands._scenario import Move, Scenario, scenario
from acmodels.numbers import joined
from acmodels.spec.names import level_of, quoted, without_backticks
from acmodels.spec.strict import Strict
from acmodels.system import Layout

heading = "Probabilities that an outcome exceeds a number"


class Quantile(Strict):
    """A quantile of the outcome in the data, `{ quantile = 0.9 }`."""

    quantile: Annotated[float, Field(gt=0, lt=1)]


class Settings(Strict):
    """Keys of the table: `to`, `above` (a number or `{ quantile = q }`), `from`, `values`."""

    from_: str = Field(alias="from")
    to: str
    above: float | Quantile
    values: Annotated[list[float | str | bool], Field(min_length=1)]


@dataclass(frozen=True)
class Exceedance:
    """P(outcome > c), averaged over the rows of its equation, one row a value of the variable.

    What the variable moves is run anew, mediators too; all else is as observed. Group effects are
    drawn from their distribution, and the residual is integrated out by the family's own tail
    probability, so the probability is that of a new unit in a new group. Of a gaussian outcome
    its own group effects are integrated out too: they add to the variance.

    Attributes:
        at: the values.
        scenarios: one for each pair of values.
        above: the number, or what quantile of the outcome in the data it is.
        to: the outcome.
    """

    at: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    above: float | Quantile
    to: str

    def evaluate(self, draws: Draws) -> list[Array]:
        """Compute it row by row, (chain, draw); of R data sets one a chain.

        Raises:
            EstimandError: a transform cannot take a value.
        """
        sets = [len(v) for v in draws.responses.values() if v.ndim > 1]
        if sets and isinstance(self.above, Quantile):  # each has its own quantile
            each = [self._rows(alone(draws, r)) for r in range(sets[0])]
            return [np.concatenate(rows) for rows in zip(*each, strict=True)]
        return self._rows(draws)

    def _rows(self, draws: Draws) -> list[Array]:
        above = self.above
        if isinstance(above, Quantile):
            above = float(np.quantile(draws.responses[self.to], above.quantile))
        normal = draws.layout.equation(self.to).distribution.normal
        out: list[Array] = []
        for s in self.scenarios:
            found = worlds(replace(s, above=above, linked=not normal), draws)
            out += [found[0, 0], found[1, 1]]
        return out[: len(self.at)]


def resolve(estimand: Estimand, scope: Scope) -> Exceedance:
    """Look the variable and its values up.

    Raises:
        EstimandError: a name is not in the model, a value is impossible or there twice, or no
            path leads from the variable to the outcome.
    """
    s, layout, where = estimand.settings, scope.layout, estimand.where
    to = equation_name(s.to, layout, f"{where}.to")
    source, start = _start(s.from_, layout, f"{where}.from")
    if start.variable == to:
        raise EstimandError(f"{where}: 'from' and 'to' are the same variable")
    if not arrow(layout, start, to) and not paths(layout, start, to):
        raise EstimandError(
            f"{where}: no path leads from '{s.from_}' to '{to}' in this model, so the probability "
            "is the same at all values"
        )
    labels, values = _values(estimand, layout, source)
    pairs = list(zip_longest(values[::2], values[1::2], fillvalue=values[-1]))
    made = [
        scenario(where, layout, Move(source, pair, start), to, {}, frozenset([to]))
        for pair in pairs
    ]
    return Exceedance(labels, tuple(made), s.above, to)


def _start(text: str, layout: Layout, where: str) -> tuple[str, Node]:
    """What moves: what it is looked up by, and as arrows know it."""
    name, level = level_of(text)
    variable = node_variable(name)
    known = layout.variables.get(variable)
    if level is not None:
        raise EstimandError(
            f"{where}: '{text}' is a level; write from = \"{quoted(variable)}\" and give levels as "
            "values"
        )
    if known is not None and known.levels:
        return variable, Node(text, variable)
    n = node(text, layout, where)
    if n.operand is not None and n.operand not in layout.derived:
        raise EstimandError(
            f"{where}: a variable moves with all that is made of it; write "
            f'from = "{quoted(variable)}" and give values of it, not of {text}'
        )
    return n.operand or variable, n


def _values(estimand: Estimand, layout: Layout, source: str) -> tuple[tuple[str, ...], list[float]]:
    """Labels and numbers (codes of a factor) of the values."""
    where, given = f"{estimand.where}.values", estimand.settings.values
    if source in layout.derived:
        if any(isinstance(v, str) for v in given):
            raise EstimandError(f"{where}: '{source}' is a number")
        found = [(f"{without_backticks(source)}={float(v):g}", float(v)) for v in given]
    else:
        held = [held_at(quoted(source), v, layout, where) for v in given]
        found = [(label, value) for label, _, value in held]
    labels = tuple(label for label, _ in found)
    if len(set(labels)) < len(labels):
        raise EstimandError(f"{where}: a value is given twice (to the digits shown)")
    binary = source in layout.responses and layout.equation(source).distribution.binary()
    if binary and {v for _, v in found} - {0.0, 1.0}:
        raise EstimandError(f"{where}: '{source}' is 0 or 1, and can be set to nothing else")
    return labels, [value for _, value in found]


def bounds(settings: Settings) -> tuple[float, float]:
    """A probability."""
    del settings
    return 0.0, 1.0


def warnings(question: Exceedance, layout: Layout) -> list[str]:
    """Where the variable is set beyond the data."""
    return list(dict.fromkeys(w for s in question.scenarios for w in said_beyond(s.move, layout)))


def judged(rows: Sequence[str]) -> list[str]:
    """Every value."""
    return list(rows)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the outcome, the number and the variable."""
    del scale, slopes
    above = settings.above
    given = isinstance(above, Quantile)
    shown = f"its {above.quantile:g} quantile in the data" if given else f"{above:g}"
    values = joined([f"{v:g}" if isinstance(v, float) else str(v) for v in settings.values])
    return (
        f"the probability that {settings.to} of a new unit exceeds {shown}, for {settings.from_} "
        f"at {values}"
    )
