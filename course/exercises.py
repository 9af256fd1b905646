"""Answers to the exercises of the course, checked by code.

In a lesson, `check("1.1", your_answer)` says whether an answer is right; None is no answer yet. What
is right is worked out here by closed forms.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any


def design_effect(icc: float, n: int) -> float:
    """How much larger a variance is for asking n people of one district (Kish, 1965)."""
    return 1 + (n - 1) * icc


def reliability(between: float, within: float, n: int) -> float:
    """Share of a mean of n that is between units: shrinkage, and by Spearman-Brown ICC(n)."""
    return between**2 / (between**2 + within**2 / n)


def in_rope(mean: float, sd: float) -> float:
    """How much of a normal posterior lies between -0.05 and 0.05."""
    return NormalDist(mean, sd).cdf(0.05) - NormalDist(mean, sd).cdf(-0.05)


RIGHT: dict[str, Callable[[float], bool]] = {
    "1.1": lambda a: math.isclose(a, design_effect(0.2, 10), abs_tol=0.005),
    "1.2": lambda a: math.isclose(a, 400 / design_effect(0.2, 10), rel_tol=0.01),
    "1.3": lambda a: math.isclose(a, 4000 / design_effect(0.2, 100), rel_tol=0.01),
    "1.4": lambda a: math.isclose(a, 40 / 0.2, rel_tol=0.01),
    "1.5": lambda a: math.isclose(a, 1 - 0.2, abs_tol=0.005),
    "2.1": lambda a: math.isclose(a, reliability(0.5, 1.0, 4), abs_tol=0.005),
    "2.2": lambda a: a == 4,  # 0.25 / (0.25 + 1 / n) = 0.5
    "2.3": lambda a: math.isclose(a, reliability(0.5, 1.0, 40), abs_tol=0.005),
    "2.4": lambda a: math.isclose(a, 1 / reliability(0.5, 1.0, 2), rel_tol=0.01),
    "2.5": lambda a: math.isclose(a, 2 * NormalDist().cdf(0.5) - 1, abs_tol=0.005),
    "3.1": lambda a: math.isclose(a, 0.5 * 0.6, abs_tol=0.005),
    "3.2": lambda a: math.isclose(a, 0.3 * 0.4 + 0.05, abs_tol=0.005),
    "3.3": lambda a: math.isclose(a, 0.3 / 0.5, abs_tol=0.005),
    "3.4": lambda a: math.isclose(a, math.hypot(0.5 * 0.2, 0.6 * 0.1), abs_tol=0.001),
    "3.5": lambda a: math.isclose(a, 0.4 * 0.5, abs_tol=0.005),
    "4.1": lambda a: math.isclose(a, 5 * 0.2 / (1 + 4 * 0.2), abs_tol=0.005),
    "4.2": lambda a: math.isclose(a, 0.4 * math.sqrt(0.64), abs_tol=0.005),
    "4.3": lambda a: math.isclose(a, 1 - 0.5 / ((5**2 - 1) / 12), abs_tol=0.005),
    "4.4": lambda a: a == 10,  # 0.7 (1 - 0.2) / (0.2 (1 - 0.7)) = 9.3
    "4.5": lambda a: math.isclose(a, 0.24 / 0.6, abs_tol=0.005),
    "5.1": lambda a: math.isclose(a, 0.025, abs_tol=1e-9),
    "5.2": lambda a: math.isclose(a, 40 * 0.025, abs_tol=1e-9),
    "5.3": lambda a: math.isclose(a, in_rope(0.04, 0.02), abs_tol=0.005),
    "5.4": lambda a: math.isclose(a, 1 - 0.025 / 40, abs_tol=5e-5),
    "5.5": lambda a: math.isclose(a, 0.1, abs_tol=0.005),
    "6.1": lambda a: math.isclose(a, math.sqrt(0.8 * 0.2 / 1000), abs_tol=0.0005),
    "6.2": lambda a: a == 1600,  # four times the replicates halve the error
    "6.3": lambda a: math.isclose(a, math.sqrt(5000 / 400 * (1 - 0.2) / 0.2), abs_tol=0.05),
    "6.4": lambda a: math.isclose(a, 2.8 * 0.1, abs_tol=0.005),
    "6.5": lambda a: a == 80,  # three quarters of them are 60
}


UNITS: dict[str, str] = {
    "1.5": "a share between 0 and 1",
    "2.1": "a share between 0 and 1",
    "2.3": "a share between 0 and 1",
    "2.5": "a share between 0 and 1",
    "3.3": "a share between 0 and 1",
    "4.1": "a share between 0 and 1",
    "4.3": "a share between 0 and 1",
    "5.1": "a probability between 0 and 1",
    "5.3": "a probability between 0 and 1",
    "5.4": "a probability between 0 and 1",
}
"""What an answer is measured in, where it is easily given in percent."""


def check(exercise: str, answer: object) -> bool | None:
    """Say whether an answer is right; None is no answer yet, and so is what is no number.

    >>> check("1.1", 2.8)
    1.1: right.
    True
    >>> check("5.1", "2.5 %")
    5.1: '2.5 %' is no number; give one number, such as 0.5.
    """
    known = RIGHT.get(str(exercise))
    if known is None:
        lesson = str(exercise).partition(".")[0]
        there = [k for k in RIGHT if k.startswith(f"{lesson}.")] or list(RIGHT)
        print(f"There is no exercise {exercise!r}; these are there: {', '.join(there)}.")
        return None
    if answer is None:
        print(f"{exercise}: not answered yet.")
        return None
    number = _number(answer)
    if isinstance(number, str):
        print(f"{exercise}: {number}")
        return None
    if known(number):
        print(f"{exercise}: right.")
        return True
    percent = exercise in UNITS and known(number / 100)
    why = (
        f"wanted is {UNITS[exercise]}, so divide it by 100"
        if percent
        else "read the paragraph above it once more"
    )
    print(f"{exercise}: not yet; {why}.")
    return False


def _number(answer: object) -> float | str:
    """An answer as one finite number, or a sentence about why it is none."""
    text = repr(answer)
    clear = len(text) <= 60 and "\n" not in text and " at 0x" not in text
    shown = text if clear else f"what you gave ({type(answer).__name__})"
    wrong = f"{shown} is no number; give one number, such as 0.5."
    value: Any = answer
    size = getattr(value, "size", None)
    if size is None and hasattr(value, "__len__") and not isinstance(value, str | bytes):
        size = len(value)
    if isinstance(size, int) and (size != 1 or isinstance(value, dict)):
        if isinstance(value, dict):
            return wrong
        many = "no values are" if size == 0 else f"{size} values are"
        return f"{many} given where one number is wanted; work it out down to one."
    if isinstance(value, bool | bytes | complex) or value is ...:
        return wrong
    try:
        value = value.item() if hasattr(value, "item") else value
        value = value[0] if isinstance(value, list | tuple) else value
        if isinstance(value, bool | bytes):
            return wrong
        number = float(value)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        return wrong
    return number if math.isfinite(number) else f"{number} is no finite number; work it out again."
