"""A weighted sum of other estimands, on every draw."""

from dataclasses import dataclass
from functools import reduce
from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Question, Scope, kind
from acmodels.numbers import stated
from acmodels.spec.strict import Strict


class Settings(Strict):
    """Keys of the table: `of`, the names of estimands, and `weights`, one for each (1 if left out).

    Each estimand has one row, or one that is meant where nothing is said.
    """

    of: Annotated[list[str], Field(min_length=1)]
    weights: list[float] | None = None


@dataclass(frozen=True)
class Combination:
    """The sum of weights times draws; of each estimand the question and the row that is meant."""

    of: tuple[tuple[Question, int], ...]
    weights: tuple[float, ...]
    at: tuple[str, ...] = ("",)

    def evaluate(self, draws: Draws) -> list[Array]:
        """Add up."""
        pairs = zip(self.weights, self.of, strict=True)
        return [reduce(np.add, [w * q.evaluate(draws)[row] for w, (q, row) in pairs])]


def resolve(estimand: Estimand, scope: Scope) -> Combination:
    """Resolve what is added up.

    Raises:
        EstimandError: there are more or fewer weights than estimands, one is named twice, or has
            several rows.
    """
    names, weights = estimand.settings.of, estimand.settings.weights
    if weights is not None and len(weights) != len(names):
        raise EstimandError(
            f"{estimand.where}.weights: {len(weights)} weights for {len(names)} estimands in of; "
            "give one for each, in the same order"
        )
    if len(set(names)) < len(names):
        raise EstimandError(f"{estimand.where}.of: an estimand is named twice; add up its weights")
    of = tuple((q := scope.question(name), _row(name, q, estimand, scope)) for name in names)
    return Combination(of, tuple(weights or [1.0] * len(names)))


def _row(name: str, question: Question, estimand: Estimand, scope: Scope) -> int:
    """Position of the one row of an estimand that is meant.

    Raises:
        EstimandError: it has several.
    """
    rows = list(question.at)
    meant = kind(scope.estimands[name].kind).judged(rows)
    if len(meant) == 1:
        return rows.index(meant[0])
    raise EstimandError(
        f"{estimand.where}.of: '{name}' has {len(rows)} rows; only estimands of one row can be "
        "added up; give its at one value for each moderator"
    )


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name what is added up, with weights that are not 1."""
    del scale, slopes
    weights = settings.weights or [1.0] * len(settings.of)
    each = [
        n if w == 1 else f"{stated(w)} × {n}" for n, w in zip(settings.of, weights, strict=True)
    ]
    return "the sum " + " + ".join(each)
