"""The direct effect and every indirect one together, on the linear or the response scale."""

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row
from acmodels.estimands import _effects as fx
from acmodels.estimands import _response as response
from acmodels.estimands._mediation import (
    Effect,
    Steps,
    ends,
    path_warnings,
    rows_of_effect,
    steps,
)


class Settings(Effect):
    """Keys of the table: `from`, `to`, `at`, `scale`, and for the response scale `values`."""


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Sum over all paths, the direct arrow among them; or the change in the expected outcome."""
    if estimand.settings.scale == "response":
        return response.total(estimand, context)
    return rows_of_effect(estimand, context, _paths(estimand, context))


def warnings(estimand: Estimand, context: Context) -> list[str]:
    """See `path_warnings` and `response_warnings`."""
    if estimand.settings.scale == "response":
        return response.response_warnings(estimand, context)
    return path_warnings(context, _paths(estimand, context))


def _paths(estimand: Estimand, context: Context) -> list[Steps]:
    start, to = ends(estimand, context)
    found = [steps(start, p, to) for p in fx.paths(context, start, to)]
    if fx.arrow(context, start, to):
        found.append(steps(start, (), to))
    if not found:
        raise EstimandError(f"{estimand.where}: no path leads from '{start.text}' to '{to}'")
    return found
