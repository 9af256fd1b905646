"""Sections on how sensitive effects are to an unmeasured confounder and to single units."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acmodels.numbers import (
    chance,
    estimate,
    fixed,
    percent,
    plain,
    probability,
    signed,
    stated,
    with_interval,
)
from acmodels.reporting import words as w
from acmodels.reporting.charts import Band
from acmodels.reporting.pieces import Figure, Table
from acmodels.reporting.robustness_charts import shift_chart, strength_chart

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.robustness.confounding import Confounding
    from acmodels.robustness.leave_out import Influence

MOST = 6
"""Estimands that are drawn."""


@dataclass(frozen=True)
class ConfoundingSection:
    """Hold what the section about a confounder shows."""

    words: tuple[str, ...]
    figures: tuple[Figure, ...]
    tipping: Table
    benchmarks: Table


@dataclass(frozen=True)
class InfluenceSection:
    """Hold what the section about single units shows."""

    by: str
    words: tuple[str, ...]
    figures: tuple[Figure, ...]
    verdicts: Table
    largest: Table


def _name(row: "pd.Series") -> str:
    return f"{row['estimand']} at {w.at_words(str(row['at']))}" if row["at"] else row["estimand"]


def confounding_section(found: "Confounding") -> ConfoundingSection:
    """Curves of the effects along the correlation, where they tip, and what that would take."""
    what = "residuals" if found.unit is None else f"effects of {found.unit}"
    moving = _moving(found)
    words = [
        (
            f"A confounder that is not in the model may affect both {found.mediator} and "
            f"{found.outcome}. It would make the {what} of the two correlate: by r, if it "
            "explained a share r of the unexplained variance of each. The data hardly tell how "
            "large that correlation is, so the model was fitted again with it held at each "
            "value below."
        ),
        _reading(found),
    ]
    if found.averaged is not None and moving:
        said = [
            f"{_name(r)} {' '.join(with_interval(r['mean'], r['lower'], r['upper']))}"
            for _, r in found.averaged.iterrows()
            if (r["estimand"], r["at"]) in moving and np.isfinite(r["mean"])
        ]
        words.append(
            f"With the correlation unknown, Normal(0, {stated(found.prior_sd or 0.0)}) on (-1, 1), "
            f"the effects are: {'; '.join(said)}."
        )
    still = [
        _name(r) for _, r in found.tipping.iterrows() if (r["estimand"], r["at"]) not in moving
    ]
    words += found.notes
    if still:
        words.append(
            "These change by less than half of their posterior sd over the whole grid: "
            f"{w.joined(still)}."
        )
    figures: list[Figure] = []
    for key in list(moving)[:MOST]:
        rows = found.table.loc[(found.table["estimand"] == key[0]) & (found.table["at"] == key[1])]
        known = rows.loc[rows["mean"].notna()]
        title = _name(rows.iloc[0])
        band = Band("", *(known[c].to_list() for c in ("rho", "mean", "lower", "upper")))
        chart = strength_chart(band, f"{title} by the correlation that a confounder would cause")
        interval = w.interval_words(found.interval, found.prob)
        figures.append(Figure(title, chart, f"Mean and {interval}."))
    tipping = tuple(
        (_name(r), _rho(r["rho"]), str(r["verdict"]) or "–", _rho(r["verdict_rho"]))
        for _, r in found.tipping.iterrows()
        if (r["estimand"], r["at"]) in moving
    )
    heads = ("Effect", "Interval reaches 0 at", "Verdict", "Verdict changes at")
    benchmarks = tuple(
        (r["covariate"], percent(r["r2_mediator"]), percent(r["r2_outcome"]), fixed(r["rho"], 3))
        for _, r in found.benchmarks.iterrows()
    )
    of = (found.mediator, found.outcome)
    return ConfoundingSection(
        tuple(words), tuple(figures),
        Table("The correlation nearest to 0 at which a conclusion changes", heads, tipping),
        Table(
            "The correlation that leaving out a measured covariate would cause",
            ("Covariate", *(f"Partial R2 with {v}" for v in of), "Correlation"), benchmarks,
        ),
    )  # fmt: skip


def confounding_lines(found: "Confounding") -> tuple[str, ...]:
    """The main result, for a terminal: what each effect that moves takes to tip.

    Args:
        found: from `confounding`.
    """
    moving = _moving(found)
    lines = [plain(_reading(found))]
    for _, r in found.tipping.iterrows():
        if (r["estimand"], r["at"]) not in moving:
            lines.append(f"  {_name(r)}: hardly changes")
            continue
        rows = found.table.loc[
            (found.table["estimand"] == r["estimand"]) & (found.table["at"] == r["at"])
        ]
        at = rows.loc[rows["rho"] == 0].iloc[0]
        tips = (
            f"the interval reaches 0 at a correlation of {plain(_rho(r['rho']))}"
            if np.isfinite(r["rho"])
            else "the interval reaches 0 at none of the correlations tried"
        )
        verdict = (
            f"; the verdict, {r['verdict']}, changes at {plain(_rho(r['verdict_rho']))}"
            if r["verdict"] and np.isfinite(r["verdict_rho"])
            else ""
        )
        said = estimate(at["mean"], at["lower"], at["upper"])
        lines.append(f"  {_name(r)}: {said} without a confounder; {tips}{verdict}")
    lines += [f"  {n}" for n in found.notes]
    what = "residuals" if found.unit is None else f"effects of {found.unit}"
    head = (
        f"An unmeasured confounder of {found.mediator} and {found.outcome}, by the correlation "
        f"that it would cause between their {what}:"
    )
    return (head, *lines)


def influence_lines(found: "Influence") -> tuple[str, ...]:
    """The main result, for a terminal: the unit that moves each verdict and each effect most.

    Args:
        found: from `influence`.
    """
    units = found.table.drop_duplicates("unit")
    out = [f"Each of {len(units)} units of {found.by} left out in turn:"]
    for _, r in found.most.iterrows():
        held = (
            "the same whichever unit is left out"
            if not r["changed_by"]
            else f"different if one of {r['changed_by']} units is left out"
        )
        out.append(
            f"  {r['proposition']} is {r['status']}: {held}; '{r['unit']}' moves it most: "
            f"the probability of the claim is {chance(r['p_region'])} with it and "
            f"{chance(r['p_region_without'])} without"
        )
    for _, r in found.largest.iterrows():
        said = estimate(r["mean"], r["lower"], r["upper"])
        out.append(
            f"  {_name(r)} moves most without '{r['unit']}': to {said}, by "
            f"{signed(r['shift'], 2)} posterior sds"
        )
    return (*out, *(f"  {n}" for n in found.notes))


def _moving(found: "Confounding") -> dict[tuple[str, str], float]:
    """Estimands that move, by how far in their sds at a correlation of 0, the furthest first."""
    out: dict[tuple[str, str], float] = {}
    for _, rows in found.table.groupby(["estimand", "at"], sort=False):
        sd = float(rows["sd"].to_numpy(float)[rows["rho"].to_numpy(float) == 0][0])
        if not np.isfinite(sd):
            continue
        far = float(np.nanmax(rows["mean"]) - np.nanmin(rows["mean"]))
        if sd > 0 and far >= 0.5 * sd:
            out[str(rows["estimand"].iloc[0]), str(rows["at"].iloc[0])] = far / sd
    return dict(sorted(out.items(), key=lambda p: -p[1]))


def _reading(found: "Confounding") -> str:
    """Return how strong the measured covariates are beside what it takes."""
    tips = found.tipping.loc[found.tipping["rho"].notna()]
    if not len(tips):
        said = "No interval reaches 0 at any of the correlations tried."
    else:
        nearest = tips.iloc[int(np.argmin(np.abs(tips["rho"].to_numpy(float))))]
        said = (
            f"The first interval to reach 0 is that of {_name(nearest)}, at a correlation of "
            f"{fixed(nearest['rho'], 2)}."
        )
    if not len(found.benchmarks):
        return f"{said} The equations share no measured covariate at this level to compare with."
    strongest = found.benchmarks.iloc[0]
    return (
        f"{said} The strongest measured covariate of both, {strongest['covariate']}, would cause "
        f"a correlation of {fixed(strongest['rho'], 3)} if it were left out (Cinelli & Hazlett, "
        "2020)."
    )


def _rho(value: float) -> str:
    return fixed(value, 2) if np.isfinite(value) else "not on the grid"


def influence_section(found: "Influence") -> InfluenceSection:
    """Return how far each effect moves, and which unit moves each verdict most."""
    table = found.table
    units = table.drop_duplicates("unit")
    how = units["how"].value_counts().to_dict()
    named = {
        "refit": "by fitting the model again without it",
        "psis": "by Pareto-smoothed importance weights",
        "not possible": "not at all, since the model cannot be fitted without it",
    }
    words = [
        f"Each of {len(units)} units was left out in turn: "
        + w.joined([f"{n} {named[k]}" for k, n in how.items()])
        + "."
    ]
    rows = dict(zip(units["unit"], units["n_rows"], strict=True))
    if min(rows.values()) > 1:  # names of units of one row stay in influence.csv
        words += found.notes

    def label(unit: str) -> str:
        return unit if rows[unit] > 1 else "a unit of one row (influence.csv names it)"

    verdicts = tuple(
        (r["proposition"], r["status"], str(r["changed_by"]), label(r["unit"]),
         probability(r["p_region"]), probability(r["p_region_without"]), r["status_without"])
        for _, r in found.most.iterrows()
    )  # fmt: skip
    if verdicts:
        firm = sum(1 for r in verdicts if r[2] == "0")
        words.append(f"{firm} of {len(verdicts)} verdicts are the same whichever unit is left out.")
    told = ("Proposition", "Verdict", "Units that change it", "Moves it most", "P(claim)",
            "P(claim) without", "Verdict without")  # fmt: skip
    figures: list[Figure] = []
    for _, mine in table.groupby(["estimand", "at"], sort=False):
        known = mine.loc[mine["shift"].notna()].drop_duplicates("unit")
        if len(known) and len(figures) < MOST:
            title = _name(known.iloc[0])
            chart = shift_chart(
                known["shift"].to_list(), f"Shifts of {title} when a unit is left out"
            )
            figures.append(
                Figure(title, chart, "Each mark is a unit: how far the mean changes without it.")
            )
    largest = tuple(
        (_name(r), label(r["unit"]), fixed(r["shift"], 2),
         *with_interval(r["mean"], r["lower"], r["upper"]))
        for _, r in found.largest.iterrows()
    )  # fmt: skip
    heads = ("Effect", "Unit", "Shift (posterior sds)", "Mean without it", "Interval")
    return InfluenceSection(
        found.by, tuple(words), tuple(figures),
        Table("The unit that moves each verdict most", told, verdicts),
        Table("The unit that moves each effect most", heads, largest),
    )  # fmt: skip
