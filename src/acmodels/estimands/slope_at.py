"""The slope of an outcome on a variable at stated values of moderators, or of itself."""

from acmodels.errors import EstimandError
from acmodels.estimands import Estimand, Question, Scope
from acmodels.estimands._effects import EffectSettings
from acmodels.estimands.direct import slope


class Settings(EffectSettings):
    """Keys of the table: `from`, `to`, `at` (required), `scale`."""


def resolve(estimand: Estimand, scope: Scope) -> Question:
    """The direct effect at the values of `at`."""
    if not estimand.settings.at:
        raise EstimandError(
            f"{estimand.where}: slope_at needs at = {{ moderator = [values] }}; without it, use "
            'kind = "direct"'
        )
    return slope(estimand, scope.layout)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends."""
    del slopes
    return f"the slope of {settings.to} on {settings.from_}{scale}"
