"""Tables and a methods paragraph for a paper, from the folder that `fit` wrote.

In three styles: `apa` (one row a parameter, grouped by outcome; American Psychological Association,
2020, section 7), `brms` (the sections and columns of a brms summary) and `lavaan` (regressions by
outcome, within and between parts apart). `paper_files` writes them.
"""

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from acmodels.effects.sizes import kind_words
from acmodels.engines import is_exact
from acmodels.errors import InputError
from acmodels.numbers import (
    MISSING,
    count,
    decimals,
    fixed,
    places_of,
    probability,
    spread,
    stated,
    with_interval,
)
from acmodels.reporting.words import rows_words, several

type Style = Literal["apa", "brms", "lavaan"]

NEEDED = {
    "chains", "draws", "engine", "interval", "model", "prob", "rows_given", "rows_used", "seed",
    "versions",
}  # fmt: skip
"""What a table or the methods paragraph says of a run."""
STYLES: tuple[Style, ...] = ("apa", "brms", "lavaan")


@dataclass(frozen=True)
class Table:
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


@dataclass(frozen=True)
class Written:
    """What `fit` left in a folder: rows of its tables, `run.json` and `diagnostics.json`.

    `sizes` is empty where an older version wrote the folder.
    """

    estimates: tuple[Mapping[str, str], ...]
    estimands: tuple[Mapping[str, str], ...]
    verdicts: tuple[Mapping[str, str], ...]
    sizes: tuple[Mapping[str, str], ...]
    run: Mapping[str, Any]
    diagnostics: Mapping[str, Any]


def read(folder: Path) -> Written:
    """Read a result folder.

    Raises:
        InputError: it is none of `acmodels fit`.
    """
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        found = json.loads((folder / "diagnostics.json").read_text(encoding="utf-8"))
        estimates, estimands, verdicts = (
            _rows(folder / f"{n}.csv") for n in ("estimates", "estimands", "verdicts")
        )
    except (OSError, ValueError, csv.Error) as error:
        said = (
            f"{Path(error.filename).name}: {error.strerror}"
            if isinstance(error, OSError)
            else error
        )
        raise InputError(
            f"{folder}: is not a result of `acmodels fit` (it needs run.json, diagnostics.json, "
            f"estimates.csv, estimands.csv and verdicts.csv): {said}"
        ) from None
    lost = sorted(NEEDED - set(run if isinstance(run, dict) else ()))
    if lost:
        raise InputError(
            f"{folder}: is not a result of `acmodels fit`: its run.json lacks {', '.join(lost)}"
        )
    _check_shape(folder, run)
    sizes = _rows(folder / "r2.csv") if (folder / "r2.csv").is_file() else ()
    return Written(estimates, estimands, verdicts, sizes, run, found)


def _check_shape(folder: Path, run: Mapping[str, Any]) -> None:
    """Refuse a `run.json` that somebody edited into another shape."""
    tables = ("equations", "groups", "priors", "estimands", "propositions")
    wrong = [k for k in tables if not isinstance(run.get(k, {}), dict)]
    needed = {"formula", "family", "link", "level", "rows"}
    for k, keys in (("equations", needed), *((k, set[str]()) for k in tables[2:])):
        entries = run.get(k, {}).values() if k not in wrong else ()
        if not all(isinstance(e, dict) and keys <= set(e) for e in entries):
            wrong.append(k)
    if run.get("equations") and not isinstance(run.get("rows_observed"), int):
        wrong.append("rows_observed")
    if wrong:
        raise InputError(
            f"{folder}: {', '.join(wrong)} of its run.json are not as `acmodels fit` writes them"
        )


