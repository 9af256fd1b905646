"""What the text of a column means: missing, number, truth value or label.

Every column of text is read the same way, whether it came from a CSV file, a Parquet file or a
DataFrame, so that the same table means the same wherever it was kept.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from acmodels.data.dates import are_dates

pc: Any = pyarrow.compute
"""Arrow's functions, which are made at run time, so that a type checker cannot see them."""

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", ".", "#N/A")
"""Cells that are missing, in every column, ids included; white space around them is ignored."""

TRUTHS = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}

_MARKERS = pa.array(MISSING, pa.large_string())
_POINT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
# numbers as people write them, which are refused rather than taken for labels
_NEARLY = re.compile(
    r"[$€£]?[+\-−–]?[$€£]?(?:[0-9]+(?:[.,'\s][0-9]{3})*(?:[.,][0-9]*)?|[.,][0-9]+)"
    r"(?:[eE][+-]?[0-9]+)?\s?%?"
)
_POINT_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")

_INTEGERS = r"^[+-]?[0-9]+$"
_WITH_COMMA = r"^[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?$"
_WITH_POINT = r"^[+-]?[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?$"
_LIKE_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(?:[.,][0-9]{3})+$"
_LIST = r"^[0-9]+(?:,\s*[0-9]+){2,}$"

_SIGNS = r"[$€£¥]|USD|EUR|GBP|CHF"


@dataclass(frozen=True)
class Parsed:
    """A column as numbers, as far as it is numbers.

    Attributes:
        kind: what it holds; `mixed` is mostly numbers, with strays.
        numbers: shape (rows,), NaN where missing or not a number; infinities are kept.
        strays: positions of the cells that are neither missing nor numbers (of a mixed column).
        holds: what a message calls the contents.
    """

    kind: Literal["number", "boolean", "date", "text", "empty", "mixed"]
    numbers: NDArray[np.float64]
    strays: NDArray[np.intp]
    holds: str = "text"


def trimmed(cells: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return the cells without white space around them, and which of them are missing."""
    bare = pc.utf8_trim_whitespace(cells.cast(pa.large_string()))
    missing = pc.or_(pc.is_null(bare), pc.is_in(bare, value_set=_MARKERS))
    return bare, missing


def coded(cells: pa.ChunkedArray) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the distinct values of a column, and which of them each row holds (-1: null)."""
    encoded = pc.dictionary_encode(cells).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # pyarrow does so for a column without rows
        return [], np.zeros(0, np.intp)
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.intp)
    return encoded.dictionary.to_pylist(), codes


def parse(cells: pa.ChunkedArray, decimal: str = ".") -> Parsed:
    """Say what a column of text holds, and read its numbers.

    Args:
        cells: text, shape (rows,).
        decimal: the file's decimal mark.

    Returns:
        The parsed column.
    """
    bare, missing = trimmed(cells)
    filled = pc.if_else(missing, pa.scalar(None, pa.large_string()), bare)
    quick = _quick(filled, decimal)
    if quick is not None:
        return quick
    words, codes = coded(filled)
    numbers = _numbers(words, decimal)
    truths = np.array([TRUTHS.get(word, np.nan) for word in words], dtype=np.float64)
    held = codes >= 0
    count = np.bincount(codes[held], minlength=len(words))
    nearly = np.array([bool(_NEARLY.fullmatch(word)) for word in words], dtype=np.bool_)
    kind = _kind(~np.isnan(numbers), nearly, ~np.isnan(truths), count)
    if kind in {"text", "mixed"} and count[are_dates(words)].sum() * 2 > count.sum():
        return Parsed("date", np.full(len(codes), np.nan), np.zeros(0, np.intp), "dates")
    if kind in {"text", "empty"}:
        return Parsed(kind, np.full(len(codes), np.nan), np.zeros(0, np.intp))
    table = truths if kind == "boolean" else numbers
    values = np.where(held, table[codes], np.nan)
    strays = np.flatnonzero(held & np.isnan(values)) if kind == "mixed" else np.zeros(0, np.intp)
    return Parsed(kind, values, strays)


def decimal_evidence(cells: pa.ChunkedArray) -> tuple[bool, bool, bool]:
    """Say whether a column of text writes decimals with a comma.

    Returns:
        Three answers: some numbers have a comma; one of these cannot be a thousands separator;
        some number has a decimal point that cannot be one.
    """
    if not pc.any(pc.match_substring_regex(cells, "[.,]")).as_py():
        return False, False, False
    bare, missing = trimmed(cells)
    held = bare.filter(pc.invert(missing))

    def matches(pattern: str) -> pa.ChunkedArray:
        return pc.match_substring_regex(held, pattern)

    def count(mask: pa.ChunkedArray) -> int:
        return pc.sum(mask).as_py() or 0

    commas, points = matches(_WITH_COMMA), matches(_WITH_POINT)
    clear = pc.invert(matches(_LIKE_THOUSANDS))
    clear_points = count(pc.and_(points, clear)) > 0
    if (count(commas) + count(matches(_INTEGERS))) * 2 <= len(held):
        return False, False, clear_points
    return count(commas) > 0, count(pc.and_(commas, clear)) > 0, clear_points


