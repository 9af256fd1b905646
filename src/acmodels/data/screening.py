"""Values that look wrong: labels that differ by accident, numbers that are codes."""

import itertools
import unicodedata
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_CODES = frozenset(
    float(code)
    for code in (
        *(-7, -8, -9, -66, -77, -88, -97, -98, -99, -666, -777, -888, -997, -998, -999),
        *(-7777, -8888, -9997, -9998, -9999, -99999, -999999),
        *(77, 88, 97, 98, 99, 777, 888, 997, 998, 999, 7777, 8888, 9997, 9998, 9999),
        *(99999, 999999),
    )
)


def near_duplicate_labels(values: Iterable[str | None]) -> list[tuple[str, str]]:
    """Find labels that differ only by white space, case or Unicode form.

    Args:
        values: labels, repeated as they may be; None is skipped.

    Returns:
        Pairs of labels, sorted; three spellings of one label give two pairs.

    >>> near_duplicate_labels(["D1", "d1 ", "D2", None, "D1"])
    [('D1', 'd1 ')]
    """
    spellings: dict[str, list[str]] = {}
    for label in sorted({value for value in values if value is not None}):
        spellings.setdefault(_folded(label), []).append(label)
    return [(first, other) for first, *others in spellings.values() for other in others]


def sentinels(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Find values of a measure that look like codes for missing (-9, -99, 99, 999, ...).

    A code is one only where it stands apart: the gap between it and the other values is wider
    than their whole range. Ids are none of this function's business.

    Args:
        values: a measure, any shape; NaN is skipped.

    Returns:
        The codes, in order.

    >>> sentinels(np.array([1.0, 4.0, 2.5, -99.0, 3.0]))
    (-99.0,)
    """
    distinct = np.unique(values[np.isfinite(values)])
    n = len(distinct)
    is_code = [float(value) in _CODES for value in distinct]
    low = sum(1 for _ in itertools.takewhile(bool, is_code))
    high = sum(1 for _ in itertools.takewhile(bool, reversed(is_code)))
    best: tuple[float, ...] = ()
    for below in range(low + 1):
        for above in range(high + 1):
            if below + above <= len(best) or n - below - above < 2:
                continue
            core = distinct[below : n - above]
            width = core[-1] - core[0]
            apart_below = not below or core[0] - distinct[below - 1] > width
            apart_above = not above or distinct[n - above] - core[-1] > width
            if apart_below and apart_above:
                best = tuple(float(v) for v in (*distinct[:below], *distinct[n - above :]))
    return best


def _folded(label: str) -> str:
    """Return what is left of a label without white space, case, Unicode form, invisible marks."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    return "".join(c for c in plain if not c.isspace() and unicodedata.category(c) != "Cf")
