"""From estimates to verdicts; the rules are in `rules`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import EstimandError, did_you_mean, listing
from acmodels.estimands import Paths, kind
from acmodels.inference.reasons import reason
from acmodels.inference.rules import Drawn, Status, chances, decide
from acmodels.numbers import table_html
from acmodels.spec.proposition import Claim, Proposition

if TYPE_CHECKING:
    import pandas as pd

type Array = NDArray[np.float64]

COLUMNS = (
    "proposition", "model", "estimand", "status", "how", "p_region", "p_rope", "mean", "lower",
    "upper", "prior_sensitive", "reason",
)  # fmt: skip


SENSITIVE = 0.05
"""Power-scaling sensitivity from which on a quantity is said to move with the prior."""


@dataclass(frozen=True)
class EffectRow:
    """One row of the estimands: a quantity with its draws.

    Attributes:
        name: the estimand's key.
        kind: of estimand.
        at: the moderators' values, or nothing.
        draws: shape (chain, draw).
        prior_sensitivity: power-scaling sensitivity to the prior (Kallioinen et al., 2024),
            or None where it was not computed.
        withheld: why there is no number, as a sentence; then every draw is NaN.
        source, to, scale: where an effect starts and ends, and its scale, where it has them.
        steps: of an indirect effect, the steps of each of its paths.
    """

    name: str
    kind: str
    at: str
    draws: Array
    prior_sensitivity: float | None = None
    withheld: str = ""
    source: str = field(default="", kw_only=True)
    to: str = field(default="", kw_only=True)
    scale: str = field(default="", kw_only=True)
    steps: Paths = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Effects:
    """The estimands of one fit.

    Attributes:
        model: the model's name.
        rows: one for each quantity.
        table: columns as in `estimands.csv`.
        usable: whether every diagnostic held.
        interval, prob: what `lower` and `upper` mean.
        why_not: the first message of the diagnostics where they failed.
    """

    model: str
    rows: tuple[EffectRow, ...]
    table: "pd.DataFrame" = field(repr=False)
    usable: bool = True
    interval: str = "eti"
    prob: float = 0.95
    why_not: str = ""

    def _repr_html_(self) -> str:
        return table_html(self.table)


def judge(effects: Effects, propositions: Mapping[str, Proposition]) -> "pd.DataFrame":
    """Judge propositions by the estimands of one fit.

    Args:
        effects: from `estimate`.
        propositions: the `[propositions]` of the model.

    Returns:
        One row a proposition, columns as in `verdicts.csv`.

    Raises:
        EstimandError: a proposition's estimand is not there, or has several rows and `at`
            does not say which.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> data = ac.simulate(design, seed=1).study
        >>> fit = ac.fit(design.model, data)
        >>> verdicts = ac.judge(fit.effects, design.model.propositions)
        >>> verdicts[["proposition", "status"]]
          proposition     status
        0         P43  undecided
        1         P53  undecided
    """
    import pandas as pd

    rows = [_row(effects, p) for p in propositions.values()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(effects: Effects, p: Proposition) -> dict[str, object]:
    found = quantities(effects, p)
    row: dict[str, object] = {
        "proposition": p.id,
        "model": effects.model,
        "estimand": p.estimands,
        "how": "",
    }
    withheld = [e.withheld for e in found if e.withheld]
    if withheld:
        status = "undecided" if effects.usable else "unusable"
        return {**row, "status": status, "reason": f"No verdict: {withheld[0]}"}
    seen = [chances(c, drawn(e)) for c, e in zip(p.claims, found, strict=True)]
    said = decide(seen, p.probability)
    status: Status = said.status if effects.usable else "unusable"
    row |= {
        "status": status,
        "how": said.how if status == "contradicted" else "",
        "p_region": float(said.region),
        "p_rope": None if said.rope is None else float(said.rope),
        "prior_sensitive": _sensitive(found),
        "reason": reason(p, status, seen, said, effects.why_not),
    }
    if not p.all:
        place = next(k for k, e in enumerate(effects.rows) if e is found[0])
        row |= {c: effects.table.iloc[place][c] for c in ("mean", "lower", "upper")}
    return row


def _sensitive(found: Sequence[EffectRow]) -> bool | None:
    """Whether some quantity moves with the prior; None where that was not computed."""
    known = [e.prior_sensitivity for e in found if e.prior_sensitivity is not None]
    return max(known) >= SENSITIVE if known else None


def drawn(effect: EffectRow) -> Drawn:
    """Give the draws of an effect as rules read them, all chains together."""
    steps = [[s.draws.reshape(-1) for s in path] for path in effect.steps]
    return Drawn(effect.draws.reshape(-1), steps)


def quantities(effects: Effects, p: Proposition) -> tuple[EffectRow, ...]:
    """Return the quantities that a proposition is about, one for each of its claims.

    Raises:
        EstimandError: there is none, or several and `at` does not say which.
    """
    return tuple(find(effects, c, p.id) for c in p.claims)


def find(effects: Effects, claim: Claim, proposition: str) -> EffectRow:
    """Return the one quantity that a claim is about.

    Raises:
        EstimandError: there is none, or several and `at` does not say which.
    """
    mine = [e for e in effects.rows if e.name == claim.estimand]
    where = f"{effects.model}: propositions.{proposition}"
    if not mine:
        names = [e.name for e in effects.rows]
        raise EstimandError(
            f"{where}: no estimand '{claim.estimand}'{did_you_mean(claim.estimand, names)}"
        )
    wanted = meant(mine[0].kind, [e.at for e in mine], claim.at)
    mine = [e for e in mine if e.at in wanted]
    if len(mine) == 1:
        return mine[0]
    there = [f'at = "{e.at}"' for e in effects.rows if e.name == claim.estimand]
    raise EstimandError(
        f"{where}: '{claim.estimand}' has {len(there)} rows; say which one is meant: "
        f"{listing(there, 6)}"
    )


def meant(name: str, rows: Sequence[str], at: str | None) -> list[str]:
    """Return the rows of an estimand that a proposition or a criterion is about.

    Args:
        name: of the kind of estimand, which says what is meant without `at`.
        rows: `at` of each of its rows.
        at: the row asked for, or None.
    """
    if at is not None:
        return [r for r in rows if r == at]
    return kind(name).judged(rows)
