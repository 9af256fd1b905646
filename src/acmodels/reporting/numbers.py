"""Numbers as a page shows them: few digits, a true minus sign, no false precision."""

import math
import re

MINUS = "\u2212"
THIN = "\u202f"
MISSING = "–"


def decimals(width: float) -> int:
    """Decimals that show a width with two significant digits, from 0 to 8.

    >>> decimals(0.22), decimals(12.0), decimals(0.004)
    (2, 0, 4)
    """
    if not math.isfinite(width) or width <= 0:
        return 2
    return min(8, max(0, 1 - math.floor(math.log10(width))))


def fixed(x: float | None, places: int) -> str:
    """A number with so many decimals.

    >>> fixed(-0.314, 2), fixed(-0.001, 2), fixed(12345.6, 0)
    ('−0.31', '0.00', '12\u202f346')
    """
    if x is None or not math.isfinite(x):
        return MISSING
    if abs(x) >= 1e9:
        return _signed(f"{x:.2e}")
    return _signed(f"{x:,.{places}f}".replace(",", THIN))


def significant(x: float | None, digits: int = 3) -> str:
    """A number on its own, with so many significant digits.

    >>> significant(0.012345), significant(-1234.5), significant(0.0)
    ('0.0123', '−1\u202f234', '0')
    """
    if x is None or not math.isfinite(x):
        return MISSING
    if x == 0:
        return "0"
    size = math.floor(math.log10(abs(x)))
    if size < -4 or size >= 9:
        return _signed(f"{x:.{digits - 1}e}")
    return fixed(x, max(0, digits - 1 - size))


def count(n: float | None) -> str:
    """A whole number, thousands set apart.

    >>> count(12000)
    '12\u202f000'
    """
    return fixed(n, 0)


def between(lower: float, upper: float, places: int | None = None) -> str:
    """An interval.

    >>> between(-0.1, 0.25)
    '[−0.10, 0.25]'
    """
    places = decimals(upper - lower) if places is None else places
    return f"[{fixed(lower, places)}, {fixed(upper, places)}]"


def with_interval(mean: float, lower: float, upper: float) -> tuple[str, str]:
    """A mean and its interval, with decimals that the interval's width bears out.

    >>> with_interval(0.3142, 0.2011, 0.4203)
    ('0.31', '[0.20, 0.42]')
    >>> with_interval(0.2, 0.0013, 0.4)
    ('0.200', '[0.001, 0.400]')
    """
    places = decimals(upper - lower)
    nearest = min(abs(lower), abs(upper))
    if lower * upper > 0:  # an end next to zero must not read as zero
        while places < 8 and nearest < 0.5 * 10**-places:
            places += 1
    return fixed(mean, places), between(lower, upper, places)


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

    >>> percent(0.123)
    '12\u202f%'
    """
    if p is None or not math.isfinite(p):
        return MISSING
    return f"{fixed(100 * p, places)}{THIN}%"


def minus(text: str) -> str:
    """Give the negative numbers of a sentence a true minus sign.

    >>> minus("pre-test at x = -1")
    'pre-test at x = −1'
    """
    return re.sub(r"(?<![\w\])}])-(?=[\d.])", MINUS, text)


def _signed(text: str) -> str:
    if text.startswith("-") and not any(c in "123456789" for c in text):
        text = text[1:]
    return text.replace("-", MINUS)
