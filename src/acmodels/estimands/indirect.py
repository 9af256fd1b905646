"""The effect that runs through mediators, on the linear or the response scale."""

from acmodels.estimands import Context, Estimand, Row
from acmodels.estimands import _response as response
from acmodels.estimands._mediation import Mediated, mediated_paths, path_warnings, rows_of_effect


class Settings(Mediated):
    """Keys of the table: `from`, `via`, `to`, `at`, `scale`; on the response scale `values`, `arm`.

    On the response scale `via` may name any set of paths that share no first mediator with paths
    that are not named; without it all indirect paths move together.
    """


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Expected product of the unit slopes along each path, summed over the paths.

    On the response scale, the natural indirect effect.
    """
    if estimand.settings.scale == "response":
        return response.indirect(estimand, context)
    return rows_of_effect(estimand, context, mediated_paths(estimand, context))


def warnings(estimand: Estimand, context: Context) -> list[str]:
    """See `path_warnings` and `response_warnings`."""
    if estimand.settings.scale == "response":
        return response.response_warnings(estimand, context)
    return path_warnings(context, mediated_paths(estimand, context))
