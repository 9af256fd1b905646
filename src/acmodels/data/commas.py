"""Columns of text whose numbers have a decimal comma, in a table that has none otherwise."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from acmodels.data.cells import has_decimal_comma
from acmodels.data.columns import kind, numeric
from acmodels.data.table import Finding, Study, shown
from acmodels.errors import DataError, listing

if TYPE_CHECKING:
    import numpy as np


def comma_columns(frame: pd.DataFrame) -> frozenset[str]:
    """Find the columns of text that are numbers with a decimal comma and can be nothing else."""
    found: list[str] = []
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
        if has_decimal_comma(whole):
            found.append(str(name))
    return frozenset(found)


def said_commas(name: str, frame: pd.DataFrame, commas: frozenset[str]) -> list[Finding]:
    """Say in one line which columns were read with a decimal comma."""
    if not commas:
        return []
    used = [str(c) for c in frame.columns if c in commas]
    sample = next(str(v).strip() for v in frame[used[0]] if isinstance(v, str) and "," in v)
    said = (
        f"{name}: numbers were read with a decimal comma in {listing([shown(c) for c in used])}, "
        f"where no value can have it as a thousands separator, so {shown(sample)} is "
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
