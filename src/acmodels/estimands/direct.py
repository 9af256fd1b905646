"""The effect of the arrow from one variable to another, on the linear scale."""

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row, no_warnings
from acmodels.estimands import _effects as fx
from acmodels.estimands._mediation import Effect, ends, rows_of_effect, steps


class Settings(Effect):
    """Keys of the table: `from`, `to`, `at`, `scale`."""


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Expected unit slope of the arrow."""
    start, to = ends(estimand, context)
    if not fx.arrow(context, start, to):
        raise EstimandError(
            f"{estimand.where}: there is no arrow from '{start.text}' to '{to}'; the formula of "
            f"equations.{to} does not hold '{start.text}'"
        )
    return rows_of_effect(estimand, context, [steps(start, (), to)])


warnings = no_warnings