def has_decimal_comma(cells: pa.ChunkedArray) -> bool:
    """Say whether a column of text is numbers with a decimal comma, and can be nothing else.

    That is so where most cells are numbers, some have one comma, none has a point, and no comma
    can mark thousands or stand between the parts of a list.
    """
    if not pc.any(pc.match_substring(cells, ",")).as_py():
        return False
    bare, missing = trimmed(cells)
    held = bare.filter(pc.invert(missing))

    def count(pattern: str) -> int:
        return pc.sum(pc.match_substring_regex(held, pattern)).as_py() or 0

    commas = count(_WITH_COMMA)
    unclear = count(_LIKE_THOUSANDS) + count(_WITH_POINT) + count(_LIST)
    return commas > 0 and not unclear and (commas + count(_INTEGERS)) * 2 > len(held)


def is_nearly_number(word: str) -> bool:
    """Say whether a word is a number, or one as people write them (`$1,200`, `78%`)."""
    return any(form.fullmatch(word) for form in (_NEARLY, _POINT, _COMMA, _INFINITE))


def as_declared(words: list[str], decimal: str) -> NDArray[np.float64]:
    """Read numbers as people write them, where the decimal mark is known.

    Signs of currency and percent are left out (`78%` is 78), thousands may be marked by the other
    mark, a space or an apostrophe, and an amount in parentheses is negative.

    Args:
        words: text without white space around it.
        decimal: the decimal mark.

    Returns:
        The numbers, NaN where a word is none.

    >>> as_declared(["$16,960.50", "78%", "(1,200)", "n/a?", "1.5"], ".").tolist()
    [16960.5, 78.0, -1200.0, nan, 1.5]
    """
    point, other = (r"\.", ",") if decimal == "." else (",", r"\.")
    number = rf"(?:[0-9]{{1,3}}(?:(?P<t>[{other}'’\s])[0-9]{{3}})(?:(?P=t)[0-9]{{3}})*|[0-9]+)?"
    form = re.compile(
        rf"(?P<open>\()?(?:{_SIGNS})?\s?(?P<sign>[+\-−–])?\s?(?:{_SIGNS})?\s?"
        rf"(?P<whole>{number})(?:{point}(?P<part>[0-9]*))?(?P<power>[eE][+-]?[0-9]+)?"
        rf"\s?(?:%|{_SIGNS})?(?(open)\))"
    )

    def number_of(word: str) -> float:
        found = form.fullmatch(word)
        if found is None or not (found["whole"] or found["part"]):
            return np.nan
        whole = re.sub(r"[^0-9]", "", found["whole"] or "")
        value = float(f"{whole or 0}.{found['part'] or 0}{found['power'] or ''}")
        return -value if found["open"] or found["sign"] in ("-", "−", "–") else value

    return np.array([number_of(word) for word in words], dtype=np.float64)


def _quick(cells: pa.ChunkedArray, decimal: str) -> Parsed | None:
    """Read a column in which every cell is an ordinary number, or say that it is not one."""
    n = len(cells)
    if cells.null_count == n:
        return Parsed("empty", np.full(n, np.nan), np.zeros(0, np.intp))
    if decimal == ",":
        if pc.any(pc.match_substring(cells, ".")).as_py():
            return None
        cells = pc.replace_substring(cells, ",", ".", max_replacements=1)
    try:
        numbers = pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return None
    values: NDArray[np.float64] = numbers.to_numpy().astype(np.float64)
    if np.isfinite(values).sum() + cells.null_count != n:
        return None
    return Parsed("number", values, np.zeros(0, np.intp))


def _numbers(words: list[str], decimal: str) -> NDArray[np.float64]:
    """Read each word as a number, NaN where it is none."""
    pattern, comma = _POINT, False
    points_too = True
    if decimal == ",":
        comma = any(_COMMA.fullmatch(word) for word in words)
        dotted = [word for word in words if "." in word and _POINT.fullmatch(word)]
        # `45.000` beside decimal commas is forty-five thousand, or not: nobody can know
        points_too = not comma and not (
            dotted and all(_POINT_THOUSANDS.fullmatch(word) for word in dotted)
        )

    def number(word: str) -> float:
        if pattern.fullmatch(word):
            return float(word) if points_too or "." not in word else np.nan
        if comma and _COMMA.fullmatch(word):
            return float(word.replace(",", "."))
        if _INFINITE.fullmatch(word):
            return float(word)
        return np.nan

    return np.array([number(word) for word in words], dtype=np.float64)


def _kind(
    number: NDArray[np.bool_],
    nearly: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    count: NDArray[np.intp],
) -> Literal["number", "boolean", "text", "empty", "mixed"]:
    """Say what a column holds from what its distinct words are and how often each occurs."""
    if not len(number):
        return "empty"
    if number.all():
        return "number"
    if truth.all():
        return "boolean"
    meant = number | nearly
    most_cells = count[meant].sum() * 2 > count.sum()
    most_words = meant.sum() * 2 > len(meant)
    return "mixed" if most_cells or most_words else "text"
