"""CSV files: every cell as text, exactly as written, and a refusal where rows do not line up."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from acmodels.data.headers import (
    HEAD,
    further_headers,
    header_place,
    joined_names,
    refused,
    wordings,
)
from acmodels.data.sniffing import DELIMITERS, decoded, delimiter_of
from acmodels.data.table import Finding, rows_phrase
from acmodels.data.tidying import (
    FileFormat,
    decimal_mark,
    declared_missing,
    named,
    short_rows,
    without_blank_rows,
    without_unused,
)
from acmodels.errors import DataError
from acmodels.spec.names import composed

TEXT = pd.StringDtype("pyarrow", na_value=np.nan)
"""The type of a column of text: pandas' own `str`."""

_CHUNK = 20_000
_SAMPLE = 200_000


def read_delimited(
    raw: bytes,
    where: str,
    missing: tuple[str, ...] = (),
    skip: int | None = None,
    decimal: Literal[".", ","] | None = None,
) -> tuple[pd.DataFrame, tuple[Finding, ...], Literal[".", ","], dict[str, str]]:
    """Read a CSV file.

    Args:
        raw: the file.
        where: what messages call it.
        missing: cells, as written, that stand for missing besides the usual ones.
        skip: rows below the header to leave out; None to refuse what looks like header rows.
        decimal: the decimal mark; None to find it.

    Returns:
        The table, every cell text and its index each row's place in the file; what was noticed;
        the decimal mark; labels of columns from header rows that were left out.

    Raises:
        DataError: not text, empty, no rows, unusable column names, rows that do not line up,
            further header rows.
    """
    body, encoding = decoded(raw, where)
    findings: list[Finding] = []
    if encoding in {"cp1252", "latin-1"}:
        message = (
            f"{where}: is not UTF-8, so it was read as Latin-1 (Windows-1252); check names with "
            "accents, or save the file as UTF-8."
        )
        findings.append(Finding("note", message))
    layout = _layout(where, body, encoding)
    if layout.header_row > 1:
        message = (
            f"{where}: the header was found in row {layout.header_row}; remove the rows above it."
        )
        findings.append(Finding("note", message))
    columns, short = _plain(layout) or _quoted(layout)
    layout, columns, short, skipped = _below_headers(layout, columns, short, skip)
    columns, places, blank = without_blank_rows(layout, columns)
    findings.extend(blank)
    columns, noticed = without_unused(layout, columns)
    findings.extend(noticed)
    findings.extend(short_rows(layout, len(columns), short, places))
    names, columns, noticed = named(layout, columns)
    findings.extend(noticed)
    if missing:
        columns, declared = declared_missing(where, columns, missing)
        findings.extend(declared)
    if decimal is None:
        decimal, said = decimal_mark(layout, names, columns)
        findings.extend(said)
    table = pa.table(columns, names=list(names))
    frame = table.to_pandas(types_mapper={pa.large_string(): TEXT}.get, ignore_metadata=True)
    plain = len(places) == 0 or int(places[-1]) == len(places) - 1
    frame.index = pd.RangeIndex(len(places)) if plain else pd.Index(places)
    dropped = len(layout.header) > len(names) and composed(layout.header[0].strip()) != names[0]
    labels = wordings(names, [row[1:] if dropped else row for row in skipped])
    return frame, tuple(findings), decimal, labels


def _below_headers(
    layout: FileFormat, columns: list[pa.ChunkedArray], short: dict[int, int], skip: int | None
) -> tuple[FileFormat, list[pa.ChunkedArray], dict[int, int], list[Sequence[str]]]:
    """Leave out header rows below the header, as asked, or refuse what looks like them."""
    head = list(zip(*(c.slice(0, HEAD).to_pylist() for c in columns), strict=True))
    if skip is None:
        found = further_headers(layout.header, head)
        if found is not None:
            raise refused(layout.where, found, layout.header_row)
    if not skip:
        return layout, columns, short, []
    skipped: list[Sequence[str]] = [list(row) for row in head[:skip]]
    header = joined_names(layout.header, skipped[0]) if skipped else layout.header
    moved = replace(layout, header_row=layout.header_row + skip, header=header)
    left = {place - skip: width for place, width in short.items() if place >= skip}
    return moved, [c.slice(skip) for c in columns], left, skipped


