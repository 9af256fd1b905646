"""One page about a run: power, recovery or calibration."""

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.errors import listing
from acmodels.numbers import count, decimal, number, significant, stated
from acmodels.reporting import write_page
from acmodels.reporting.charts import Band
from acmodels.reporting.figure_files import drawing_alone
from acmodels.reporting.run_charts import coverage_chart, ecdf_chart, power_chart, stacked

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.replication import Result
    from acmodels.replication.calibration import Calibrated
    from acmodels.replication.power import Power
    from acmodels.replication.recovery import Recovery


def run_report(found: "Recovery | Calibrated | Power", path: Path) -> Path:
    """Write the page of a run.

    Args:
        found: from `recover`, `calibrate` or `power`.
        path: of the HTML file; an existing one is replaced whole.

    Raises:
        InputError: the file cannot be written.
    """
    said = {"version": metadata.version("acmodels"), "provenance": _provenance(found.result)}
    return write_page(path, "run.html", {**_gather(found), **said})


def _gather(found: "Recovery | Calibrated | Power") -> dict[str, Any]:
    from acmodels.replication.calibration import Calibrated
    from acmodels.replication.recovery import Recovery

    if isinstance(found, Recovery):
        return _recovery(found)
    if isinstance(found, Calibrated):
        return _calibration(found)
    return power_parts(found)


def _failed(result: "Result") -> list[str]:
    """Return what went wrong with how many fits, the commonest first."""
    reasons = Counter(
        why.split(":")[0] for o in result.outcomes for why in o.reasons if why
    )  # details after the colon differ from fit to fit
    return [f"{count(n)} fits: {why}." for why, n in reasons.most_common(5)]


def _status(result: "Result", good: str, *, trusted: bool) -> str:
    if trusted:
        return good
    lost = sum(1 for o in result.outcomes for why in o.reasons if why)
    total = sum(len(o.reasons) for o in result.outcomes)
    return f"No answer: {count(lost)} of {count(total)} fits failed, and more than 5 % somewhere."


def _assumed(result: "Result") -> tuple[str, ...]:
    """Return what the studies of a run rest on, in sentences."""
    return result.ready[0].assumptions.sentences


def _table(title: str, table: "pd.DataFrame") -> dict[str, Any]:
    def said(v: Any) -> str:
        if isinstance(v, float | np.floating):
            return "" if np.isnan(v) else significant(float(v))
        return count(int(v)) if isinstance(v, int | np.integer) else str(v)

    shown = table.assign(
        **{c: [decimal(v, 3) for v in table[c]] for c in ("power", "mcse") if c in table}
    )
    rows = [[said(v) for v in r] for r in shown.itertuples(index=False)]
    return {"title": title, "heads": list(table.columns), "rows": rows}


def _engines(result: "Result") -> str:
    return listing(list(dict.fromkeys(r.engine for r in result.ready)))


def _recovery(found: "Recovery") -> dict[str, Any]:
    t = found.table
    model = found.result.ready[0].model
    n, failed = int(t["n"].iloc[0]), int(t["failed"].iloc[0])
    seen = t["n"].to_numpy(int) > 0
    t = t.loc[seen] if seen.any() else t
    off = t[(t["coverage"] - found.prob).abs() > 3 * t["coverage_mcse"]]["name"]
    kind = "equal-tailed" if found.interval == "eti" else "highest-density"
    sentences = [*found.notes, *_failed(found.result)]
    if len(off):
        sentences.append(
            f"Coverage is more than three standard errors from {stated(found.prob)} for "
            f"{listing(list(off), 6)}."
        )
    charts = [] if not n else [
        coverage_chart(
            list(t["name"]), t["coverage"].to_numpy(float), t["coverage_mcse"].to_numpy(float),
            found.prob, "Coverage by quantity",
        )
    ]  # fmt: skip
    return {
        "title": f"Recovery: {model.title or model.name}",
        "lead": f"{count(n + failed)} studies simulated by {found.design.source} and fitted again.",
        "good": found.trusted,
        "status": _status(
            found.result,
            f"{count(failed)} of {count(n + failed)} fits failed.",
            trusted=found.trusted,
        ),
        "sentences": sentences,
        "chart_title": "Coverage",
        "chart_words": f"Share of {stated(100 * found.prob)} % {kind} intervals that contain "
        "the truth, plus and minus two Monte Carlo standard errors; the dashed line is what they "
        "promise, and what is three standard errors off it is drawn in the second color.",
        "charts": charts,
        "tables": [_table("Parameters and estimands", found.table)],
        "assumptions": _assumed(found.result),
        "methods": f"We simulated {count(n + failed)} studies from the model {model.name} at known "
        f"parameter values and refitted the model to each (acmodels "
        f"{metadata.version('acmodels')}, engine {_engines(found.result)}, seed "
        f"{found.result.job.seed}); {count(failed)} fits failed their diagnostics and are left out "
        f"of bias, RMSE and coverage of {stated(100 * found.prob)} % {kind} intervals. "
        + " ".join(_assumed(found.result)),
    }


