"""Rows to predict at: as fitted, at means, of another table, or held at values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.data import kind, labels, numeric, row_names, study, truth_values
from acmodels.data.coding import named_levels
from acmodels.effects.predictor import Predictor, Rows
from acmodels.errors import DataError, InputError, did_you_mean, listing
from acmodels.spec.names import plain, same
from acmodels.system import group_labels

if TYPE_CHECKING:
    from acmodels.data import Study
    from acmodels.posterior import Array


def rows_at(p: Predictor, newdata: Any) -> Rows:
    """Return the rows to predict at: as fitted, one of means, or of a table."""
    if newdata is None:
        held = {s: p.reference(s) for s in p.sources}
        codes = {b.group: b.index(p.e) for b, _ in p.blocks}
        return Rows(p.e.n, held, codes)
    if isinstance(newdata, str) and newdata == "mean":
        _no_groups_observed(p)
        held = {s: np.array([_middle(p, s)]) for s in p.sources}
        return Rows(1, held, None)
    return _from_table(p, newdata)


def _no_groups_observed(p: Predictor) -> None:
    if p.groups == "observed" and p.blocks:
        raise InputError('held values belong to no group; use groups="new"')


def _middle(p: Predictor, source: str) -> float:
    values = p.reference(source)
    if p.levels(source):
        return float(np.argmax(np.bincount(values.astype(np.int64))))
    return float(values.mean())


def _from_table(p: Predictor, newdata: Any) -> Rows:

    if p.derived:
        raise InputError(
            f"the equation of {p.e.response} reads {listing(list(p.derived.values()))}, "
            "which another table does not determine; predict at the rows fitted"
        )
    table = study(newdata, "newdata")
    groupings = {c for b, _ in p.blocks for c in b.columns}
    wanted = [*p.variables, *(sorted(groupings) if p.groups == "observed" else [])]
    lost = [v for v in wanted if v not in table.names]
    if lost:
        raise DataError(
            f"{table.name}: no column {listing([repr(v) for v in lost])}, which the equation "
            f"of {p.e.response} reads (columns: {listing(table.names, 15)})"
        )
    held = {v: _column(p, v, table) for v in p.variables}
    codes: dict[str, np.ndarray] | None = None
    if all(g in table.names for g in groupings):
        codes = _codes(p, table)
    return Rows(table.n_rows, held, codes)


def _column(p: Predictor, name: str, table: "Study") -> "Array":

    levels = p.levels(name)
    if not levels:
        values = numeric(table, name, factor=False)
    else:
        found = labels(table, name)
        if kind(table, name) == "boolean" and set(levels) <= {"True", "False"}:
            found = np.where(truth_values(table, name) == 1, "True", "False")
        named = named_levels(table, name, dict.fromkeys(v for v in found if v is not None))
        found = [named.get(v, v) for v in found]
        code = {v: k for k, v in enumerate(levels)}
        unknown = sorted({str(v) for v in found if v is not None} - set(code))
        if unknown:
            raise DataError(
                f"{table.name}: '{name}' has levels that the fit does not know: "
                f"{listing([repr(v) for v in unknown])} (levels: {listing(levels, 12)})"
            )
        values = np.array([np.nan if v is None else code[str(v)] for v in found], dtype=float)
    gaps = np.flatnonzero(~np.isfinite(values))
    if len(gaps):
        raise DataError(
            f"{table.name}: '{name}' has no value in rows {listing(row_names(table, gaps))}"
        )
    return values


def _codes(p: Predictor, table: "Study") -> dict[str, np.ndarray]:
    """Levels of groupings; -1 for one not seen, refused where its effect is asked for."""
    out: dict[str, np.ndarray] = {}
    for block, _ in p.blocks:
        found = group_labels([labels(table, c) for c in block.columns])
        place = {v: k for k, v in enumerate(block.levels)}
        code = np.array([place.get(v, -1) for v in found], dtype=np.int64)
        unseen = list(dict.fromkeys(str(v) for v in np.asarray(found)[code < 0]))
        if unseen and p.groups == "observed":
            raise DataError(
                f"{table.name}: the fit has no {block.group} "
                f"{listing([repr(v) for v in unseen])}, so there is no effect to predict with; "
                'use groups="new" for groups not seen (levels fitted: '
                f"{listing(block.levels, 12)})"
            )
        out[block.group] = code
    return out


def held(rows: Rows, at: Mapping[str, float]) -> Rows:
    """Return the same rows with some variables held."""
    return replace(rows, held={**rows.held, **{k: np.full(rows.n, v) for k, v in at.items()}})


def changed(rows: Rows, name: str, values: "Array") -> Rows:
    """Return the same rows with other values of one variable."""
    return replace(rows, held={**rows.held, name: values})


def shown(p: Predictor, name: str, rows: Rows) -> np.ndarray:
    """Return values as a table shows them."""
    values = rows.values(name)
    levels = p.levels(name)
    return np.array(levels, dtype=object)[values.astype(np.int64)] if levels else values


def split(p: Predictor, rows: Rows, by: Any) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Return sets of rows to average over, each with what they share."""
    given = [] if by is None or by is True else [by] if isinstance(by, str) else list(by)
    names = [plain(name) for name in given]
    if not names:
        return [({}, np.arange(rows.n))]
    columns: list[np.ndarray] = []
    for name in names:
        group = same(name, dict.fromkeys(b.group for b, _ in p.blocks))
        block = next((b for b, _ in p.blocks if b.group == group), None)
        codes = None if block is None or rows.codes is None else rows.codes[block.group]
        if name in p.variables:
            columns.append(shown(p, name, rows))
        elif block is not None and codes is not None and np.all(codes >= 0):
            columns.append(np.array(block.levels, dtype=object)[codes])
        else:
            known = [*p.variables, *(b.group for b, _ in p.blocks)]
            raise InputError(
                f"by: '{name}' is neither a predictor nor a grouping of these rows"
                f"{did_you_mean(name, known)} (there are: {listing(known, 15)})"
            )
    keys: dict[tuple[Any, ...], list[int]] = {}
    for k, key in enumerate(zip(*columns, strict=True)):
        keys.setdefault(key, []).append(k)
    return [
        (dict(zip(names, key, strict=True)), np.array(where))
        for key, where in sorted(keys.items(), key=lambda i: i[0])
    ]
