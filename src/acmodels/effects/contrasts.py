"""Values at which predictors are held, and what is compared with what."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any, cast

import numpy as np

from acmodels.effects.prediction_rows import changed, held
from acmodels.effects.predictor import Predictor, Rows, Value
from acmodels.errors import InputError, did_you_mean, listing
from acmodels.numbers import number
from acmodels.spec.names import plain_keys


def held_grid(
    p: Predictor, at: Mapping[str, Value | Sequence[Value]]
) -> list[tuple[dict[str, Any], dict[str, float]]]:
    """Spell `at` out: what is shown and what is held, for each combination."""
    choices: list[list[tuple[str, Any, float]]] = []
    for name, given in plain_keys(at).items():
        p.known(name)
        values = [given] if isinstance(given, str | bool) or np.ndim(given) == 0 else given
        found = [_held_value(p, name, v) for v in cast("Sequence[Value]", values)]
        if not found:
            raise InputError(f"at: '{name}' has no values")
        choices.append([(name, shown, number) for shown, number in found])
    return [
        ({name: shown for name, shown, _ in c}, {name: number for name, _, number in c})
        for c in product(*choices)
    ]


def _held_value(p: Predictor, name: str, value: Any) -> tuple[Any, float]:
    levels = p.levels(name)
    if levels:
        numeric = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        text = number(float(value), 6) if numeric else str(value)
        if text not in levels:
            raise InputError(
                f"'{name}' has no level '{text}'{did_you_mean(text, levels)} "
                f"(levels: {listing(levels, 12)})"
            )
        return text, float(levels.index(text))
    if isinstance(value, str) or not np.isfinite(value):
        raise InputError(f"'{name}' is a number; {value!r} is not one that it can be held at")
    return float(value), float(value)


def along(p: Predictor, name: str, points: int) -> list[Value]:
    """Return values along an axis: a factor's levels, or the range."""
    p.known(name)
    if p.levels(name):
        return list(p.levels(name))
    values = p.reference(name)
    return [float(v) for v in np.linspace(values.min(), values.max(), points)]


def a_few(p: Predictor, name: str) -> list[Value]:
    """Return a few values: a factor's levels, all of a few numbers, or mean and mean ± sd."""
    p.known(name)
    if p.levels(name):
        return list(p.levels(name))
    values = p.reference(name)
    distinct = np.unique(values)
    if len(distinct) <= 5:
        return [float(v) for v in distinct]
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    return [mean - sd, mean, mean + sd]


def contrasts(p: Predictor, name: str, how: Any, rows: Rows) -> Iterator[tuple[str, Rows, Rows]]:
    """Return what is compared, each with its label."""
    p.known(name)
    levels = p.levels(name)
    pairs: list[Any]
    if levels:
        if how is None or how == "reference":
            reference = levels[_base(p, name)]
            pairs = [(reference, v) for v in levels if v != reference]
        elif how == "pairwise":
            pairs = list(combinations(levels, 2))
        elif _is_pair(how):
            pairs = [tuple(how)]
        else:
            raise InputError(
                f'variables: \'{name}\' is a factor: give "reference", "pairwise" or two of '
                f"its levels ({listing(levels, 12)}), not {how!r}"
            )
    elif how is None and set(np.unique(p.reference(name))) <= {0.0, 1.0}:
        pairs = [(0.0, 1.0)]
    elif _is_pair(how):
        pairs = [tuple(cast("Any", how))]
    elif isinstance(how, str):
        pairs = [_range(p, name, how)]
    elif how is None or (np.ndim(how) == 0 and np.isfinite(how) and how != 0):
        step = 1.0 if how is None else float(how)
        here = rows.values(name)
        yield f"{step:+g}", rows, changed(rows, name, here + step)
        return
    else:
        raise InputError(
            f'variables: \'{name}\' takes a step, two values, "sd", "2sd", "iqr" or '
            f'"minmax", not {how!r}'
        )
    for a, b in pairs:
        (low, x), (high, y) = _held_value(p, name, a), _held_value(p, name, b)
        label = f"{high} - {low}" if levels else f"{number(high, 6)} - {number(low, 6)}"
        yield label, held(rows, {name: x}), held(rows, {name: y})


def _base(p: Predictor, name: str) -> int:
    """Code of a factor's reference: the level without a column, or the stated one."""
    levels = p.levels(name)
    parts = [q for c in p.e.columns for q in c.parts if q.operand.variable == name]
    stated = [str(q.operand.ref) for q in parts if q.operand.ref is not None]
    return levels.index(stated[0]) if stated else 0


def _range(p: Predictor, name: str, how: str) -> tuple[float, float]:
    values = p.reference(name)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    ends = {
        "sd": (mean - sd / 2, mean + sd / 2),
        "2sd": (mean - sd, mean + sd),
        "iqr": tuple(float(q) for q in np.quantile(values, [0.25, 0.75])),
        "minmax": (float(values.min()), float(values.max())),
    }
    if how not in ends:
        raise InputError(
            f'variables: \'{name}\' takes a step, two values, "sd", "2sd", "iqr" or '
            f'"minmax", not {how!r}'
        )
    return cast("tuple[float, float]", ends[how])


def _is_pair(how: Any) -> bool:
    return not isinstance(how, str) and np.ndim(how) == 1 and len(how) == 2
