"""From estimates to verdicts.

The rules combine the posterior probability of a region with a region of practical
equivalence (Kruschke, 2018): see `verdict`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import EstimandError, did_you_mean, listing
from acmodels.estimands import kind
from acmodels.numbers import decimal, stated, table_html
from acmodels.spec.model import Proposition

if TYPE_CHECKING:
    import pandas as pd

type Array = NDArray[np.float64]
type Status = Literal["supported", "contradicted", "undecided", "unusable", "not_testable"]

COLUMNS = (
    "proposition", "model", "estimand", "status", "p_region", "p_rope", "mean", "lower", "upper",
    "prior_sensitive", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """One row of the estimands: a quantity with its draws.

    Attributes:
        name: the estimand's key.
        kind: of estimand.
        at: the moderators' values, or nothing.
        draws: shape (chain, draw).
        prior_sensitivity: power-scaling sensitivity to the prior (Kallioinen et al., 2024),
            or None where it was not computed.
        withheld: why there is no number, as a sentence; then every draw is NaN.
    """

    name: str
    kind: str
    at: str
    draws: Array
    prior_sensitivity: float | None = None
    withheld: str = ""


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
    rows: tuple[Effect, ...]
    table: "pd.DataFrame" = field(repr=False)
    usable: bool = True
    interval: str = "eti"
    prob: float = 0.95
    why_not: str = ""

    def _repr_html_(self) -> str:
        return table_html(self.table)


def verdict(p_region: float, p_rope: float | None, probability: float) -> Status:
    """Apply the decision rule.

    Supported: P(region) >= probability, and P(rope) < 1 - probability where there is one.
    Contradicted: P(not region) >= probability, or P(rope) >= probability. Undecided otherwise.
    """
    # sums, since 1 - 0.975 is above 0.025 in floating point
    practically_null = p_rope is not None and p_rope >= probability
    if p_region + probability <= 1 or practically_null:
        return "contradicted"
    if p_region >= probability and (p_rope is None or p_rope + probability < 1):
        return "supported"
    return "undecided"


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
    effect = find(effects, p)
    if effect.withheld:
        return {
            "proposition": p.id,
            "model": effects.model,
            "estimand": p.estimand,
            "status": "undecided" if effects.usable else "unusable",
            "reason": f"No verdict: {effect.withheld}",
        }
    place = next(k for k, e in enumerate(effects.rows) if e is effect)
    draws = effect.draws
    p_region = float(np.mean((draws > p.lower) & (draws < p.upper)))
    p_rope = None
    if p.rope is not None:
        p_rope = float(np.mean((draws >= p.rope[0]) & (draws <= p.rope[1])))
    status = verdict(p_region, p_rope, p.probability) if effects.usable else "unusable"
    sensitive = None if effect.prior_sensitivity is None else effect.prior_sensitivity >= 0.05
    summary = effects.table.iloc[place]
    return {
        "proposition": p.id,
        "model": effects.model,
        "estimand": p.estimand,
        "status": status,
        "p_region": p_region,
        "p_rope": p_rope,
        "mean": summary["mean"],
        "lower": summary["lower"],
        "upper": summary["upper"],
        "prior_sensitive": sensitive,
        "reason": _reason(p, status, p_region, p_rope, effects),
    }


def find(effects: Effects, p: Proposition) -> Effect:
    """Return the one quantity that a proposition is about.

    Raises:
        EstimandError: there is none, or several and `at` does not say which.
    """
    mine = [e for e in effects.rows if e.name == p.estimand]
    where = f"{effects.model}: propositions.{p.id}"
    if not mine:
        names = [e.name for e in effects.rows]
        raise EstimandError(f"{where}: no estimand '{p.estimand}'{did_you_mean(p.estimand, names)}")
    wanted = meant(mine[0].kind, [e.at for e in mine], p.at)
    mine = [e for e in mine if e.at in wanted]
    if len(mine) == 1:
        return mine[0]
    there = [f'at = "{e.at}"' for e in effects.rows if e.name == p.estimand]
    raise EstimandError(
        f"{where}: '{p.estimand}' has {len(there)} rows; say which one is meant: "
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


def region_words(p: Proposition) -> str:
    """The region as a person says it: `above 0`."""
    if np.isinf(p.upper):
        return f"above {stated(p.lower)}"
    if np.isinf(p.lower):
        return f"below {stated(p.upper)}"
    return f"between {stated(p.lower)} and {stated(p.upper)}"


def _reason(
    p: Proposition, status: Status, p_region: float, p_rope: float | None, effects: Effects
) -> str:
    said = f"the probability that it lies {region_words(p)} is {_probability(p_region)}"
    need = stated(p.probability)
    rope = ""
    if p.rope is not None and p_rope is not None:
        low, high = p.rope
        rope = (
            f"the probability that it is negligible ({stated(low)} to {stated(high)}) is "
            f"{_probability(p_rope)}"
        )
    if status == "unusable":
        return f"No verdict: {effects.why_not or 'a diagnostic failed'}"
    if status == "supported":
        tail = f", and {rope}, below {stated(1 - p.probability)}" if rope else ""
        return f"Supported, since {said}, at least the {need} asked for{tail}."
    if status == "contradicted":
        if p_rope is not None and p_rope >= p.probability:
            return f"Contradicted, since {rope}, at least the {need} asked for."
        return (
            f"Contradicted, since the probability that it does not lie {region_words(p)} is "
            f"{_probability(1 - p_region)}, at least the {need} asked for."
        )
    if p_region >= p.probability:
        return f"Undecided: {said}, but {rope}, not below {stated(1 - p.probability)}."
    return f"Undecided: {said}, where {need} either way would decide."


def _probability(p: float) -> str:
    """A probability in words that never say 0 or 1 of a finite number of draws."""
    if p > 0.999:
        return "above 0.999"
    return "below 0.001" if p < 0.001 else decimal(p, 3)
