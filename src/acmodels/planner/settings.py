"""What a person can move, and the plan that comes of it."""

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from acmodels.load import load_model, models_folder
from acmodels.simulation import ASSUMED
from acmodels.spec import parameters as named

POINTS = 5
"""Numbers of districts on the curve."""
LEAST = 6
"""Fewest districts."""
REPLICATIONS = 1000
"""Of each design, if the page is left open for so long."""


@dataclass(frozen=True)
class Control:
    """Something to move.

    Attributes:
        key: what it sets: `districts`, a unit's number, `truth PARAMETER`, `icc RESPONSE`,
            `attrition`, `target` or `cost UNIT`.
        label: what a person reads.
        value: at first.
        low, high, step: of its values.
    """

    key: str
    label: str
    value: float
    low: float
    high: float
    step: float


@cache
def plans() -> Mapping[str, str]:
    """Plans of usual designs: the title of each by its name, indirect effects first."""
    found = {p.stem: _title(p.stem) for p in (models_folder() / "designs").glob("plan_*.toml")}
    first = ("plan_crossed_partnerships", "plan_mediation_221")
    order = sorted(found, key=lambda n: (first.index(n) if n in first else len(first), n))
    return {n: found[n] for n in order}


def _title(name: str) -> str:
    model = load_model(str(_table(name)["model"]))
    return model.title or model.name


@cache
def _table(name: str) -> dict[str, Any]:
    text = (models_folder() / "designs" / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def controls(name: str) -> tuple[Control, ...]:
    """Return what can be moved of a plan, in the order of the page."""
    table = _table(name)
    most = float(max(table["grid"].get("district", [table["units"]["district"]])))
    out = [Control("districts", "Districts, at most", most, 20, max(200.0, most), 10)]
    out += _units(table)
    truth: dict[str, float] = table["truth"]
    for parameter, value in truth.items():
        if "~" in parameter and "(" not in parameter.split("~")[0]:
            out.append(Control(f"truth {parameter}", _path(parameter), value, -1.0, 1.0, 0.05))
    for parameter, sd in truth.items():
        found = re.fullmatch(r"sd\((\w+) ~ 1 \| district\)", parameter)
        if found:
            y = found[1]
            share = sd**2 / (sd**2 + _rest(truth, y))
            label = f"Between districts, share of unexplained variance of {_plain(y)} (ICC)"
            out.append(Control(f"icc {y}", label, round(share, 2), 0.0, 0.6, 0.02))
    out.append(Control("attrition", "Rows lost (attrition)", 0.0, 0.0, 0.6, 0.05))
    out.append(Control("target", "Power wanted", 0.8, 0.5, 0.99, 0.01))
    for unit, cost in table.get("cost", {}).items():
        what = "answer" if unit == "row" else _plain(unit)
        out.append(Control(f"cost {unit}", f"Cost of a {what}", float(cost), 0, 1e6, 50))
    return tuple(out)


def _rest(truth: Mapping[str, float], response: str) -> float:
    """Variance of a response that lies neither between districts nor in its predictors."""
    found = truth.get(named.sigma(response), ASSUMED["sigma"]) ** 2
    other = re.compile(rf"sd\({re.escape(response)} ~ 1 \| (?!district\))")
    return found + sum(sd**2 for name, sd in truth.items() if other.match(name))


def _units(table: Mapping[str, Any]) -> list[Control]:
    out: list[Control] = []
    for unit, size in table["units"].items():
        if unit == "district":
            continue
        n = float(size if isinstance(size, int | float) else size["n"])
        per = None if isinstance(size, int | float) else size.get("per")
        what = "Answers" if unit == "row" else f"{_plain(unit)[:1].upper()}{_plain(unit)[1:]}s"
        label = what if per is None else f"{what} in each {_plain(per)}"
        key = f"{unit}.n" if per is not None else unit
        out.append(Control(key, label, n, 2 if per is None else 1, max(40.0, 2 * n), 1))
    return out


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _path(parameter: str) -> str:
    y, x = (s.strip() for s in parameter.split("~"))
    found = re.fullmatch(r"(within|between)\((\w+), (\w+)\)", x)
    if found:
        x = f"{found[2]}, {found[1]} {found[3]}s"
    return f"Effect of {_plain(x)} on {_plain(y)}"


def plan_of(name: str, values: Mapping[str, float], *, sizes: bool = False) -> dict[str, Any]:
    """The contents of a plan file.

    Args:
        name: of a shipped plan.
        values: by a control's key; those left out stay as the plan has them.
        sizes: whether half and double the number of the innermost units are on the grid too.

    Returns:
        Plain tables, as `load_plan` takes them.
    """
    table = deepcopy(_table(name))
    table["replications"] = REPLICATIONS
    at = {c.key: c.value for c in controls(name)} | dict(values)
    most = int(at["districts"])
    steps = np.unique(np.linspace(max(LEAST, most / POINTS), most, POINTS).round().astype(int))
    grid: dict[str, Any] = {"district": [int(n) for n in steps]}
    inner = ""
    for key in (k for k in at if k in table["units"] or k.endswith(".n")):
        unit = key.removesuffix(".n")
        if key.endswith(".n"):
            table["units"][unit]["n"] = int(at[key])
            inner = key
        else:
            table["units"][unit] = int(at[key])
    if sizes and inner:
        n = int(at[inner])
        grid[inner] = sorted({max(1, n // 2), n, 2 * n})
    table["units"]["district"] = most
    for key, value in at.items():
        kind, _, of = key.partition(" ")
        if kind == "truth":
            table["truth"][of] = float(value)
        elif kind == "icc":
            rest = _rest(table["truth"], of)
            table["truth"][named.sd(named.intercept(of), "district")] = float(
                round(np.sqrt(rest * value / (1 - value)), 4)
            )
        elif kind == "cost":
            table["cost"][of] = float(value)
    table["criterion"]["target"] = float(at["target"])
    if at["attrition"] > 0:
        table["loss"] = {"attrition": float(at["attrition"])}
    table["grid"] = grid
    return table
