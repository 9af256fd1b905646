"""How far an outcome's ceiling rises with a condition: effect sizes of necessity, with their test.

Necessary condition analysis: where a condition is necessary, the upper left corner of the scatter
of outcome over condition is empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from acmodels.errors import EstimandError, did_you_mean, listing
from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._ceiling import Ceiling, permutation_p
from acmodels.estimands._ceiling import ceiling as drawn
from acmodels.estimands._gformula import alone
from acmodels.estimands._names import equation_name, node_variable
from acmodels.rng import stream
from acmodels.spec.names import without_backticks
from acmodels.spec.strict import Strict
from acmodels.system import Layout, Responses, parameters
from acmodels.system.columns import variable_values

heading = "Necessity effect sizes"
continuous = False
calibrated = False
each_value = True

ROWS = ("ce_fdh", "cr_fdh", "p")
PERMUTATIONS = 10_000
"""Of data that are known."""
FEWER = 1_000
"""Of each of many completed data sets."""


class Settings(Strict):
    """Keys of the table: `from`, the condition, and `to`, the outcome."""

    from_: str = Field(alias="from")
    to: str


@dataclass(frozen=True)
class Asked:
    """Effect sizes CE-FDH and CR-FDH, and the p of a permutation test of the first.

    Of observed columns every draw has the same number. Constructs and missing values have other
    values in every completed data set, each of which has its own ceiling and its own test.

    Attributes:
        source, to: condition and outcome.
        permutations: of the test.
        at: names of the rows.
    """

    source: str
    to: str
    permutations: int
    at: tuple[str, ...] = ROWS

    @property
    def varies(self) -> bool:
        """Whether completed data sets differ in it."""
        return self.permutations == FEWER

    def points(self, layout: Layout, responses: Responses) -> tuple[Array, Array]:
        """Return condition and outcome on the rows of the outcome's equation."""
        rows = layout.equation(self.to).rows
        x = variable_values(layout, self.source, responses)[..., rows]
        return np.asarray(x, dtype=float), np.asarray(responses[self.to], dtype=float)

    def ceiling(self, layout: Layout, responses: Responses) -> Ceiling:
        """Draw the ceiling."""
        return drawn(*self.points(layout, responses))

    def evaluate(self, draws: Draws) -> Sequence[Array]:
        """Compute the three, (chain, draw); of R data sets one a chain."""
        sets = [len(v) for v in draws.responses.values() if v.ndim > 1]
        if sets:
            each = [self.evaluate(alone(draws, r)) for r in range(sets[0])]
            return [np.concatenate(rows) for rows in zip(*each, strict=True)]
        shape = draws.parameter(parameters(draws.layout)[0].name).shape
        x, y = self.points(draws.layout, draws.responses)
        c = drawn(x, y)
        p = permutation_p(x, y, self.permutations, stream(0, "ceiling"))
        return [np.full(shape, v) for v in (c.ce_fdh, c.cr_fdh, p)]


def resolve(estimand: Estimand, scope: Scope) -> Asked:
    """Look condition and outcome up.

    Raises:
        EstimandError: one is not in the model, is no number, has one value only, or the condition
            varies inside the units that the outcome is of.
    """
    s, layout, where = estimand.settings, scope.layout, estimand.where
    to = equation_name(s.to, layout, f"{where}.to")
    source = node_variable(s.from_)
    known = {*layout.variables, *layout.responses}
    if source not in known:
        raise EstimandError(
            f"{where}.from: '{s.from_}' is no variable of the model{did_you_mean(source, known)} "
            f"(variables: {listing(sorted(known), 15)})"
        )
    if source == to:
        raise EstimandError(f"{where}: 'from' and 'to' are the same variable")
    variable = layout.variables.get(source)
    if variable is not None and len(variable.levels) > 2:
        raise EstimandError(
            f"{where}.from: '{source}' is a factor with {len(variable.levels)} levels, whose "
            "levels have no order"
        )
    asked = Asked(source, to, FEWER if _latent(layout, source, to) else PERMUTATIONS)
    _check(asked, scope, where)
    return asked


def _latent(layout: Layout, *names: str) -> bool:
    """Whether one of the two has values that the posterior fills in."""
    measured = {m.name for m in layout.measures}
    return bool(measured & set(names)) or any(g.variable in names for g in layout.missing)


def _check(asked: Asked, scope: Scope, where: str) -> None:
    layout, measured = scope.layout, {m.name for m in scope.layout.measures}
    if any(scope.responses.get(r) is None for r in layout.responses):
        return
    if any(v.ndim > 1 for v in scope.responses.values()):
        return
    e = layout.equation(asked.to)
    every = variable_values(layout, asked.source, scope.responses)
    if e.level is not None and not np.array_equal(every[e.rows][e.carry], every):
        raise EstimandError(
            f"{where}.from: '{without_backticks(asked.source)}' varies inside the units of "
            f"'{e.level}' that '{asked.to}' is of; use its mean there, or an outcome of its own "
            "level"
        )
    x, y = asked.points(layout, scope.responses)
    for name, v in ((asked.source, x), (asked.to, y)):
        if name not in measured and float(np.ptp(v)) == 0:
            raise EstimandError(f"{where}: '{name}' has one value only, so there is no ceiling")


def warnings(question: Asked, layout: Layout) -> list[str]:
    """Say what its numbers are not: no interval of observed values, and rows that may be alike."""
    over = f"'{question.to}' over '{question.source}'"
    out: list[str] = []
    if not question.varies:
        out.append(
            f"the ceiling of {over} is a description of these data, the same on every draw; only "
            "its row p says what chance would give"
        )
    e = layout.equation(question.to)
    own = [b for b in layout.blocks if any(m.response == e.response for m in b.members)]
    groups = list(dict.fromkeys(b.group for b in own if len(np.unique(b.index(e))) < e.n))
    if groups:
        out.append(
            f"the permutation test of the ceiling of {over} takes rows as independent, and those "
            f"of one {listing(groups)} may be alike; its p is then too small"
        )
    return out


def judged(rows: Sequence[str]) -> list[str]:
    """The effect size of the envelope."""
    return [r for r in rows if r == ROWS[0]]


def bounds(settings: Settings) -> tuple[float, float]:
    """Shares of an area, and a probability."""
    del settings
    return 0.0, 1.0


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the two."""
    del scale, slopes
    return (
        f"how necessary {settings.from_} is for {settings.to}: the empty share of the area above "
        "the envelope (CE-FDH) and above the line through its points (CR-FDH), and p of a "
        "permutation test of the first"
    )