def _calibration(found: "Calibrated") -> dict[str, Any]:
    t = found.table
    model = found.result.ready[0].model
    n = int(t["n"].iloc[0])
    worst = t.sort_values("p_uniform").head(12)["name"]
    places = [list(t["name"]).index(v) for v in worst]
    charts = [
        ecdf_chart(found.ranks[:, k], str(t["name"].iloc[k]), f"Ranks of {t['name'].iloc[k]}")
        for k in places
    ]
    verdict = "is calibrated as far as these replications tell" if found.uniform else "fails"
    said = (
        f"{model.name} {verdict}: smallest p value times the number of quantities "
        f"{number(found.p_model, 2)} (it would fail below 0.001)."
    )
    if not np.isfinite(found.p_model):
        said = found.verdict
    return {
        "title": f"Calibration: {model.title or model.name}",
        "lead": f"{count(n)} truths drawn from the priors, data from the truths by "
        f"{found.design.source}, and the truths ranked among posterior draws.",
        "good": found.trusted and found.uniform,
        "status": _status(found.result, said, trusted=found.trusted),
        "sentences": _failed(found.result),
        "chart_title": "Ranks",
        "chart_words": "Cumulative distribution of ranks less the uniform one, of the twelve "
        "quantities with the smallest p values. A calibrated model stays within the band, which "
        "holds 95 % of uniform samples (Bonferroni over 20 places).",
        "charts": charts,
        "tables": [_table("Parameters, estimands and log likelihood", t)],
        "assumptions": _assumed(found.result),
        "methods": f"Simulation-based calibration (Talts et al., 2018) of {model.name}: {count(n)} "
        f"draws of all parameters from their priors, ranked among at most 99 near-independent "
        f"posterior draws; uniformity of {len(t)} quantities was tested at a family-wise level of "
        f"0.001 (Bonferroni); p = {number(found.p_model, 2)}. acmodels "
        f"{metadata.version('acmodels')}, "
        f"engine {_engines(found.result)}, seed {found.result.job.seed}. "
        + " ".join(_assumed(found.result)),
    }


RULES = {
    "eti": "the {prob} % equal-tailed interval excludes 0",
    "hdi": "the {prob} % highest-density interval excludes 0",
    "p_region": "the posterior probability of the region is at least {probability}",
    "rope": "the posterior probability of the region of practical equivalence is at least "
    "{probability}",
    "width": "the {prob} % equal-tailed interval is at most {value} wide",
    "verdict": "the proposition is judged supported",
}


def rule_words(found: "Power") -> str:
    """When a study counts as a success, in words."""
    c = found.plan.criterion
    said = {"prob": 100 * c.prob, "probability": c.probability, "value": c.value or 0.0}
    return RULES[c.rule].format(**{k: stated(v) for k, v in said.items()})


