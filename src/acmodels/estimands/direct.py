"""The effect of the arrow from one variable to another, on the linear or the response scale."""

from acmodels.errors import EstimandError
from acmodels.estimands import Estimand, Question, Scope
from acmodels.estimands import _response as response
from acmodels.estimands._effects import EffectSettings, ends, resolve_paths
from acmodels.estimands._paths import arrow, steps
from acmodels.system import Layout


class Settings(EffectSettings):
    """Keys of the table: `from`, `to`, `at`, `scale`, and for the response scale `values`, `arm`.

    On the response scale this is the natural direct effect. Where `at` gives values of a
    mediator, that mediator is set to them in every row, and it is the controlled direct effect.
    """


def resolve(estimand: Estimand, scope: Scope) -> Question:
    """Expected unit slope of the arrow, or the change in the expected outcome by it."""
    if estimand.settings.scale == "response":
        return response.direct(estimand, scope)
    return slope(estimand, scope.layout)


def slope(estimand: Estimand, layout: Layout) -> Question:
    """Expected unit slope of the arrow.

    Raises:
        EstimandError: there is none.
    """
    start, to = ends(estimand, layout, alone=True)
    if not arrow(layout, start, to):
        raise EstimandError(
            f"{estimand.where}: there is no arrow from '{start.text}' to '{to}'; the formula of "
            f"equations.{to} does not hold '{start.text}'"
        )
    return resolve_paths(estimand, layout, [steps(start, (), to)])


def warnings(question: Question, layout: Layout) -> list[str]:
    """On the response scale, see `response_warnings`."""
    if isinstance(question, response.Change):
        return response.response_warnings(question, layout)
    return []


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends."""
    del slopes
    return f"the direct effect of {settings.from_} on {settings.to}{scale}"
