"""A table as a mapping file has it: renamed, reversed, codes emptied, dates as numbers."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from acmodels.data import dates
from acmodels.data.cells import as_declared
from acmodels.data.columns import kind, label_codes, numeric
from acmodels.data.labelled import NO_LABELS, Labels
from acmodels.data.mapping import Code, ColumnTable, Mapped, TopTable, missing_columns
from acmodels.data.table import Finding, Study, row_names, rows_phrase, shown
from acmodels.errors import DataError, listing


def mapped(study: Study, m: Mapped) -> Study:
    """Return a table as a mapping file has it; columns it does not have are passed over.

    Every column of the file is there by its new name too; the others keep their names.

    Args:
        study: one table.
        m: the mapping file.

    Raises:
        DataError: a column that cannot be read as the file says; every problem is named.
    """
    if m == Mapped():
        return study
    base, findings = _whole(study, m)
    problems: list[str] = []
    new: dict[str, pd.Series] = {}
    held = base.labels or NO_LABELS
    columns, values = dict(held.columns), dict(held.values)
    commas = set(base.commas)
    for name, c in m.columns.items():
        if c.column not in base.names:
            continue
        try:
            made, words, noticed = _column(base, name, c, m)
        except DataError as error:
            problems += error.problems
            continue
        findings += noticed
        new[name] = made
        for known, found in ((columns, held.columns.get(c.column)), (values, words)):
            known.pop(name, None)
            if found:
                cast(dict[str, Any], known)[name] = found
        (commas.add if c.column in base.commas else commas.discard)(name)
    if problems:
        raise DataError(problems, study.findings)
    findings += _hidden(base, m, new)
    frame = base.frame.copy()
    for c in m.columns.values():  # a code is missing by whatever name the column is read
        if c.missing and c.column in base.names:
            frame[c.column] = frame[c.column].where(~_stands(base, c.column, c.missing)[0], None)
    for name, made in new.items():
        frame[name] = made
    noted = base.labels is not None or columns or values
    return replace(
        base,
        frame=frame,
        findings=(*study.findings, *findings),
        commas=frozenset(commas),
        randomized=tuple(c for c in m.top.randomized if c in frame.columns),
        labels=Labels(columns, values, held.missing, held.held) if noted else None,
    )


def mapped_parts(study: Study, m: Mapped) -> Study:
    """Return a study of several tables with the columns of a mapping file that no table has.

    Some columns are made where tables are joined: measures of units, scores of constructs.

    Raises:
        DataError: a column that is nowhere.
    """
    known = {c for t in study.tables.values() for c in t.names}
    later = {n: c for n, c in m.columns.items() if c.column not in known}
    made = [Study(study.name, p.frame) for p in study.parts]
    wrong = missing_columns(m, [*study.tables.values(), *made, study], study.name)
    if wrong:
        raise DataError(wrong, study.findings)
    randomized = m.top.randomized
    if not later:
        return replace(study, randomized=tuple(randomized)) if randomized else study
    rest = replace(m, top=TopTable(missing=m.top.missing), columns=later)
    parts: list[Any] = []
    findings: list[Finding] = []
    for part, table in zip(study.parts, made, strict=True):
        found = mapped(replace(table, path=study.path), rest)
        findings += [f for f in found.findings if f.column in later]
        parts.append(replace(part, frame=found.frame))
    whole = mapped(replace(study, findings=()), rest)
    said = dict.fromkeys((*study.findings, *findings))
    return replace(
        study, frame=whole.frame, parts=tuple(parts), findings=tuple(said),
        randomized=tuple(randomized),
    )  # fmt: skip


def _hidden(base: Study, m: Mapped, new: Mapping[str, Any]) -> list[Finding]:
    """Say which columns of the data another one takes the name of."""
    return [
        Finding(
            "note",
            f"{m.said}: '{shown(name)}' is the data's column '{shown(m.columns[name].column)}'; "
            f"the data's own column '{shown(name)}' is not used.",
            name,
        )
        for name in new
        if name in base.names and m.columns[name].column != name
    ]


def _whole(study: Study, m: Mapped) -> tuple[Study, list[Finding]]:
    """Apply what holds for every column."""
    frame, findings, out = study.frame, [], study
    if m.top.missing:
        said: list[str] = []
        frame = frame.copy()
        for c in study.names:
            gone, counts = _stands(study, c, m.top.missing)
            if gone.any():
                frame[c] = frame[c].where(~gone, None)
                said += [f"{shown(c)} {word} ({n})" for word, n in counts.items()]
        words = listing([str(c) for c in m.top.missing])
        found = listing(said, 20) if said else "none found"
        text = f"{study.name}: set to missing by {m.said} ({words}): {found}."
        findings.append(Finding("note", text))
        out = replace(out, frame=frame)
    if m.top.decimal is not None:
        out, noticed = _all_declared(out, m)
        findings += noticed
    return out, findings


def _all_declared(study: Study, m: Mapped) -> tuple[Study, list[Finding]]:
    """Read every column of text that is all numbers with the decimal mark of the file."""
    mark = m.top.decimal or "."
    frame, read = study.frame.copy(), []
    for c in study.names:
        if not _is_text(study, c) or any(k.column == c and k.decimal for k in m.columns.values()):
            continue
        codes, words = label_codes(study, c)
        numbers = as_declared([w.strip() for w in words], mark)
        if len(words) and not np.isnan(numbers).any():
            plain = all(re.fullmatch(r"[+-]?[0-9]+(?:[.][0-9]*)?", w.strip()) for w in words)
            if not plain:
                frame[c] = np.append(numbers, np.nan)[codes]
                read.append(shown(c))
    said = f"{study.name}: numbers were read with the decimal mark {mark} of {m.said} "
    found = [Finding("note", f"{said}(in {listing(read)}).")] if read else []
    return replace(study, frame=frame, decimal=mark, commas=frozenset()), found


def _is_text(study: Study, column: str) -> bool:
    return study.frame[column].dtype.kind == "O" or isinstance(
        study.frame[column].dtype, pd.StringDtype
    )


def _column(
    study: Study, name: str, c: ColumnTable, m: Mapped
) -> tuple[pd.Series, Mapping[Any, str] | None, list[Finding]]:
    """Read one column as the file says, with the labels its values then have."""
    findings: list[Finding] = []
    words = (study.labels or NO_LABELS).values.get(c.column)
    one = study
    if c.missing:
        gone, counts = _stands(study, c.column, c.missing)
        series = study.frame[c.column].where(~gone, None)
        one = replace(study, frame=study.frame.assign(**{c.column: series}))
        found = listing([f"{w} ({n})" for w, n in counts.items()]) if counts else "none found"
        codes = listing([str(k) for k in c.missing])
        findings.append(
            Finding(
                "note" if counts else "warning",
                f"{study.name}: '{shown(name)}': set to missing by {m.said} ({codes}): {found}.",
                name,
            )
        )
    series = cast(pd.Series, one.frame[c.column])
    if c.decimal is not None:
        series, noticed = _declared(one, name, c, m)
        findings += noticed
    if c.date is not None:
        series, noticed = _dated(one, name, c, m)
        return series, None, [*findings, *noticed]
    if c.reverse:
        series, low, high = _reversed(replace(one, frame=one.frame.assign(**{c.column: series})), c)
        findings.append(
            Finding(
                "note",
                f"{study.name}: '{shown(name)}' is reversed by {m.said}: "
                f"{low + high:g} minus the value ({low:g} is the lowest, {high:g} the highest).",
                name,
            )
        )
        words = words and {
            low + high - k: w for k, w in words.items() if isinstance(k, int | float)
        }
    return series, words, findings


def _reversed(study: Study, c: ColumnTable) -> tuple[pd.Series, float, float]:
    values = numeric(study, c.column, factor=False)
    if np.isnan(values).all():
        raise DataError(f"{study.name}: column '{shown(c.column)}' has no values to reverse")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return pd.Series(low + high - values, index=study.frame.index), low, high


def _declared(
    study: Study, name: str, c: ColumnTable, m: Mapped
) -> tuple[pd.Series, list[Finding]]:
    """Read text as numbers with a known decimal mark."""
    series = cast(pd.Series, study.frame[c.column])
    if not _is_text(study, c.column):
        return series, []
    codes, words = label_codes(study, c.column)
    bare = [w.strip() for w in words]
    numbers = as_declared(bare, c.decimal or ".")
    wrong = [k for k in range(len(words)) if np.isnan(numbers[k])]
    if wrong:
        rows = row_names(study, np.isin(codes, wrong))
        raise DataError(
            f"{study.name}: column '{shown(c.column)}' holds "
            f"{listing([f"'{shown(bare[k])}'" for k in wrong])} ({rows_phrase(rows)}), which "
            f"{'is not a number' if len(wrong) == 1 else 'are not numbers'} with the decimal mark "
            f"{c.decimal}; correct these cells, or list them in missing in {m.said}"
        )
    odd = next((k for k, w in enumerate(bare) if not re.fullmatch(r"[+-]?[0-9]+[.]?[0-9]*", w)), 0)
    shows = f": '{shown(bare[odd])}' is {numbers[odd]:g}" if words else ""
    said = f"{study.name}: '{shown(name)}' was read with the decimal mark {c.decimal}{shows}."
    found = np.append(numbers, np.nan)[codes]
    return pd.Series(found, index=series.index), [Finding("note", said, name)]


def _dated(study: Study, name: str, c: ColumnTable, m: Mapped) -> tuple[pd.Series, list[Finding]]:
    """Read dates as a number of days, weeks, months or years."""
    codes, words = label_codes(study, c.column)
    bare = [w.strip() for w in words]
    if kind(study, c.column) == "number":  # 20240110, as some programs write dates
        bare = [re.sub(r"^(\d{4})(\d{2})(\d{2})(?:\.0)?$", r"\1-\2-\3", w) for w in bare]
    found = dates.orders(bare)
    order = c.order or (found[0] if len(found) == 1 else None)
    is_date = dates.are_dates(bare)
    where = f"{study.name}: column '{shown(c.column)}'"
    if order is None and is_date.any():
        what = "can be read with the day or the month first" if found else (
            "has dates with the day first and dates with the month first"
        )  # fmt: skip
        some = listing([shown(b) for b in bare], 4)
        raise DataError(
            f"{where} {what} ({some}); say which in {m.said}: "
            f'order = "mdy" or order = "dmy", beside date = "{c.date}"'
        )
    moments = dates.days(bare, order or "ymd")
    wrong = np.flatnonzero(np.isnan(moments))
    if len(wrong):
        rows = row_names(study, np.isin(codes, wrong))
        raise DataError(
            f"{where} holds {listing([f"'{shown(bare[k])}'" for k in wrong])} "
            f"({rows_phrase(rows)}), which "
            f"{'is not a date' if len(wrong) == 1 else 'are not dates'}"
            f"{f' in the order {order}' if order not in (None, 'ymd') else ''}; correct these "
            f"cells, leave them empty, or list them in missing in {m.said}"
        )
    if not len(moments):
        raise DataError(f"{where} holds no dates")
    unit = c.date or "days"
    start = float(np.floor(moments.min())) if c.since is None else _since(c.since)
    numbers = (np.append(moments, np.nan)[codes] - start) / dates.UNITS[unit]
    said = (
        f"{study.name}: '{shown(name)}' is in {unit} since {dates.written(start)} (dates from "
        f"{dates.written(moments.min())} to {dates.written(moments.max())})."
    )
    return pd.Series(numbers, index=study.frame.index), [Finding("note", said, name)]


def _since(day: dt.date | str) -> float:
    text = (
        day.strip() if isinstance(day, str) else dt.date(day.year, day.month, day.day).isoformat()
    )
    return float(dates.days([text], "ymd")[0])


def _stands(study: Study, column: str, codes: Sequence[Code]) -> tuple[np.ndarray, dict[str, int]]:
    """Return which cells hold a code for missing, and how many hold each."""
    try:
        place, words = label_codes(study, column)
    except DataError:
        return np.zeros(study.n_rows, dtype=np.bool_), {}
    wanted = {_same(str(code), study.decimal): str(code) for code in codes}
    hits = {
        k: wanted[w] for k, word in enumerate(words) if (w := _same(word, study.decimal)) in wanted
    }
    counts: dict[str, int] = {}
    for k, code in hits.items():
        counts[code] = counts.get(code, 0) + int((place == k).sum())
    return np.isin(place, list(hits)), counts


def _same(word: str, decimal: str) -> str | float:
    bare = word.strip()
    try:
        return float(bare.replace(",", ".") if decimal == "," else bare)
    except ValueError:
        return bare
