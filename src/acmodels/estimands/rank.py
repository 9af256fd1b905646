"""The place of each of several estimands among them, 1 for the largest."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Question, Scope
from acmodels.numbers import joined
from acmodels.spec.strict import Strict

heading = "Ranks (1 is the largest)"
continuous = False
calibrated = False


class Settings(Strict):
    """Keys of the table: `of`, the names of the estimands to rank."""

    of: Annotated[list[str], Field(min_length=2)]


@dataclass(frozen=True)
class Ranks:
    """One row for each estimand ranked; `at` reads `of=NAME`.

    Ranks go by the signed value, so that a large negative effect comes last. Equal values
    (as under a truth of zeros) share their mean rank.
    """

    at: tuple[str, ...]
    of: tuple[Question, ...]

    def evaluate(self, draws: Draws) -> list[Array]:
        """Rank on every draw."""
        values = np.stack([q.evaluate(draws)[0] for q in self.of], axis=-1)
        above = (values[..., None, :] > values[..., :, None]).sum(axis=-1)
        equal = (values[..., None, :] == values[..., :, None]).sum(axis=-1)
        ranks = above + (equal + 1) / 2
        return [ranks[..., k] for k in range(len(self.of))]


def resolve(estimand: Estimand, scope: Scope) -> Ranks:
    """Resolve the estimands to rank.

    Raises:
        EstimandError: one is named twice, or has several rows.
    """
    names = estimand.settings.of
    if len(set(names)) < len(names):
        raise EstimandError(f"{estimand.where}.of: an estimand is named twice")
    of = tuple(scope.question(name) for name in names)
    for name, q in zip(names, of, strict=True):
        if len(q.at) > 1:
            raise EstimandError(
                f"{estimand.where}.of: '{name}' has {len(q.at)} rows; only estimands of one row "
                "can be ranked"
            )
    return Ranks(tuple(f"of={name}" for name in names), of)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name what is ranked."""
    del scale, slopes
    return f"the rank among {joined(settings.of)}, 1 for the largest"
