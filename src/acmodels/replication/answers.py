"""Sentences about the table of power: which design to choose, and what was withheld."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from acmodels.numbers import decimal, number, share, stated
from acmodels.replication import Result
from acmodels.replication.crossing import is_truth, reached
from acmodels.replication.store import numbers_of
from acmodels.spec.plan import Plan

if TYPE_CHECKING:
    import pandas as pd


def confirmed_words(plan: Plan, row: Mapping[str, Any]) -> str:
    """Say what fresh replicates of the chosen design show."""
    target = plan.criterion.target
    where = point_label({k: row[k] for k in plan.grid})
    said = f" at {where}" if where else ""
    if math.isnan(row["power"]):
        return f"With fresh seeds{said} too many fits failed to state a power."
    word = (
        "which confirms it"
        if row["lower"] >= target
        else "which does not contradict it"
        if row["upper"] >= target
        else f"so that it falls short of {stated(target)}"
    )
    return (
        f"{row['estimand']}: with fresh seeds{said} the power is {decimal(row['power'], 3)} "
        "(standard "
        f"error "
        f"{decimal(row['mcse'], 3)}, 95 % interval {decimal(row['lower'], 3)} to "
        f"{decimal(row['upper'], 3)}, {row['n']} "
        f"replicates), {word}."
    )


def point_label(values: Mapping[str, float]) -> str:
    """Write the values of a point of the grid."""
    return ", ".join(f"{k} = {stated(v)}" for k, v in values.items())


def withheld_words(plan: Plan, result: Result) -> list[str]:
    """Say how often a ratio was withheld, which counts as no success."""
    shares: dict[str, list[tuple[float, str]]] = {}
    for point, ready, outcome in zip(plan.cells, result.ready, result.outcomes, strict=True):
        good = numbers_of(outcome)
        for q, name in enumerate(ready.quantities):
            if len(good):
                lost = float(np.isnan(good[:, q, 1]).mean())
                shares.setdefault(name, []).append((lost, point_label(point.values)))
    out: list[str] = []
    for name, found in shares.items():
        (low, least), (high, most) = min(found), max(found)
        if not high:
            continue
        spread = f"{share(low)} ({least}) to {share(high)} ({most})"
        said = share(high) if len(found) == 1 else spread
        out.append(
            f"{name} was withheld in {said} of the fits, as `fit` withholds it, since the "
            f"{stated(100 * plan.criterion.prob)} % interval of the total effect included 0; "
            "such a study counts as no success."
        )
    return out


def answers(plan: Plan, table: "pd.DataFrame") -> tuple[str, ...]:
    """Return what the table says about the design to choose, in whole sentences."""
    target = plan.criterion.target
    out: list[str] = []
    if plan.left_out:
        out.append(
            f"{len(plan.left_out)} of {len(plan.left_out) + len(plan.cells)} designs cost more "
            f"than the budget of {decimal(plan.budget, 0)} and were left out."
        )
    for name, rows in table.groupby("estimand", sort=False):
        known: pd.DataFrame = rows.loc[rows["power"].notna()]
        said = f"{name}: " if len(set(table["estimand"])) > 1 else ""
        if not len(known):
            out.append(f"{said}no power is stated, since more than 5 % of the fits failed.")
            continue
        out += _chosen(plan, known, target, said)
        for key in plan.grid:
            out += _smallest(plan, key, known, target, said)
    if len(set(table["estimand"])) > 1:  # sentences begin with the name of the estimand
        return tuple(out)
    return tuple(line[:1].upper() + line[1:] for line in out)


def _chosen(plan: Plan, known: "pd.DataFrame", target: float, said: str) -> list[str]:
    """The cheapest design for each combination of what is assumed; never chosen among these."""
    out: list[str] = []
    within = "" if plan.budget is None else f" within the budget of {decimal(plan.budget, 0)}"
    priced = bool(known["cost"].notna().all())
    for where, rows in by_assumption(plan, known):
        under = f"{said}assuming {where}, " if where else said
        enough: pd.DataFrame = rows.loc[rows["power"] >= target]
        if not len(enough):
            best = rows.loc[rows["power"].idxmax()]
            out.append(
                f"{under}no design of the grid{within} reaches a power of {stated(target)}; "
                f"the most is {decimal(best['power'], 3)} (standard error "
                f"{decimal(best['mcse'], 3)})"
                f"{_at(best, plan.choices)}."
            )
        elif priced:
            best = enough.loc[enough["cost"].idxmin()]
            out.append(
                f"{under}the cheapest design of the grid{within} that reaches a power of "
                f"{stated(target)} "
                "costs "
                f"{decimal(best['cost'], 0)}{_at(best, plan.choices)}: {decimal(best['power'], 3)} "
                "(standard "
                f"error {decimal(best['mcse'], 3)}).{_sure(best, target)}"
            )
    return out


def by_assumption(plan: Plan, rows: "pd.DataFrame") -> "list[tuple[str, pd.DataFrame]]":
    """Return rows apart by the grid's keys that are no choices, with these in words."""
    keys = list(plan.conditions)
    if not keys:
        return [("", rows)]
    parts: Any = rows.groupby(keys, sort=False)
    return [(point_label(dict(zip(keys, at, strict=True))), part) for at, part in parts]


def _at(row: Any, keys: Iterable[str]) -> str:
    values = {k: row[k] for k in keys}
    return f" at {point_label(values)}" if values else ""


def _sure(row: Any, target: float) -> str:
    if row["lower"] >= target:
        return ""
    return (
        f" Its 95 % interval, {decimal(row['lower'], 3)} to {decimal(row['upper'], 3)}, "
        f"includes {stated(target)} too."
    )


def _smallest(plan: Plan, key: str, known: "pd.DataFrame", target: float, said: str) -> list[str]:
    """The smallest value of one key, at each value of the others, by a monotone curve."""
    values = sorted(set(known[key]))
    if len(values) < 3:
        return []
    others = [k for k in plan.grid if k != key]
    out: list[str] = []
    groups = known.groupby(others, sort=False) if others else [((), known)]
    for at, rows in groups:
        found = reached(rows, key, target)
        if found is None:
            continue
        fixed = at if isinstance(at, tuple) else (at,)
        where = point_label({k: cast("float", v) for k, v in zip(others, fixed, strict=True)})
        what = (
            f"the minimum detectable {key} with power {stated(target)} is {number(found[0])}"
            if is_truth(key)
            else f"a power of {stated(target)} is reached near {key} = {number(found[0])}"
        )
        out.append(
            f"{said}{what}, between {number(found[1])} and {number(found[2])} with 95 % confidence"
            f"{f' ({where})' if where else ''}."
        )
    return out