def _rows(path: Path) -> tuple[Mapping[str, str], ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def paper_tables(found: Written, style: Style = "apa") -> tuple[Table, ...]:
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


# --- what a name says -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Name:
    """A parameter's name taken apart: kind, response, term and grouping."""

    kind: Literal["coefficient", "sd", "cor", "other"]
    response: str
    term: str
    group: str

    @property
    def part(self) -> str:
        """`within`, `between` or nothing."""
        found = re.match(r"(within|between)\(", self.term)
        return found[1] if found else ""

    @property
    def plain(self) -> str:
        """The term as a table shows it."""
        if self.term == "1":
            return "Intercept"
        found = re.fullmatch(r"(?:within|between)\((.+), .+\)", self.term)
        return found[1] if found else self.term


def _parsed(name: str) -> _Name:
    if found := re.fullmatch(r"sd\((.+?) ~ (.+) \| (.+)\)", name):
        return _Name("sd", found[1], found[2], found[3])
    if found := re.fullmatch(r"cor\((.+?)(?: \| (.+))?\)", name):
        return _Name("cor", "", found[1], found[2] or "")
    if found := re.fullmatch(r"(.+?) ~ (.+)", name):
        return _Name("coefficient", found[1], found[2], "")
    if found := re.fullmatch(r"(\w+)\((.+)\)", name):
        return _Name("other", found[2], found[1], "")
    if found := re.fullmatch(r"(.+) \| t(\d+)", name):
        return _Name("other", found[1], f"threshold {found[2]}", "")
    return _Name("other", "", name, "")


def _by[T](rows: Sequence[T], key: Any) -> dict[str, list[T]]:
    out: dict[str, list[T]] = {}
    for r in rows:
        out.setdefault(key(r), []).append(r)
    return out


# --- numbers --------------------------------------------------------------------------------------


def _number(row: Mapping[str, str], column: str) -> float | None:
    text = row.get(column, "")
    return float(text) if text not in ("", "nan") else None


def _places(rows: Sequence[Mapping[str, str]]) -> int:
    """Decimals of a whole table: two digits of its smallest sd, 2 or 3 of them.

    A row whose numbers need more, or are large, has its own (`numbers.with_interval`).
    """
    sds = [sd for r in rows if (sd := _number(r, "sd"))]
    return max([2, *(min(3, decimals(sd)) for sd in sds)])


def _cells(row: Mapping[str, str], places: int) -> tuple[str, str, str]:
    """Mean, sd and interval."""
    mean, sd, low, high = _four(row, places)
    return mean, sd, f"[{low},\N{NO-BREAK SPACE}{high}]"


def _four(row: Mapping[str, str], places: int) -> tuple[str, str, str, str]:
    """Mean, sd and the ends of the interval, with decimals in common."""
    mean, low, high = (_known(row, c) for c in ("mean", "lower", "upper"))
    said, interval = with_interval(mean, low, high, places)
    own = places_of(low, high, mean)
    own = max(own, places) if abs(mean) < 1000 else own
    ends = interval[1:-1].split(", ")
    return said, spread(_number(row, "sd"), own), ends[0], ends[1]


def _known(row: Mapping[str, str], column: str) -> float:
    value = _number(row, column)
    return math.nan if value is None else value


def _sampled(row: Mapping[str, str]) -> tuple[str, str, str]:
    r_hat = _number(row, "r_hat")
    return (
        MISSING if r_hat is None else fixed(r_hat, 2),
        count(_number(row, "ess_bulk")),
        count(_number(row, "ess_tail")),
    )


def _interval(found: Written) -> str:
    kind = {"eti": "equal-tailed", "hdi": "highest-density"}[found.run["interval"]]
    return f"{stated(100 * found.run['prob'])}% {kind} credible interval"


# --- styles ---------------------------------------------------------------------------------------


def _apa(found: Written) -> Table:
    places = _places(found.estimates)
    named = [(_parsed(r["name"]), r) for r in found.estimates]
    groups: list[tuple[str, tuple[tuple[str, ...], ...]]] = []
    responses = dict.fromkeys(n.response for n, _ in named if n.kind == "coefficient")
    for y in responses:
        mine = [(n, r) for n, r in named if n.kind == "coefficient" and n.response == y]
        for part, rows in _by(mine, lambda p: p[0].part).items():
            head = f"{y}, {part} part" if part else y
            groups.append((head, tuple((n.plain, *_cells(r, places)) for n, r in rows)))
    spread = [(n, r) for n, r in named if n.kind != "coefficient"]
    titles = {
        "sd": "Group standard deviations",
        "cor": "Correlations",
        "other": "Residual and further",
    }
    for kind, rows in _by(spread, lambda p: p[0].kind).items():
        groups.append((titles[kind], tuple((r["name"], *_cells(r, places)) for _, r in rows)))
    labels = "; ".join(f"{c}: {said}" for c, said in found.run.get("labels", {}).items())
    note = (
        f"N = {_rows_words(found.run)}. M = posterior mean; SD = posterior standard deviation; "
        f"CI = {_interval(found)}.{f' {labels}.' if labels else ''}"
    )
    ci = f"{stated(100 * found.run['prob'])}% CI"
    return Table("Posterior Estimates", ("Parameter", "M", "SD", ci), tuple(groups), note)


def _brms(found: Written) -> Table:
    """Sections and columns as brms prints them (Bürkner, 2017)."""
    places = _places(found.estimates)
    named = [(_parsed(r["name"]), r) for r in found.estimates]

    def name(n: _Name, whole: str) -> str:
        term = "Intercept" if n.term == "1" else n.term
        if n.kind == "coefficient":
            return f"{n.response}_{term}"
        if n.kind == "sd":
            return f"sd({n.response}_{term})"
        return whole

    def line(n: _Name, r: Mapping[str, str]) -> tuple[str, ...]:
        return name(n, r["name"]), *_four(r, places), *_sampled(r)

    groups: list[tuple[str, tuple[tuple[str, ...], ...]]] = []
    grouped = [(n, r) for n, r in named if n.group]
    for g, rows in _by(grouped, lambda p: p[0].group).items():
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
    return Table("Summary of the Posterior", columns, tuple(groups), f"CI: {_interval(found)}.")


def _lavaan(found: Written) -> Table:
    """Regressions by outcome, within and between parts apart (Rosseel, 2012)."""
    places = _places((*found.estimates, *found.estimands))
    named = [(_parsed(r["name"]), r) for r in found.estimates]
    slopes = [(n, r) for n, r in named if n.kind == "coefficient" and n.term != "1"]
    groups: list[tuple[str, tuple[tuple[str, ...], ...]]] = []
    for part in ("within", "between", ""):
        mine = [(n, r) for n, r in slopes if n.part == part]
        for y, rows in _by(mine, lambda p: p[0].response).items():
            level = f"{part.capitalize()} level. " if part else ""
            lines = tuple((f"{n.plain}", *_cells(r, places)) for n, r in rows)
            groups.append((f"{level}Regressions: {y} ~", lines))
    intercepts = [(n, r) for n, r in named if n.kind == "coefficient" and n.term == "1"]
    if intercepts:
        groups.append(
            ("Intercepts", tuple((n.response, *_cells(r, places)) for n, r in intercepts))
        )
    rest = [(n, r) for n, r in named if n.kind != "coefficient"]
    if rest:
        groups.append(
            (
                "Standard deviations and correlations",
                tuple((r["name"], *_cells(r, places)) for _, r in rest),
            )
        )
    if found.estimands:
        groups.append(
            (
                "Defined parameters",
                tuple((_estimand(r), *_cells(r, places)) for r in found.estimands),
            )
        )
    ci = f"{stated(100 * found.run['prob'])}% CI"
    return Table(
        "Parameter Estimates", ("", "Estimate", "Post.SD", ci), tuple(groups),
        f"Estimate: posterior mean. CI: {_interval(found)}.",
    )  # fmt: skip


def _estimand(row: Mapping[str, str]) -> str:
    return f"{row['name']} [{row['at']}]" if row.get("at") else row["name"]


def _estimands(found: Written) -> Table:
    places = _places(found.estimands)
    ci = f"{stated(100 * found.run['prob'])}% CI"
    rows = tuple(
        (
            _estimand(r),
            r["kind"].replace("_", " ") + _own_scale(found.run, r["name"]),
            *_cells(r, places),
            probability(_number(r, "p_positive")),
        )
        for r in found.estimands
    )
    columns = ("Effect", "Kind", "M", "SD", ci, "P(> 0)")
    return Table("Effects", columns, (("", rows),), f"CI: {_interval(found)}.{_linked(found.run)}")


def _sizes(found: Written) -> Table:
    """R2 and intraclass correlations by outcome."""
    places = _places(found.sizes)
    groups = tuple(
        (y, tuple((kind_words(r["kind"]), *_cells(r, places)) for r in rows))
        for y, rows in _by(found.sizes, lambda r: r["response"]).items()
    )
    note = (
        "R2 of an outcome with groups: marginal (predictors) and conditional (predictors and "
        "groups; Nakagawa & Schielzeth, 2013); without groups: Bayesian R2 (Gelman et al., 2019). "
        "ICC: intraclass correlation given the predictors. "
        f"CI: {_interval(found)}."
    )
    ci = f"{stated(100 * found.run['prob'])}% CI"
    return Table("Explained Variance", ("", "M", "SD", ci), groups, note)


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
    if said.get("scale") != "response":
        return ""
    values = said.get("values")
    return ", response scale" + (f", {values[0]} to {values[1]}" if values else "")


def _verdicts(found: Written) -> Table:
    rows = tuple(
        (
            _claim(found, r["proposition"]), r["estimand"], probability(_number(r, "p_region")),
            probability(_number(r, "p_rope")), r["status"].replace("_", " "),
        )
        for r in found.verdicts
    )  # fmt: skip
    columns = ("Proposition", "Effect", "P(region)", "P(negligible)", "Verdict")
    note = (
        "P(region): posterior probability of the values claimed. P(negligible): of those that the "
        "model calls too small to matter. Supported where the first reaches the probability that "
        "the model asks for (0.975 unless it says otherwise) and the second is below 1 minus that."
    )
    return Table("Propositions and Verdicts", columns, (("", rows),), note)


def _claim(found: Written, proposition: str) -> str:
    """A proposition with its statement, where the model file has one."""
    said = found.run.get("propositions", {}).get(proposition, {}).get("statement")
    return f"{proposition}. {said}" if said else proposition


def _rows_words(run: Mapping[str, Any]) -> str:
    """Return what was fitted, with the equations that had fewer rows."""
    equations = run.get("equations", {})
    left_out = run["rows_given"] - run["rows_used"]
    said = f", {count(left_out)} left out for missing values" if left_out else ""
    if not equations:
        return several(run["rows_used"], "row") + said
    each = {y: (e["level"], e["rows"]) for y, e in equations.items()}
    return rows_words(each, run["rows_observed"]) + said


def _model_words(run: Mapping[str, Any]) -> str:
    """The model in sentences: equations, groupings, missing values, priors."""
    equations: Mapping[str, Mapping[str, Any]] = run.get("equations", {})
    name = run["model"]["name"]
    if not equations:
        return f"The model is {name}. "
    kinds = "; ".join(
        f"{e['formula']} ({e['family']}, {e['link']} link"
        + (f", one row a {e['level']})" if e["level"] else ")")
        for e in equations.values()
    )
    many = "the equation" if len(equations) == 1 else f"{len(equations)} equations:"
    out = [f"The model {name} has {many} {kinds}."]
    groups = [f"{g} ({several(n, 'unit')})" for g, n in run.get("groups", {}).items()]
    if groups:
        out.append(f"Groupings were {', '.join(groups)}.")
    out += [f"{t['column']}: {t['how']}." for t in run.get("missing", [])]
    priors = [_prior(k, d) for k, d in run.get("priors", {}).items()]
    out.append(
        f"Priors were {'; '.join(priors)}; otherwise the defaults of acmodels, weakly informative "
        "and scaled to the data."
        if priors
        else "Priors were the defaults of acmodels, weakly informative and scaled to the data."
    )
    return " ".join(out) + " "


def _prior(name: str, given: Mapping[str, Any]) -> str:
    of = ", ".join(stated(v) if isinstance(v, int | float) else str(v)
                   for k, v in given.items() if k != "dist")  # fmt: skip
    return f"{name} {given.get('dist', '')}({of})"


def methods_words(found: Written) -> str:
    """A paragraph for the methods section, with every version and seed in it."""
    run, d = found.run, found.diagnostics
    v = run["versions"]
    exact = is_exact(run["engine"])
    if exact:
        how = (
            f"coefficients{' and group effects' if run.get('groups', True) else ''} were "
            "integrated out exactly and "
            f"{count(run['chains'] * run['draws'])} draws taken by Pareto-smoothed importance "
            "sampling of the remaining parameters (largest Pareto k "
            f"{fixed(d.get('pareto_k'), 2)})"
        )
    else:
        how = (
            f"{run['chains']} chains of {count(run['draws'])} draws were sampled with the "
            f"No-U-Turn sampler (nutpie {v.get('nutpie')}, PyMC {v.get('pymc')}); the largest "
            f"R-hat was {fixed(d.get('max_r_hat'), 3)} and {d.get('divergences')} transitions "
            "diverged"
        )
    return (
        f"{_model_words(run)}It was fitted to {_rows_words(run)} with acmodels {v['acmodels']} "
        f"(Python {v['python']}, seed {run['seed']}): {how}. The smallest effective sample sizes "
        f"were {count(d.get('min_ess_bulk'))} (bulk) and {count(d.get('min_ess_tail'))} (tail). "
        f"Intervals are {_interval(found)}s. "
        + ("All diagnostics held." if d["usable"] else "A diagnostic failed: not usable.")
    )
