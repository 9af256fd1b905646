"""The effect of a cause rises and then falls, falls and then rises, or levels off."""

from collections.abc import Callable
from functools import partial as bound
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.equations import Piece
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.ruling import Answers, Array, Part, Ruling

KNOTS = 4
"""Degrees of freedom of the spline."""


class Keys(Common):
    """The keys of a curve."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    shape: Literal["inverted U", "U", "saturating"]


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles((keys.from_,), (keys.to,), steps=((keys.from_, keys.to),))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    how = {
        "inverted U": "rises and then falls with", "U": "falls and then rises with",
        "saturating": "rises and then levels off with",
    }[keys.shape]  # fmt: skip
    return f"{name(keys.to)} {how} {name(keys.from_)}"


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile: a natural spline with 4 degrees of freedom."""
    r = steps.outcome(s, keys.to)
    steps.require(s, keys.from_, "cause")
    level = steps.level_of(s, [keys.from_], [keys.to], keys.level)
    x = eq.column(s, keys.from_)
    values = s.values(x)
    distinct = len(np.unique(values[np.isfinite(values)]))
    if distinct < KNOTS + 2:
        raise NotTestable(f"'{x}' has {distinct} values; a curve needs at least {KNOTS + 2}")
    text = f"spline({quoted(x)}, {KNOTS})"
    pieces = [
        _spline(text, values, f"the cause ({s.framework.constructs[keys.from_].name}), as a curve")
    ]
    for unit in eq.coarser(s, level.unit, crossed=False):
        if s.varies(x, unit):
            between = f"between({quoted(x)}, {quoted(unit.column)})"
            mean = s.means(x, unit)
            pieces.append(
                Piece((between,), {between: 1.0}, {between: s.spread(mean)}, between,
                      "so that differences between units do not bend the curve within them", (),
                      (mean,))
            )  # fmt: skip
    one = steps.step(s, [], r, level, also=pieces, sources=[keys.from_])
    estimands: dict[str, dict[str, object]] = {
        "slopes": {"kind": "curvature", "from": x, "to": r.name},
    }
    scale = s.spread(values) / r.sd
    said = words(keys, lambda c: s.framework.constructs[c].name)
    asked = {
        "inverted U": "P(slope at the 10th percentile > 0 and at the 90th < 0)",
        "U": "P(slope at the 10th percentile < 0 and at the 90th > 0)",
        "saturating": "P(slope at the 10th percentile beyond the smallest effect), P(that at the "
        "90th is below half of it), and the slope at the 90th is not shown to be negative",
    }[keys.shape]
    return Compiled(
        (ModelFile(name, said, (one.drafted,), estimands),),
        bound(rule, keys=keys, scale=scale),
        said, level.name, one.adjusted, (one.adjustment,), level.notes, (asked,),
    )  # fmt: skip


def _spline(text: str, x: Array, why: str) -> Piece:
    """The columns of a spline have sd 1 and do not correlate, so that each has the same prior."""
    return Piece((text,), {text: 0.5}, {text: 1.0}, text, why, (), (x,))


def rule(answers: Answers, terms: Terms, *, keys: Keys, scale: float) -> Ruling:
    """Rule on the slopes at both ends."""
    p, s = terms.probability, terms.smallest
    low, high = answers["slopes[low]"] * scale, answers["slopes[high]"] * scale
    small = float(np.mean((np.abs(low) <= s) & (np.abs(high) <= s)))
    barred = ""
    if keys.shape == "saturating":
        holds = min(float(np.mean(low > s)), float(np.mean(high < 0.5 * low)))
        reverse = max(float(np.mean(low < 0)), float(np.mean(high > low)))
        if float(np.mean(high < 0)) >= p:
            barred = "it falls at the upper end"
    else:
        up = 1.0 if keys.shape == "inverted U" else -1.0
        holds = float(np.mean((up * low > 0) & (up * high < 0)))
        reverse = max(float(np.mean(up * low < 0)), float(np.mean(up * high > 0)))
    rows = (
        Part("slope at the 10th percentile", keys.from_, keys.to, low, "", s, p),
        Part("slope at the 90th percentile", keys.from_, keys.to, high, "", s, p),
    )
    change = Part("change of slope", keys.from_, keys.to, high - low, "", s, p)
    return Ruling(holds, reverse, small, p, p, change, (*rows, change), barred)
