"""Numbers as a person reads them: the only place where numbers become text.

Pages and tables show a true minus sign and thousands set apart. Terminals, messages and files take
the same text through `plain`, which keeps to the characters of a keyboard. No number that is not
zero reads as zero unless its interval covers zero and is wide beside it.
"""

import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MINUS = "\u2212"
THIN = "\u202f"
MISSING = "–"
FINEST = 5
"""Decimals up to which a small number is written out; smaller ones have an exponent."""
LARGE = 1e9
"""From here on numbers have an exponent."""


def decimals(width: float) -> int:
    """Decimals that show a width with two significant digits, 0 or more.

    >>> decimals(0.22), decimals(12.0), decimals(0.004), decimals(1.8e-6)
    (2, 0, 4, 7)
    """
    if not math.isfinite(width) or width <= 0:
        return 2
    return max(0, _last_digit(width, 2))


def fixed(x: float | None, places: int) -> str:
    """A number with so many decimals; a very small or very large one has an exponent.

    >>> fixed(-0.314, 2), fixed(-0.001, 2), fixed(12345.6, 0), fixed(-6.72e-6, 7)
    ('−0.31', '0.00', '12\u202f346', '−6.7e-06')
    """
    if x is None or not math.isfinite(x):
        return MISSING
    if abs(x) >= LARGE:
        return _signed(f"{x:.2e}")
    return _written(x, places, exponent=_exponent(abs(x), places))


def significant(x: float | None, digits: int = 3) -> str:
    """A number on its own, with so many significant digits.

    >>> significant(0.012345), significant(-1234.5), significant(0.0), significant(2.5e-7)
    ('0.0123', '−1\u202f234', '0', '2.50e-07')
    """
    if x is None or not math.isfinite(x):
        return MISSING
    if x == 0:
        return "0"
    size = math.floor(math.log10(abs(x)))
    if size < -4 or abs(x) >= LARGE:
        return _signed(f"{x:.{digits - 1}e}")
    return fixed(x, max(0, _last_digit(x, digits)))


def shortest(x: float | None, digits: int = 3) -> str:
    """A number with at most so many significant digits, no zeros at its end: for axes.

    >>> shortest(-8e-6), shortest(0.25), shortest(-2.0)
    ('−8e-06', '0.25', '−2')
    """
    mantissa, e, power = significant(x, digits).partition("e")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + e + power


def count(n: float | None) -> str:
    """A whole number, thousands set apart.

    >>> count(12000)
    '12\u202f000'
    """
    return fixed(n, 0)


def places_of(lower: float, upper: float, *values: float) -> int:
    """Decimals that an estimate and its interval share.

    They give the interval, and the larger of its ends, two significant digits, and no end that is
    not zero reads as zero if one more decimal prevents it. Without an interval, or where it
    has no width, they give the largest number three significant digits.

    >>> places_of(0.2011, 0.4203), places_of(-7.6e-6, -5.8e-6), places_of(0.0013, 0.4)
    (2, 7, 3)
    """
    ends = [v for v in (lower, upper) if math.isfinite(v)]
    known = [abs(v) for v in (*ends, *values) if math.isfinite(v) and v != 0]
    if not known:
        return 0
    coarsest = 0 if max(known) < LARGE else -400  # numbers with an exponent may be rounded to tens
    if len(ends) < 2 or upper <= lower:
        return max(coarsest, _last_digit(max(known), 3))
    width = min(upper - lower, sys.float_info.max)
    finest = max(coarsest, _last_digit(width, 2), _last_digit(_largest(*ends), 2))
    nearest = min(abs(v) for v in ends if v != 0)
    for more in range(2):
        if nearest >= 0.5 * 10 ** -(finest + more):
            return finest + more
    return finest


def between(lower: float, upper: float, places: int | None = None) -> str:
    """An interval.

    >>> between(-0.1, 0.25), between(-1e-6, 1e-6)
    ('[−0.10, 0.25]', '[−1.0e-06, 1.0e-06]')
    """
    places = places_of(lower, upper) if places is None else places
    return _interval(lower, upper, places, exponent=_exponent(_largest(lower, upper), places))


