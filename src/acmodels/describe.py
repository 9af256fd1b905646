"""What data hold, in lines a person reads and a table a program reads."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from acmodels.data import Study, kind, labels, numeric
from acmodels.errors import DataError
from acmodels.system import System
from acmodels.system.missing import observed


@dataclass(frozen=True)
class Description:
    """A description twice: `lines` to print, `table` for JSON."""

    lines: tuple[str, ...]
    table: dict[str, Any]


def describe_study(study: Study) -> Description:
    """Describe a table column by column."""
    columns = [_column(study, name) for name in study.names]
    lines = [f"{study.name}: {study.n_rows} rows, {len(study.names)} columns", ""]
    width = max((len(c["name"]) for c in columns), default=0)
    lines += [
        f"{c['name']:<{width}}  {c['kind']:<8} {c['distinct']:>7} distinct  "
        f"{c['missing']:>6} missing  {c['shown']}"
        for c in columns
    ]
    lines += _findings(study.findings)
    return Description(
        tuple(lines),
        {
            "data": study.name,
            "rows": study.n_rows,
            "columns": columns,
            "findings": [_finding(f) for f in study.findings],
        },
    )


def _column(study: Study, name: str) -> dict[str, Any]:
    try:
        what = kind(study, name)
        found = labels(study, name)
    except DataError as error:
        return {
            "name": name,
            "kind": "mixed",
            "distinct": 0,
            "missing": 0,
            "shown": error.problems[0],
        }
    present = [v for v in found if v is not None]
    shown = ""
    if what == "number":
        values = numeric(study, name)
        values = values[np.isfinite(values)]
        if len(values):
            shown = f"mean {values.mean():.3g}, from {values.min():.4g} to {values.max():.4g}"
    return {
        "name": name,
        "kind": what,
        "distinct": len(set(present)),
        "missing": len(found) - len(present),
        "shown": shown,
    }


def describe_model(system: System) -> Description:
    """Describe what a model finds in the data: rows, units, responses, and every warning."""
    layout = system.layout
    lines = [f"{system.source}: {system.rows_used} of {system.rows_given} rows used"]
    equations: list[dict[str, Any]] = []
    for e in layout.equations:
        y = system.responses[e.response][observed(system.sampled.layout, e)]
        at = f", one for each {e.level}" if e.level else ""
        lines.append(
            f"  {e.response} ({e.family}): {e.n} rows{at}, mean {y.mean():.3g}, sd {y.std():.3g}"
        )
        equations.append({"response": e.response, "family": e.family, "rows": e.n})
    groupings: list[dict[str, Any]] = []
    for block in {b.group: b for b in layout.blocks}.values():
        counts = np.bincount(block.code, minlength=len(block.levels))
        lines.append(
            f"  {block.group}: {len(block.levels)} groups of {counts.min()} to {counts.max()} rows "
            f"(median {np.median(counts):g})"
        )
        groupings.append(
            {
                "group": block.group,
                "groups": len(block.levels),
                "smallest": int(counts.min()),
                "largest": int(counts.max()),
            }
        )
    lines += _findings(system.findings) or ["", "Nothing wrong was found."]
    return Description(
        tuple(lines),
        {
            "data": system.source,
            "rows_given": system.rows_given,
            "rows_used": system.rows_used,
            "equations": equations,
            "groupings": groupings,
            "missing": [asdict(t) for t in system.treatments],
            "findings": [_finding(f) for f in system.findings],
        },
    )


def _findings(findings: Any) -> list[str]:
    order = {"error": 0, "warning": 1, "note": 2}
    worst_first = sorted(findings, key=lambda f: order[f.severity])
    return ["", *(f"{f.severity}: {f.message}" for f in worst_first)] if findings else []


def _finding(f: Any) -> dict[str, Any]:
    return {"severity": f.severity, "message": f.message, "column": f.column, "rows": list(f.rows)}
