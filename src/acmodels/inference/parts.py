"""The parts of a verdict: what is claimed jointly, and the steps of an indirect effect."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from acmodels.inference.judging import EffectRow, Effects, drawn, quantities
from acmodels.inference.rules import Drawn, chances, decide
from acmodels.posterior import intervals
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
        estimand, and one for each step of an indirect effect that has a rope. A step is
        contradicted where it is negligible, supported where it lies beyond the rope on one side.
        Propositions without parts have no row.

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
        if claim.rope is not None and not effect.withheld:
            yield from _steps(effects, p, claim.rope, effect)


def _claim(effects: Effects, p: Proposition, c: Claim, e: EffectRow) -> dict[str, object]:
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


def _steps(
    effects: Effects, p: Proposition, rope: tuple[float, float], e: EffectRow
) -> Iterator[dict[str, object]]:
    """The rows of the steps of an indirect effect."""
    several = len(e.steps) > 1
    whole = f"{e.name}{f' [{e.at}]' if e.at else ''}: " if p.all else ""
    for i, path in enumerate(e.steps):
        for k, s in enumerate(path):
            beyond = Claim(e.name, *rope, outside=True)
            said = decide([chances(beyond, Drawn(s.draws.reshape(-1)))], p.probability)
            low, high = intervals(s.draws[..., None], effects.interval, effects.prob)
            yield {
                "proposition": p.id,
                "part": f"{whole}{f'path {i + 1}, ' if several else ''}step {k + 1}",
                "from": s.source,
                "to": s.to,
                "scale": e.scale or None,
                "mean": float(s.draws.mean()),
                "lower": float(low[0]),
                "upper": float(high[0]),
                "p_rope": 1 - float(said.region),
                "status": said.status if effects.usable else "unusable",
            }
