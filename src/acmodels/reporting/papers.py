"""Tables and a methods paragraph for a paper, from the folder that `fit` wrote.

In three styles: `apa` (one row a parameter, grouped by outcome; American Psychological Association,
2020, section 7), `brms` (the sections and columns of a brms summary) and `lavaan` (regressions by
outcome, within and between parts apart). `paper_files` writes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from acmodels.effects.sizes import kind_words
from acmodels.numbers import probability, stated
from acmodels.reporting.paper_cells import (
    ParameterName,
    bare,
    cells_of,
    four_cells,
    grouped_by,
    label,
    number_in,
    parsed,
    sampler_cells,
    table_places,
)
from acmodels.reporting.paper_folder import Written, interval_kind, rows_fitted

type Style = Literal["apa", "brms", "lavaan"]
STYLES: tuple[Style, ...] = ("apa", "brms", "lavaan")


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper.

    Attributes:
        title: without its number.
        columns: heads; the first is of the rows' names.
        groups: a heading, or nothing, and its rows, each a cell a column.
        note: below it, or nothing.
    """

    title: str
    columns: tuple[str, ...]
    groups: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    note: str = ""


def paper_tables(found: Written, style: Style = "apa") -> tuple[PaperTable, ...]:
    """Tables of parameters, estimands and verdicts.

    Args:
        found: from `read`.
        style: `apa`, `brms` or `lavaan`.
    """
    make = {"apa": _apa, "brms": _brms, "lavaan": _lavaan}[style]
    out = [make(found)]
    if found.estimands:
        out.append(_estimands(found))
    if found.sizes:
        out.append(_sizes(found))
    if found.verdicts:
        out.append(_verdicts(found))
    return tuple(out)


def _apa(found: Written) -> PaperTable:
    places = table_places(found.estimates)
    named = _of_the_model(found)
    groups: list[tuple[str, tuple[tuple[str, ...], ...]]] = []
    responses = dict.fromkeys(n.response for n, _ in named if n.kind == "coefficient")
    for y in responses:
        mine = [(n, r) for n, r in named if n.kind == "coefficient" and n.response == y]
        for part, rows in grouped_by(mine, lambda p: p[0].part).items():
            head = bare(f"{y}, {part} part" if part else y)
            groups.append((head, tuple((label(n, ""), *cells_of(r, places)) for n, r in rows)))
    spread = [(n, r) for n, r in named if n.kind != "coefficient"]
    titles = {
        "sd": "Group standard deviations",
        "cor": "Correlations",
        "other": "Residual standard deviations and further parameters",
    }
    for kind, rows in grouped_by(spread, lambda p: p[0].kind).items():
        rows_said = tuple((label(n, r["name"]), *cells_of(r, places)) for n, r in rows)
        groups.append((titles[kind], rows_said))
    labels = "; ".join(f"{c}: {said}" for c, said in found.run.get("labels", {}).items())
    note = (
        f"N = {rows_fitted(found.run)}. M = posterior mean; SD = posterior standard deviation; "
        f"CI = {interval_kind(found)}.{f' {bare(labels)}.' if labels else ''}"
    )
    others = len(found.estimates) - len(named)
    if others:
        note += (
            f" Not shown: {others} parameters of equations of predictors with missing values "
            "(estimates.csv has them)."
        )
    ci = f"{stated(100 * found.run['prob'])}% CI"
    return PaperTable("Posterior Estimates", ("Parameter", "M", "SD", ci), tuple(groups), note)


def _of_the_model(found: Written) -> list[tuple[ParameterName, Mapping[str, str]]]:
    """Leave out parameters of equations that only serve to model missing predictors."""
    named = [(parsed(r["name"]), r) for r in found.estimates]
    equations = {bare(y) for y in found.run.get("equations", {})}
    served = {
        bare(n.response)
        for n, _ in named
        if equations and n.kind == "coefficient" and bare(n.response) not in equations
    }
    loaded = {bare(n.term.partition(" =~ ")[2]) for n, _ in named if " =~ " in n.term}
    return [(n, r) for n, r in named if bare(n.response) not in served - loaded]


def _brms(found: Written) -> PaperTable:
    """Sections and columns as brms prints them (Bürkner, 2017)."""
    places = table_places(found.estimates)
    named = [(parsed(r["name"]), r) for r in found.estimates]

    def name(n: ParameterName, whole: str) -> str:
        term = "Intercept" if n.term == "1" else n.term
        if n.kind == "coefficient":
            return f"{n.response}_{term}"
        if n.kind == "sd":
            return f"sd({n.response}_{term})"
        return whole

    def line(n: ParameterName, r: Mapping[str, str]) -> tuple[str, ...]:
        return name(n, r["name"]), *four_cells(r, places), *sampler_cells(r)

    groups: list[tuple[str, tuple[tuple[str, ...], ...]]] = []
    grouped = [(n, r) for n, r in named if n.group]
    for g, rows in grouped_by(grouped, lambda p: p[0].group).items():
        groups.append((f"Multilevel hyperparameters: ~{g}", tuple(line(n, r) for n, r in rows)))
    for title, rows in (
        ("Regression coefficients", [(n, r) for n, r in named if n.kind == "coefficient"]),
        (
            "Further distributional parameters",
            [(n, r) for n, r in named if n.kind != "coefficient" and not n.group],
        ),
    ):
        if rows:
            groups.append((title, tuple(line(n, r) for n, r in rows)))
    prob = f"{stated(100 * found.run['prob'])}% CI"
    columns = (
        "",
        "Estimate",
        "Est.Error",
        f"l-{prob}",
        f"u-{prob}",
        "Rhat",
        "Bulk_ESS",
        "Tail_ESS",
    )
    return PaperTable(
        "Summary of the Posterior", columns, tuple(groups), f"CI: {interval_kind(found)}."
    )


