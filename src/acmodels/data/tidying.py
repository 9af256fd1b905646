"""What people leave in CSV files: blank rows, unnamed columns, short rows, decimal commas."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from acmodels.data.cells import decimal_evidence, pc
from acmodels.data.table import Finding, checked_names, rows_phrase, shown
from acmodels.errors import DataError, listing

_NUMBER = re.compile(r"[+-]?[0-9]*[.,]?[0-9]+(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class FileFormat:
    """How a CSV file is written."""

    where: str
    body: bytes
    encoding: str
    delimiter: str
    header_row: int
    header: tuple[str, ...]


def is_blank(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Say which cells hold nothing but white space."""
    return np.asarray(pc.equal(pc.utf8_trim_whitespace(column), ""), dtype=np.bool_)


def without_blank_rows(
    layout: FileFormat, columns: list[pa.ChunkedArray]
) -> tuple[list[pa.ChunkedArray], NDArray[np.intp], list[Finding]]:
    """Drop rows in which every cell is blank, and keep each other row's place in the file.

    In a file of one column a blank line is a missing value, unless nothing follows it.
    """
    n = len(columns[0])
    blank = np.ones(n, dtype=np.bool_)
    for column in columns:
        if not blank.any():
            break
        blank &= is_blank(column)
    held = np.flatnonzero(~blank)
    if not len(held):
        msg = f"{layout.where}: has a header but no rows of data; add the rows and read it again"
        raise DataError(msg)
    last = int(held[-1])
    keep = np.arange(last + 1) if len(columns) == 1 else held
    if len(keep) < n:
        columns = [column.take(pa.array(keep)) for column in columns]
    offset = layout.header_row - 1
    gaps = (np.flatnonzero(blank[:last]) + offset + 2).tolist()
    if not gaps or len(columns) == 1:
        return columns, keep + offset, []
    message = f"{layout.where}: blank rows were left out ({rows_phrase(gaps)}); remove them."
    return columns, keep + offset, [Finding("note", message, None, tuple(gaps))]


def _bare(name: str) -> str:
    return name.strip().strip("\ufeff").strip()


def without_unused(
    layout: FileFormat, columns: list[pa.ChunkedArray]
) -> tuple[list[pa.ChunkedArray], list[Finding]]:
    """Drop columns at the end that have neither a name nor a value."""
    used = len(columns)
    while used > 1 and not _bare(layout.header[used - 1]) and is_blank(columns[used - 1]).all():
        used -= 1
    if used == len(columns):
        return columns, []
    message = (
        f"{layout.where}: columns without a name or a value were left out at the end "
        f"({len(columns) - used}); remove the delimiters there."
    )
    return columns[:used], [Finding("note", message)]


def named(
    layout: FileFormat, columns: list[pa.ChunkedArray]
) -> tuple[tuple[str, ...], list[pa.ChunkedArray], list[Finding]]:
    """Name the columns; a first one without a name holds row names, as R writes them."""
    where, header = layout.where, list(layout.header[: len(columns)])
    bare = [_bare(name) for name in header]
    findings: list[Finding] = []
    if len(bare) > 1 and not bare[0]:
        if "row" in bare or is_blank(columns[0]).all():
            header, bare, columns = header[1:], bare[1:], columns[1:]
            message = f"{where}: the first column has no name and was left out; name it to keep it."
            findings.append(Finding("note", message))
        else:
            header[0] = bare[0] = "row"
            message = (
                f"{where}: the first column has no name (row names, as R writes them) "
                "and was named 'row'; name it in the header."
            )
            findings.append(Finding("note", message, "row"))
    names, noticed = checked_names(header, where)
    findings.extend(noticed)
    findings.extend(_odd_header(where, names))
    return names, columns, findings


def _odd_header(where: str, names: tuple[str, ...]) -> list[Finding]:
    """Warn of a header that seems to be none."""
    if all(_NUMBER.fullmatch(name) for name in names):
        message = (
            f"{where}: the header holds only numbers ({listing(names, 4)}); "
            "if they are data, add a first line with column names."
        )
        return [Finding("warning", message)]
    if len(names) == 1 and re.search(r"\S[\s:^]+\S", names[0]):
        message = (
            f"{where}: only one column was found ('{shown(names[0])}'); "
            "columns must be separated by commas, semicolons, tabs or bars."
        )
        return [Finding("warning", message, names[0])]
    return []


def short_rows(
    layout: FileFormat, width: int, short: dict[int, int], places: NDArray[np.intp]
) -> list[Finding]:
    """Warn of rows with fewer cells than the header."""
    offset = layout.header_row - 1
    lacking = np.array([place for place, held in short.items() if held < width], np.intp) + offset
    rows = (lacking[np.isin(lacking, places)] + 2).tolist()
    if not rows:
        return []
    has = "has" if len(rows) == 1 else "have"
    message = (
        f"{layout.where}: {rows_phrase(rows)} {has} fewer cells than the header, and the cells "
        "at the end were read as missing; check that no delimiter is lacking."
    )
    return [Finding("warning", message, None, tuple(rows))]


def declared_missing(
    where: str, columns: list[pa.ChunkedArray], missing: tuple[str, ...]
) -> tuple[list[pa.ChunkedArray], list[Finding]]:
    """Empty the cells that the data package declares missing."""
    markers = pa.array(missing, pa.large_string())
    masks = [pc.is_in(pc.utf8_trim_whitespace(column), value_set=markers) for column in columns]
    n = sum(pc.sum(mask).as_py() or 0 for mask in masks)
    if not n:
        return columns, []
    nothing = pa.scalar("", pa.large_string())
    columns = [pc.if_else(m, nothing, c) for m, c in zip(masks, columns, strict=True)]
    message = (
        f"{where}: cells that datapackage.json declares missing were read so "
        f"({listing([shown(word) for word in missing])}; {n} cells)."
    )
    return columns, [Finding("note", message)]


def decimal_mark(
    layout: FileFormat, names: tuple[str, ...], columns: list[pa.ChunkedArray]
) -> tuple[Literal[".", ","], list[Finding]]:
    """Find the decimal mark of a file whose delimiter is not the comma."""
    if layout.delimiter == ",":
        return ".", []
    evidence = [decimal_evidence(column) for column in columns]
    used = [shown(name) for name, found in zip(names, evidence, strict=True) if found[0]]
    if not used:
        return ".", []
    if any(clear for _, clear, _ in evidence):
        message = (
            f"{layout.where}: numbers were read with a decimal comma "
            f"(in {listing(used)}), so 1,5 is one and a half."
        )
        return ",", [Finding("note", message)]
    if layout.delimiter == ";" and not any(point for _, _, point in evidence):
        message = (
            f"{layout.where}: numbers such as 1,234 were read with a decimal comma "
            f"(in {listing(used)}); if the comma marks thousands, remove it."
        )
        return ",", [Finding("warning", message)]
    return ".", []
