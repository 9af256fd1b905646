"""The first of two estimands minus the second, on every draw."""

from typing import Annotated

from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row, no_warnings
from acmodels.estimands import evaluate as evaluate_by_name
from acmodels.spec.strict import Strict


class Settings(Strict):
    """Keys of the table: `of`, the names of two estimands."""

    of: Annotated[list[str], Field(min_length=2, max_length=2)]


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Differences row by row; an estimand with one row is set against each of the other's."""
    first, second = (evaluate_by_name(n, context) for n in estimand.settings.of)
    if len(second) == 1:
        return [Row(r.at, r.draws - second[0].draws) for r in first]
    if len(first) == 1:
        return [Row(r.at, first[0].draws - r.draws) for r in second]
    if [r.at for r in first] != [r.at for r in second]:
        raise EstimandError(
            f"{estimand.where}.of: the two estimands have rows at different values; give both the "
            "same at"
        )
    return [Row(a.at, a.draws - b.draws) for a, b in zip(first, second, strict=True)]


warnings = no_warnings
