"""Put the page together: compute, then fill the template."""

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acmodels.estimands import kind
from acmodels.inference.judging import judge
from acmodels.numbers import count, fixed
from acmodels.reporting import filled
from acmodels.reporting import sections as s
from acmodels.reporting import words as w
from acmodels.reporting.cards import cards, glance
from acmodels.reporting.ceilings import ceiling_figures
from acmodels.reporting.check_figures import check_figures
from acmodels.reporting.checks import REPLICATES, Check, predictive_checks
from acmodels.reporting.constructs import construct_sections
from acmodels.reporting.diagram import diagram
from acmodels.reporting.pieces import Summary
from acmodels.reporting.robustness import confounding_section, influence_section
from acmodels.reporting.strengths import Strength, at_means, strengths
from acmodels.reporting.variance import variance_shares
from acmodels.reporting.waves import wave_figures

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.inference.fitting import Fit
    from acmodels.robustness.confounding import Confounding
    from acmodels.robustness.leave_out import Influence

PACKAGES = ("acmodels", "pymc", "nutpie", "arviz", "numpy")


def render(
    fit: "Fit",
    progress: Callable[[str, int, int], None],
    ml: "pd.DataFrame | None" = None,
    confounding: "Confounding | None" = None,
    influence: "Influence | None" = None,
    notice: str = "",
) -> str:
    """The page as HTML text."""
    context = gather(fit, progress, ml)
    context["notice"] = notice
    context["confounding"] = confounding and confounding_section(confounding)
    context["influence"] = influence and influence_section(influence)
    return filled("template.html", context)


def gather(
    fit: "Fit", progress: Callable[[str, int, int], None], ml: "pd.DataFrame | None" = None
) -> dict[str, Any]:
    """Everything that the template shows."""
    steps = 4
    progress("report", 0, steps)
    estimates = by_name(fit)
    found = strengths(fit, estimates)
    told = fit.effects.table.loc[[not r.withheld for r in fit.effects.rows]]
    effects: list[dict[str, Any]] = told.to_dict("records")
    progress("report", 1, steps)
    checks = predictive_checks(fit)
    progress("report", 2, steps)
    arrows = at_means(fit, found)
    drawn, width = diagram(fit, arrows)
    progress("report", 3, steps)
    at = {f"{r['name']} at {w.at_words(str(r['at']))}" if r["at"] else str(r["name"]): r
          for r in effects if kind(str(r["kind"])).continuous}  # fmt: skip
    context = {
        **_head(fit),
        **_verdicts(fit, judge(fit.effects, fit.spec.propositions).to_dict("records")),
        "diagram": drawn,
        "diagram_width": round(width),
        "at_means": [f"{n} at {a.at}" for n, a in arrows.items() if a.at],
        **_estimates(fit, effects, found, estimates),
        "ml": None if ml is None else s.ml_table(ml.to_dict("records")),
        "ml_words": "" if ml is None else w.ml_words(ml.to_dict("records")),
        **_constructs(fit, estimates),
        **_variances(fit),
        **_checks(fit, checks),
        **_data(fit),
        "worst": s.worst_table({**estimates, **at}),
    }
    progress("report", 4, steps)
    return context


def _head(fit: "Fit") -> dict[str, Any]:
    """Return what the page says first: the model, and whether the fit can be used."""
    return {
        "title": fit.spec.title or fit.spec.name,
        "name": fit.spec.name,
        "description": fit.spec.description,
        "summary": w.summary(fit),
        "usable": fit.diagnostics.usable,
        "scale": w.scale_words(fit.system.layout),
        "status_line": w.status_line(fit.diagnostics),
        "messages": fit.diagnostics.messages,
        "interval": w.interval_words(fit.interval, fit.prob),
        "diagnostics": w.diagnostics_words(fit.diagnostics, _draws(fit)),
        "version": _version("acmodels"),
    }