def power_parts(found: "Power") -> dict[str, Any]:
    """Collect what is shown of power: title, lead, sentences, charts, tables and methods."""
    plan, t = found.plan, found.table
    model = found.result.ready[0].model
    total = sum(len(o.reasons) for o in found.result.outcomes)
    failed = sum(1 for o in found.result.outcomes for why in o.reasons if why)
    what = "Assurance" if plan.design_prior else "Power"
    drawn = (
        f" Truths of {listing(list(plan.design_prior), 4)} were drawn anew for each study."
        if plan.design_prior
        else ""
    )
    estimands = listing(list(dict.fromkeys(t["estimand"])), 4)
    known = t["mcse"].dropna()
    assumed = found.result.ready[0].assumptions.over(plan.grid, plan.choices)
    return {
        "title": f"{what}: {model.title or model.name}",
        "lead": f"How often a study succeeds at {estimands}: {rule_words(found)}. "
        f"{count(total)} simulated studies over {len(plan.cells)} designs of {plan.source}.",
        "good": found.trusted,
        "status": _status(
            found.result,
            f"{count(failed)} of {count(total)} fits failed.",
            trusted=found.trusted,
        ),
        "sentences": [s[:1].upper() + s[1:] for s in (*found.answers, *_failed(found.result))],
        "chart_title": f"{what} curves",
        "chart_words": f"Shares of successful studies with 95 % Wilson intervals; the dashed line "
        f"is the target, {stated(plan.criterion.target)}.{drawn}",
        "charts": _curves(found),
        "tables": [
            _table(what, t),
            _table("Type S and type M errors of the successes", found.errors),
        ],
        "assumptions": assumed,
        "methods": f"{what} was estimated by simulation: {count(found.replications)} studies of "
        f"each design were drawn from {model.name} and fitted (acmodels "
        f"{metadata.version('acmodels')}, engine {_engines(found.result)}, seed "
        f"{found.result.job.seed}); a study succeeded where {rule_words(found)}."
        + (
            " Monte Carlo standard errors were at most "
            f"{decimal(float(known.to_numpy(float).max()), 3)}."
            if len(known)
            else ""
        )
        + f" {count(failed)} of {count(total)} fits failed their diagnostics and were left "
        f"out. {' '.join(assumed)}",
    }


def _curves(found: "Power") -> list[str]:
    """A drawing for each estimand, over the key of the grid that has most values."""
    grid = found.plan.grid
    if not grid:
        return _point(found)
    choices = [k for k in found.plan.choices if len(grid[k]) > 1]
    first = max(choices or grid, key=lambda k: len(grid[k]))
    others = [k for k in grid if k != first]
    out: list[str] = []
    for name, rows in found.table.groupby("estimand", sort=False):
        known = rows.loc[rows["power"].notna()].sort_values(by=first)
        if not len(known):
            continue
        parts: Sequence[tuple[Any, Any]] = (
            list(known.groupby(others, sort=False)) if others else [((), known)]
        )
        bands = [
            Band(
                _said(dict(zip(others, at if isinstance(at, tuple) else (at,), strict=True))),
                list(p[first]), list(p["power"]), list(p["lower"]), list(p["upper"]),
            )
            for at, p in parts[:12]
        ]  # fmt: skip
        out.append(
            power_chart(bands, f"{first} ({name})", found.plan.criterion.target, f"Power of {name}")
        )
    return out


def _point(found: "Power") -> list[str]:
    """A drawing for each estimand where there is one design, over the first of its units."""
    unit = found.plan.cells[0].design.units[0]
    return [
        power_chart(
            [Band("", [unit.size.mean], [r["power"]], [r["lower"]], [r["upper"]])],
            f"{unit.name} ({r['estimand']})", found.plan.criterion.target,
            f"Power of {r['estimand']}",
        )
        for r in found.table.to_dict("records")
        if not np.isnan(r["power"])
    ]  # fmt: skip


def power_figure(found: "Power", path: Path) -> Path | None:
    """Write the curves of a report as an SVG file that needs no page around it.

    Args:
        found: from `power`.
        path: of the file; an existing one is replaced.

    Returns:
        The path, or None where no power is stated, so that there is nothing to draw.
    """
    charts = _curves(found)
    if not charts:
        return None
    path.write_text(drawing_alone(stacked(charts)), encoding="utf-8")
    return path


def _said(values: Mapping[str, float]) -> str:
    return ", ".join(f"{k} = {stated(v)}" for k, v in values.items())


def _provenance(result: "Result") -> list[tuple[str, str]]:
    model = result.ready[0].model
    design = result.ready[0].cell.design
    rows = [
        ("Model", f"{model.name}, from {Path(model.source).name}"),
        ("Model, sha256", model.sha256 or "built in Python, no file"),
        ("Design", design.source),
        ("Design, sha256", design.sha256 or "built in Python, no file"),
        ("Engine", _engines(result)),
        ("Seed", str(result.job.seed)),
        ("Fitted in this run", count(result.fitted)),
    ]
    packages = ("acmodels", "numpy", "numba", "pymc", "nutpie")
    rows += [(p, metadata.version(p)) for p in packages]
    return [*rows, ("python", platform.python_version())]