def with_interval(
    mean: float, lower: float, upper: float, least: int | None = None
) -> tuple[str, str]:
    """A mean and its interval, with decimals that the interval's width bears out.

    Args:
        mean: the estimate.
        lower: end of the interval.
        upper: end of the interval.
        least: decimals of the table that they stand in, taken where they are enough; numbers of
            1000 or more keep the decimals of their own interval.

    >>> with_interval(0.3142, 0.2011, 0.4203)
    ('0.31', '[0.20, 0.42]')
    >>> with_interval(0.2, 0.0013, 0.4)
    ('0.200', '[0.001, 0.400]')
    >>> with_interval(-6.72e-6, -7.63e-6, -5.85e-6)
    ('−6.7e-06', '[−7.6e-06, −5.8e-06]')
    >>> with_interval(0.0, 0.0, 0.0)
    ('0', '[0, 0]')
    """
    places = places_of(lower, upper, mean)
    largest = _largest(lower, upper, mean)
    if least is not None and 0 < largest < 1000:
        places = max(places, least)
    exponent = _exponent(largest, places)
    said = (
        _end(mean, places, exponent=exponent)
        if upper <= lower
        else _written(mean, places, exponent=exponent)
    )
    return said, _interval(lower, upper, places, exponent=exponent)


def spread(sd: float | None, places: int) -> str:
    """A standard deviation beside a mean: its decimals, or more where it would have no two digits.

    >>> spread(0.0514, 2), spread(4.5e-7, 7), spread(6.3e8, -8)
    ('0.051', '4.5e-07', '6.3e+08')
    """
    if sd is None or not math.isfinite(sd):
        return MISSING
    if sd == 0:
        return "0"
    if places < 0:  # beside numbers with an exponent
        return _written(sd, max(places, _last_digit(sd, 2)), exponent=True)
    return fixed(sd, max(places, decimals(sd)))


def probability(p: float | None) -> str:
    """A probability that is never said to be 0 or 1, since draws are finite.

    >>> probability(0.98765), probability(1.0), probability(None)
    ('0.988', '> 0.999', '–')
    """
    if p is None or not math.isfinite(p):
        return MISSING
    if p > 0.999:
        return "> 0.999"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def percent(p: float | None, places: int = 0) -> str:
    """A share of one.

    >>> percent(0.123), percent(0.0002), percent(0.0)
    ('12\u202f%', '< 1\u202f%', '0\u202f%')
    """
    if p is None or not math.isfinite(p):
        return MISSING
    least = 10.0**-places
    if 0 < 100 * p < 0.5 * least:
        return f"< {fixed(least, places)}{THIN}%"
    return f"{fixed(100 * p, places)}{THIN}%"


def minus(text: str) -> str:
    """Give the negative numbers of a sentence a true minus sign.

    >>> minus("pre-test at x = -1, or 2e-06")
    'pre-test at x = −1, or 2e-06'
    """
    return re.sub(r"(?<![\w\])}])-(?=[\d.])", MINUS, text)


# --- on a keyboard --------------------------------------------------------------------------------


def plain(text: str) -> str:
    """A text without the signs that pages set: for terminals, messages and files.

    >>> plain("−12\u202f345")
    '-12345'
    """
    return text.replace(MINUS, "-").replace(f"{THIN}%", " %").replace(THIN, "")


def number(x: float | None, digits: int = 3) -> str:
    """A number in a message, with at most so many significant digits after the point.

    >>> number(-0.012345), number(0.5), number(123456.0), number(2.5e-7)
    ('-0.0123', '0.5', '123456', '2.5e-07')
    """
    return plain(shortest(x, digits))


def stated(x: float) -> str:
    """A number that somebody wrote, in the shortest form that loses nothing of it.

    >>> stated(0.975), stated(2474757940.0), stated(-1e-6), stated(0.1 + 0.2), stated(30.0)
    ('0.975', '2474757940', '-1e-06', '0.3', '30')
    """
    if not math.isfinite(x):
        return str(x)
    return "0" if x == 0 else f"{x:.12g}"


def estimate(mean: float, lower: float, upper: float) -> str:
    """An estimate and its interval, for a terminal.

    >>> estimate(-6.72e-6, -7.63e-6, -5.85e-6), estimate(1234.5, 1230.1, 1238.9)
    ('-6.7e-06 [-7.6e-06, -5.8e-06]', '1234.5 [1230.1, 1238.9]')
    """
    return plain(" ".join(with_interval(mean, lower, upper)))


def decimal(x: float | None, places: int) -> str:
    """A number with so many decimals, in a message.

    >>> decimal(-1.005, 1), decimal(float("nan"), 2)
    ('-1.0', '–')
    """
    return plain(fixed(x, places))


def signed(x: float, places: int) -> str:
    """A difference in a message, its sign always said.

    >>> signed(0.314, 2), signed(-2.0, 1)
    ('+0.31', '-2.0')
    """
    said = decimal(x, places)
    return said if said.startswith("-") else f"+{said}"


