"""The place of each of several estimands among them, 1 for the largest."""

from typing import Annotated

import numpy as np
from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row, no_warnings
from acmodels.estimands import evaluate as evaluate_by_name
from acmodels.spec.strict import Strict


class Settings(Strict):
    """Keys of the table: `of`, the names of the estimands to rank."""

    of: Annotated[list[str], Field(min_length=2)]


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """One row for each estimand ranked; `at` reads `of=NAME`.

    Ranks go by the signed value, so that a large negative effect comes last. Equal values
    (as under a truth of zeros) share their mean rank.
    """
    names = estimand.settings.of
    if len(set(names)) < len(names):
        raise EstimandError(f"{estimand.where}.of: an estimand is named twice")
    draws: list[np.ndarray] = []
    for name in names:
        rows = evaluate_by_name(name, context)
        if len(rows) > 1:
            raise EstimandError(
                f"{estimand.where}.of: '{name}' has {len(rows)} rows; only estimands of one row "
                "can be ranked"
            )
        draws.append(rows[0].draws)
    values = np.stack(draws, axis=-1)
    above = (values[..., None, :] > values[..., :, None]).sum(axis=-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(axis=-1)
    ranks = above + (equal + 1) / 2
    return [Row(f"of={name}", ranks[..., k]) for k, name in enumerate(names)]


warnings = no_warnings
