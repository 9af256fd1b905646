"""One column of a study, as numbers or as labels: never guessed, never half read."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from acmodels.data.cells import MISSING, Parsed, coded, is_nearly_number, parse, pc
from acmodels.data.dates import orders
from acmodels.data.mapping import toml_key, toml_text
from acmodels.data.table import Study, column_of, row_names, rows_phrase, shown
from acmodels.errors import DataError, listing

Kind = Literal["number", "boolean", "date", "text", "empty"]

_MEMO: WeakKeyDictionary[Study, dict[tuple[str, str], Any]] = WeakKeyDictionary()
_UNREADABLE = (pa.ArrowException, OverflowError, TypeError, ValueError)


def kind(study: Study, column: str) -> Kind:
    """Say what a column holds.

    Text that is all numbers is a number, whatever file it came from; text that is all
    True/TRUE/true or False/FALSE/false is boolean. A pandas categorical is text. A column most of
    whose cells are dates, as dates or as text, is a date.

    Args:
        study: the study.
        column: its name.

    Returns:
        `number`, `boolean`, `date`, `text`, or `empty` where every cell is missing.

    Raises:
        DataError: no such column; a mostly numeric column with strays (named with their rows);
            values that are none of these, such as lists.

    >>> kind(Study("data", pd.DataFrame({"sector": ["Public", "Catholic"]})), "sector")
    'text'
    """
    parsed = _parsed(study, column)
    if parsed.kind == "mixed":
        raise _strays(study, column, parsed)
    return parsed.kind


def holds_dates(study: Study, column: str) -> bool:
    """Say whether most cells of a column are dates, as dates or as text."""
    return _parsed(study, column).kind == "date"


def numeric(study: Study, column: str, *, factor: bool = True) -> NDArray[np.float64]:
    """Read a column as numbers; truth values become 1 and 0.

    Args:
        study: the study.
        column: its name.
        factor: whether a message may advise factor(), which only a predictor can be.

    Returns:
        A new array of shape (rows,), NaN where missing.

    Raises:
        DataError: no such column, text, dates, strays among the numbers, or infinite values.

    >>> numeric(Study("data", pd.DataFrame({"x": ["1.5", "NA", "2"]})), "x")
    array([1.5, nan, 2. ])
    """
    parsed = _parsed(study, column)
    if parsed.kind == "mixed":
        raise _strays(study, column, parsed, factor=factor)
    if parsed.kind in ("text", "date"):
        raise _not_numbers(study, column, parsed, factor=factor)
    infinite = np.flatnonzero(np.isinf(parsed.numbers))
    if len(infinite):
        msg = (
            f"{study.name}: column '{shown(column)}' holds infinite values "
            f"({rows_phrase(row_names(study, infinite))}); "
            "correct these cells or leave them empty"
        )
        raise DataError(msg)
    return parsed.numbers.copy()


def truth_values(study: Study, column: str) -> NDArray[np.float64]:
    """Read a column of truth values, or of 0 and 1.

    Args:
        study: the study.
        column: its name.

    Returns:
        A new array of shape (rows,): 1.0, 0.0, or NaN where missing.

    Raises:
        DataError: as `numeric`, or a number other than 0 and 1.

    >>> truth_values(Study("data", pd.DataFrame({"passed": ["TRUE", "", "FALSE"]})), "passed")
    array([ 1., nan,  0.])
    """
    values = numeric(study, column)
    wrong = np.flatnonzero(~np.isnan(values) & (values != 0) & (values != 1))
    if len(wrong):
        distinct = np.unique(values[~np.isnan(values)])
        held = listing([f"{value:g}" for value in distinct])
        recode = (
            f"recode {distinct[0]:g} as 0 and {distinct[1]:g} as 1"
            if len(distinct) == 2
            else "recode it as 0 and 1"
        )
        msg = (
            f"{study.name}: column '{shown(column)}' must hold 0 and 1 (or True and False), "
            f"but holds {held} ({rows_phrase(row_names(study, wrong))}); {recode}"
        )
        raise DataError(msg)
    return values


def labels(study: Study, column: str) -> NDArray[np.object_]:
    """Read a column as labels: ids, groupings, factors.

    Text is kept exactly as written (`001` stays `001`), whole numbers are written as `1`, other
    numbers as Python writes them, truth values as `True` and `False`, dates as ISO text,
    categoricals as their labels.

    Args:
        study: the study.
        column: its name.

    Returns:
        A new object array of shape (rows,) of str, None where missing.

    Raises:
        DataError: no such column, or values that have no label, such as lists.

    >>> labels(Study("data", pd.DataFrame({"id": ["001", "NA", "2"]})), "id")
    array(['001', None, '2'], dtype=object)
    """
    return _remembered(study, "labels", column, _read_labels).copy()


def _remembered[T](study: Study, verb: str, column: str, read: Callable[[Study, str], T]) -> T:
    memo = _MEMO.setdefault(study, {})
    if (verb, column) not in memo:
        memo[verb, column] = read(study, column)
    return memo[verb, column]


def _parsed(study: Study, column: str) -> Parsed:
    return _remembered(study, "parsed", column, _parse)


def _parse(study: Study, column: str) -> Parsed:
    cells, categorical = _arrow(study, column)
    held, n = cells.type, len(cells)
    if not categorical and _is_text(held):
        return parse(cells, "," if column in study.commas else study.decimal)
    nothing = np.zeros(0, np.intp)
    if pa.types.is_null(held) or cells.null_count == n:
        return Parsed("empty", np.full(n, np.nan), nothing)
    if categorical:
        empty = all(label is None for label in labels(study, column))
        what = "empty" if empty else "text"
        return Parsed(what, np.full(n, np.nan), nothing, "categories")
    if _is_date(held):
        holds = "times of day" if pa.types.is_time(held) else "dates"
        return Parsed("date", np.full(n, np.nan), nothing, holds)
    values: NDArray[np.float64] = np.array(
        pc.cast(cells, pa.float64(), safe=False).to_numpy(), dtype=np.float64
    )
    what = "boolean" if pa.types.is_boolean(held) else "number"
    return Parsed("empty" if np.isnan(values).all() else what, values, nothing)


def label_codes(study: Study, column: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Read a column as labels, each distinct one once.

    Args:
        study: the study.
        column: its name.

    Returns:
        For each row the place of its label, -1 where missing, and the labels; see `labels`.

    Raises:
        DataError: as `labels`.

    >>> label_codes(Study("data", pd.DataFrame({"id": ["b", "NA", "a", "b"]})), "id")
    (array([ 0, -1,  1,  0]), ('b', 'a'))
    """
    return _remembered(study, "codes", column, _read_codes)


