"""Columns of text whose numbers are written otherwise than in the rest of the table.

Decimal commas, thousands separators and currency are read where they can be read in one way only.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from acmodels.data.cells import as_declared, coded, has_decimal_comma, pc, trimmed
from acmodels.data.columns import kind, numeric
from acmodels.data.table import Finding, Study, shown
from acmodels.errors import DataError, listing
from acmodels.numbers import stated


def comma_columns(frame: pd.DataFrame) -> frozenset[str]:
    """Find the columns of text that are numbers with a decimal comma and can be nothing else."""
    return frozenset(name for name, cells in _texts(frame) if has_decimal_comma(cells))


def _texts(frame: pd.DataFrame) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield the columns of text."""
    for name in frame.columns:
        series = frame[name]
        if isinstance(series.dtype, pd.StringDtype):
            cells = pa.array(series, from_pandas=True)
        elif series.dtype == object and all(isinstance(v, str) or v is None for v in series):
            try:
                cells = pa.array(list(series), pa.large_string())
            except UnicodeEncodeError:  # half of a surrogate pair, refused when it is asked for
                continue
        else:
            continue
        whole = cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([cells])
        yield str(name), whole


_CLEAR = {
    ".": re.compile(r"[^0-9.]*[0-9]{1,3}(?:(?:,[0-9]{3})+\.[0-9]*|(?:,[0-9]{3}){2,})[^0-9.,]*"),
    ",": re.compile(r"[^0-9,]*[0-9]{1,3}(?:(?:\.[0-9]{3})+,[0-9]*|(?:\.[0-9]{3}){2,})[^0-9.,]*"),
}
"""Numbers whose marks say which is the decimal mark: `1,234.50`, `1,234,567`."""


def written_out(frame: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Read columns of numbers with thousands separators that can be read in one way only.

    Every cell must be a number with the one decimal mark, and some cell must say which that is.
    Columns with a percent sign are left: whether 78% is 78 or 0.78 is for a person to say.

    Args:
        frame: as read.
        where: what messages call it.

    Returns:
        The table, those columns as numbers, and one line about them.
    """
    made: dict[str, np.ndarray] = {}
    said: list[str] = []
    for name, cells in _texts(frame):
        bare, missing = trimmed(cells)
        words, codes = coded(pc.if_else(missing, None, bare))
        if not any("," in w or "." in w for w in words) or any("%" in w for w in words):
            continue
        marks = [mark for mark, form in _CLEAR.items() if any(form.fullmatch(w) for w in words)]
        if len(marks) != 1:
            continue
        numbers = as_declared(words, marks[0])
        if np.isnan(numbers).any():
            continue
        made[name] = np.append(numbers, np.nan)[codes]
        k = next(k for k, w in enumerate(words) if _CLEAR[marks[0]].fullmatch(w))
        said.append(f"{shown(name)} (“{shown(words[k])}” is {stated(numbers[k])})")
    if not made:
        return frame, []
    message = f"{where}: numbers with thousands separators or currency were read: {listing(said)}."
    one = next(iter(made)) if len(made) == 1 else None
    return frame.assign(**made), [Finding("note", message, one)]


def said_commas(name: str, frame: pd.DataFrame, commas: frozenset[str]) -> list[Finding]:
    """Say in one line which columns were read with a decimal comma."""
    if not commas:
        return []
    used = [str(c) for c in frame.columns if c in commas]
    sample = next(str(v).strip() for v in frame[used[0]] if isinstance(v, str) and "," in v)
    said = (
        f"{name}: numbers were read with a decimal comma in {listing([shown(c) for c in used])}, "
        f"since no comma there can mark thousands: {shown(sample)} is "
        f"{sample.replace(',', '.')}."
    )
    return [Finding("note", said, used[0] if len(used) == 1 else None)]


def plain_decimals(study: Study) -> Study:
    """Return a table whose numbers with a decimal comma are numbers, so that it can be joined."""
    marked = study.names if study.decimal == "," else tuple(study.commas)
    made: dict[str, np.ndarray] = {}
    for name in marked:
        series = study.frame[name]
        if not any(isinstance(v, str) and "," in v for v in series):
            continue
        try:
            if kind(study, name) == "number":
                made[name] = numeric(study, name)
        except DataError:
            continue  # what is wrong with it is said when it is asked for
    if not made:
        return study
    return replace(study, frame=study.frame.assign(**made), commas=study.commas - set(made))
