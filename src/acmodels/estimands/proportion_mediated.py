"""The part of a total effect that runs through mediators: the indirect effect over the total."""

from dataclasses import dataclass, replace

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Question, Scope, indirect, total
from acmodels.estimands._effects import Mediated
from acmodels.estimands._paths import through
from acmodels.system import Layout

heading = "Proportions mediated"


class Settings(Mediated):
    """Keys of the table, as of `indirect`: `from`, `via`, `to`, `at`, `scale`, `values`, `arm`."""


@dataclass(frozen=True)
class Proportion:
    """Indirect effect over total effect, draw by draw; one row for each combination of moderators.

    It is not a share where the two have opposite signs or the direct effect works against the
    indirect one: then it lies outside of 0 to 1. Where the total effect may be zero it has no
    meaning (MacKinnon, Warsi & Dwyer, 1995), so that it is withheld where the interval of
    the total effect, of the mass that intervals have, includes 0; see `denominator`.
    """

    part: Question
    whole: Question

    @property
    def at(self) -> tuple[str, ...]:
        """Rows of both."""
        return self.part.at

    def evaluate(self, draws: Draws) -> list[Array]:
        """Divide; 0 where the total effect is 0."""
        out: list[Array] = []
        for part, whole in zip(self.part.evaluate(draws), self.whole.evaluate(draws), strict=True):
            none = whole == 0
            out.append(np.where(none, 0.0, part / np.where(none, 1.0, whole)))
        return out


def resolve(estimand: Estimand, scope: Scope) -> Proportion:
    """Resolve the indirect and the total effect.

    Raises:
        EstimandError: they have rows at different values.
    """
    settings = estimand.settings.model_copy(update={"via": None, "arm": None})
    part = indirect.resolve(replace(estimand, kind="indirect"), scope)
    whole = total.resolve(replace(estimand, kind="indirect", settings=settings), scope)
    if part.at != whole.at:
        raise EstimandError(
            f"{estimand.where}.at: the indirect and the total effect have rows at different values"
        )
    return Proportion(part, whole)


def denominator(question: Proportion) -> Question:
    """The total effect: where it may be zero, the proportion is withheld."""
    return question.whole


def warnings(question: Proportion, layout: Layout) -> list[str]:
    """As of the indirect effect."""
    return indirect.warnings(question.part, layout)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends and the mediators; the linear scale cancels."""
    del slopes
    return (
        f"the proportion of the total effect of {settings.from_} on {settings.to} that runs"
        f"{through(settings.via)}{scale if settings.scale == 'response' else ''}"
    )
