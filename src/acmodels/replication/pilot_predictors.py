"""How the predictors of a pilot are distributed, for a design that simulates them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.inference.fitting import Fit
from acmodels.numbers import decimal, number
from acmodels.simulation import losable, predictor_names, row_kind
from acmodels.spec.design import Design, Unit
from acmodels.system.arrays import Array, Index
from acmodels.system.layout import Layout

FEW = 12
"""Different whole numbers up to which a predictor is simulated by the shares of its values."""
SKEWED = 1.0
"""Skewness above which a positive predictor is simulated as Gamma and not as Normal."""
LEAST = 0.01
"""Intraclass correlation below which none is stated."""
LOST = 0.02
"""Share of a column's cells below which their loss is not carried over: it hardly moves power."""
CORRELATED = 0.2
"""Correlation of two predictors from which on it is said that it is not carried over."""


@dataclass(frozen=True)
class Carried:
    """What a plan takes over from a pilot's predictors and losses.

    Attributes:
        exogenous: the table of a design, by predictor.
        loss: the table of a design, or nothing.
        said: in sentences.
    """

    exogenous: Mapping[str, dict[str, Any]]
    loss: Mapping[str, Any]
    said: tuple[str, ...]


def carried(table: Mapping[str, Any], design: Design, pilot: Fit) -> Carried:
    """Describe a pilot's predictors as a design does.

    Args:
        table: of the plan, whose own statements about predictors and losses are kept.
        design: of the plan.
        pilot: a fit of its model.
    """
    assert design.model is not None  # noqa: S101
    codes = _codes(pilot.system.layout, design)
    exogenous: dict[str, dict[str, Any]] = {}
    said: list[str] = []
    stated: Mapping[str, Any] = table.get("exogenous", {})
    values = _values(pilot)
    for name in predictor_names(design.model):
        own = dict(stated.get(name, {}))
        if name not in values or {"dist", "mu", "sigma"} & set(own):
            if own:
                exogenous[name] = own
                said.append(f"{name}: as the plan states it")
            continue
        found = _described(name, values[name], codes, design) | own
        if found["dist"] not in ("Bernoulli", "Categorical") and "assign" not in own:
            found.pop("assign", None)
        exogenous[name] = found
        said.append(f"{name}: {_words(found)}, from the pilot")
    said += _correlations(exogenous, stated, values)
    loss, more = _losses(table, design, pilot)
    return Carried(exogenous, loss, (*said, *more))


@dataclass(frozen=True)
class _Seen:
    """A predictor in the pilot: values or codes on the data's rows, and which are known."""

    values: Array
    known: np.ndarray
    levels: tuple[str, ...] = ()
    positive: bool = False


def _values(pilot: Fit) -> dict[str, _Seen]:
    """Every column beside responses and ids that the pilot's model reads."""
    layout = pilot.system.layout
    missing = {g.variable: g.cell >= 0 for g in pilot.system.sampled.layout.missing}
    every = np.ones(layout.n_rows, dtype=bool)
    out = {
        name: _Seen(v.values, ~missing.get(name, ~every), v.levels)
        for name, v in layout.variables.items()
    }
    for e in layout.equations:
        written = pilot.spec.equations[e.response]
        for column, numbers in (
            (written.se, e.se), (written.trials, e.trials), (written.weights, e.weights)
        ):  # fmt: skip
            if column is not None and numbers is not None:
                whole = np.full(layout.n_rows, np.nan)
                whole[e.rows] = numbers
                out[column] = _Seen(whole, np.isfinite(whole), positive=True)
    return out


def _codes(layout: Layout, design: Design) -> dict[str, Index]:
    """The unit of each data row, by those kinds of the design that the model knows."""
    found: dict[str, Index] = {}
    for block in layout.blocks:
        found.setdefault(block.columns[-1], block.code)
    for d in layout.derived.values():
        found.setdefault(d.unit, d.code)
    for e in layout.equations:
        if e.level is not None:
            found.setdefault(e.level, e.carry)
    return {u.name: found[u.name] for u in design.units if u.name in found}


def _described(
    name: str, seen: _Seen, codes: Mapping[str, Index], design: Design
) -> dict[str, Any]:
    """One predictor as a design's table."""
    del name
    level, place = row_kind(design), np.flatnonzero(seen.known)
    for kind in sorted(codes, key=lambda k: int(codes[k].max())):
        if kind != level and _constant(seen.values[place], codes[kind][place]):
            level = kind
            _, first = np.unique(codes[kind][place], return_index=True)
            place = place[first]
            break
    x = seen.values[place]
    out = _distribution(x, seen) | {"level": level}
    if out.get("assign") is None and not seen.positive:
        above = [k for k in _above(design.units, level) if k in codes]
        icc = _shares(x, {k: codes[k][place] for k in above})
        if icc:
            out["icc"] = icc
    return out


def _distribution(x: Array, seen: _Seen) -> dict[str, Any]:
    values, counts = np.unique(x, return_counts=True)
    if seen.levels:
        p = {seen.levels[int(v)]: _digits(c / len(x)) for v, c in zip(values, counts, strict=True)}
        return {"dist": "Categorical", "p": p, "assign": "balanced"}
    if not seen.positive:
        if set(values) == {0.0, 1.0}:
            return {"dist": "Bernoulli", "p": _digits(float(x.mean()))}
        if len(values) <= FEW and np.all(values == np.rint(values)) and len(values) > 1:
            p = {f"{v:g}": _digits(c / len(x)) for v, c in zip(values, counts, strict=True)}
            return {"dist": "Categorical", "p": p}
    mean, sd = float(x.mean()), float(x.std(ddof=1)) if len(x) > 1 else 0.0
    skew = float(np.mean((x - mean) ** 3)) / sd**3 if sd > 0 else 0.0
    if x.min() > 0 and (seen.positive or skew > SKEWED):
        sd = max(sd, 1e-4 * mean)
        alpha = (mean / sd) ** 2
        return {"dist": "Gamma", "alpha": _digits(alpha), "beta": _digits(alpha / mean)}
    return {"dist": "Normal", "mu": _digits(mean), "sigma": _digits(sd)}


