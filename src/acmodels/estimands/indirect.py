"""The effect that runs through mediators, on the linear or the response scale."""

from acmodels.estimands import Draws, Estimand, Paths, Question, Scope
from acmodels.estimands import _response as response
from acmodels.estimands._effects import Mediated, PathSum, ends, path_warnings, resolve_paths
from acmodels.estimands._paths import named_paths, through
from acmodels.system import Layout

part_of = "total"


class Settings(Mediated):
    """Keys of the table: `from`, `via`, `to`, `at`, `scale`; on the response scale `values`, `arm`.

    On the response scale `via` may name any set of paths that share no first mediator with paths
    that are not named; without it all indirect paths move together.
    """


def resolve(estimand: Estimand, scope: Scope) -> Question:
    """Expected product of the unit slopes along each path, summed over the paths.

    On the response scale, the natural indirect effect.
    """
    if estimand.settings.scale == "response":
        return response.indirect(estimand, scope)
    layout = scope.layout
    found = named_paths(layout, *ends(estimand, layout), estimand.settings.via, estimand.where)
    return resolve_paths(estimand, layout, found)


def warnings(question: Question, layout: Layout) -> list[str]:
    """See `path_warnings` and `response_warnings`."""
    if isinstance(question, response.Change):
        return response.response_warnings(question, layout)
    return path_warnings(layout, question.paths) if isinstance(question, PathSum) else []


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends and the mediators."""
    ends = f"{settings.from_} on {settings.to}"
    return f"the indirect effect of {ends}{through(settings.via)}{scale}{slopes}"


def stepwise(settings: Settings) -> bool:
    """On the response scale there are no slopes to multiply."""
    return settings.scale != "response"


def path_steps(question: Question, draws: Draws) -> list[Paths]:
    """The slopes of the steps of each path; on the response scale there are none."""
    return question.steps(draws) if isinstance(question, PathSum) else []


def product(question: Question) -> tuple[str, str] | None:
    """The two coefficients whose product it is, the mediator's own first."""
    return question.product if isinstance(question, PathSum) else None
