"""The parts of a verdict: what is claimed jointly, and the steps of an indirect effect."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from acmodels.inference.judging import Effect, Effects, drawn, quantities
from acmodels.inference.rules import chances, decide
from acmodels.spec.proposition import Claim, Proposition

if TYPE_CHECKING:
    import pandas as pd

PARTS = (
    "proposition", "part", "from", "to", "scale", "mean", "lower", "upper", "p_region", "p_rope",
    "status",
)  # fmt: skip


def parts(effects: Effects, propositions: Mapping[str, Proposition]) -> "pd.DataFrame":
    """Show the parts of each verdict that has some.

    Args:
        effects: from `estimate`.
        propositions: the `[propositions]` of the model.

    Returns:
        Columns as in `parts.csv`: one row for each claim of a proposition with `all`, named by its
        estimand. Propositions without parts have no row.

    Raises:
        EstimandError: as for `judge`.
    """
    import pandas as pd

    rows = [row for p in propositions.values() for row in _parts(effects, p)]
    return pd.DataFrame(rows, columns=list(PARTS))


def _parts(effects: Effects, p: Proposition) -> Iterator[dict[str, object]]:
    for claim, effect in zip(p.claims, quantities(effects, p), strict=True):
        if p.all:
            yield _claim(effects, p, claim, effect)


def _claim(effects: Effects, p: Proposition, c: Claim, e: Effect) -> dict[str, object]:
    """The row of one of several claims."""
    row: dict[str, object] = {
        "proposition": p.id,
        "part": f"{e.name} [{e.at}]" if e.at else e.name,
        "from": e.source or None,
        "to": e.to or None,
        "scale": e.scale or None,
    }
    if e.withheld:
        return {**row, "status": "undecided" if effects.usable else "unusable"}
    place = next(k for k, other in enumerate(effects.rows) if other is e)
    seen = chances(c, drawn(e))
    said = decide([seen], p.probability)
    return {
        **row,
        **{k: effects.table.iloc[place][k] for k in ("mean", "lower", "upper")},
        "p_region": float(said.region),
        "p_rope": np.nan if said.rope is None else float(said.rope),
        "status": said.status if effects.usable else "unusable",
    }