def _read_labels(study: Study, column: str) -> NDArray[np.object_]:
    codes, texts = label_codes(study, column)
    table = np.empty(len(texts) + 1, dtype=object)  # the last one, -1, is null
    table[:-1] = texts
    table[-1] = None
    return table[codes]


def _read_codes(study: Study, column: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    cells, _ = _arrow(study, column)
    if pa.types.is_float16(cells.type):
        cells = cells.cast(pa.float32())
    try:
        values, codes = coded(cells)
        if pa.types.is_float32(cells.type):
            values = [None if v is None else float(str(np.float32(v))) for v in values]
        texts = _iso(values) if _is_date(cells.type) else [_label(value) for value in values]
    except _UNREADABLE as problem:
        raise _unusable(study, column, str(cells.type)) from problem
    # words that are missing go, and two values written alike are one label
    place: dict[str, int] = {}
    to = np.full(len(texts) + 1, -1, dtype=np.intp)
    for k, text in enumerate(texts):
        if text is not None and text.strip() not in MISSING:
            to[k] = place.setdefault(text, len(place))
    return to[codes], tuple(place)


def _arrow(study: Study, column: str) -> tuple[pa.ChunkedArray, bool]:
    """Return a column as Arrow text, numbers, truth values or dates; was it categorical?"""
    series = column_of(study, column)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return _categories(study, column, series), True
    if isinstance(series.dtype, pd.SparseDtype):
        series = pd.Series(np.asarray(series), index=series.index)
    try:
        made = pa.array(series, from_pandas=True)
    except _UNREADABLE:
        if series.dtype != object:
            raise _unusable(study, column, str(series.dtype)) from None
        made = _mixture(study, column, series)
    cells = made if isinstance(made, pa.ChunkedArray) else pa.chunked_array([made])
    categorical = pa.types.is_dictionary(cells.type)
    if categorical:
        cells = cells.cast(cells.type.value_type)
    usable = (
        _is_text(cells.type)
        or _is_date(cells.type)
        or pa.types.is_null(cells.type)
        or pa.types.is_boolean(cells.type)
        or pa.types.is_integer(cells.type)
        or pa.types.is_floating(cells.type)
        or pa.types.is_decimal(cells.type)
    )
    if not usable:
        raise _unusable(study, column, str(cells.type))
    if pa.types.is_string_view(cells.type):
        cells = cells.cast(pa.large_string())
    return cells, categorical


def _categories(study: Study, column: str, series: pd.Series) -> pa.ChunkedArray:
    """Return the labels of a pandas categorical as text; intervals (`pd.cut`) as written."""
    written: list[str | None] = []
    for category in series.cat.categories:
        try:
            made = str(category) if isinstance(category, pd.Interval) else _label(category)
        except TypeError:
            raise _unusable(study, column, type(category).__name__) from None
        written.append(made)
    codes = series.cat.codes.to_numpy()
    texts = pa.array(written, pa.large_string())
    return pa.chunked_array([texts.take(pa.array(codes, mask=codes < 0))])


def _mixture(study: Study, column: str, series: pd.Series) -> pa.Array:
    """Return an object column of several types as text."""
    texts: list[str | None] = []
    for position, value in enumerate(series):
        try:
            texts.append(_label(value))
        except TypeError:
            rows = rows_phrase(row_names(study, [position]))
            raise _unusable(study, column, f"{type(value).__name__} ({rows})") from None
    try:
        return pa.array(texts, pa.large_string())
    except _UNREADABLE:  # half of a surrogate pair
        raise _unusable(study, column, "broken Unicode text") from None


def _label(value: object) -> str | None:
    """Write one value as a label; TypeError for what has none."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Decimal):
        return str(int(value)) if value.is_finite() and value == int(value) else str(value)
    if isinstance(value, Real):
        number = float(str(value)) if isinstance(value, np.floating) else float(value)
        if np.isnan(number):
            return None
        return str(int(number)) if number.is_integer() else repr(number)
    if isinstance(value, dt.date | dt.time):
        return _iso([value])[0]
    msg = f"no label for {type(value).__name__}"
    raise TypeError(msg)


def _iso(values: list[Any]) -> list[str | None]:
    """Write dates as ISO text, without the time of day where that is midnight in all of them."""
    moments = [value for value in values if isinstance(value, dt.datetime)]
    midnight = all(m.tzinfo is None and m.time() == dt.time() for m in moments)
    return [
        None
        if value is None
        else value.date().isoformat()
        if midnight and isinstance(value, dt.datetime)
        else value.isoformat()
        for value in values
    ]


def _is_text(held: pa.DataType) -> bool:
    return (
        pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held)
    )


def _is_date(held: pa.DataType) -> bool:
    return pa.types.is_timestamp(held) or pa.types.is_date(held) or pa.types.is_time(held)


def _unusable(study: Study, column: str, holds: str) -> DataError:
    return DataError(
        f"{study.name}: column '{shown(column)}' holds values of type {shown(holds, 80)}, which "
        "no model can use; turn it into numbers or text, or leave it out"
    )


def _strays(study: Study, column: str, parsed: Parsed, *, factor: bool = True) -> DataError:
    """Say which cells of a mostly numeric column are no numbers, and where."""
    texts = labels(study, column)
    where: dict[str, list[int]] = {}
    for position in parsed.strays.tolist():
        where.setdefault(str(texts[position]).strip(), []).append(position)
    named = [
        f"'{shown(word)}' ({rows_phrase(row_names(study, positions), 4)})"
        for word, positions in where.items()
    ]
    comma = study.decimal == "," or column in study.commas
    said = f"{study.name}: column '{shown(column)}' is mostly numbers but holds {listing(named)}; "
    if all(is_nearly_number(word) for word in where):
        marks = any(set(word) & set(",.") for word in where)
        mark = "comma" if comma else "point"
        return DataError(
            f"{said}write numbers with a decimal {mark} and no thousands separator, percent sign "
            f"or currency; or, to have them read as they are ('78%' as 78, '$1,200' as 1200), "
            + advice(column, f'decimal = "{"," if comma else "."}"')
            + (
                ', or decimal = "," where the comma is a decimal comma'
                if marks and not comma
                else ""
            )
        )
    separators = any(any(c.isdigit() for c in word) and set(word) & set(",.") for word in where)
    hint = (
        f"write numbers with a decimal {'comma' if comma else 'point'} and no thousands "
        "separator, " if separators else ""
    )  # fmt: skip
    return DataError(
        f"{said}{hint}correct these cells{',' if factor else ' or'} leave them empty where the "
        f"value is missing"
        f"{f', or write factor({shown(column)}) if they are categories' if factor else ''}"
    )


def advice(column: str, setting: str) -> str:
    """Write the line of a file for `--columns` that gives a column a setting."""
    line = f"{toml_key(column)} = {{ column = {toml_text(column)}, {setting} }}"
    return f"write the line  {line}  in a text file columns.toml and add --columns columns.toml"


def date_advice(study: Study, column: str) -> str:
    """Say how a column of dates becomes a number of days or years."""
    words = [text.strip() for text in labels(study, column) if text is not None]
    found = orders(list(dict.fromkeys(words)))
    order = ', order = "mdy"' if len(found) != 1 else ""
    which = ' (or "dmy": day or month first is not clear here)' if order else ""
    return (
        "to use it as a number of years (or days, weeks, months) since the first date, "
        + advice(column, f'date = "years"{order}')
        + which
    )


def _not_numbers(study: Study, column: str, parsed: Parsed, *, factor: bool) -> DataError:
    """Say that a column of text stands where numbers are needed."""
    distinct = sorted({text for text in labels(study, column) if text is not None})
    some = listing([shown(text) for text in distinct], 4)
    if parsed.kind == "date":
        fix = "turn it into numbers"
        if parsed.holds == "dates":
            fix = date_advice(study, column)
        return DataError(
            f"{study.name}: column '{shown(column)}' holds {parsed.holds} ({some}) where numbers "
            f"are needed; {fix}"
        )
    fix = {
        "categories": f"turn it into a number column, or write factor({shown(column)}) to use "
        "the categories",
    }.get(parsed.holds, f"recode it as numbers, or write factor({shown(column)}) to use the labels")
    if not factor:
        fix = "recode it as numbers"
        if len(distinct) == 2:
            fix += f", for example {shown(distinct[0])} to 0 and {shown(distinct[1])} to 1"
    return DataError(
        f"{study.name}: column '{shown(column)}' holds {parsed.holds} ({some}) "
        f"where numbers are needed; {fix}"
    )
