"""Labels and missing codes of tables in a data package, by its Table Schema.

Fields carry `title` (the label), `categories` with labels, and `missingValues` with the codes that
stand for missing (Data Package v2, specs.frictionlessdata.io); ranges of missing codes, which that
standard does not have, are `missingRanges`.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from acmodels.data.labelled import NO_LABELS, Labels
from acmodels.data.table import Finding, shown
from acmodels.errors import listing
from acmodels.spec.names import composed

ESCAPED = "escaped"
"""In a resource: cells of text that a spreadsheet would run have an apostrophe before them."""

RUNS = re.compile(r"[=+\-@\t\r]")
"""How such cells begin."""


def unescaped(frame: pd.DataFrame) -> pd.DataFrame:
    """A table read from an escaped file, as it was before."""
    out = frame.copy()
    for c in out.columns:
        column = out[c]
        if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
            continue
        marked = column.astype(str).str.match("'[=+\\-@\t\r]").to_numpy(dtype=bool)
        if marked.any():
            out[c] = column.where(~marked, column.astype(str).str[1:])
    return out


def described(labels: Labels, column: str) -> dict[str, Any]:
    """What a field's schema says of a column's labels and missing codes."""
    out: dict[str, Any] = {}
    if column in labels.columns:
        out["title"] = labels.columns[column]
    words = labels.values.get(column, {})
    if words:
        out["categories"] = [{"value": plain(v), "label": w} for v, w in words.items()]
    codes = [(low, high) for low, high in labels.missing.get(column, ())]
    if codes:
        single = [plain(low) for low, high in codes if low == high]
        ranges = [[plain(low), plain(high)] for low, high in codes if low != high]
        if single:
            out["missingValues"] = ["", *(str(v) for v in single)]
        if ranges:
            out["missingRanges"] = ranges
    return out


def plain(value: Any) -> Any:
    """A code as JSON has it: whole numbers without a point."""
    if isinstance(value, np.generic):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_schema(
    frame: pd.DataFrame, labels: Labels, schema: Any, where: str
) -> tuple[pd.DataFrame, Labels, tuple[Finding, ...]]:
    """A table with the labels of its schema, cells of missing codes made missing.

    Args:
        frame: as read.
        labels: what the file itself says.
        schema: of the resource, as `datapackage.json` has it; whatever is not understood is left.
        where: what messages call the table.

    Returns:
        The table, its labels, and a note for each column with missing codes.
    """
    fields = schema.get("fields") if isinstance(schema, Mapping) else None
    columns, values = dict(labels.columns), dict(labels.values)
    missing, held = dict(labels.missing), dict(labels.held)
    findings: list[Finding] = []
    out = frame
    for f in fields if isinstance(fields, list) else []:
        name = f.get("name") if isinstance(f, Mapping) else None
        if not isinstance(name, str) or composed(name) not in frame.columns:
            continue
        name = composed(name)
        if isinstance(f.get("title"), str) and f["title"]:
            columns.setdefault(name, f["title"])
        words = _categories(f.get("categories"))
        if words:
            values.setdefault(name, words)
        codes = _codes(f)
        if not codes or name in missing:
            continue
        missing[name] = codes
        gone = _stands(out[name], codes)
        if gone.any():
            rows = np.flatnonzero(gone)
            stood = out[name].to_numpy()
            held[name] = {int(k): _number(str(stood[k])) for k in rows}
            out = out.copy() if out is frame else out
            out[name] = out[name].where(~gone, None)
            counts = pd.Series([str(plain(v)) for v in held[name].values()]).value_counts()
            said = listing([f"{shown(str(v))} ({n})" for v, n in counts.items()])
            findings.append(
                Finding(
                    "note",
                    f"{where}: '{shown(name)}': {len(rows)} cells hold codes that datapackage.json "
                    f"declares missing and are missing: {said}",
                    name,
                )
            )
    if (columns, values, missing) == ({}, {}, {}):
        return out, NO_LABELS, tuple(findings)
    return out, Labels(columns, values, missing, held), tuple(findings)


def _categories(listed: Any) -> dict[Any, str]:
    out: dict[Any, str] = {}
    for c in listed if isinstance(listed, list) else []:
        if isinstance(c, Mapping) and isinstance(c.get("label"), str) and "value" in c:
            value = c["value"]
            if isinstance(value, int | float | str):
                out[float(value) if isinstance(value, int | float) else value] = c["label"]
    return out


def _codes(f: Mapping[str, Any]) -> tuple[tuple[Any, Any], ...]:
    out: list[tuple[Any, Any]] = []
    listed = f.get("missingValues")
    for entry in listed if isinstance(listed, list) else []:
        word = entry.get("value") if isinstance(entry, Mapping) else entry
        if isinstance(word, str) and word.strip():
            out.append((_number(word), _number(word)))
    ranges = f.get("missingRanges")
    for entry in ranges if isinstance(ranges, list) else []:
        if isinstance(entry, list) and len(entry) == 2:
            low, high = (_number(str(x)) for x in entry)
            if isinstance(low, float) and isinstance(high, float):
                out.append((low, high))
    return tuple(out)


def _number(word: str) -> Any:
    try:
        return float(word)
    except ValueError:
        return word


def _stands(column: Any, codes: tuple[tuple[Any, Any], ...]) -> np.ndarray:
    """Which cells hold a code, or a number in a range of codes."""
    number: Any = pd.to_numeric(column, errors="coerce")
    number = number.to_numpy(dtype=np.float64, na_value=np.nan)
    out = np.zeros(len(column), dtype=bool)
    for low, high in codes:
        if isinstance(low, float) and isinstance(high, float):
            out |= (number >= low) & (number <= high)
        else:
            out |= (column.astype(object) == low).to_numpy(dtype=bool)
    return out
