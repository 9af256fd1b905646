"""What each section of the page shows, as plain values for the template.

Charts arrive as SVG text; `page` alone marks them as markup.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, cast

import numpy as np

from acmodels.estimands import kind
from acmodels.families import scalars
from acmodels.numbers import (
    between,
    count,
    decimals,
    fixed,
    minus,
    percent,
    probability,
    significant,
    with_interval,
)
from acmodels.posterior import intervals
from acmodels.reporting import charts
from acmodels.reporting import words as w
from acmodels.reporting.pieces import Figure, Forest, Line, Summary, Table
from acmodels.reporting.strengths import Strength
from acmodels.reporting.variance import Shares
from acmodels.spec import parameters as named
from acmodels.system import parameters

if TYPE_CHECKING:
    from acmodels.estimands import Estimand
    from acmodels.inference.fitting import Fit


def estimand_forests(fit: "Fit", rows: Sequence[Mapping[str, object]]) -> tuple[Forest, ...]:
    """Estimands by the scale they are on: effects, shares of variance, ranks."""
    groups: dict[str, list[Mapping[str, object]]] = {}
    for row in rows:
        groups.setdefault(kind(str(row["kind"])).heading or "Effects", []).append(row)
    return tuple(_estimand_forest(fit, title, mine) for title, mine in groups.items())


def _estimand_forest(fit: "Fit", title: str, rows: list[Mapping[str, object]]) -> Forest:
    numbers = [{k: cast(float, r[k]) for k in ("lower", "mean", "upper", "sd")} for r in rows]
    axis = charts.axis_over([(n["lower"], n["mean"], n["upper"]) for n in numbers])
    graph = w.fitted_graph(fit)
    lines: list[Line] = []
    for row, n in zip(rows, numbers, strict=True):
        estimand: Estimand | None = fit.spec.estimands.get(str(row["name"]))
        what = "" if estimand is None else w.estimand_words(estimand, graph)
        at = f" at {w.at_words(str(row['at']))}" if row["at"] else ""
        mean, ends = with_interval(n["mean"], n["lower"], n["upper"])
        name = f"{row['name']}{at}"
        lines.append(
            Line(
                name,
                what,
                charts.forest_row(
                    axis, (n["lower"], n["mean"], n["upper"]), f"{name}: {mean} {ends}"
                ),
                (mean, ends, probability(cast(float, row["p_positive"]))),
            )
        )
    heads = ("Mean", "Interval", "P(> 0)")
    return Forest(title, heads, charts.forest_axis(axis), tuple(lines))


def proportions(fit: "Fit") -> tuple[str, ...]:
    """The share of a total effect that each indirect effect carries, where the model has both.

    A ratio has no meaning near a denominator of zero (MacKinnon, Warsi & Dwyer, 1995, found it
    unstable), so it is withheld where the total's interval covers 0.
    """

    def settings(name: str) -> dict[str, object]:
        s = fit.spec.estimands[name].settings
        return s.model_dump(exclude={"via", "arm"}, exclude_none=True)

    out: list[str] = []
    table = fit.effects.table
    for part, (k, whole) in product(fit.effects.rows, enumerate(fit.effects.rows)):
        if kind(part.kind).part_of != whole.kind or part.at != whole.at:
            continue
        if settings(whole.name) != settings(part.name):
            continue
        at = f" at {w.at_words(part.at)}" if part.at else ""
        low, high = table["lower"].iloc[k], table["upper"].iloc[k]
        if low <= 0 <= high:
            said = (
                f"not reported, since the interval of {whole.name}, "
                f"{between(low, high, decimals(high - low))}, covers 0"
            )
        else:
            ratio = part.draws / whole.draws
            ends = intervals(ratio[..., None], fit.interval, fit.prob)
            said = (
                f"{percent(float(np.median(ratio)))} "
                f"{_percents(float(ends[0][0]), float(ends[1][0]))}"
            )
        out.append(f"{part.name} of {whole.name}{at}: {said}")
    return tuple(out)


def coefficient_forests(fit: "Fit", found: Mapping[str, Strength]) -> tuple[Forest, ...]:
    """Coefficients equation by equation; intercepts have numbers but no mark on the axis."""
    out: list[Forest] = []
    for e in fit.system.layout.outcomes:
        mine = [(c, found[e.coefficient(c)]) for c in e.columns]
        if not mine:
            continue
        axis = charts.axis_over([(s.lower, s.mean, s.upper) for c, s in mine if c.parts])
        lines: list[Line] = []
        for c, s in mine:
            mean, ends = with_interval(s.mean, s.lower, s.upper)
            plot = ""
            if c.parts:
                label = f"{e.coefficient(c)}: {mean} {ends}"
                plot = charts.forest_row(axis, (s.lower, s.mean, s.upper), label)
            name = c.name if c.parts else "1 (intercept)"
            size = fixed(s.standardized, 2) if c.parts else "–"
            lines.append(Line(name, "", plot, (mean, ends, probability(s.p_positive), size)))
        heads = ("Mean", "Interval", "P(> 0)", "Stand.")
        out.append(Forest(e.response, heads, charts.forest_axis(axis), tuple(lines)))
    return tuple(out)


def ml_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """Posterior and maximum likelihood side by side."""

    def of(row: Mapping[str, object], key: str) -> str:
        return significant(cast(float, row[key]), 3)

    heads = ("Parameter", "Posterior mean", "sd", "ML", "se", "Distance (se)", "Note")
    cells = tuple(
        (
            str(r["name"]),
            *(of(r, k) for k in ("posterior_mean", "posterior_sd", "ml_estimate", "ml_se")),
            fixed(cast(float, r["distance"]), 2),
            minus(str(r["note"])),
        )
        for r in rows
    )
    return Table("Posterior and maximum likelihood", heads, cells)


def variance_figures(shares: Sequence[Shares]) -> tuple[Figure, ...]:
    """A bar for each equation."""
    places = _places(shares)
    return tuple(
        Figure(x.response, charts.share_bar(x, places) if x.rows else "", x.why_not) for x in shares
    )


def variance_table(fit: "Fit", shares: Sequence[Shares]) -> Table:
    """Shares with their intervals: a row for each equation, a column for each source."""
    sources = [*_places(shares), "residual"]
    units = {r.source: r.units for x in shares for r in x.rows}
    rows: list[tuple[str, ...]] = []
    for x in shares:
        mine = {r.source: f"{percent(r.mean)} {_percents(r.lower, r.upper)}" for r in x.rows}
        rows.append((x.response, *(mine.get(name, "–") for name in sources)))
    heads = [n if units.get(n) is None else f"{n} ({count(units[n])} units)" for n in sources]
    interval = w.interval_words(fit.interval, fit.prob)
    return Table(
        f"Shares of unexplained variance, mean and {interval}", ("Equation", *heads), tuple(rows)
    )


def size_table(fit: "Fit") -> Table:
    """R2 and intraclass correlations of every equation, with a row for what has none."""
    from acmodels.effects.sizes import effect_sizes, kind_words

    found = effect_sizes(fit)
    rows = [
        (r["response"], kind_words(r["kind"]), *with_interval(r["mean"], r["lower"], r["upper"]))
        for r in found.table.to_dict("records")
    ]
    rows += [(y, "R2", "–", f"{why}") for y, why in found.why_not.items()]
    interval = w.interval_words(fit.interval, fit.prob)
    return Table(
        "R2 and intraclass correlations", ("Outcome", "Quantity", "Mean", interval), tuple(rows)
    )


def variance_legend(shares: Sequence[Shares]) -> tuple[tuple[str, str], ...]:
    """Pattern and name of every source of variance."""
    places = _places(shares)
    return (*((f"g{k % 5}", name) for name, k in places.items()), ("residual", "residual"))


def _places(shares: Sequence[Shares]) -> dict[str, int]:
    names = dict.fromkeys(r.source for s in shares for r in s.rows if r.source != "residual")
    return {name: k for k, name in enumerate(names)}


def _percents(lower: float, upper: float) -> str:
    return f"[{fixed(100 * lower, 0)}, {fixed(100 * upper, 0)}]"


def spread_table(fit: "Fit", estimates: Mapping[str, Summary]) -> Table:
    """Group and residual standard deviations and correlations."""
    rows: list[tuple[str, ...]] = []
    steps = {
        named.coefficient(e.response, x) for e in fit.system.layout.equations for x in e.monotonic
    }
    for p in parameters(fit.system.layout):
        if p.kind == "step" or (p.kind == "coefficient" and p.name not in steps):
            continue  # these stand among the coefficients
        s = estimates[p.name]
        rows.append((p.name, *with_interval(s["mean"], s["lower"], s["upper"])))
    interval = w.interval_words(fit.interval, fit.prob)
    return Table(_spread_title(fit), ("Parameter", "Mean", interval), tuple(rows))


def _spread_title(fit: "Fit") -> str:
    """Return what the table holds beside standard deviations."""
    names = {kind: s.label for kind, s in scalars().items()} | {
        "threshold": "thresholds",
        "sd": "standard deviations",
        "sigma": "standard deviations",
        "cor": "correlations",
        "simo": "shares of the steps of monotonic effects",
    }
    kinds = [p.kind for p in parameters(fit.system.layout) if p.kind not in ("coefficient", "step")]
    said = w.joined(list(dict.fromkeys(names.get(k, k) for k in kinds)))
    return said[:1].upper() + said[1:] or "Standard deviations and correlations"


def worst_table(estimates: Mapping[str, Summary], most: int = 10) -> Table:
    """The parameters that the sampler found hardest."""

    def badness(item: tuple[str, Summary]) -> float:
        s = item[1]
        r_hat = s["r_hat"] if math.isfinite(s["r_hat"]) else 1.0
        ess = min(v for v in (s["ess_bulk"], s["ess_tail"], 1e9) if math.isfinite(v))
        return max((r_hat - 1) / 0.01, 400 / max(ess, 1.0))

    hardest = sorted(estimates.items(), key=badness, reverse=True)[:most]
    rows = tuple(
        (name, fixed(s["r_hat"], 3), count(s["ess_bulk"]), count(s["ess_tail"]),
         significant(s["mcse_mean"], 2))
        for name, s in hardest
    )  # fmt: skip
    heads = ("Quantity", "R-hat", "Bulk ESS", "Tail ESS", "MCSE of mean")
    return Table("Lowest effective sample sizes and largest R-hats first", heads, rows)


def prior_table(fit: "Fit") -> Table:
    """Priors in force, and who stated them."""
    rows: list[tuple[str, ...]] = []
    for p in fit.priors.values():
        stated = "default" if p.stated is None else f"model file, “{p.stated}”"
        stated += p.note.replace("'", "’")
        if p.distribution.name == "LKJ":
            stated += ", on the whole correlation matrix"
        rows.append((p.name, minus(str(p.distribution)), stated))
    return Table("Priors in force", ("Parameter", "Prior", "Stated by"), tuple(rows))


def equation_table(fit: "Fit") -> Table:
    """The equations as the model file writes them."""
    rows_of = fit.system.observed
    rows: list[tuple[str, ...]] = []
    for e in fit.system.layout.outcomes:
        written = fit.spec.equations[e.response]
        level = f"{written.level} (one row a unit)" if written.level else "data row"
        rows.append((written.formula.text, e.family, e.link, level, count(rows_of[e.response])))
    heads = ("Formula", "Family", "Link", "Level", "Rows")
    return Table("Equations", heads, tuple(rows))


def missing_table(fit: "Fit") -> Table:
    """Return how missing values were treated, column by column."""
    rows: list[tuple[str, ...]] = []
    for t in fit.system.treatments:
        level = t.level or "data row"
        modeled = count(t.units) if t.units else "none"
        rows.append((t.column, t.role, level, count(t.rows), modeled, t.model or "none", t.how))
    heads = ("Column", "Role", "Level", "Rows without", "Values modeled", "Model", "In words")
    return Table("How missing values were treated", heads, tuple(rows))
