"""The share of an outcome's unexplained variance that lies between groups.

With random intercepts only, this is the intraclass correlation of a multilevel model; see
`acmodels.system.variances` for random slopes and for families with a link.
"""

from dataclasses import dataclass

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Scope, known_parameter
from acmodels.estimands._names import every_term
from acmodels.spec.strict import Strict
from acmodels.system.terms import Term
from acmodels.system.variances import group_variance, unexplained

heading = "Shares of variance"


class Settings(Strict):
    """Keys of the table: `parameter`, a group sd such as `sd(y ~ 1 | district)`."""

    parameter: str


@dataclass(frozen=True)
class VarianceShare:
    """Variance of one group effect over the sum of all group-effect and residual variances."""

    term: Term
    at: tuple[str, ...] = ("",)

    def evaluate(self, draws: Draws) -> list[Array]:
        """Divide on every draw; zero where the residual variance is infinite."""
        given = draws.layout, self.term.response, draws.responses, draws.parameter
        *groups, residual = unexplained(*given).values()
        total = np.sum([residual, *groups], axis=0)
        return [group_variance(given[0], [self.term], *given[2:]) / total]


def resolve(estimand: Estimand, scope: Scope) -> VarianceShare:
    """Look the group effect up.

    Raises:
        EstimandError: it is none, or there is no one residual variance.
    """
    where = f"{estimand.where}.parameter"
    name = known_parameter(estimand.settings.parameter, scope.layout, where)
    effects = (t for t in every_term(scope.layout) if t.effect is not None)
    found = next((t for t in effects if t.parameter == name), None)
    if found is None:
        raise EstimandError(f"{where}: '{name}' is not a group sd; give one such as sd(y ~ 1 | g)")
    if scope.layout.equation(found.response).se is not None:
        raise EstimandError(
            f"{where}: equations.{found.response} has known standard errors, which differ by row, "
            "so there is no one residual variance"
        )
    return VarianceShare(found)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the group effect."""
    del scale, slopes
    return f"the share of unexplained variance that {settings.parameter} accounts for"


def bounds(settings: Settings) -> tuple[float, float]:
    """A share lies between 0 and 1."""
    del settings
    return 0.0, 1.0