def _lavaan(found: Written) -> PaperTable:
    """Regressions by outcome, within and between parts apart (Rosseel, 2012)."""
    places = table_places((*found.estimates, *found.estimands))
    named = [(parsed(r["name"]), r) for r in found.estimates]
    slopes = [(n, r) for n, r in named if n.kind == "coefficient" and n.term != "1"]
    groups: list[tuple[str, tuple[tuple[str, ...], ...]]] = []
    for part in ("within", "between", ""):
        mine = [(n, r) for n, r in slopes if n.part == part]
        for y, rows in grouped_by(mine, lambda p: p[0].response).items():
            level = f"{part.capitalize()} level. " if part else ""
            lines = tuple((f"{n.plain}", *cells_of(r, places)) for n, r in rows)
            groups.append((f"{level}Regressions: {y} ~", lines))
    intercepts = [(n, r) for n, r in named if n.kind == "coefficient" and n.term == "1"]
    if intercepts:
        groups.append(
            ("Intercepts", tuple((n.response, *cells_of(r, places)) for n, r in intercepts))
        )
    rest = [(n, r) for n, r in named if n.kind != "coefficient"]
    if rest:
        groups.append(
            (
                "Standard deviations and correlations",
                tuple((r["name"], *cells_of(r, places)) for _, r in rest),
            )
        )
    if found.estimands:
        groups.append(
            (
                "Defined parameters",
                tuple((_estimand(r), *cells_of(r, places)) for r in found.estimands),
            )
        )
    ci = f"{stated(100 * found.run['prob'])}% CI"
    return PaperTable(
        "Parameter Estimates", ("", "Estimate", "Post.SD", ci), tuple(groups),
        f"Estimate: posterior mean. CI: {interval_kind(found)}.",
    )  # fmt: skip


def _estimand(row: Mapping[str, str]) -> str:
    return bare(f"{row['name']} [{row['at']}]" if row.get("at") else row["name"])


def _estimands(found: Written) -> PaperTable:
    places = table_places(found.estimands)
    ci = f"{stated(100 * found.run['prob'])}% CI"
    rows = tuple(
        (
            _estimand(r),
            r["kind"].replace("_", " ") + _own_scale(found.run, r["name"]),
            *cells_of(r, places),
            probability(number_in(r, "p_positive")),
        )
        for r in found.estimands
    )
    columns = ("Effect", "Kind", "M", "SD", ci, "P(> 0)")
    return PaperTable(
        "Effects", columns, (("", rows),), f"CI: {interval_kind(found)}.{_linked(found.run)}"
    )


def _sizes(found: Written) -> PaperTable:
    """R2 and intraclass correlations by outcome."""
    places = table_places(found.sizes)
    groups = tuple(
        (y, tuple((kind_words(r["kind"]), *cells_of(r, places)) for r in rows))
        for y, rows in grouped_by(found.sizes, lambda r: r["response"]).items()
    )
    note = (
        "R2 of an outcome with groups: marginal (predictors) and conditional (predictors and "
        "groups; Nakagawa & Schielzeth, 2013); without groups: Bayesian R2 (Gelman et al., 2019). "
        "ICC: intraclass correlation given the predictors. "
        f"CI: {interval_kind(found)}."
    )
    ci = f"{stated(100 * found.run['prob'])}% CI"
    return PaperTable("Explained Variance", ("", "M", "SD", ci), groups, note)


def _linked(run: Mapping[str, Any]) -> str:
    """A note on the scale of effects, where an equation has a link."""
    linked = [
        f"{y} ({e['link']})"
        for y, e in run.get("equations", {}).items()
        if e["link"] not in (None, "identity")
    ]
    if not linked:
        return ""
    return (
        f" Effects on {', '.join(linked)} are on the scale of the link, but for those said to be "
        "on the response scale."
    )


def _own_scale(run: Mapping[str, Any], name: str) -> str:
    """Said of an effect on the outcome's own scale, with the two values of its cause."""
    said = run.get("estimands", {}).get(name, {})
    if said.get("scale") == "standardized":
        return ", standardized"
    if said.get("scale") != "response":
        return ""
    values = said.get("values")
    return ", response scale" + (f", {values[0]} to {values[1]}" if values else "")


def _verdicts(found: Written) -> PaperTable:
    rows = tuple(
        (
            _claim(found, r["proposition"]), _judged(found, r),
            probability(number_in(r, "p_region")), probability(number_in(r, "p_rope")),
            r["status"].replace("_", " "),
        )
        for r in found.verdicts
    )  # fmt: skip
    columns = ("Proposition", "Effect", "P(region)", "P(negligible)", "Verdict")
    note = (
        "P(region): posterior probability of the values claimed. P(negligible): of those that the "
        "model calls too small to matter. Supported where the first reaches the probability that "
        "the model asks for (0.975 unless it says otherwise) and the second is below 1 minus that."
    )
    return PaperTable("Propositions and Verdicts", columns, (("", rows),), note)


def _judged(found: Written, row: Mapping[str, str]) -> str:
    """Write the estimand of a verdict, with the values of moderators at which it was judged."""
    at = found.run.get("propositions", {}).get(row["proposition"], {}).get("at")
    return bare(f"{row['estimand']} [{at}]" if at else row["estimand"])


def _claim(found: Written, proposition: str) -> str:
    """A proposition with its statement, where the model file has one."""
    said = found.run.get("propositions", {}).get(proposition, {}).get("statement")
    return f"{proposition}. {said}" if said else proposition