def _layout(where: str, body: bytes, encoding: str) -> FileFormat:
    """Find the delimiter and the header."""
    sample = _open(body, encoding).read(_SAMPLE)
    if len(sample) == _SAMPLE and "\n" in sample:
        sample = sample[: sample.rfind("\n") + 1]
    delimiter, skipped = delimiter_of(sample)
    layout = FileFormat(where, body, encoding, delimiter, 0, ())
    records = list(islice(_records(layout), skipped, skipped + HEAD))
    place = header_place(records)
    if place >= 0:
        row = skipped + place + 1
        return FileFormat(where, body, encoding, delimiter, row, tuple(records[place]))
    for row, record in enumerate(_records(layout), start=1):
        if row > skipped and "".join(record).strip(" \t\ufeff"):
            return FileFormat(where, body, encoding, delimiter, row, tuple(record))
    msg = f"{where}: is empty; it needs a header line with column names, then one line a row"
    raise DataError(msg)


def _open(body: bytes, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(body), encoding=encoding, newline="")


def _records(layout: FileFormat) -> Iterator[list[str]]:
    """Yield the records of a file one by one, and say in which row a quote goes wrong."""
    row = 1
    stream = _open(layout.body, layout.encoding)
    try:
        for record in csv.reader(stream, delimiter=layout.delimiter, strict=True):
            yield record
            row += 1
    except csv.Error as problem:
        what = (
            f"holds a cell of more than {csv.field_size_limit()} characters, "
            "most likely because a quote is not closed"
            if "limit" in str(problem)
            else "has a quote that is not closed, or text after a closing quote"
        )
        msg = (
            f"{layout.where}: row {row} {what}; close every quote, and write a quote inside "
            'a quoted cell twice ("")'
        )
        raise DataError(msg) from None


def _plain(layout: FileFormat) -> tuple[list[pa.ChunkedArray], dict[int, int]] | None:
    """Read a file without quotes, every row of it as wide as the header, at full speed."""
    body = layout.body
    simple = layout.encoding == "utf-8" and b'"' not in body and len(layout.header) > 1
    if not simple or body.count(b"\r") != body.count(b"\r\n"):
        return None
    body = body.rstrip(b"\r\n")
    if body.count(b"\n") < layout.header_row:
        return None
    names = [str(place) for place in range(len(layout.header))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            arrow_csv.ReadOptions(column_names=names, skip_rows=layout.header_row),
            arrow_csv.ParseOptions(
                delimiter=layout.delimiter, quote_char=False, ignore_empty_lines=False
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException:
        return None
    return table.columns, {}


def _quoted(layout: FileFormat) -> tuple[list[pa.ChunkedArray], dict[int, int]]:
    """Read any file, record by record.

    Returns:
        One column of text per header cell, and the widths of rows with fewer cells, by place.

    Raises:
        DataError: rows with more cells than the header.
    """
    width = len(layout.header)
    chunks: list[list[pa.Array]] = [[] for _ in range(width)]
    short: dict[int, int] = {}
    long: list[int] = []
    one_more = True
    records = _records(layout)
    for _ in range(layout.header_row):
        next(records)
    first = 0
    while chunk := list(islice(records, _CHUNK)):
        if set(map(len, chunk)) != {width}:
            for place, record in enumerate(chunk, start=first):
                if len(record) > width and not "".join(record).strip():
                    del record[width:]
                elif len(record) > width:
                    long.append(place)
                    one_more = one_more and len(record) == width + 1
                elif len(record) < width:
                    if record:
                        short[place] = len(record)
                    record.extend([""] * (width - len(record)))
            if long:
                chunk = [record[:width] for record in chunk]
        for column, cells in zip(chunks, zip(*chunk, strict=True), strict=True):
            column.append(pa.array(cells, pa.large_string()))
        first += len(chunk)
    if long:
        raise _too_long(layout, long, whole=one_more and len(long) + len(short) == first)
    return [pa.chunked_array(column, pa.large_string()) for column in chunks], short


def _too_long(layout: FileFormat, long: list[int], *, whole: bool) -> DataError:
    """Say which rows are wider than the header."""
    rows = [place + layout.header_row + 1 for place in long]
    width = len(layout.header)
    fix = (
        "every row has one cell more than the header, so the header seems to lack a name "
        "(of the row names, perhaps); add it"
        if whole
        else f"put cells that contain a {DELIMITERS[layout.delimiter]} in quotes, "
        "or name the missing columns in the header"
    )
    has = "has" if len(rows) == 1 else "have"
    cells = "1 cell" if width == 1 else f"{width} cells"
    return DataError(
        f"{layout.where}: {rows_phrase(rows)} {has} more cells than the header ({cells}); {fix}"
    )
