"""Power and assurance of a study over a grid of designs; the smallest and cheapest of them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.load import as_plan
from acmodels.numbers import table_html
from acmodels.replication import Job, Outcome, Result, job_key, open_store, run
from acmodels.replication.answers import answers, by_assumption, confirmed_words, withheld_words
from acmodels.replication.criterion import power_job, proposition_of, successes
from acmodels.replication.crossing import reached, wilson
from acmodels.replication.ready import ready_for
from acmodels.replication.recovery import (
    MOST_FAILED,
    check_run,
    clusters,
    design_effect,
    share_error,
)
from acmodels.replication.store import numbers_of
from acmodels.rng import check_seed, child_seed
from acmodels.spec.plan import BUDGET, Plan, plan_from_table, plan_with_model
from acmodels.system.arrays import Array

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

COLUMNS = ("estimand", "rule", "power", "mcse", "lower", "upper", "n", "failed", "cost")
BATCH = 160
"""Replicates of a cell between looks at its Monte Carlo error: a multiple of the block."""


@dataclass(frozen=True)
class Power:
    """How often a study succeeds, over a plan's grid.

    Attributes:
        table: columns as in `power.csv`: the grid's keys, then `COLUMNS`.
        errors: for each row of the table, type S and type M errors: `type_s`, the share of
            successes whose posterior mean has the wrong sign, and `exaggeration`, their mean
            |posterior mean| over |truth| (Gelman & Carlin, 2014).
        answers: sentences about the smallest and the cheapest design.
        plan, result: what was run.
        replications: of each cell, at most.
        trusted: whether at most 5 % of the fits of every cell failed.
        confirmed: rows like the table's of designs simulated once more with fresh seeds, or None.
    """

    table: "pd.DataFrame"
    errors: "pd.DataFrame"
    answers: tuple[str, ...]
    plan: Plan
    result: Result
    replications: int
    trusted: bool
    confirmed: "pd.DataFrame | None" = None

    def _repr_html_(self) -> str:
        return table_html(self.table)


def power(
    plan: Plan | str | Path,
    *,
    seed: int = 1,
    replications: int | None = None,
    engine: str = "auto",
    draws: int | None = None,
    chains: int | None = None,
    mcse: float | None = None,
    workers: int = 2,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    executor: "Executor | None" = None,
    confirm: bool = False,
) -> Power:
    """Simulate and refit each design of a plan, and count how often its criterion is met.

    Replicate r has the same random numbers at every point of the grid, so that differences
    between points are sharper than the points.

    Args:
        plan: from `load_plan`, or the path or shipped name of one.
        seed: of the whole run.
        replications: of each design; as the plan says if None.
        engine: as for `recover`.
        draws: as for `recover`.
        chains: as for `recover`.
        mcse: stop at a design once its Monte Carlo standard error is at most this, looked at every
            160 replicates.
        workers: processes at once; they change the time and nothing else.
        out: a folder that keeps finished replicates, so that a run can be continued; none if None.
        progress: called as replicates finish.
        executor: runs blocks of replicates instead of workers of this machine.
        confirm: simulate the chosen design once more, with fresh seeds: the
            smallest by the curve where the grid has one key that is a number of units, else the
            cheapest, or the first, that reaches the target. What was chosen for its power in one
            set of replicates is then judged by another.

    Raises:
        InputError: plan, model and options do not go together.

    Examples:
        >>> import acmodels as ac
        >>> found = ac.power("plan_cluster_randomised", replications=20, workers=1)
        >>> found.table[["district", "row.n", "power"]].round(1).head(2)
           district  row.n  power
        0        20     10    0.1
        1        20     20    0.2
    """
    plan = as_plan(plan)
    check_run(replications, draws, chains, 0.95)
    asked = _Asked(
        seed, replications or plan.replications, engine, draws, chains, mcse, workers, progress,
        executor,
    )  # fmt: skip
    if out is not None:
        return _power_in(plan, asked, out, confirm=confirm)
    with TemporaryDirectory() as folder:
        return _power_in(plan, asked, Path(folder), confirm=confirm)


@dataclass(frozen=True)
class _Asked:
    """What a person asked of a run; attributes as the arguments of `power`."""

    seed: int
    replications: int
    engine: str
    draws: int | None
    chains: int | None
    mcse: float | None
    workers: int
    progress: Callable[[str, int, int], None] | None
    executor: "Executor | None"


def _power_in(plan: Plan, asked: _Asked, folder: Path, *, confirm: bool) -> Power:
    """Run a plan in a folder, and confirm the designs chosen where asked."""
    found = power_of(plan, _run(plan, asked, folder), asked.replications)
    if not confirm or not found.trusted:
        return found
    fresh = replace(asked, seed=child_seed(check_seed(asked.seed), "confirm"), mcse=None)
    rows: list[dict[str, Any]] = []
    for k, (name, values) in enumerate(_proposed(plan, found.table)):
        rows += _confirmed(plan, name, values, fresh, folder / f"confirm_{k + 1}")
    said = tuple(confirmed_words(plan, r) for r in rows)
    return replace(found, answers=(*found.answers, *said), confirmed=pd_frame(rows))


def _run(plan: Plan, asked: _Asked, folder: Path) -> Result:
    """Run the replicates of every design, or those that the folder does not hold yet."""
    job = power_job(plan, asked.seed, asked.engine, asked.draws, asked.chains)
    store = open_store(folder, job_key(job), job.kind)
    try:
        return run(
            job, store, asked.replications, workers=asked.workers,
            progress=asked.progress or (lambda *_: None), executor=asked.executor,
            enough=None if asked.mcse is None else _precise(plan, job, asked.mcse), batch=BATCH,
        )  # fmt: skip
    finally:
        store.close()


def _precise(plan: Plan, job: Job, mcse: float) -> Callable[[int, Outcome], bool]:
    """Say of a cell's replicates so far whether their Monte Carlo error is small enough."""
    proposition = proposition_of(plan)
    shared = cache(lambda cell: ready_for(job, job_key(job), cell).shared)

    def enough(cell: int, outcome: Outcome) -> bool:
        good = numbers_of(outcome)
        if not len(good):
            return False
        hits = successes(good, plan.criterion, proposition)
        blocks = clusters(outcome, shared(cell))
        return all(share_error(hits[:, q], blocks) <= mcse for q in range(hits.shape[1]))

    return enough


