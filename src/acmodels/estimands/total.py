"""The direct effect and every indirect one together, on the linear or the response scale."""

from acmodels.errors import EstimandError
from acmodels.estimands import Estimand, Question, Scope
from acmodels.estimands import _response as response
from acmodels.estimands._effects import EffectSettings, ends, resolve_paths
from acmodels.estimands._paths import arrow, paths, steps
from acmodels.estimands.indirect import warnings

__all__ = ["Settings", "resolve", "warnings", "words"]


class Settings(EffectSettings):
    """Keys of the table: `from`, `to`, `at`, `scale`, and for the response scale `values`."""


def resolve(estimand: Estimand, scope: Scope) -> Question:
    """Sum over all paths, the direct arrow among them; or the change in the expected outcome.

    Raises:
        EstimandError: there is no path.
    """
    if estimand.settings.scale == "response":
        return response.total(estimand, scope)
    layout = scope.layout
    start, to = ends(estimand, layout)
    found = [steps(start, p, to) for p in paths(layout, start, to)]
    if arrow(layout, start, to):
        found.append(steps(start, (), to))
    if not found:
        raise EstimandError(f"{estimand.where}: no path leads from '{start.text}' to '{to}'")
    return resolve_paths(estimand, layout, found)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends."""
    del slopes
    return f"the total effect of {settings.from_} on {settings.to}{scale}"
