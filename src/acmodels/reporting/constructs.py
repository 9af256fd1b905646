"""The sections of a report on constructs: loadings, thresholds, reliability, agreement."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acmodels.effects.item_residuals import DRAWS, ItemPair, item_residuals
from acmodels.effects.measurement import measurement, raters_per_unit
from acmodels.numbers import fixed, number, with_interval
from acmodels.reporting import charts
from acmodels.reporting import words as w
from acmodels.reporting.construct_charts import thresholds_chart
from acmodels.reporting.pieces import Figure, Forest, Line, Summary, Table
from acmodels.spec import parameters as named

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit
    from acmodels.system.layout import Measure

RELIABILITY = {
    "omega": "Reliability of a unit’s average (omega)",
    "icc1": "Agreement of raters (ICC1)",
    "icc2": "Agreement of a unit’s raters together (ICC2)",
    "determinacy": "Determinacy of scores",
}
"""What quantities of a construct are called in tables."""
MOST_PAIRS = 10
"""Pairs of items that the table of residual correlations shows."""


@dataclass(frozen=True)
class ConstructSection:
    """What the report shows of one construct."""

    name: str
    words: str
    loadings: Forest
    thresholds: Figure | None
    reliability: Table
    invariance: Table | None


def construct_sections(
    fit: "Fit", estimates: Mapping[str, Summary]
) -> tuple[tuple[ConstructSection, ...], Table | None, str]:
    """Return a section for each construct, and residual correlations of items."""
    if not fit.system.layout.measures:
        return (), None, ""
    pairs = item_residuals(fit)
    return sections_of(fit, estimates), _pair_table(pairs), _pair_words(pairs)


def sections_of(
    fit: "Fit", estimates: Mapping[str, Summary], without: Collection[str] = ()
) -> tuple[ConstructSection, ...]:
    """Return a section for each construct of a fit, without some."""
    measures = [m for m in fit.system.layout.measures if m.name not in without]
    if not measures:
        return ()
    found = {(r["name"], r["quantity"]): r for r in measurement(fit).to_dict("records")}
    return tuple(_section(fit, m, estimates, found) for m in measures)


def _section(
    fit: "Fit",
    m: "Measure",
    estimates: Mapping[str, Summary],
    found: Mapping[tuple[str, str], Mapping[str, float]],
) -> ConstructSection:
    rows = [
        (said, *with_interval(r["mean"], r["lower"], r["upper"]))
        for q, said in RELIABILITY.items()
        if (r := found.get((m.name, q))) is not None
    ]
    interval = w.interval_words(fit.interval, fit.prob)
    return ConstructSection(
        m.name,
        _words(fit, m),
        _loadings(fit, m, estimates, found),
        _thresholds(fit, m, estimates),
        Table(f"How well {m.name} is measured", ("Quantity", "Mean", interval), tuple(rows)),
        _invariance(fit, m, estimates, interval),
    )


def _words(fit: "Fit", m: "Measure") -> str:
    e = fit.system.layout.equations[m.equation]
    of = "data row" if e.level is None else e.level
    wave = " in each wave" if m.waves else ""
    many = w.several(len(m.items), "item")
    said = f"{m.name} is measured by {many}, with one value for each {of}{wave}"
    if m.raters:
        many = number(raters_per_unit(fit.system.layout, m), 2)
        said += f"; a unit{wave} has {many} raters (harmonic mean), who may differ about it"
    scale = (
        "Its standard deviation, given its predictors, is 1."
        if m.marker is None
        else f"It is on the scale of {m.marker}, whose loading is 1."
    )
    return f"{said}. {scale}"


def _loadings(
    fit: "Fit",
    m: "Measure",
    estimates: Mapping[str, Summary],
    found: Mapping[tuple[str, str], Mapping[str, float]],
) -> Forest:
    names = [(fit.system.layout.equations[i].response) for i in m.items]
    rows = [(item, named.loading(m.name, item)) for item in names]
    axis = charts.axis_over(
        [(estimates[n]["lower"], estimates[n]["mean"], estimates[n]["upper"]) for _, n in rows]
    )
    lines: list[Line] = []
    for item, n in rows:
        s = estimates[n]
        mean, ends = with_interval(s["mean"], s["lower"], s["upper"])
        plot = charts.forest_row(axis, (s["lower"], s["mean"], s["upper"]), f"{n}: {mean} {ends}")
        note = "the marker" if item == m.marker else "reversed" if item in m.reverse else ""
        size = fixed(found[n, "standardized"]["mean"], 2)
        lines.append(Line(item, note, plot, (mean, ends, size)))
    return Forest(f"Loadings on {m.name}", ("Mean", "Interval", "Stand."),
                  charts.forest_axis(axis), tuple(lines))  # fmt: skip


def _thresholds(fit: "Fit", m: "Measure", estimates: Mapping[str, Summary]) -> Figure | None:
    """Where answers change, on the scale of the construct, under the distribution of its units."""
    marks: list[tuple[str, list[float]]] = []
    for i in m.items:
        e = fit.system.layout.equations[i]
        if e.codes:
            loading = estimates[named.loading(m.name, e.response)]["median"]
            marks.append((e.response, [estimates[n]["median"] / loading for n in e.thresholds]))
    if not marks:
        return None
    scores = fit.draws.imputed[m.name].mean(axis=(0, 1))
    return Figure(
        f"Where answers to items of {m.name} change",
        thresholds_chart(scores, marks, f"Thresholds of the items of {m.name}"),
        "Above, the distribution of the estimated values of units (smoothed). Below, for each "
        "item, the values at which half of all answers are above a category. Items tell "
        "units apart best near their marks.",
    )


def _invariance(
    fit: "Fit", m: "Measure", estimates: Mapping[str, Summary], interval: str
) -> Table | None:
    """How far items differ between rater groups."""
    if m.by is None:
        return None
    of = {fit.system.layout.equations[i].response for i in m.items}
    rows = [
        (b.sd(x), *with_interval(s["mean"], s["lower"], s["upper"]))
        for b in fit.system.layout.blocks
        for x in b.members
        if x.response in of and not b.raters and b.columns == (m.by,)
        for s in [estimates[b.sd(x)]]
    ]
    caption = f"How far items differ between groups of {m.by}: sds of loadings and of locations"
    return Table(caption, ("Parameter", "Mean", interval), tuple(rows))


def _pair_table(pairs: Sequence[ItemPair]) -> Table | None:
    if not pairs:
        return None
    rows = tuple(
        (f"{p.first} and {p.second}", fixed(p.mean, 2), fixed(p.p, 3), "look" if p.flagged else "")
        for p in pairs[:MOST_PAIRS]
    )
    heads = ("Items", "Correlation beyond the model", "Posterior predictive p", "")
    return Table("Correlations that are left between items, the largest first", heads, rows)


def _pair_words(pairs: Sequence[ItemPair]) -> str:
    flagged = [f"{p.first} with {p.second}" for p in pairs if p.flagged]
    base = f"Residuals of items, in the data and in data drawn from {DRAWS} posterior draws. "
    if not flagged:
        return base + "No pair of items correlates more or less than its constructs explain."
    return base + (
        f"Correlated beyond what the model explains: {w.joined(flagged[:6])}; similar wording or a "
        "facet of its own may be why."
    )