def chance(p: float | None) -> str:
    """A probability in a message or a terminal's table.

    >>> chance(0.5), chance(1.0)
    ('0.500', '> 0.999')
    """
    return plain(probability(p))


def share(p: float | None, places: int = 0) -> str:
    """A percentage in a message.

    >>> share(0.123), share(0.0512, 1)
    ('12 %', '5.1 %')
    """
    return plain(percent(p, places))


PROBABILITIES = re.compile(r"p(_.+)?|power|coverage(_mcse)?")
"""Columns of tables that hold probabilities."""


def table_rows(table: "pd.DataFrame") -> list[dict[str, str]]:
    """The rows of a table as text.

    Where a table has the columns `lower` and `upper`, those and `mean` and `median` share their
    decimals row by row.
    """
    return [_cells({str(k): v for k, v in r.items()}) for r in table.to_dict("records")]


def table_text(table: "pd.DataFrame") -> str:
    """A table for a terminal: text to the left, numbers to the right."""
    rows = table_rows(table)
    columns = [str(c) for c in table.columns]
    texts = {c for c in columns if any(isinstance(v, str) for v in table[c])}
    width = {c: max([len(c), *(len(r[c]) for r in rows)]) for c in columns}
    lines: Iterable[Mapping[str, str]] = [{c: c for c in columns}, *rows]
    return "\n".join(
        "  ".join(
            r[c].ljust(width[c]) if c in texts else r[c].rjust(width[c]) for c in columns
        ).rstrip()
        for r in lines
    )


def table_html(table: "pd.DataFrame") -> str:
    """A table for a notebook."""
    import pandas as pd

    rows = table_rows(table)
    shown = pd.DataFrame(rows, columns=[str(c) for c in table.columns], dtype=object)
    return shown.to_html(index=False)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    low, high = (float(row[k]) if k in row else math.nan for k in ("lower", "upper"))
    shared = places_of(low, high) if math.isfinite(low) and math.isfinite(high) else None
    out: dict[str, str] = {}
    for name, value in row.items():
        if not isinstance(value, float):
            out[name] = "" if value is None else str(value)
        elif math.isnan(value):
            out[name] = ""
        elif PROBABILITIES.fullmatch(name) or ("power" in row and name in ("lower", "upper")):
            out[name] = chance(value) if name.startswith("p") else decimal(value, 3)
        elif shared is not None and name in ("mean", "median", "lower", "upper"):
            out[name] = plain(_end(value, shared, exponent=_exponent(_largest(low, high), shared)))
        else:
            out[name] = stated(value) if value.is_integer() else number(value)
    return out


# --- below ----------------------------------------------------------------------------------------


def _last_digit(x: float, digits: int) -> int:
    """Decimals that show a number with so many significant digits; below 0 for large ones."""
    return digits - 1 - math.floor(math.log10(abs(x)))


def _largest(*values: float) -> float:
    return max([0.0, *(abs(v) for v in values if math.isfinite(v))])


def _exponent(size: float, places: int) -> bool:
    """Say whether numbers of this size read better with an exponent than with decimals."""
    return size >= LARGE or (places > FINEST and 0 < size < 1e-3)


def _end(x: float, places: int, *, exponent: bool) -> str:
    """An end of an interval: with the decimals of both, or alone where those would make it zero."""
    if x != 0 and math.isfinite(x) and abs(x) < 0.5 * 10.0**-places:
        return significant(x, 2)
    return _written(x, places, exponent=exponent)


def _interval(lower: float, upper: float, places: int, *, exponent: bool) -> str:
    return f"[{_end(lower, places, exponent=exponent)}, {_end(upper, places, exponent=exponent)}]"


def _written(x: float, places: int, *, exponent: bool) -> str:
    if not math.isfinite(x):
        return MISSING
    if not exponent:
        return _signed(f"{x:,.{max(0, places)}f}".replace(",", THIN))
    rounded = round(x, places)
    if rounded == 0:
        return "0"
    digits = places + math.floor(math.log10(abs(rounded)) + 1e-9)
    return _signed(f"{rounded:.{min(12, max(0, digits))}e}")


def _signed(text: str) -> str:
    mantissa, e, power = text.partition("e")
    if mantissa.startswith("-") and not any(c in "123456789" for c in mantissa):
        mantissa = mantissa[1:]
    return mantissa.replace("-", MINUS) + e + power


def joined(items: Sequence[str], last: str = "and") -> str:
    """Items as a sentence lists them.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
