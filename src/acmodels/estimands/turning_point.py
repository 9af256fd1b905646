"""Where the effect of a variable on an outcome turns: the top or the bottom of a parabola."""

from dataclasses import replace
from typing import Literal

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row, direct, no_warnings
from acmodels.estimands import _effects as fx
from acmodels.estimands._mediation import Effect, ends
from acmodels.spec.names import quoted
from acmodels.system.columns import variable_values

INSIDE = "inside"
"""What `at` says of the row that holds the probability."""


class Settings(Effect):
    """Keys of the table: `from`, `to`, `at`, `shape`.

    `shape = "maximum"` (an inverted U) or `"minimum"` counts a turning point as there only where it
    is one; without it either will do.
    """

    shape: Literal["maximum", "minimum"] | None = None


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Return where the direct slope is zero, and whether that is there and inside the data.

    The slope of a quadratic is linear, s(x) = b + 2 c x, and zero at -b / (2 c). For each
    combination of moderators there are two rows: the place, and with `inside` as the last part of
    `at` 1 where the place is within the range of the data and of the shape asked for, 0 elsewhere,
    so that its mean is P(there and inside) (Lind & Mehlum, 2010, for why both are needed).
    """
    start, to = ends(estimand, context)
    variable = start.variable
    settings = estimand.settings
    if variable in {fx.node_variable(name) for name in settings.at}:
        raise EstimandError(f"{estimand.where}.at: '{variable}' is what turns; it cannot be held")
    if start.operand is not None or start.level is not None:
        raise EstimandError(
            f"{estimand.where}.from: name the variable itself, as it stands in square(...), not "
            f"'{start.text}'"
        )
    x = variable_values(context.layout, variable, context.responses)
    rows = context.layout.equation(to).rows
    low, high = float(np.min(x[..., rows])), float(np.max(x[..., rows]))
    found = [_slopes(estimand, context, variable, v) for v in (low, (low + high) / 2, high)]
    out: list[Row] = []
    for first, middle, last in zip(*found, strict=True):
        bend = first.draws + last.draws - 2 * middle.draws
        scale = np.abs(first.draws) + np.abs(last.draws) + 1e-300
        if np.max(np.abs(bend) / scale) > 1e-8:
            raise EstimandError(
                f"{estimand.where}: the effect of '{variable}' on '{to}' is no parabola, so it "
                "need not turn once; a turning point needs x and square(x), and no other transform"
            )
        rise = last.draws - first.draws
        with np.errstate(all="ignore"):
            place = low - first.draws * (high - low) / rise
        place = np.where(np.isfinite(place), place, 0.0)
        there = (place >= low) & (place <= high) & (rise != 0)
        if settings.shape is not None:
            there &= (rise < 0) if settings.shape == "maximum" else (rise > 0)
        at = "; ".join(p for p in first.at.split("; ") if not p.startswith(f"{variable}="))
        out.append(Row(at, place))
        out.append(Row(f"{at}; {INSIDE}" if at else INSIDE, there.astype(np.float64)))
    return out


def _slopes(estimand: Estimand, context: Context, variable: str, value: float) -> list[Row]:
    """The direct effect with the variable itself held at a value, row by row of moderators."""
    settings = estimand.settings.model_copy(
        update={"at": {**estimand.settings.at, quoted(variable): [value]}}
    )
    return direct.evaluate(replace(estimand, settings=settings), context)


warnings = no_warnings
