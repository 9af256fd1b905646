"""A study from whatever a person holds: a DataFrame, a path, or a study."""

import os

import numpy as np
import pandas as pd

from acmodels.data.applied import mapped
from acmodels.data.commas import comma_columns, said_commas, written_out
from acmodels.data.files import read_study
from acmodels.data.mapping import Source, digest_of, missing_columns, read_mapping
from acmodels.data.table import Finding, Study, checked_names, shown
from acmodels.errors import DataError, listing


def study(
    frame: pd.DataFrame | Study | str | os.PathLike[str],
    name: str = "data",
    columns: Source | None = None,
) -> Study:
    """Make a study.

    Args:
        frame: a DataFrame, shape (rows, columns), which is copied (a named index becomes
            columns, an unnamed one is left out); a path to read; or a study, returned as it is.
        name: what messages call a DataFrame.
        columns: what the columns are called and how they are read, as for `read_study`.

    Returns:
        The study.

    Raises:
        DataError: no rows or columns, unusable column names, or no table at all; for a path,
            as `read_study`.

    >>> study(pd.DataFrame({"x": [1.0, 2.0]})).names
    ('x',)
    """
    if isinstance(frame, Study):
        return frame
    if isinstance(frame, str | os.PathLike):
        return read_study(frame, columns)
    if not isinstance(frame, pd.DataFrame):  # pyright: ignore[reportUnnecessaryIsInstance]
        msg = (
            f"{name}: must be a pandas DataFrame, a path or a study, not "
            f"{type(frame).__name__}; turn it into a DataFrame"
        )
        raise DataError(msg)
    if isinstance(frame.columns, pd.MultiIndex):
        msg = f"{name}: column names must be text, not several levels; flatten the columns"
        raise DataError(msg)
    table, noticed = _without_index(frame, name)
    names, findings = checked_names(list(table.columns), name)
    if not len(table) or not names:
        msg = f"{name}: has no rows or no columns; pass a DataFrame that holds data"
        raise DataError(msg)
    table.columns = pd.Index(names)
    m = read_mapping(columns)
    said: list[Finding] = []
    if m.top.decimal is None:
        table, said = written_out(table, name)
    commas = comma_columns(table) if m.top.decimal is None else frozenset[str]()
    found = (*noticed, *findings, *said, *said_commas(name, table, commas))
    made = Study(name, table, found, sha256=digest_of(m), commas=commas)
    wrong = missing_columns(m, [made], name)
    if wrong:
        raise DataError(wrong)
    return mapped(made, m)


def _without_index(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Copy a frame with the named levels of its index as columns and the others left out."""
    table = frame.copy(deep=True).reset_index(drop=True)
    table.attrs = {}
    levels = [
        (level, frame.index.get_level_values(place))
        for place, level in enumerate(frame.index.names)
    ]
    named = [(level, values) for level, values in levels if level is not None]
    twice = [shown(str(level)) for level, _ in named if level in frame.columns]
    if twice:
        msg = (
            f"{name}: {listing(twice)} is the name of both an index and a column; "
            "call reset_index(drop=True) or rename one"
        )
        raise DataError(msg)
    if named:
        front = [pd.Series(values, name=level).reset_index(drop=True) for level, values in named]
        table = pd.concat([*front, table], axis=1)
    dropped = [
        values for level, values in levels if level is None and values.dtype.kind not in "iu"
    ]
    if not dropped or not np.size(dropped[0]):
        return table, ()
    message = (
        f"{name}: the index has no name and was left out; "
        "call reset_index() first to keep it as a column."
    )
    return table, (Finding("note", message),)
