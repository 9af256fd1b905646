"""The effect that runs through mediators, on the linear scale."""

from acmodels.estimands import Context, Estimand, Row
from acmodels.estimands._mediation import Mediated, mediated_paths, path_warnings, rows_of_effect


class Settings(Mediated):
    """Keys of the table: `from`, `via`, `to`, `at`, `scale`."""


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Expected product of the unit slopes along each path, summed over the paths."""
    return rows_of_effect(estimand, context, mediated_paths(estimand, context))


def warnings(estimand: Estimand, context: Context) -> list[str]:
    """See `path_warnings`."""
    return path_warnings(context, mediated_paths(estimand, context))
