"""Excel workbooks: one sheet, its cells as stored, its rows numbered as the program shows them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd

from acmodels.data.headers import (
    HEAD,
    further_headers,
    header_place,
    joined_names,
    refused,
    wordings,
)
from acmodels.data.table import Finding, checked_names, rows_phrase, shown
from acmodels.errors import DataError, did_you_mean, listing

ERRORS = ("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A", "#SPILL!", "#CALC!")
"""What a spreadsheet shows where a formula has no value."""

_SMALL = 3_000_000
"""Bytes of a workbook up to which merged cells and formulas are looked at."""


@dataclass(frozen=True)
class _Sheet:
    """A sheet as stored.

    Attributes:
        name: of the sheet.
        others: names of the sheets that were not read.
        rows: cells, one list a row from row 1 on, all of one length.
        merged: ranges of merged cells, as first and last row and column, counted from 0.
        formulas: row and column of formulas without a stored value.
    """

    name: str
    others: tuple[str, ...]
    rows: list[list[Any]]
    merged: tuple[tuple[int, int, int, int], ...]
    formulas: tuple[tuple[int, int], ...]


def read_excel(
    place: Path, where: str, sheet: str | None = None, skip: int | None = None
) -> tuple[pd.DataFrame, tuple[Finding, ...], dict[str, str]]:
    """Read one sheet of a workbook.

    Args:
        place: the file.
        where: what messages call it.
        sheet: its name; the first one if None.
        skip: rows below the header to leave out; None to refuse what looks like header rows.

    Returns:
        The table, its index each row's place in the sheet below row 1; what was noticed; labels
        of columns from header rows that were left out.

    Raises:
        DataError: no workbook, no such sheet, no rows, unusable column names, header rows.
    """
    found = _sheet(place, where, sheet)
    findings: list[Finding] = []
    if sheet is None and found.others:
        findings.append(_unread(where, found))
    at = header_place([[_text(c) for c in row] for row in found.rows[:HEAD]])
    if at < 0:
        raise DataError(
            f"{where}: the sheet '{shown(found.name)}' is empty; "
            + (
                f"choose another with {where}#NAME ({listing([shown(s) for s in found.others])})"
                if found.others
                else "it needs a header row with column names, then one row for each unit"
            )
        )
    if at > 0:
        findings.append(
            Finding(
                "note",
                f"{where}: the header was found in row {at + 1}; remove the rows above it.",
            )
        )
    header = [_text(c) for c in found.rows[at]]
    body, first = found.rows[at + 1 :], at + 1
    if not any(_text(c).strip() for row in body for c in row):
        raise DataError(
            f"{where}: has a header but no rows of data; add the rows and read it again"
        )
    head = [[_text(c) for c in row] for row in body[:HEAD]]
    further = further_headers(header, head) if skip is None else None
    if further is not None:
        raise refused(where, further, at + 1)
    skipped = head[: skip or 0]
    if skipped:
        header = list(joined_names(header, skipped[0]))
        body, first = body[len(skipped) :], first + len(skipped)
    return _table(where, found, header, (body, first), (skipped, findings))


def _table(
    where: str,
    found: _Sheet,
    header: list[str],
    below: tuple[list[list[Any]], int],
    before: tuple[Sequence[Sequence[str]], list[Finding]],
) -> tuple[pd.DataFrame, tuple[Finding, ...], dict[str, str]]:
    """Make a table of the rows below the header."""
    (body, first), (skipped, findings) = below, before
    filled = np.array([[bool(_text(c).strip()) for c in row] for row in body], dtype=np.bool_)
    places = np.flatnonzero(filled.any(axis=1))
    if not len(places):
        raise DataError(
            f"{where}: has a header but no rows of data; add the rows and read it again"
        )
    columns = [k for k, name in enumerate(header) if name.strip() or filled[:, k].any()]
    names = [header[k] for k in columns]
    if len(names) > 1 and not names[0].strip():
        names[0] = "row"
        said = f"{where}: the first column has no name and was named 'row'; name it in the header."
        findings.append(Finding("note", said, "row"))
    try:
        clean, noticed = checked_names(names, where)
    except DataError as error:  # it may be the wrong sheet
        raise DataError(error.problems, findings) from None
    findings += [*noticed, *_gaps(where, filled, places, first)]
    values: dict[str, pd.Series] = {}
    index = pd.Index(places + first - 1)
    for name, k in zip(clean, columns, strict=True):
        cells = [body[i][k] for i in places]
        wrong = [i for i, c in zip(places, cells, strict=True) if _text(c).strip() in ERRORS]
        if wrong:
            findings.append(_errors(where, name, [int(i) + first + 1 for i in wrong],
                                    [body[i][k] for i in wrong]))  # fmt: skip
            cells = [None if _text(c).strip() in ERRORS else c for c in cells]
        findings += _numbers_as_text(where, name, cells)
        values[name] = pd.Series(_typed(cells), index=index)
    place = {k: name for name, k in zip(clean, columns, strict=True)}
    findings += _merged(where, found, place, first)
    findings += _unsaved(where, found, place, first)
    frame = pd.DataFrame(values, index=index)
    labels = wordings(clean, [[row[k] for k in columns] for row in skipped])
    return frame, tuple(findings), labels


def _sheet(place: Path, where: str, sheet: str | None) -> _Sheet:
    """Read the cells of one sheet."""
    import openpyxl

    small = place.stat().st_size <= _SMALL
    try:
        book: Any = openpyxl.load_workbook(place, read_only=not small, data_only=True)
        sheets = {str(ws.title): ws for ws in book.worksheets}
    except (BadZipFile, KeyError, ValueError, OSError, IndexError, TypeError) as error:
        raise _no_workbook(where, error) from None
    name = next(iter(sheets), "") if sheet is None else sheet
    if name not in sheets:
        folded = {s.strip().casefold(): s for s in sheets}
        name = folded.get(name.strip().casefold(), name)
    if name not in sheets:
        near = did_you_mean(name, sheets)
        raise DataError(
            f"{where}: has no sheet '{shown(name)}'{near} "
            f"(sheets: {listing([shown(s) for s in sheets], 20)})"
        )
    try:
        ws = sheets[name]
        if not small:
            ws.reset_dimensions()
        rows = [list(row) for row in ws.iter_rows(values_only=True)]
        offset = (0, 0) if not small else (ws.min_row - 1, ws.min_column - 1)
        merged = (
            tuple((r.min_row - 1, r.min_col - 1, r.max_row - 1, r.max_col - 1)
                  for r in ws.merged_cells.ranges)
            if small else ()
        )  # fmt: skip
        formulas = _without_value(place, name, rows, offset) if small else ()
    except (BadZipFile, KeyError, ValueError, OSError, IndexError, TypeError) as error:
        raise _no_workbook(where, error) from None
    finally:
        book.close()
    if small:  # a sheet may begin below row 1 or right of column A
        rows = [[]] * offset[0] + [[None] * offset[1] + row for row in rows]
    width = max((len(row) for row in rows), default=0)
    rows = [row + [None] * (width - len(row)) for row in rows]
    while rows and not any(_text(c).strip() for c in rows[-1]):
        rows.pop()
    return _Sheet(name, tuple(s for s in sheets if s != name), rows, merged, formulas)


def _no_workbook(where: str, error: Exception) -> DataError:
    return DataError(
        f"{where}: cannot be read as an Excel workbook ({shown(str(error), 120)}); save it "
        "again as .xlsx, or export the sheet as .csv"
    )


def _without_value(
    place: Path, name: str, rows: list[list[Any]], offset: tuple[int, int]
) -> tuple[tuple[int, int], ...]:
    """Find formulas whose value the file does not hold, as in files no spreadsheet has saved."""
    import openpyxl

    with ZipFile(place) as raw:
        sheets = [n for n in raw.namelist() if n.startswith("xl/worksheets/")]
        if not any(b"<f" in raw.read(n).replace(b"<formula", b"") for n in sheets):
            return ()
    book: Any = openpyxl.load_workbook(place, data_only=False)
    ws = book[name]
    out: list[tuple[int, int]] = []
    for i, row in enumerate(ws.iter_rows(values_only=True)):
        for k, cell in enumerate(row):
            is_formula = isinstance(cell, str) and cell.startswith("=")
            if is_formula and i < len(rows) and rows[i][k] is None:
                out.append((i + offset[0], k + offset[1]))
    book.close()
    return tuple(out)


def _unread(where: str, found: _Sheet) -> Finding:
    others = listing([f"'{shown(s)}'" for s in found.others], 12)
    return Finding(
        "note",
        f"{where}: the first sheet, '{shown(found.name)}', was read; not read: {others}; "
        f"to read another, write {where}#{shown(found.others[0])}",
    )


def _gaps(where: str, filled: np.ndarray, places: np.ndarray, first: int) -> list[Finding]:
    """Say which blank rows were left out, and which row at the end may be a remark."""
    last = int(places[-1])
    blank = [int(i) + first + 1 for i in np.flatnonzero(~filled[:last].any(axis=1))]
    out: list[Finding] = []
    if blank:
        said = f"{where}: blank rows were left out ({rows_phrase(blank)}); remove them."
        out.append(Finding("note", said, None, tuple(blank)))
    width = int(filled.any(axis=0).sum())
    if blank and width > 2 and filled[last].sum() == 1 and not filled[last - 1].any():
        said = (
            f"{where}: row {last + first + 1}, after a blank row, has one cell only and was read "
            "as data; if it is a note below the table, remove it."
        )
        out.append(Finding("warning", said, None, (last + first + 1,)))
    return out


def _errors(where: str, name: str, rows: Sequence[int], cells: Sequence[Any]) -> Finding:
    said = listing(list(dict.fromkeys(str(c).strip() for c in cells)), 4)
    return Finding(
        "warning",
        f"{where}: column '{shown(name)}' holds {said}, which a spreadsheet shows where a "
        f"formula failed ({rows_phrase(rows)}), and is missing there; correct the formula, or "
        "leave the "
        f"cell{'s' if len(rows) > 1 else ''} empty.",
        name,
        tuple(rows),
    )


def _numbers_as_text(where: str, name: str, cells: Sequence[Any]) -> list[Finding]:
    """Say where a column of numbers keeps some of them as text."""
    text = [c for c in cells if isinstance(c, str) and c.strip()]
    numbers = [c for c in cells if isinstance(c, int | float) and not isinstance(c, bool)]
    if not text or not numbers:
        return []
    try:
        _ = [float(c) for c in text]
    except ValueError:
        return []
    said = (
        f"{where}: column '{shown(name)}' stores {len(text)} of its "
        f"{len(text) + len(numbers)} numbers as text; the number 1 and the text '1' count as the "
        "same value."
    )
    return [Finding("note", said, name)]


def _merged(where: str, found: _Sheet, place: dict[int, str], first: int) -> list[Finding]:
    """Say where cells of a column are merged downwards: only the first holds the value."""
    out: list[Finding] = []
    for k, name in place.items():
        spans = sorted((a, b) for a, c, b, d in found.merged if c <= k <= d and b > a >= first)
        if not spans:
            continue
        rows = tuple(r + 1 for a, b in spans for r in range(a + 1, b + 1))
        said = listing([f"rows {a + 1} to {b + 1}" for a, b in spans], 4)
        out.append(
            Finding(
                "warning",
                f"{where}: cells of column '{shown(name)}' are merged ({said}), and only the first "
                "row of each holds the value; unmerge them and fill the value down.",
                name,
                rows,
            )
        )
    return out


def _unsaved(where: str, found: _Sheet, place: dict[int, str], first: int) -> list[Finding]:
    out: list[Finding] = []
    for k, name in place.items():
        rows = tuple(r + 1 for r, c in found.formulas if c == k and r >= first)
        if rows:
            out.append(
                Finding(
                    "warning",
                    f"{where}: column '{shown(name)}' holds formulas whose values the file does "
                    f"not store ({rows_phrase(rows)}), and is missing there; open the file in a "
                    "spreadsheet program and save it.",
                    name,
                    rows,
                )
            )
    return out


def _text(cell: Any) -> str:
    """Write a cell as a CSV file would have it."""
    if cell is None:
        return ""
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(" ")
    return cell if isinstance(cell, str) else str(cell)


def _typed(cells: list[Any]) -> Any:
    """Give a column of cells the plainest type that loses nothing."""
    held = [c for c in cells if c is not None and not (isinstance(c, str) and not c.strip())]
    kept = [c if not isinstance(c, str) or c.strip() else None for c in cells]
    if held and all(isinstance(c, int | float) and not isinstance(c, bool) for c in held):
        whole = len(held) == len(cells) and all(isinstance(c, int) for c in held)
        return np.array(
            [np.nan if c is None else c for c in kept], dtype=np.int64 if whole else np.float64
        )
    if held and all(isinstance(c, dt.datetime) for c in held):
        return pd.to_datetime(pd.Series(kept, dtype=object)).to_numpy()
    if held and len(held) == len(cells) and all(isinstance(c, bool) for c in held):
        return np.array(held, dtype=np.bool_)
    out = np.empty(len(cells), dtype=object)
    out[:] = kept
    return out
