"""What data hold, in lines a person reads and a table a program reads."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from acmodels.data import Finding, Study, kind, labels, numeric
from acmodels.data.coding import code_text
from acmodels.data.scales import scales
from acmodels.data.structure import MOST, TableStructure, structure
from acmodels.errors import DataError, listing
from acmodels.numbers import decimal, number, stated
from acmodels.system import Block, Layout, System
from acmodels.system.missing import observed

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Description:
    """A description twice: `lines` to print, `table` for JSON."""

    lines: tuple[str, ...]
    table: dict[str, Any]


def describe_study(study: Study) -> Description:
    """Describe a study: its columns, what its rows belong to, and everything that was found.

    Of a study of several tables these are the tables, their scales and the rows of an analysis.
    """
    found = structure(study)
    findings = [*study.findings, *found.findings]
    columns = [_column(study, name, found) for name in study.names]
    lines: list[str] = []
    table: dict[str, Any] = {"data": study.name, "rows": study.n_rows, "columns": columns}
    if study.tables:
        lines += [f"{study.name.partition('/')[0]}: {len(study.tables)} tables", ""]
        width = max(len(n) for n in study.tables)
        for name, t in study.tables.items():
            lines.append(f"{name:<{width}}  {t.n_rows:>8} rows  {len(t.names):>3} columns")
        more, said = _scales(study)
        lines += more
        findings += said
        lines += ["", f"Rows of an analysis ({study.n_rows}, {len(study.names)} columns):"]
        table["tables"] = {
            n: {"rows": t.n_rows, "columns": len(t.names)} for n, t in study.tables.items()
        }
    else:
        lines += [f"{study.name}: {study.n_rows} rows, {len(study.names)} columns", ""]
        width = max((len(c["name"]) for c in columns), default=0)
        lines += [
            f"{c['name']:<{width}}  {c['kind']:<8} {c['distinct']:>7} distinct  "
            f"{c['missing']:>6} missing  {c['shown']}"
            for c in columns
        ]
    lines += _structure(found)
    lines += _findings(findings)
    ordered = sorted(findings, key=lambda f: _ORDER[f.severity])
    table["groupings"] = [asdict(g) for g in found.groupings]
    table["relations"] = list(found.relations)
    table["findings"] = [_finding(f) for f in ordered]
    return Description(tuple(lines), table)


def refused(name: str, problems: Iterable[str], findings: Iterable[Finding] = ()) -> dict[str, Any]:
    """Say what `check --json` says of data that are refused: everything found, the worst first."""
    wrong = [Finding("error", p) for p in problems]
    rest = sorted(findings, key=lambda f: _ORDER[f.severity])
    return {"data": name, "findings": [_finding(f) for f in (*wrong, *rest)]}


def _sized(groups: int, smallest: int, largest: int, median: float) -> str:
    """Say how many groups there are, and of how many rows."""
    if smallest == largest:
        return f"{groups} groups of {smallest} {'row' if smallest == 1 else 'rows'}"
    return f"{groups} groups of {smallest} to {largest} rows (median {stated(median)})"


def _structure(found: TableStructure) -> list[str]:
    lines: list[str] = []
    shown = found.groupings[:MOST]
    if shown:
        lines.append("")
        lines += [f"{g.name}: {_sized(g.groups, g.smallest, g.largest, g.median)}" for g in shown]
        lines += [f"{r}" for r in found.relations[:20]]
    return lines


def _scales(study: Study) -> tuple[list[str], list[Finding]]:
    if not {"responses", "items"} <= set(study.tables):
        return [], []
    try:
        found = scales(study)
    except DataError as error:
        return [], [Finding("warning", p) for p in error.problems]
    lines = ["", "Scales (items, alpha, ICC(1), ICC(2), raters):"]
    width = max((len(c) for c in found.table["construct"]), default=0)
    for row in found.table.to_dict("records"):
        numbers = "  ".join(_two(row[c]) for c in ("alpha", "icc1", "icc2", "raters"))
        lines.append(f"{row['construct']:<{width}}  {row['items']:>3}  {numbers}")
    return lines, list(found.findings)


def _two(value: float) -> str:
    return "   -" if np.isnan(value) else decimal(value, 2).rjust(4)


def _column(study: Study, name: str, where: TableStructure) -> dict[str, Any]:
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
            shown = (
                f"mean {number(values.mean())}, from {number(values.min(), 4)} to "
                f"{number(values.max(), 4)}"
            )
    level = where.levels.get(name)
    if level is not None:
        shown += f"{', ' if shown else ''}one value for each {level}"
    label = study.labels.columns.get(name) if study.labels is not None else None
    if label:
        shown += f"{'; ' if shown else ''}{label}"
    words = study.labels.values.get(name, {}) if study.labels is not None else {}
    if words:
        said = listing([f"{code_text(c)} “{w}”" for c, w in words.items()], 6)
        shown += f"{'; ' if shown else ''}{said}"
    return {
        "name": name,
        "kind": what,
        "distinct": len(set(present)),
        "missing": len(found) - len(present),
        "shown": shown,
        "level": level,
        "label": label,
        **({"values": {code_text(c): w for c, w in words.items()}} if words else {}),
    }


def describe_model(system: System) -> Description:
    """Describe what a model finds in the data: rows, units, responses, and every warning."""
    layout = system.layout
    lines = [f"{system.source}: {system.rows_used} of {system.rows_given} rows used"]
    equations: list[dict[str, Any]] = []
    for e in layout.equations:
        y = system.responses[e.response][observed(system.sampled.layout, e)]
        at = f", one for each {e.level}" if e.level else ""
        measure = layout.measure(e.response)
        if measure is not None:
            lines.append(
                f"  {e.response} (construct of {len(measure.items)} items): {e.n} values{at}"
            )
            equations.append({"response": e.response, "family": "construct", "rows": e.n})
            continue
        lines.append(
            f"  {e.response} ({e.family}): {e.n} rows{at}, mean {number(y.mean())}, sd "
            f"{number(y.std())}"
        )
        equations.append({"response": e.response, "family": e.family, "rows": e.n})
    groupings: list[dict[str, Any]] = []
    for block in {b.group: b for b in layout.blocks}.values():
        if block.raters:
            units = len(_rated_units(layout, block))
            lines.append(f"  {block.group}: {len(block.levels)} raters of {units} units")
            groupings.append({"group": block.group, "groups": len(block.levels)})
            continue
        counts = np.bincount(block.code, minlength=len(block.levels))
        lines.append(
            f"  {block.group}: "
            + _sized(
                len(block.levels), int(counts.min()), int(counts.max()), float(np.median(counts))
            )
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


def _rated_units(layout: Layout, block: Block) -> np.ndarray:
    """Units whose raters a block has."""
    of = next(m for m in layout.measures if m.name == block.members[0].response)
    return np.unique(layout.equations[of.equation].carry)


def _findings(findings: Any) -> list[str]:
    worst_first = sorted(dict.fromkeys(findings), key=lambda f: _ORDER[f.severity])
    return ["", *(f"{f.severity}: {f.message}" for f in worst_first)] if findings else []


def _finding(f: Any) -> dict[str, Any]:
    return {"severity": f.severity, "message": f.message, "column": f.column, "rows": list(f.rows)}
