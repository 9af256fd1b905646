"""Verdicts as cards, and all of them in one table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from acmodels.estimands import kind
from acmodels.framework import propositions
from acmodels.inference.judging import quantities
from acmodels.inference.parts import parts
from acmodels.inference.reasons import region_words
from acmodels.numbers import (
    between,
    estimate,
    minus,
    probability,
    stated,
    with_interval,
)
from acmodels.reporting import charts
from acmodels.reporting import words as w
from acmodels.reporting.pieces import Table

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit
    from acmodels.inference.rules import Status
    from acmodels.spec.proposition import Proposition


@dataclass(frozen=True)
class Card:
    """A verdict.

    Attributes:
        parts: of several claims, or the steps of an effect: heads and rows; or None.
        label: the status in words; `status` is its key.
        icon, curve: SVG.
        source: where theory states the claim, or nothing.
        facts: term and value, in order.
        estimate: mean and interval in words.
        interval: lower end, mean and upper end of an effect; None of a share, a rank, a place.
    """

    id: str
    claim: str
    source: str
    status: str
    label: str
    icon: str
    curve: str
    facts: tuple[tuple[str, str], ...]
    reason: str
    estimate: str
    interval: charts.Interval | None
    parts: Table | None = None


@dataclass(frozen=True)
class Glance:
    """All verdicts in a table: the axis of its plots, and a card with its plot a row."""

    axis: str
    rows: tuple[tuple[Card, str], ...]

    @property
    def long(self) -> bool:
        """Whether an estimate needs more room than most."""
        return any(len(c.estimate) > 22 for c, _ in self.rows)


def cards(fit: "Fit", rows: Sequence[Mapping[str, object]]) -> tuple[Card, ...]:
    """One card for each verdict."""
    return tuple(_card(fit, row) for row in rows)


def glance(shown: Sequence[Card]) -> Glance:
    """The verdicts of some cards on one screen, effects on a common axis."""
    known = [c.interval for c in shown if c.interval is not None]
    axis = charts.axis_over(known, most=4)

    def plot(c: Card) -> str:
        if c.interval is None or not all(map(math.isfinite, c.interval)):
            return ""
        return charts.forest_row(axis, c.interval, f"{c.id}: {c.estimate}")

    rows = [(c, plot(c)) for c in shown]
    return Glance(charts.forest_axis(axis) if known else "", tuple(rows))


def _card(fit: "Fit", row: Mapping[str, object]) -> Card:

    p = fit.spec.propositions[str(row["proposition"])]
    found = quantities(fit.effects, p)
    status = cast("Status", row["status"])
    if p.all or any(e.withheld for e in found):
        return _bare_card(fit, row, status)
    effect = found[0]
    interval = (cast(float, row["lower"]), cast(float, row["mean"]), cast(float, row["upper"]))
    mean, ends = with_interval(interval[1], interval[0], interval[2])
    theory = propositions().get(p.id)
    what = w.claim(p, fit.spec.estimands, w.fitted_graph(fit))
    facts = [("Tested as", what)] if theory is not None or p.statement else []
    facts += [
        ("Estimate", f"{mean}, {w.interval_words(fit.interval, fit.prob)} {ends}"),
        (
            f"P({minus(region_words(p))})",
            f"{probability(cast(float, row['p_region']))} ({stated(p.probability)} is required)",
        ),
        *_rope_fact(p, row),
        ("Prior", w.sensitivity_words(effect.prior_sensitivity)),
    ]
    curve = ""
    if effect.draws.std() > 0 and kind(effect.kind).continuous:
        label = f"Posterior of {p.estimand}: mean {mean}, interval {ends}"
        curve = charts.posterior_curve(effect.draws, p, p.rope, interval, label)
    return Card(
        id=p.id,
        claim=p.statement or (theory.statement if theory is not None else what),
        source=theory.source if theory is not None and not p.statement else "",
        status=status,
        label=w.STATUS[status],
        icon=charts.status_icon(status),
        curve=curve,
        facts=tuple(facts),
        reason=minus(str(row["reason"])),
        estimate=f"{mean} {ends}",
        interval=None if kind(effect.kind).heading else interval,
        parts=part_table(fit, p),
    )


def _bare_card(fit: "Fit", row: Mapping[str, object], status: "Status") -> Card:
    """Make the card of a proposition that has no one number: of several estimands, or withheld."""
    p = fit.spec.propositions[str(row["proposition"])]
    theory = propositions().get(p.id)
    what = w.claim(p, fit.spec.estimands, w.fitted_graph(fit))
    facts = [("Tested as", what)] if theory is not None or p.statement else []
    known = row["p_region"] == row["p_region"]
    if known:
        facts.append(("P(all parts)", probability(cast(float, row["p_region"]))))
    return Card(
        id=p.id,
        claim=p.statement or (theory.statement if theory is not None else what),
        source=theory.source if theory is not None and not p.statement else "",
        status=status,
        label=w.STATUS[status],
        icon=charts.status_icon(status),
        curve="",
        facts=tuple(facts),
        reason=minus(str(row["reason"])),
        estimate="see its parts" if known else "withheld",
        interval=None,
        parts=part_table(fit, p),
    )


def part_table(fit: "Fit", p: "Proposition") -> Table | None:
    """Return the parts of a verdict as a table; None where it has none."""
    found = parts(fit.effects, {p.id: p})
    if not len(found):
        return None
    rows = [
        (
            minus(str(r["part"])), minus(f"{r['from']} → {r['to']}") if r["to"] is not None else "",
            minus(estimate(r["mean"], r["lower"], r["upper"])) if r["mean"] is not None else "",
            *("" if v is None else probability(v) for v in (r["p_region"], r["p_rope"])),
            w.STATUS[cast("Status", r["status"])],
        )
        for r in found.astype(object).where(found.notna(), None).to_dict("records")
    ]  # fmt: skip
    heads = ("Part", "Effect", "Estimate", "P(region)", "P(negligible)", "Verdict")
    return Table("Parts of the verdict", heads, tuple(rows))


def _rope_fact(p: "Proposition", row: Mapping[str, object]) -> list[tuple[str, str]]:
    if p.rope is None:
        return []
    said = between(*p.rope, places=None)
    value = probability(cast(float, row["p_rope"]))
    return [("P(negligible)", f"{value}, where negligible means {said}")]