def _proposed(plan: Plan, table: "pd.DataFrame") -> list[tuple[str, dict[str, float]]]:
    """The design to confirm, of each estimand under each combination of what is assumed."""
    out: list[tuple[str, dict[str, float]]] = []
    target = plan.criterion.target
    for name, every in table.groupby("estimand", sort=False):
        known: pd.DataFrame = every.loc[every["power"].notna()]
        for _, rows in by_assumption(plan, known):
            enough: pd.DataFrame = rows.loc[rows["power"] >= target]
            if not len(enough):
                continue
            found = None
            if len(plan.choices) == 1:
                (key,) = plan.choices
                if all(float(v).is_integer() for v in plan.grid[key]):
                    found = reached(rows, key, target)
            priced = bool(rows["cost"].notna().all())
            best = enough.loc[enough["cost"].idxmin()] if priced else enough.iloc[0]
            values = {k: float(best[k]) for k in plan.grid}
            if found is not None:
                values[plan.choices[0]] = float(math.ceil(found[0]))
            out.append((str(name), values))
    return out


def _confirmed(
    plan: Plan,
    name: str,
    values: Mapping[str, float],
    asked: _Asked,
    folder: Path,
) -> list[dict[str, Any]]:
    """One design with fresh seeds: its row of `power.csv`."""
    whole = {k: int(v) if float(v).is_integer() else v for k, v in values.items()}
    cost = {k: v for k, v in plan.table.get("cost", {}).items() if k != BUDGET}
    table = {**plan.table, "grid": {k: [v] for k, v in whole.items()}, "cost": cost}
    one = plan_from_table(table, plan.source, plan.path, plan.sha256)
    model = plan.cells[0].design.model
    one = one if model is None else plan_with_model(one, model)
    folder.mkdir(parents=True, exist_ok=True)
    found = _power_in(one, asked, folder, confirm=False)
    rows: Any = found.table.to_dict("records")
    return [r for r in rows if r["estimand"] == name]


def pd_frame(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """Rows as a table."""
    import pandas as pd

    return pd.DataFrame(rows)


def power_of(plan: Plan, result: Result, replications: int) -> Power:
    """The rows of `power.csv`, and what they say about the design to choose."""
    import pandas as pd

    proposition = proposition_of(plan)
    rows: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    trusted = True
    for point, ready, outcome in zip(plan.cells, result.ready, result.outcomes, strict=True):
        good = numbers_of(outcome)
        failed = len(outcome.reasons) - len(good)
        fine = failed <= MOST_FAILED * len(outcome.reasons) and len(good) > 0
        trusted = trusted and fine
        hits = successes(good, plan.criterion, proposition)
        blocks = clusters(outcome, ready.shared)
        for q, name in enumerate(ready.quantities):
            row: dict[str, Any] = {**point.values, "estimand": name, "rule": plan.criterion.rule}
            if fine:
                share = float(hits[:, q].mean())
                low, high = wilson(share, len(good) / design_effect(hits[:, q], blocks))
                row |= {
                    "power": share, "mcse": share_error(hits[:, q], blocks),
                    "lower": low, "upper": high,
                }  # fmt: skip
            else:
                row |= dict.fromkeys(("power", "mcse", "lower", "upper"), math.nan)
            cost = math.nan if point.cost is None else point.cost
            rows.append({**row, "n": len(good), "failed": failed, "cost": cost})
            errors.append({**point.values, "estimand": name, **_errors(good[:, q], hits[:, q])})
    columns = [*plan.grid, *COLUMNS]
    table = pd.DataFrame(rows, columns=columns)
    said = (*answers(plan, table), *withheld_words(plan, result))
    return Power(table, pd.DataFrame(errors), said, plan, result, replications, trusted)


def _errors(good: Array, hits: Array) -> dict[str, float]:
    """Type S and type M errors of the successes; NaN where the truth is 0 or none succeeded."""
    hit = hits > 0
    truth, mean = good[hit, 0], good[hit, 1]
    if not hit.any() or np.any(truth == 0):
        return {"type_s": math.nan, "exaggeration": math.nan}
    return {
        "type_s": float(np.mean(np.sign(mean) != np.sign(truth))),
        "exaggeration": float(np.mean(np.abs(mean)) / np.mean(np.abs(truth))),
    }
