"""The slope of an outcome on a variable at stated values of moderators, or of itself."""

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row, direct, no_warnings
from acmodels.estimands._mediation import Effect


class Settings(Effect):
    """Keys of the table: `from`, `to`, `at` (required), `scale`."""


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """The direct effect at the values of `at`."""
    if not estimand.settings.at:
        raise EstimandError(
            f"{estimand.where}: slope_at needs at = {{ moderator = [values] }}; without it, use "
            'kind = "direct"'
        )
    return direct.evaluate(estimand, context)


warnings = no_warnings
