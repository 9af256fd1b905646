"""The plan file: a design with a grid of its sizes and truths, a criterion and costs.

A plan is one file. Its grid is applied to the file's own table before that is read as a
design, so that whatever a design can say, a grid can vary.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from acmodels.display import facts
from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.spec.design import (
    Design,
    DesignTable,
    design_from_table,
    plain_design,
    with_model,
)
from acmodels.spec.distribution import Distribution, distribution
from acmodels.spec.model import Model, names_of
from acmodels.spec.names import parameter, pieces, plain, quoted, without_backticks
from acmodels.spec.proposition import REGION, RegionTable, region_bounds
from acmodels.spec.strict import Strict, check_table, composed_table

type Rule = Literal["eti", "hdi", "p_region", "rope", "width", "verdict"]

BUDGET = "budget"
"""The key of `[cost]` that is no unit: what a study may cost."""
PLAN_ONLY = ("grid", "criterion", "cost", "design_prior")
"""Tables that a plan has beyond its design."""


class CriterionTable(Strict):
    """When one fit counts as a success, and how often it should be one."""

    estimand: str | None = None
    proposition: str | None = None
    at: str | None = None
    rule: Rule | None = None
    prob: Annotated[float, Field(gt=0, lt=1)] = 0.95
    target: Annotated[float, Field(gt=0, lt=1)] = 0.80
    region: RegionTable | None = None
    probability: Annotated[float, Field(gt=0.5, lt=1)] = 0.975
    rope: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    value: Annotated[float, Field(gt=0)] | None = None


class PlanTable(DesignTable):
    """A whole plan file."""

    grid: dict[str, Annotated[list[float | int], Field(min_length=1)]] = Field(default_factory=dict)
    criterion: CriterionTable | None = None
    cost: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    design_prior: dict[str, dict[str, Any]] = Field(
        default_factory=dict, examples=['"y ~ x" = { dist = "Normal", mu = 0, sigma = 1 }']
    )


@dataclass(frozen=True)
class Criterion:
    """When a fit counts as a success.

    Attributes:
        estimand, proposition: what is looked at; one of them is None.
        at: which row of an estimand that has several, or None for each of them.
        rule: `eti` and `hdi`: the interval of mass `prob` excludes 0; `p_region`: the region has
            at least `probability`; `rope`: the region of practical equivalence has at least
            `probability`; `width`: the equal-tailed interval is at most `value` wide; `verdict`:
            the proposition is supported.
        prob, probability, value: as above.
        target: the power that is wanted.
        lower, upper: the region, open.
        rope: closed, or None.
        outside: whether the region is what lies beyond its ends on either side.
    """

    estimand: str | None
    proposition: str | None
    at: str | None = None
    rule: Rule = "eti"
    prob: float = 0.95
    target: float = 0.80
    probability: float = 0.975
    lower: float = 0.0
    upper: float = float("inf")
    rope: tuple[float, float] | None = None
    value: float | None = None
    outside: bool = False


@dataclass(frozen=True)
class GridPoint:
    """One point of a plan's grid.

    Attributes:
        values: of the grid's keys.
        design: that they give; its model is not loaded yet.
        cost: of one study, in the units of `[cost]`; None where no costs are stated.
    """

    values: Mapping[str, float]
    design: Design
    cost: float | None


@dataclass(frozen=True)
class Plan:
    """A plan file, read and checked for itself.

    Attributes:
        cells: the grid's points, the last key varying fastest; one without a grid.
        grid: values by key.
        criterion: when a fit counts.
        design_prior: distributions of truths, by parameter.
        replications: of each cell.
        choices: keys of the grid that are numbers of units, items or raters: what a researcher
            chooses. All others are assumptions.
        budget: what a study may cost, or None.
        left_out: points of the grid that cost more.
        table: the file's contents.
        source, path, sha256: the file.
    """

    cells: tuple[GridPoint, ...]
    grid: Mapping[str, tuple[float, ...]]
    criterion: Criterion
    design_prior: Mapping[str, Distribution]
    replications: int
    table: Mapping[str, Any]
    choices: tuple[str, ...] = ()
    budget: float | None = None
    left_out: tuple[GridPoint, ...] = ()
    source: str = "plan"
    path: Path | None = None
    sha256: str = ""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Keys of the grid that are assumptions, not choices."""
        return tuple(k for k in self.grid if k not in self.choices)

    def _repr_html_(self) -> str:
        c = self.criterion
        return facts(
            f"Plan {self.source}",
            {
                "Designs": len(self.cells),
                "Grid": tuple(
                    f"{k}: {', '.join(f'{v:g}' for v in values)}" for k, values in self.grid.items()
                )
                or "none",
                "Criterion": f"{c.estimand or c.proposition}, {c.rule}, target {c.target:g}",
                "Replications": self.replications,
            },
        )


