"""Power and assurance of a study over a grid of designs; the smallest and cheapest of them."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.estimands import Context, question
from acmodels.families import scalars
from acmodels.inference.judging import meant
from acmodels.inference.rules import Drawn, chances, decide
from acmodels.load import as_plan
from acmodels.numbers import decimal, number, share, stated, table_html
from acmodels.replication import Cell, Job, Outcome, Result, job_key, open_store, run
from acmodels.replication.block import Seen
from acmodels.replication.recovery import (
    MOST_FAILED,
    bounds,
    check_run,
    clusters,
    design_effect,
    effect_names,
    share_error,
)
from acmodels.replication.store import numbers_of
from acmodels.rng import check_seed, child_seed
from acmodels.spec.model import Model
from acmodels.spec.plan import (
    BUDGET,
    Criterion,
    Plan,
    plan_from_table,
    plan_with_model,
)
from acmodels.spec.proposition import Claim, Proposition
from acmodels.system import parameters
from acmodels.system.layout import Array

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

COLUMNS = ("estimand", "rule", "power", "mcse", "lower", "upper", "n", "failed", "cost")
BATCH = 160
"""Replicates of a cell between looks at its Monte Carlo error: a multiple of the block."""


@dataclass(frozen=True)
class PowerMeasure:
    """What a criterion asks of one estimand: interval, probabilities of regions, the truth.

    Attributes:
        estimand: its name.
        at: the row wanted, or None for all.
        interval: `eti` or `hdi`.
        prob: its mass.
        claim: the region and the rope.
        probability: that is asked for.
    """

    estimand: str
    at: str | None
    interval: str
    prob: float
    claim: Claim
    probability: float

    @property
    def columns(self) -> tuple[str, ...]:
        """What is kept of each quantity."""
        return ("truth", "mean", "lower", "upper", "p_region", "p_rope", "supported")

    def quantities(self, model: Model, context: Context) -> tuple[str, ...]:
        """The estimand's rows.

        Raises:
            ModelError: `at` names none of them.
        """
        names = effect_names(model, (self.estimand,), context)
        rows = question(self.estimand, context).at
        if self.at is not None and self.at not in rows:
            raise ModelError(
                f"criterion.at: '{self.estimand}' has no row '{self.at}'"
                f"{did_you_mean(self.at, rows)} (rows: {listing(rows)})"
            )
        return tuple(names[k] for k in self._rows(model, context))

    def _rows(self, model: Model, context: Context) -> list[int]:
        """Positions of the rows that are meant."""
        rows = question(self.estimand, context).at
        wanted = meant(model.estimands[self.estimand].kind, rows, self.at)
        return [k for k, at in enumerate(rows) if at in wanted]

    def measure(self, seen: Seen) -> Array:
        """The numbers, (R, quantities, 7); no probability and no interval where withheld."""
        draws, truth = seen.effects((self.estimand,), self.prob)
        one = {k: v[0] for k, v in seen.responses.items()}
        context = Context(
            seen.layout, one, lambda n: seen.truth[n][:1, None], seen.model.estimands,
            seen.model.source,
        )  # fmt: skip
        rows = self._rows(seen.model, context)
        draws, truth = draws[..., rows], truth[:, rows]
        low, high = bounds(draws, self.interval, self.prob)
        judged = [self._judged(Drawn(draws[..., k])) for k in range(draws.shape[-1])]
        chance = np.stack(judged, axis=1) if judged else np.zeros((len(draws), 0, 3))
        told = np.stack([truth, draws.mean(axis=1), low, high], axis=-1)
        return np.concatenate([told, chance], axis=-1)

    def _judged(self, drawn: Drawn) -> Array:
        """P(region), P(rope) and whether the claim is supported, (R, 3).

        Of a region that lies outside of two ends the probability of the side that has more.
        """
        seen = chances(self.claim, drawn)
        said = decide([seen], self.probability)
        region = said.region if seen.above is None else np.mean(seen.held, axis=-1)
        rope = np.full(region.shape, np.nan) if said.rope is None else said.rope
        return np.stack([region, rope, said.supported.astype(np.float64)], axis=-1)


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
    job = power_job(plan, seed, engine, draws, chains)
    number = replications or plan.replications
    tell = progress or (lambda *_: None)
    proposition = _proposition(plan)

    def enough(cell: int, outcome: Outcome) -> bool:
        good = numbers_of(outcome)
        if mcse is None or not len(good):
            return False
        hits = successes(good, plan.criterion, proposition)
        blocks = clusters(outcome, size_of(cell))
        return all(share_error(hits[:, q], blocks) <= mcse for q in range(hits.shape[1]))

    sizes: dict[int, int] = {}

    def size_of(cell: int) -> int:
        from acmodels.replication.block import ready_for

        if cell not in sizes:
            sizes[cell] = ready_for(job, job_key(job), cell).shared
        return sizes[cell]

    def go(folder: Path) -> Result:
        store = open_store(folder, job_key(job), job.kind)
        try:
            return run(
                job, store, number, workers=workers, progress=tell, executor=executor,
                enough=enough if mcse is not None else None, batch=BATCH,
            )  # fmt: skip
        finally:
            store.close()

    def whole(folder: Path) -> Power:
        found = power_of(plan, go(folder), number)
        if not confirm or not found.trusted:
            return found
        fresh = child_seed(check_seed(seed), "confirm")
        rows: list[dict[str, Any]] = []
        for k, (name, values) in enumerate(_proposed(plan, found.table)):
            again = _confirmed(
                plan, name, values, fresh, number, folder / f"confirm_{k + 1}",
                engine=engine, draws=draws, chains=chains, workers=workers, progress=progress,
                executor=executor,
            )  # fmt: skip
            rows += again
        said = tuple(_confirmed_words(plan, r) for r in rows)
        return replace(found, answers=(*found.answers, *said), confirmed=pd_frame(rows))

    if out is None:
        with TemporaryDirectory() as folder:
            return whole(Path(folder))
    return whole(out)


def _proposed(plan: Plan, table: "pd.DataFrame") -> list[tuple[str, dict[str, float]]]:
    """The design to confirm, of each estimand under each combination of what is assumed."""
    out: list[tuple[str, dict[str, float]]] = []
    target = plan.criterion.target
    for name, every in table.groupby("estimand", sort=False):
        known: pd.DataFrame = every.loc[every["power"].notna()]
        for _, rows in _by_assumption(plan, known):
            enough: pd.DataFrame = rows.loc[rows["power"] >= target]
            if not len(enough):
                continue
            found = None
            if len(plan.choices) == 1:
                (key,) = plan.choices
                if all(float(v).is_integer() for v in plan.grid[key]):
                    found = _curve(rows, key, target)
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
    seed: int,
    replications: int,
    folder: Path,
    **options: Any,
) -> list[dict[str, Any]]:
    """One design with fresh seeds: its row of `power.csv`."""
    whole = {k: int(v) if float(v).is_integer() else v for k, v in values.items()}
    cost = {k: v for k, v in plan.table.get("cost", {}).items() if k != BUDGET}
    table = {**plan.table, "grid": {k: [v] for k, v in whole.items()}, "cost": cost}
    one = plan_from_table(table, plan.source, plan.path, plan.sha256)
    model = plan.cells[0].design.model
    one = one if model is None else plan_with_model(one, model)
    folder.mkdir(parents=True, exist_ok=True)
    found = power(one, seed=seed, replications=replications, out=folder, **options)
    rows: Any = found.table.to_dict("records")
    return [r for r in rows if r["estimand"] == name]


def _confirmed_words(plan: Plan, row: Mapping[str, Any]) -> str:
    target = plan.criterion.target
    where = _label({k: row[k] for k in plan.grid})
    said = f" at {where}" if where else ""
    if math.isnan(row["power"]):
        return f"With fresh seeds{said} too many fits failed to state a power."
    word = (
        "which bears it out"
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


def pd_frame(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """Rows as a table."""
    import pandas as pd

    return pd.DataFrame(rows)


def power_job(plan: Plan, seed: int, engine: str, draws: int | None, chains: int | None) -> Job:
    """Return what a plan asks to run.

    Raises:
        ModelError: its criterion names nothing of the model, or a truth is drawn that is none.
    """
    model = plan.cells[0].design.model
    assert model is not None  # noqa: S101
    c = plan.criterion
    proposition = _proposition(plan)
    name = c.estimand if proposition is None else proposition.estimand
    if name not in model.estimands:
        raise ModelError(
            f"{plan.source}: criterion.estimand: {model.source} has no estimand '{name}'"
            f"{did_you_mean(str(name), model.estimands)} "
            f"(estimands: {listing(list(model.estimands))})"
        )
    claim, need = Claim(str(name), c.lower, c.upper, c.at, c.rope, c.outside), c.probability
    if proposition is not None:
        claim = replace(proposition.claims[0], rope=c.rope or proposition.rope)
        need = proposition.probability if c.rule == "verdict" else need
        if c.rule == "rope" and claim.rope is None:
            raise ModelError(
                f'{plan.source}: criterion: rule = "rope" needs rope = [low, high], since '
                f"{proposition.id} has none"
            )
    interval = "hdi" if c.rule == "hdi" else "eti"
    measure = PowerMeasure(str(name), claim.at, interval, c.prob, claim, need)
    _check_drawn(plan, seed)
    cells = tuple(Cell(x.design, plan.design_prior, label=_label(x.values)) for x in plan.cells)
    return Job("power", cells, measure, seed, engine, draws, chains)


def _check_drawn(plan: Plan, seed: int) -> None:
    from acmodels.replication.block import resolve_design

    layout, _, _ = resolve_design(Cell(plan.cells[0].design), seed)
    known = {p.name: p for p in parameters(layout)}
    for name, d in plan.design_prior.items():
        where = f'{plan.source}: design_prior."{name}"'
        if name not in known:
            raise ModelError(
                f"{where}: the model has no parameter '{name}'{did_you_mean(name, known)} "
                f"(parameters: {listing(list(known), 12)})"
            )
        if known[name].kind in ("cor", "threshold"):
            raise ModelError(f"{where}: correlations and thresholds are not drawn one by one")
        own = scalars().get(known[name].kind)
        if own is not None and own.support == "unit" and d.kind.support != "unit":
            raise ModelError(f"{where}: {name} lies between 0 and 1, so it is Beta or Uniform")
        if known[name].kind != "coefficient" and d.kind.support not in ("positive", "unit"):
            raise ModelError(f"{where}: {name} is above 0, so its distribution must be positive")


def _proposition(plan: Plan) -> Proposition | None:
    model = plan.cells[0].design.model
    assert model is not None  # noqa: S101
    wanted = plan.criterion.proposition
    if wanted is None:
        return None
    if wanted not in model.propositions:
        raise ModelError(
            f"{plan.source}: criterion.proposition: {model.source} has no proposition '{wanted}'"
            f"{did_you_mean(wanted, model.propositions)} "
            f"(propositions: {listing(list(model.propositions))})"
        )
    found = model.propositions[wanted]
    if found.all:
        raise ModelError(
            f"{plan.source}: criterion.proposition: {wanted} judges several estimands jointly "
            f"(all = [...]), and power is of one; name an estimand: {found.estimands}"
        )
    return found


def _label(values: Mapping[str, float]) -> str:
    return ", ".join(f"{k} = {stated(v)}" for k, v in values.items())


def successes(good: Array, criterion: Criterion, proposition: Proposition | None) -> Array:
    """Return whether each replicate meets a criterion, (n, quantities), 0 or 1.

    Args:
        good: numbers of `PowerMeasure`, (n, quantities, 7).
        criterion: of the plan.
        proposition: that it names, or None.
    """
    _, _, lower, upper, region, rope, supported = np.moveaxis(good, -1, 0)
    if criterion.rule in ("eti", "hdi"):
        hits = (lower > 0) | (upper < 0)
    elif criterion.rule == "p_region":
        outside = criterion.outside if proposition is None else proposition.outside
        least = 1 - (1 - criterion.probability) / (2 if outside else 1)
        hits = region >= (least - 1e-12 if outside else least)
    elif criterion.rule == "rope":
        hits = rope >= criterion.probability
    elif criterion.rule == "width":
        hits = upper - lower <= (criterion.value or 0.0)
    else:
        hits = supported > 0
    return hits.astype(np.float64)


def wilson(share: float, n: float, prob: float = 0.95) -> tuple[float, float]:
    """Wilson's (1927) interval of a share among n; n may be an effective number."""
    from scipy.special import ndtri

    z = float(ndtri((1 + prob) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def power_of(plan: Plan, result: Result, replications: int) -> Power:
    """The rows of `power.csv`, and what they say about the design to choose."""
    import pandas as pd

    proposition = _proposition(plan)
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
    said = (*answers(plan, table), *_withheld(plan, result))
    return Power(table, pd.DataFrame(errors), said, plan, result, replications, trusted)


def _withheld(plan: Plan, result: Result) -> list[str]:
    """Say how often a ratio was withheld, which counts as no success."""
    shares: dict[str, list[tuple[float, str]]] = {}
    for point, ready, outcome in zip(plan.cells, result.ready, result.outcomes, strict=True):
        good = numbers_of(outcome)
        for q, name in enumerate(ready.quantities):
            if len(good):
                lost = float(np.isnan(good[:, q, 1]).mean())
                shares.setdefault(name, []).append((lost, _label(point.values)))
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
    for where, rows in _by_assumption(plan, known):
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


def _by_assumption(plan: Plan, rows: "pd.DataFrame") -> "list[tuple[str, pd.DataFrame]]":
    """Rows apart by the grid's keys that are no choices, with these in words."""
    keys = list(plan.conditions)
    if not keys:
        return [("", rows)]
    parts: Any = rows.groupby(keys, sort=False)
    return [(_label(dict(zip(keys, at, strict=True))), part) for at, part in parts]


def _at(row: Any, keys: Iterable[str]) -> str:
    values = {k: row[k] for k in keys}
    return f" at {_label(values)}" if values else ""


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
        found = _curve(rows, key, target)
        if found is None:
            continue
        fixed = at if isinstance(at, tuple) else (at,)
        where = _label({k: cast("float", v) for k, v in zip(others, fixed, strict=True)})
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


def is_truth(key: str) -> bool:
    """Return whether a key of a grid is a parameter, and no number of units."""
    return "~" in key or re.match(r"[a-z]+\d?\(", key) is not None


def _curve(rows: "pd.DataFrame", key: str, target: float) -> tuple[float, float, float] | None:
    """Return where power along a key reaches the target; see `crossing`."""
    if len(set(rows[key])) < 3:
        return None
    return crossing(
        rows[key].to_numpy(float), rows["power"].to_numpy(float), rows["n"].to_numpy(float),
        target, root=not is_truth(key),
    )  # fmt: skip


def crossing(
    x: Array, share: Array, n: Array, target: float, *, root: bool = True
) -> tuple[float, float, float] | None:
    """Return where a rising probit curve through shares reaches a target, with its 95 % interval.

    probit(share) = a + b sqrt(x), by maximum likelihood; the interval is Fieller's (1954). Along
    a number of units the mean of a test statistic rises as its root, which makes the curve nearly
    straight there, and along the size of an effect it rises as the size itself (`root` False); no
    answer is given where the curve does not rise, bends away from the shares (Pearson's
    chi-squared above its 99 % point) or reaches the target outside of x.

    Args:
        x: values, (k,), at least 3.
        share: successes among n, (k,).
        n: replicates, (k,).
        target: the share that is wanted.
        root: whether the curve is straight in the root of x, or in x.
    """
    import warnings

    import statsmodels.api as sm
    from scipy.special import ndtri
    from scipy.stats import chi2

    if np.any(x < 0) or share.min() >= target or share.max() < target:
        return None
    X = np.stack([np.ones_like(x), np.sqrt(x) if root else x], axis=1)
    hits = np.stack([share * n, n - share * n], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sm.GLM(hits, X, sm.families.Binomial(sm.families.links.Probit())).fit()
    (a, b), V = fit.params, np.asarray(fit.cov_params())
    if fit.pearson_chi2 > chi2.ppf(0.99, max(1, len(x) - 2)) or not np.isfinite(V).all():
        return None
    z = float(ndtri(0.975))
    if b <= z * math.sqrt(V[1, 1]):
        return None
    c = float(ndtri(target)) - a
    # Fieller: roots in r of (c - b r)^2 = z^2 (V00 + 2 r V01 + r^2 V11)
    A = b**2 - z**2 * V[1, 1]
    B = -2 * (b * c + z**2 * V[0, 1])
    C = c**2 - z**2 * V[0, 0]
    half = math.sqrt(max(0.0, B**2 - 4 * A * C))
    low, high = (-B - half) / (2 * A), (-B + half) / (2 * A)
    at = c / b
    degree = 2 if root else 1
    if not x.min() <= at**degree <= x.max() or at < 0:
        return None
    return at**degree, max(0.0, low) ** degree, high**degree
