"""Tables of statistical packages and spreadsheets: `.sav`, `.dta`, `.xlsx`.

Codes stay numbers, as they are stored; the labels of columns and values come with them. What a file
declares missing is missing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from acmodels.data.spreadsheet import read_excel
from acmodels.data.table import Finding, Labels, checked_names, shown
from acmodels.errors import DataError, listing

NO_LABELS = Labels({}, {}, {})


def read_labelled(
    place: Path, where: str, sheet: str | None = None, skip: int | None = None
) -> tuple[pd.DataFrame, tuple[Finding, ...], Labels]:
    """Read a `.sav`, `.dta` or `.xlsx` file.

    Args:
        place: the file.
        where: what messages call it.
        sheet: of a workbook, the first if None.
        skip: rows below the header of a workbook to leave out.

    Raises:
        DataError: it is not what its suffix says, or holds no proper table.
    """
    suffix = place.suffix.lower()
    if suffix == ".xlsx":
        frame, findings, said = read_excel(place, where, sheet, skip)
        return frame, findings, Labels(said, {}, {}) if said else NO_LABELS
    frame, findings, labels = _statistical(place, where, suffix)
    names, noticed = checked_names(list(frame.columns), where)
    if not len(frame) or not names:
        raise DataError(f"{where}: has no rows or no columns; export it again, with its data")
    clean = dict(zip(frame.columns, names, strict=True))
    frame.columns = pd.Index(names)

    def keyed[T](part: Mapping[str, T]) -> dict[str, T]:
        return {clean.get(c, c): of for c, of in part.items()}

    labels = Labels(
        keyed(labels.columns), keyed(labels.values), keyed(labels.missing), keyed(labels.held)
    )
    return frame.reset_index(drop=True), (*findings, *noticed), labels


def _statistical(
    place: Path, where: str, suffix: str
) -> tuple[pd.DataFrame, tuple[Finding, ...], Labels]:
    import pyreadstat

    read = pyreadstat.read_sav if suffix == ".sav" else pyreadstat.read_dta
    try:
        frame = cast(pd.DataFrame, read(str(place), user_missing=False)[0])
        found, meta = read(str(place), user_missing=True)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, OSError) as error:
        what = "an SPSS" if suffix == ".sav" else "a Stata"
        raise DataError(
            f"{where}: cannot be read as {what} file ({shown(str(error), 120)}); save it again as "
            f"{suffix}, or export it as .csv"
        ) from None
    whole = cast(pd.DataFrame, found)
    columns = {c: str(v) for c, v in meta.column_names_to_labels.items() if v}
    values = {c: dict(v) for c, v in meta.variable_value_labels.items() if v}
    ranges = getattr(meta, "missing_ranges", None) or {}
    missing = {c: tuple((r["lo"], r["hi"]) for r in of) for c, of in ranges.items() if of}
    findings: list[Finding] = []
    held: dict[str, Mapping[int, Any]] = {}
    for c in frame.columns:
        gone = frame[c].isna() & whole[c].notna()
        lost = int(np.sum(gone.to_numpy()))
        if lost:
            codes = whole[c].to_numpy()
            held[c] = {int(k): _plain(codes[k]) for k in np.flatnonzero(gone.to_numpy())}
            counts = whole.loc[gone, c].value_counts()
            said = [f"{_code(v, values.get(c, {}))} ({n})" for v, n in counts.items()]
            findings.append(
                Finding(
                    "note",
                    f"{where}: '{shown(c)}': {lost} cells hold codes that the file "
                    f"declares missing and are missing: {listing(said)}",
                    c,
                )
            )
    # what pyreadstat makes of an empty text cell is a cell without a value
    text = [c for c in frame.columns if frame[c].dtype == object]
    for c in text:
        frame[c] = frame[c].where(frame[c] != "", None)
    return frame, tuple(findings), Labels(columns, values, missing, held)


def _plain(value: Any) -> Any:
    """A code as Python has it."""
    return value.item() if isinstance(value, np.generic) else value


def _code(value: Any, labels: Mapping[Any, str]) -> str:
    said = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{said} “{shown(labels[value])}”" if value in labels else said
