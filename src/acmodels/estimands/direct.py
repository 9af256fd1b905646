"""The effect of the arrow from one variable to another, on the linear or the response scale."""

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row
from acmodels.estimands import _effects as fx
from acmodels.estimands import _response as response
from acmodels.estimands._mediation import Effect, ends, rows_of_effect, steps


class Settings(Effect):
    """Keys of the table: `from`, `to`, `at`, `scale`, and for the response scale `values`, `arm`.

    On the response scale this is the natural direct effect. Where `at` gives values of a
    mediator, that mediator is set to them in every row, and it is the controlled direct effect.
    """


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Expected unit slope of the arrow, or the change in the expected outcome by it."""
    if estimand.settings.scale == "response" and estimand.kind == "direct":
        return response.direct(estimand, context)
    start, to = ends(estimand, context)
    if not fx.arrow(context, start, to):
        raise EstimandError(
            f"{estimand.where}: there is no arrow from '{start.text}' to '{to}'; the formula of "
            f"equations.{to} does not hold '{start.text}'"
        )
    return rows_of_effect(estimand, context, [steps(start, (), to)])


def warnings(estimand: Estimand, context: Context) -> list[str]:
    """On the response scale, see `response_warnings`."""
    if estimand.settings.scale == "response":
        return response.response_warnings(estimand, context)
    return []