def _verdicts(fit: "Fit", verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shown = cards(fit, verdicts)
    return {
        "cards": shown,
        "glance": glance(shown),
        "tally": _tally(verdicts),
        "has_rope": any(c.rope for p in fit.spec.propositions.values() for c in p.claims),
    }


def _estimates(
    fit: "Fit",
    effects: Sequence[Mapping[str, Any]],
    found: Mapping[str, Strength],
    estimates: Mapping[str, Summary],
) -> dict[str, Any]:
    """Return estimands and parameters in tables and forest plots."""
    return {
        "sizes": s.size_table(fit),
        "products": [
            e.coefficient(c)
            for e in fit.system.layout.outcomes
            for c in e.columns
            if len(c.parts) > 1
        ],
        "estimands": s.estimand_forests(fit, effects),
        "proportions": s.proportions(fit),
        "ceilings": ceiling_figures(fit),
        "waves": wave_figures(fit, effects),
        "coefficients": s.coefficient_forests(fit, found),
        "spread": s.spread_table(fit, estimates),
    }


def _constructs(fit: "Fit", estimates: Mapping[str, Summary]) -> dict[str, Any]:
    """Return how constructs are measured."""
    sections, pairs, said = construct_sections(fit, estimates)
    return {"constructs": sections, "item_pairs": pairs, "item_words": said}


def _variances(fit: "Fit") -> dict[str, Any]:
    shares = variance_shares(fit)
    return {
        "shares": s.variance_figures(shares),
        "share_table": s.variance_table(fit, shares),
        "legend": s.variance_legend(shares),
    }


def _checks(fit: "Fit", checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "checks": check_figures(checks),
        "has_density": any(c.density for c in checks),
        "has_bins": any(c.bins for c in checks),
        "has_bars": any(c.bars for c in checks),
        "replicates": min(REPLICATES, _draws(fit)),
    }


def _data(fit: "Fit") -> dict[str, Any]:
    """Return what was read: rows, findings, missing values, the model file and the run."""
    return {
        "rows": _rows(fit),
        "findings": _findings(fit),
        "labels": list(fit.labels.items()),
        "missing": s.missing_table(fit),
        "priors": s.prior_table(fit),
        "equations": s.equation_table(fit),
        "provenance": provenance(fit),
    }


def by_name(fit: "Fit") -> dict[str, dict[str, Any]]:
    """Return the summary of each structural parameter by its name."""
    table = fit.estimates
    rows: list[dict[str, Any]] = table.drop(columns="name").to_dict("records")
    return dict(zip(fit.draws.names, rows, strict=True))


def _draws(fit: "Fit") -> int:
    chains, draws = fit.draws.values.shape[:2]
    return chains * draws


def _tally(verdicts: Sequence[Mapping[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for row in verdicts:
        counts[row["status"]] = counts.get(row["status"], 0) + 1
    return w.joined([f"{counts[k]} {v.lower()}" for k, v in w.STATUS.items() if k in counts])


def _rows(fit: "Fit") -> str:
    given, used = fit.system.rows_given, fit.system.rows_used
    said = f"All {w.several(given, 'row')} of the data were used."
    if given != used:
        were = "was" if given - used == 1 else "were"
        left = f"{count(given - used)} {were} left out"
        said = f"{count(used)} of {w.several(given, 'row')} were used; {left}."
    lost = [
        f"{e.response} in {w.several(e.n - n, 'row' if e.level is None else 'unit')}"
        for e in fit.system.layout.outcomes
        if (n := fit.system.observed[e.response]) < e.n
    ]
    outside = [
        f"{e.response} in {w.several(used - e.n, 'row')}"
        for e in fit.system.layout.outcomes
        if e.level is None and e.n < used
    ]
    return said + (f" Not observed: {w.joined(lost + outside)}." if lost or outside else "")


def _findings(fit: "Fit") -> list[tuple[str, str]]:
    order = {"error": 0, "warning": 1, "note": 2}
    found = sorted(fit.findings, key=lambda f: order[f.severity])
    layout = fit.system.layout
    return [(f.severity, w.without_labels(f.message, layout)) for f in found]


def provenance(fit: "Fit") -> tuple[tuple[str, str], ...]:
    """Return what made this page, as term and value."""
    import platform

    chains, draws = fit.draws.values.shape[:2]
    chained = fit.draws.chained
    rows = [
        ("Model", f"{fit.spec.name}, from {Path(fit.spec.source).name}"),
        ("Model, sha256", fit.spec.sha256 or "built in Python, no file"),
    ]
    rows += [(f"{Path(n).name}, sha256", v) for n, v in fit.data_sha256.items()]
    if not fit.data_sha256:
        rows.append(("Data", "a table in memory, no file"))
    rows += [
        ("Engine", fit.engine_note or fit.draws.engine),
        ("Draws", f"{chains} chains of {count(draws)}" if chained else count(chains * draws)),
        ("Seed", str(fit.seed)),
        ("Intervals", w.interval_words(fit.interval, fit.prob)),
        *((p, _version(p)) for p in PACKAGES),
        ("python", platform.python_version()),
        *((f"Time to {k.replace('_', ' ')}", f"{fixed(v, 1)} s") for k, v in fit.seconds.items()),
    ]
    return tuple(rows)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
