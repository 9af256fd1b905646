"""The first of two estimands minus the second, on every draw."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Question, Scope
from acmodels.spec.strict import Strict


class Settings(Strict):
    """Keys of the table: `of`, the names of two estimands."""

    of: Annotated[list[str], Field(min_length=2, max_length=2)]


@dataclass(frozen=True)
class Contrast:
    """Differences row by row; one with one row is set against each of the other's."""

    first: Question
    second: Question

    @property
    def at(self) -> tuple[str, ...]:
        """Rows of the one that has more."""
        return self.second.at if len(self.first.at) == 1 < len(self.second.at) else self.first.at

    def evaluate(self, draws: Draws) -> list[Array]:
        """Subtract."""
        one, other = (q.evaluate(draws) for q in (self.first, self.second))
        n = len(self.at)
        spread = ([*found] * n if len(found) == 1 else [*found] for found in (one, other))
        return [a - b for a, b in zip(*spread, strict=True)]


def resolve(estimand: Estimand, scope: Scope) -> Contrast:
    """Resolve the two.

    Raises:
        EstimandError: they have several rows each, at different values.
    """
    first, second = (scope.question(n) for n in estimand.settings.of)
    if min(len(first.at), len(second.at)) > 1 and first.at != second.at:
        raise EstimandError(
            f"{estimand.where}.of: the two estimands have rows at different values; give both the "
            "same at"
        )
    return Contrast(first, second)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the two."""
    del scale, slopes
    return f"{settings.of[0]} minus {settings.of[1]}"