def design_part(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a plan's table is a design."""
    return {k: v for k, v in table.items() if k not in PLAN_ONLY}


def plan_from_table(
    table: Mapping[str, Any], source: str, path: Path | None = None, sha256: str = ""
) -> Plan:
    """Check a plan file's contents and return the plan.

    Raises:
        ModelError: with every problem found.
    """
    table = plain_design(composed_table(table, source))
    t = check_table(PlanTable, table, source)
    if t.criterion is None:
        raise ModelError(
            f"{source}: a plan needs a [criterion], such as\n"
            '  [criterion]\n  estimand = "indirect"\n  rule = "eti"'
        )
    criterion = _criterion(t.criterion, source)
    prior = {
        k: distribution(v, f'{source}: design_prior."{k}"', ("real", "positive", "unit"))
        for k, v in t.design_prior.items()
    }
    bare = design_part(table)
    keys = list(t.grid)
    prices = {k: v for k, v in t.cost.items() if k != BUDGET}
    budget = t.cost.get(BUDGET)
    if budget is not None and not prices:
        raise ModelError(
            f"{source}: cost.{BUDGET}: a budget needs the cost of a unit of at least one kind, "
            "such as district = 2000"
        )
    cells: list[GridPoint] = []
    for values in product(*t.grid.values()):
        here = copy.deepcopy(bare)
        for key, value in zip(keys, values, strict=True):
            _put(here, key, value, source)
        design = design_from_table(here, source, path, sha256)
        cells.append(
            GridPoint(dict(zip(keys, values, strict=True)), design, _cost(prices, design, source))
        )
    both = [k for k in prior if k in t.grid]
    if both:
        raise ModelError(
            f"{source}: '{both[0]}' is both in [grid] and in [design_prior]; a truth is either "
            "stepped through or drawn"
        )
    grid = {k: tuple(v) for k, v in t.grid.items()}
    within = [c for c in cells if budget is None or (c.cost or 0.0) <= budget]
    if not within:
        least = min(c.cost or 0.0 for c in cells)
        raise ModelError(
            f"{source}: cost.{BUDGET}: every design of the grid costs more than {budget:g}; the "
            f"cheapest costs {least:g}"
        )
    return Plan(
        tuple(within), grid, criterion, prior, t.replications, dict(table),
        tuple(k for k in grid if is_choice(k, bare)), budget,
        tuple(c for c in cells if c not in within), source, path, sha256,
    )  # fmt: skip


def is_choice(key: str, table: Mapping[str, Any]) -> bool:
    """Say whether a key of a grid is a number of units, items or raters (a choice).

    Args:
        key: of the grid.
        table: of the design.
    """
    units = table.get("units", {})
    if plain(key) in units:
        return True
    first, rest = _dotted(key, ("units", *units))
    if first == "units" and rest:
        first, *rest = rest
    elif not rest:
        first, *rest = key.split(".")
    if first in units:
        return rest in ([], ["n"], ["n", "mean"])
    return rest in (["items"], ["raters"]) and first != "loss"


def plan_with_model(plan: Plan, model: Model) -> Plan:
    """Return a plan with its model, its truths spelled as the model's parameters are."""
    names = names_of(model.equations, model.measures)
    prior = {parameter(k, names): v for k, v in plan.design_prior.items()}
    cells = tuple(replace(c, design=with_model(c.design, model)) for c in plan.cells)
    return replace(plan, cells=cells, design_prior=prior)


def _criterion(t: CriterionTable, source: str) -> Criterion:
    where = f"{source}: criterion"
    if (t.estimand is None) == (t.proposition is None):
        raise ModelError(f"{where}: name either an estimand or a proposition")
    rule: Rule = t.rule or ("verdict" if t.proposition is not None else "eti")
    problems: list[str] = []
    if rule == "verdict" and t.proposition is None:
        problems.append(f'{where}.rule: "verdict" judges a proposition; name one')
    if rule == "rope" and t.rope is None and t.proposition is None:
        problems.append(f'{where}: rule = "rope" needs rope = [low, high]')
    if rule == "width" and t.value is None:
        problems.append(f'{where}: rule = "width" needs value, the widest interval accepted')
    if rule != "width" and t.value is not None:
        problems.append(f'{where}.value: only rule = "width" takes it')
    if t.rope is not None and not t.rope[0] < t.rope[1]:
        problems.append(f"{where}.rope: must rise, not {t.rope}")
    bounds = (0.0, float("inf"), False) if t.region is None else region_bounds(t.region)
    if bounds is None:
        problems.append(f"{where}.region: give {REGION}")
    if problems or bounds is None:
        raise ModelError(problems)
    lower, upper, outside = bounds
    rope = None if t.rope is None else (t.rope[0], t.rope[1])
    return Criterion(
        t.estimand, t.proposition, None if t.at is None else without_backticks(t.at), rule, t.prob,
        t.target, t.probability, lower, upper, rope, t.value, outside,
    )  # fmt: skip


def _put(table: dict[str, Any], key: str, value: float, source: str) -> None:
    """Set what a key of the grid names, in a design's table.

    Raises:
        ModelError: it names nothing.
    """
    units = table.get("units", {})
    exogenous = table.get("exogenous", {})
    name = plain(key)
    if name in units:
        if isinstance(units[name], dict):
            units[name]["n"] = value
        else:
            units[name] = value
        return
    here: Any
    first, path = _dotted(key, ("units", "exogenous", "loss", "truth", *units, *exogenous))
    if path and first in ("units", "exogenous", "loss", "truth"):
        here = table.setdefault(first, {})
    elif path:
        here, path = (units if first in units else exogenous), [first, *path]
    elif "~" in key or "(" in key or "|" in key:
        table.setdefault("truth", {})[key] = value
        return
    elif key.endswith(".items"):
        name = plain(key.removesuffix(".items"))
        table.setdefault("measures", {})[name] = {"items": value}
        return
    else:
        known = [*units, *table.get("truth", {}), *exogenous]
        raise ModelError(
            f'{source}: grid."{key}": no unit, truth or key of the design{did_you_mean(key, known)}'
            f' (units: {listing(list(units))}; dotted keys such as "partnership.n" or '
            '"loss.attrition")'
        )
    for step in path[:-1]:
        found = here.setdefault(step, {}) if isinstance(here, dict) else None
        if not isinstance(found, dict):
            raise ModelError(
                f"{source}: grid.\"{key}\": '{step}' has no keys below it in this design"
            )
        here = found
    here[path[-1]] = value


def _dotted(key: str, names: Iterable[str]) -> tuple[str, list[str]]:
    """Split `partnership.n` into the name that it begins with, the longest there is, and keys."""
    for name in sorted(names, key=len, reverse=True):
        for written in (name, quoted(name)):
            rest = key.removeprefix(f"{written}.")
            if rest != key and rest and not re.search("[~|]", rest):
                return name, [plain(p) for p in pieces(rest, ".")]
    return key, []


def expected_units(design: Design) -> dict[str, float]:
    """Expected number of units of each kind in a study of a design."""
    out: dict[str, float] = {}
    for u in design.units:
        out[u.name] = u.size.mean * out.get(u.per or "", 1.0)
    return out


def _cost(cost: Mapping[str, float], design: Design, source: str) -> float | None:
    sizes = expected_units(design)
    for k in cost:
        if k not in sizes:
            raise ModelError(
                f"{source}: cost.{k}: no such unit{did_you_mean(k, sizes)} "
                f"(units: {listing(list(sizes))})"
            )
    return sum(v * sizes[k] for k, v in cost.items()) if cost else None
