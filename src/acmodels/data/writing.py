"""Studies to folders: CSV, Parquet or `.sav` tables, their `datapackage.json`, and a codebook."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from acmodels.data.columns import kind, labels, numeric
from acmodels.data.files import PACKAGE
from acmodels.data.labelled import NO_LABELS
from acmodels.data.package_rules import UNITS
from acmodels.data.schemas import ESCAPED, RUNS, described, plain
from acmodels.data.table import Study, shown
from acmodels.errors import DataError, InputError, did_you_mean, listing
from acmodels.folder import unwritable, write_json
from acmodels.numbers import number

FORMATS = ("csv", "parquet", "sav")

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?\s*\Z")
_SAV_NAME = re.compile(r"[A-Za-z@][A-Za-z0-9@._$#]{0,63}\Z")


def export(
    study: Study, folder: str | Path, form: str = "csv", about: Mapping[str, Any] | None = None
) -> None:
    """Write a study's tables, `datapackage.json` and `codebook.md`.

    What is read back holds the same values, labels, and missing codes. Cells of text in CSV files
    that a spreadsheet would run as a formula get an apostrophe, which reading takes away again.

    Args:
        study: one table, or several.
        folder: where to; made if it is not there.
        form: the format, `csv`, `parquet` or `sav`.
        about: further properties of the package, such as its title.

    Raises:
        InputError: an unknown format, or a folder that cannot be written.
        DataError: names or values that the format cannot hold.
    """
    if form not in FORMATS:
        near = did_you_mean(form, FORMATS)
        raise InputError(f"no format '{shown(form)}'{near} (formats: {listing(FORMATS)})")
    tables = dict(study.tables) or {"data": study}
    folder = Path(folder)
    if form == "sav":
        _check_names(tables)
    write = {"csv": _csv, "parquet": _parquet, "sav": _sav}[form]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        resources = [_resource(n, t, tables, folder, form, write) for n, t in tables.items()]
        package: dict[str, Any] = {"name": _slug(study), **(about or {}), "resources": resources}
        write_json(folder / PACKAGE, package)
        (folder / "codebook.md").write_text(codebook(study), encoding="utf-8")
    except OSError as error:
        raise unwritable(folder, error) from None


def _slug(study: Study) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", study.name.partition("/")[0].lower()).strip("-")
    return words or "study"


def _resource(
    name: str,
    table: Study,
    tables: Mapping[str, Study],
    folder: Path,
    form: str,
    write: Callable[[Study, Path], bool],
) -> dict[str, Any]:
    path = f"{name}.{form}"
    escaped = write(table, folder / path)
    said = table.labels or NO_LABELS
    schema: dict[str, Any] = {
        "fields": [{"name": c, "type": _type(table, c), **described(said, c)} for c in table.names]
    }
    own = UNITS.get(name)
    if own in table.names:
        schema["primaryKey"] = [own]
    homes = {k: n for n, k in UNITS.items() if n in tables and n != name}
    links = [
        {"fields": [c], "reference": {"resource": homes[c], "fields": [c]}}
        for c in table.names
        if c in homes
    ]
    if links:
        schema["foreignKeys"] = links
    out: dict[str, Any] = {"name": name.replace("_", "-"), "path": path, "format": form}
    if escaped:
        out[ESCAPED] = "'"
    return {**out, "schema": schema}


def _type(table: Study, column: str) -> str:
    if column.endswith("_id"):
        return "string"
    try:
        what = kind(table, column)
    except DataError:
        return "any"
    return {"number": "number", "boolean": "boolean"}.get(what, "string")


def _restored(table: Study) -> pd.DataFrame:
    """A table with the codes of its missing cells back in place."""
    frame = table.frame.copy()
    for column, codes in (table.labels or NO_LABELS).held.items():
        if column not in frame.columns:
            continue
        values = frame[column].astype(object).to_numpy(copy=True)
        for row, code in codes.items():
            values[row] = plain(code)
        # text stays text, and a column of numbers is one again
        held = [v for v in values if v is not None and v == v]  # noqa: PLR0124
        text = any(isinstance(v, str) for v in held)
        frame[column] = [str(v) if text and v is not None else v for v in values]
    return frame


def _csv(table: Study, path: Path) -> bool:
    import pyarrow as pa
    from pyarrow import csv

    frame = _restored(table)
    escaped = False
    for c in frame.columns:
        column = frame[c]
        if isinstance(column.dtype, pd.CategoricalDtype):
            words = [_safe(str(w)) for w in column.cat.categories]
            escaped |= words != [str(w) for w in column.cat.categories]
            frame[c] = column.cat.rename_categories(words)
        elif column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            text = column.astype(object)
            made = text.map(lambda v: _safe(v) if isinstance(v, str) else v)
            escaped |= bool((made.dropna() != text.dropna()).any())
            frame[c] = made
    columns = [_cells(frame[c]) for c in frame.columns]
    arrow = pa.table(columns, names=[str(c) for c in frame.columns])
    csv.write_csv(arrow, path, csv.WriteOptions(quoting_style="needed"))
    return escaped


def _cells(column: Any) -> Any:
    """A column as CSV cells: numbers as short as they can be and read back the same."""
    import pyarrow as pa

    if isinstance(column.dtype, pd.CategoricalDtype):
        words = pa.array([str(w) for w in column.cat.categories], pa.large_string())
        codes = column.cat.codes.to_numpy()
        return words.take(pa.array(codes, mask=codes < 0))
    if column.dtype.kind == "f":
        values = column.to_numpy(np.float64)
        distinct, place = np.unique(values, return_inverse=True)
        words = pa.array([_short(v) for v in distinct], pa.large_string())
        return words.take(pa.array(place))
    if column.dtype.kind == "b":
        return pa.array([str(bool(v)) for v in column])
    try:
        made = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        made = pa.array([None if pd.isna(v) else str(v) for v in column])
    return made


def _short(value: float) -> str | None:
    if np.isnan(value):
        return None
    return (
        str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
    )


def _safe(cell: str) -> str:
    return f"'{cell}" if RUNS.match(cell) and not _NUMBER.match(cell) else cell


def _parquet(table: Study, path: Path) -> bool:
    frame = _restored(table)
    for c in frame.columns:
        if isinstance(frame[c].dtype, pd.CategoricalDtype):
            frame[c] = frame[c].astype(object)
    frame.reset_index(drop=True).to_parquet(path, index=False)
    return False


def _check_names(tables: Mapping[str, Study]) -> None:
    wrong = [
        f"{t.name}: '{shown(c)}' is no name of a variable in SPSS (letters, digits, . _ $ # @, a "
        "letter first, at most 64); rename it, or export as csv or parquet"
        for t in tables.values()
        for c in t.names
        if not _SAV_NAME.match(c)
    ]
    if wrong:
        raise DataError(wrong)


def _sav(table: Study, path: Path) -> bool:
    import pyreadstat

    said = table.labels or NO_LABELS
    frame: Any = _restored(table)
    for c in frame.columns:
        column = frame[c]
        if column.dtype.kind in "iufb" and not isinstance(column.dtype, pd.CategoricalDtype):
            frame[c] = column.to_numpy(np.float64, na_value=np.nan)
        elif c in said.held or c in said.values or (
            not c.endswith("_id") and _numbers_only(table, c)
        ):  # fmt: skip
            number: Any = pd.to_numeric(column, errors="coerce")
            frame[c] = number.astype(np.float64)
        else:
            text = [None if v is None else v for v in labels(table, c)]
            frame[c] = pd.Series(["" if v is None else v for v in text], dtype=object)
    numbers = [c for c in frame.columns if frame[c].dtype.kind == "f"]
    pyreadstat.write_sav(
        frame.reset_index(drop=True),
        str(path),
        column_labels={c: said.columns.get(c, "") for c in frame.columns},
        variable_value_labels={
            c: {float(k): w for k, w in said.values[c].items()}
            for c in numbers
            if said.values.get(c)
        },
        missing_ranges={
            c: [{"lo": low, "hi": high} for low, high in said.missing[c]]
            for c in numbers
            if said.missing.get(c)
        },
    )
    return False


def _numbers_only(table: Study, column: str) -> bool:
    try:
        return kind(table, column) in ("number", "boolean")
    except DataError:
        return False


def codebook(study: Study) -> str:
    """A codebook in Markdown: every table and column, its label, codes, range and gaps.

    No cell of a person enters it: numbers are given by their range, text by its distinct values
    where there are at most twelve and the column is no id.
    """
    tables = dict(study.tables) or {"data": study}
    out = [f"# Codebook: {_cell(study.name.partition('/')[0])}", ""]
    for name, table in tables.items():
        said = table.labels or NO_LABELS
        out += [f"## {_cell(name)}", "", f"{table.n_rows} rows.", ""]
        out += ["| column | label | holds | values | missing |", "| --- | --- | --- | --- | --- |"]
        for c in table.names:
            holds, values, gone = _held(table, c)
            words = said.values.get(c)
            if words:
                values = "; ".join(f"{_code(k)} {w}" for k, w in words.items())
            codes = said.missing.get(c)
            lost = str(gone)
            if codes:
                named = ", ".join(
                    _code(a) if a == b else f"{_code(a)} to {_code(b)}" for a, b in codes
                )
                lost += f" (codes {named})"
            cells = (c, said.columns.get(c, ""), holds, values, lost)
            out.append(f"| {' | '.join(_cell(x) for x in cells)} |")
        out.append("")
    return "\n".join(out)


def _held(table: Study, column: str) -> tuple[str, str, int]:
    try:
        what = kind(table, column)
        found = labels(table, column)
    except DataError:
        return "mixed", "", 0
    gone = sum(v is None for v in found)
    if column.endswith("_id"):
        return "id", f"{len({v for v in found if v is not None})} distinct", gone
    if what == "number":
        values = numeric(table, column)
        values = values[np.isfinite(values)]
        return (
            what,
            f"{number(values.min(), 4)} to {number(values.max(), 4)}" if len(values) else "",
            gone,
        )
    distinct = sorted({v for v in found if v is not None})
    few = ", ".join(distinct) if len(distinct) <= 12 else f"{len(distinct)} distinct"
    return what, few, gone


def _code(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    """Text made safe for a cell of a Markdown table."""
    return shown(text, 200).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
