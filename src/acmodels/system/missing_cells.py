"""Which cells of a study have no value, and which rows are left out for that."""

from collections.abc import Mapping

import numpy as np

from acmodels.data import Finding, Study, kind, labels, numeric, row_names
from acmodels.errors import DataError, listing
from acmodels.spec.model import Model
from acmodels.system.rows import keys_of, uses


def missing_cells(model: Model, study: Study) -> dict[str, np.ndarray]:
    """Find, by column, the rows without a value; only columns that lack some.

    Raises:
        DataError: a missing id, or a column without values.
    """
    problems: list[str] = []
    missing: dict[str, np.ndarray] = {}
    for key in keys_of(model):
        gaps = np.array([v is None for v in labels(study, key)])
        lost = np.flatnonzero(gaps)
        if gaps.all():
            problems.append(
                f"{study.name}: the column '{key}', an id or grouping, has no values at all"
            )
        elif model.missing == "drop":
            missing[key] = gaps
        elif len(lost):
            problems.append(
                f"{study.name}: {len(lost)} rows have no '{key}', which is an id or grouping: "
                f"rows {listing(row_names(study, lost))}; a row must say which unit it belongs to "
                '(missing = "drop" leaves such rows out)'
                f"{_of_merged(study, key)}"
            )
    for e in model.equations.values():
        for column, role in uses(e, with_responses=True):
            if role in ("grouping", "level", "unit of a mean") or column in missing:
                continue
            if column in model.equations and model.equations[column].construct:
                continue
            is_number = role != "predictor" or column in model.equations
            gaps = _gaps(study, column, is_number=is_number)
            if gaps.all():
                problems.append(
                    f"{study.name}: the column '{column}', the {role} of "
                    f"equations.{e.response}, has no values at all"
                )
            missing[column] = gaps
    if problems:
        raise DataError(dict.fromkeys(problems))
    return {c: m for c, m in missing.items() if m.any()}


def _of_merged(study: Study, key: str) -> str:
    """Say that ids are lacking since cells of a spreadsheet are merged."""
    merged = any(f.column == key and "are merged" in f.message for f in study.findings)
    return " (its cells are merged: unmerge them and fill the value down)" if merged else ""


def _gaps(study: Study, column: str, *, is_number: bool) -> np.ndarray:
    if not is_number and kind(study, column) in ("text", "boolean", "date"):
        return np.array([v is None for v in labels(study, column)])
    return np.isnan(numeric(study, column, factor=not is_number))


def complete_rows(
    model: Model, study: Study, missing: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, list[Finding]]:
    """Say which rows are used where only complete ones are, (rows,), and what is worth saying.

    Args:
        model: says with `missing` whether incomplete rows are left out.
        study: one table.
        missing: by column, the rows without a value.

    Raises:
        DataError: no row is complete, or none may lack a value.
    """
    lost = np.zeros(study.n_rows, dtype=bool)
    if not missing:
        return ~lost, []
    for m in missing.values():
        lost |= m
    where = said_missing(study, missing)
    if model.missing == "error":
        first = row_names(study, np.flatnonzero(lost))
        raise DataError(f'{where}; missing = "error" allows none (rows {listing(first)})')
    if lost.all():
        raise DataError(f"{where}; no complete row is left")
    return ~lost, [Finding("warning", f'{where}; these rows are left out (missing = "drop")')]


def said_missing(study: Study, missing: Mapping[str, np.ndarray]) -> str:
    """Say how many rows lack a value, and of which columns."""
    lost = np.any(list(missing.values()), axis=0)
    said = ", ".join(f"{c} ({int(m.sum())})" for c, m in missing.items())
    return f"{study.name}: {int(lost.sum())} of {study.n_rows} rows lack a value: {said}"
