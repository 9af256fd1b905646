"""The part of a total effect that runs through mediators: the indirect effect over the total."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row, indirect, total
from acmodels.estimands._mediation import Mediated


class Settings(Mediated):
    """Keys of the table, as of `indirect`: `from`, `via`, `to`, `at`, `scale`, `values`, `arm`."""


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Indirect effect over total effect, draw by draw; one row for each combination of moderators.

    It is not a share where the two have opposite signs or the direct effect works against the
    indirect one: then it lies outside of 0 to 1. Where the total effect may be zero it has no
    meaning (MacKinnon, Warsi & Dwyer, 1995), so that it is withheld where the interval of
    the total effect, of the mass that intervals have, includes 0; see `denominator`.
    """
    parts = _rows(indirect.evaluate, estimand, context, estimand.settings)
    wholes = denominator(estimand, context)
    if [r.at for r in parts] != [r.at for r in wholes]:
        raise EstimandError(
            f"{estimand.where}.at: the indirect and the total effect have rows at different values"
        )
    out: list[Row] = []
    for part, whole in zip(parts, wholes, strict=True):
        none = whole.draws == 0
        ratio = np.where(none, 0.0, part.draws / np.where(none, 1.0, whole.draws))
        out.append(Row(part.at, ratio))
    return out


def denominator(estimand: Estimand, context: Context) -> list[Row]:
    """The total effect, row by row: where it may be zero, the proportion is withheld."""
    settings = estimand.settings.model_copy(update={"via": None, "arm": None})
    return _rows(total.evaluate, estimand, context, settings)


def warnings(estimand: Estimand, context: Context) -> list[str]:
    """As of the indirect effect."""
    return indirect.warnings(replace(estimand, kind="indirect"), context)


def _rows(
    evaluate_as: Callable[[Estimand, Context], list[Row]],
    estimand: Estimand,
    context: Context,
    settings: Mediated,
) -> list[Row]:
    return evaluate_as(replace(estimand, kind="indirect", settings=settings), context)
