"""Dates: which texts are dates, in which order day and month stand, and how many days they are."""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

type Order = Literal["ymd", "mdy", "dmy"]

UNITS = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25}
"""Days in a unit of time."""

_MONTHS = {
    name: place + 1
    for place, name in enumerate(
        "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
    )
}
_TIME = (
    r"(?:[T ]\s*(?P<h>[0-9]{1,2}):(?P<m>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"\s?(?P<half>[AaPp][Mm])?\s?(?:Z|UTC|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_FORMS = tuple(
    re.compile(form + _TIME)
    for form in (
        r"(?P<year>[0-9]{4})(?P<sep>[-/.])(?P<a>[0-9]{1,2})(?P=sep)(?P<b>[0-9]{1,2})",
        r"(?P<a>[0-9]{1,2})(?P<sep>[-/.])(?P<b>[0-9]{1,2})(?P=sep)(?P<year>[0-9]{4})",
        r"(?P<a>[0-9]{1,2})(?P<sep>/)(?P<b>[0-9]{1,2})/(?P<year>[0-9]{2})",
        (
            r"(?P<day>[0-9]{1,2})(?P<sep>[-/. ])\s?(?P<month>[A-Za-z]{3,9})\.?(?P=sep)"
            r"(?P<year>[0-9]{4}|[0-9]{2})"
        ),
        r"(?P<month>[A-Za-z]{3,9})\.?(?P<sep> )(?P<day>[0-9]{1,2}),? (?P<year>[0-9]{4})",
    )
)
_EPOCH = dt.datetime(1970, 1, 1)


def are_dates(words: Sequence[str]) -> NDArray[np.bool_]:
    """Say which words are dates, whatever the order of day and month.

    Args:
        words: text without white space around it.

    >>> are_dates(["2024-01-10", "31/12/2024", "10 Jan 2024", "12", "2024-13-40"]).tolist()
    [True, True, True, False, False]
    """
    if words and not any(_found(word) for word in words[:50]):
        return np.zeros(len(words), dtype=np.bool_)
    return np.array([bool(_readings(word)) for word in words], dtype=np.bool_)


def orders(words: Sequence[str]) -> tuple[Order, ...]:
    """Find the orders of day and month in which all words that are dates can be read.

    >>> orders(["01/10/2024", "01/25/2024"]), orders(["2024-01-10"]), orders(["01/02/2024"])
    (('mdy',), ('ymd',), ('mdy', 'dmy'))
    """
    left: list[Order] = ["ymd", "mdy", "dmy"]
    for word in words:
        read = _readings(word)
        if read:
            left = [order for order in left if order in read]
    return ("ymd",) if "ymd" in left else tuple(left)


def days(words: Sequence[str], order: Order) -> NDArray[np.float64]:
    """Read words as days since 1970-01-01, NaN where one is no date in this order.

    Args:
        words: text without white space around it.
        order: of year, month and day where all three are numbers and the year comes last;
            `ymd` for dates that can be read in one way only.

    >>> days(["1970-01-02", "1970-01-01 12:00"], "ymd").tolist()
    [1.0, 0.5]
    """
    return np.array([_readings(word).get(order, np.nan) for word in words], dtype=np.float64)


def _found(word: str) -> re.Match[str] | None:
    return next((found for form in _FORMS if (found := form.fullmatch(word))), None)


def _readings(word: str) -> dict[Order, float]:
    """Read one word in every order in which it is a date."""
    found = _found(word)
    if found is None:
        return {}
    part = found.groupdict()
    if part.get("month"):
        month = _MONTHS.get(part["month"][:3].lower(), 0)
        made = _moment(part, month, int(part["day"]))
        return {} if made is None else {"ymd": made, "mdy": made, "dmy": made}
    a, b = int(part["a"]), int(part["b"])
    if found.start("year") == 0:
        made = _moment(part, a, b)
        return {} if made is None else {"ymd": made, "mdy": made, "dmy": made}
    out: dict[Order, float] = {}
    for order, month, day in (("mdy", a, b), ("dmy", b, a)):
        made = _moment(part, month, day)
        if made is not None:
            out["mdy" if order == "mdy" else "dmy"] = made
    return out


def _moment(part: dict[str, str | None], month: int, day: int) -> float | None:
    year = int(part["year"] or 0)
    if len(part["year"] or "") == 2:
        year += 1900 if year > 68 else 2000  # as POSIX reads two digits
    hour = int(part["h"] or 0)
    if part["half"]:
        hour = hour % 12 + (12 if part["half"].lower() == "pm" else 0)
    try:
        moment = dt.datetime(year, month, day, hour, int(part["m"] or 0), int(part["s"] or 0))
    except ValueError:
        return None
    return (moment - _EPOCH) / dt.timedelta(days=1)


def written(day: float) -> str:
    """Write a number of days since 1970-01-01 as an ISO date.

    >>> written(1.0)
    '1970-01-02'
    """
    return (_EPOCH + dt.timedelta(days=float(day))).date().isoformat()