def _above(units: Sequence[Unit], level: str) -> list[str]:
    """Kinds of units above one, those crossed with it too."""
    by = {u.name: u for u in units}
    out: list[str] = []
    waiting = [level]
    while waiting:
        u = by.get(waiting.pop())
        if u is not None:
            more = [k for k in (u.per, *u.crossed_with) if k is not None and k not in out]
            out += more
            waiting += more
    return out


def _shares(x: Array, codes: Mapping[str, Index]) -> dict[str, float]:
    """Shares of variance that lie between units, by analysis of variance, coarse kinds first.

    What lies between units of a kind that is nested in another is counted less the other's share.
    """
    total: dict[str, float] = {k: _icc(x, c) for k, c in codes.items()}
    out: dict[str, float] = {}
    for kind in sorted(codes, key=lambda k: len(np.unique(codes[k]))):
        inside = [k for k in out if _constant(codes[k].astype(np.float64), codes[kind])]
        share = total[kind] - sum(out[k] for k in inside)
        if share >= LEAST and sum(out.values()) + share < 0.99:
            out[kind] = _digits(share)
    return out


def _icc(x: Array, code: Index) -> float:
    """The one-way intraclass correlation, ICC(1)."""
    _, code = np.unique(code, return_inverse=True)
    n = np.bincount(code)
    groups, rows = len(n), len(x)
    if groups < 2 or rows <= groups:
        return 0.0
    means = np.bincount(code, x) / n
    between = float(np.sum(n * (means - x.mean()) ** 2)) / (groups - 1)
    within = float(np.sum((x - means[code]) ** 2)) / (rows - groups)
    size = (rows - float(np.sum(n**2)) / rows) / (groups - 1)
    found = (between - within) / (between + (size - 1) * within) if between > 0 else 0.0
    return max(0.0, found)


def _constant(values: Array, code: Index) -> bool:
    """Return whether values agree within every unit, some unit having several."""
    _, code = np.unique(code, return_inverse=True)
    if len(code) <= int(code.max()) + 1:
        return False
    first = np.zeros(int(code.max()) + 1)
    first[code[::-1]] = values[::-1]
    return bool(np.all(values == first[code]))


def _correlations(
    exogenous: Mapping[str, Mapping[str, Any]],
    stated: Mapping[str, Any],
    values: Mapping[str, _Seen],
) -> list[str]:
    """Pairs of predictors whose correlation the design does not have."""
    names = [n for n in exogenous if n in values and not values[n].levels and n not in stated]
    pairs: list[str] = []
    for k, a in enumerate(names):
        for b in names[:k]:
            both = values[a].known & values[b].known
            x, y = values[a].values[both], values[b].values[both]
            if len(x) > 2 and np.ptp(x) > 0 and np.ptp(y) > 0:
                r = float(np.corrcoef(x, y)[0, 1])
                if abs(r) >= CORRELATED:
                    pairs.append(f"{b} and {a} ({decimal(r, 2)})")
    if not pairs:
        return []
    said = f"not carried over: correlations of predictors, {', '.join(pairs)}; they are drawn "
    return [said + "independently, which makes power too high where they overlap"]


def _losses(
    table: Mapping[str, Any], design: Design, pilot: Fit
) -> tuple[Mapping[str, Any], list[str]]:
    """The pilot's losses, unless the plan states its own."""
    if "loss" in table:
        return table["loss"], ["losses: as the plan states them"]
    system = pilot.system
    if pilot.spec.missing == "drop":
        share = 1 - system.rows_used / max(1, system.rows_given)
        if not share:
            return {}, []
        said = f"losses: {decimal(100 * share, 1)} % of the rows, with missing values in the pilot"
        return {"attrition": _digits(share)}, [said]
    items: dict[str, float] = {}
    left: list[str] = []
    can = losable(design)
    for t in system.treatments:
        share = _digits(t.rows / max(1, system.rows_given))
        if t.column in can and share >= LOST:
            items[t.column] = share
        else:
            left.append(f"{t.column} ({decimal(100 * share, 1)} %)")
    said = [f"missing cells: {', '.join(f'{k} {decimal(100 * v, 1)} %' for k, v in items.items())}"]
    why = f"in columns that have no missing values in a design, or less than {100 * LOST:g} %"
    more = [f"not carried over: missing cells of {', '.join(left)} ({why})"] if left else []
    return ({"items": items} if items else {}), [*(said if items else []), *more]


def _words(found: Mapping[str, Any]) -> str:
    numbers = ", ".join(f"{k} = {v}" for k, v in found.items()
                        if k not in ("dist", "level", "icc", "p", "assign"))  # fmt: skip
    if "p" in found:
        p = found["p"]
        numbers = f"p = {p}" if not isinstance(p, Mapping) else ", ".join(
            f"{k} {v}" for k, v in p.items()  # pyright: ignore[reportUnknownVariableType]
        )  # fmt: skip
    said = f"{found['dist']} ({numbers}), level {found['level']}"
    icc: Mapping[str, float] = found.get("icc", {})
    return said + "".join(f", ICC of {k} {v}" for k, v in icc.items())


def _digits(value: float) -> float:
    return float(f"{number(value, 4)}")
