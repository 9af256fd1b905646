"""One structural parameter."""

from acmodels.estimands import Context, Estimand, Row, known_parameter, no_warnings
from acmodels.spec.strict import Strict


class Settings(Strict):
    """Keys of the table: `parameter`, a name as in `estimates.csv`."""

    parameter: str


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Draws of the parameter itself."""
    name = known_parameter(estimand.settings.parameter, context, f"{estimand.where}.parameter")
    return [Row("", context.parameter(name))]


warnings = no_warnings
