"""Simulate and refit, many times: does a model find the truth that a design puts in?"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import numpy as np

from acmodels.errors import InputError
from acmodels.estimands import Context, evaluate
from acmodels.load import as_design
from acmodels.numbers import stated, table_html
from acmodels.replication import Cell, Job, Outcome, Result, job_key, open_store, run
from acmodels.replication.job import Seen
from acmodels.replication.store import numbers_of
from acmodels.spec.design import Design
from acmodels.spec.model import Model
from acmodels.system import parameters
from acmodels.system.arrays import Array

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

COLUMNS = (
    "name", "truth", "n", "failed", "bias", "rmse", "coverage", "coverage_mcse", "mean_width",
)  # fmt: skip
MOST_FAILED = 0.05
"""Share of failed fits above which a run gives no answer."""


@dataclass(frozen=True)
class RecoveryMeasure:
    """Truth, posterior mean and interval of every structural parameter and estimand.

    Attributes:
        interval: `eti` or `hdi`.
        prob: its mass.
    """

    interval: Literal["eti", "hdi"]
    prob: float

    @property
    def columns(self) -> tuple[str, ...]:
        """What is kept of each quantity."""
        return ("truth", "mean", "sd", "lower", "upper")

    def quantities(self, model: Model, context: Context) -> tuple[str, ...]:
        """Structural parameters, then estimands, row by row."""
        names = [p.name for p in parameters(context.layout)]
        for name in names:
            context.parameter(name)
        return (*names, *effect_names(model, tuple(model.estimands), context))

    def measure(self, seen: Seen) -> Array:
        """The numbers, (R, quantities, 5); NaN where a fit withholds the quantity."""
        truth = np.stack([seen.truth[n] for n in seen.names], axis=-1)
        draws = seen.values
        of = tuple(seen.model.estimands)
        if of:
            at_draws, at_truth = seen.effects(of, self.prob)
            draws = np.concatenate([draws, at_draws], axis=-1)
            truth = np.concatenate([truth, at_truth], axis=-1)
        lower, upper = bounds(draws, self.interval, self.prob)
        return np.stack([truth, draws.mean(axis=1), draws.std(axis=1), lower, upper], axis=-1)


def effect_names(model: Model, of: tuple[str, ...], context: Context) -> tuple[str, ...]:
    """Names of the rows of estimands: `name`, or `name [at]`."""
    del model
    return tuple(f"{n} [{r.at}]" if r.at else n for n in of for r in evaluate(n, context))


def bounds(draws: Array, interval: str, prob: float) -> tuple[Array, Array]:
    """Intervals of draws (R, S, Q): lower and upper, (R, Q)."""
    if interval == "eti":
        return _quantiles(draws, (1 - prob) / 2, (1 + prob) / 2)
    ordered = np.sort(draws, axis=1)
    S = draws.shape[1]
    width = int(np.floor(prob * S))
    spans = ordered[:, width:] - ordered[:, : S - width]
    at = np.argmin(spans, axis=1)[:, None, :]
    return (
        np.take_along_axis(ordered, at, axis=1)[:, 0, :],
        np.take_along_axis(ordered, at + width, axis=1)[:, 0, :],
    )


def _quantiles(draws: Array, low: float, high: float) -> tuple[Array, Array]:
    """Return what `np.quantile` gives along axis 1 at two probabilities, in a third of its time.

    It parts the draws at one rank after the other, for which NumPy has vector code, and not at
    all ranks in one call, for which it has none.
    """
    S = draws.shape[1]
    first, second = int(low * (S - 1)), int(high * (S - 1))
    if second <= first or second > S - 2:
        lower, upper = np.quantile(draws, [low, high], axis=1)
        return lower, upper
    draws = np.ascontiguousarray(np.swapaxes(draws, 1, 2))
    draws.partition(first + 1, axis=-1)
    rest = draws[..., first + 1 :]
    lower = _between(draws[..., : first + 1].max(axis=-1), rest[..., 0], low * (S - 1) - first)
    k = second - first
    rest.partition(k, axis=-1)
    return lower, _between(rest[..., :k].max(axis=-1), rest[..., k], high * (S - 1) - second)


def _between(below: Array, above: Array, t: float) -> Array:
    step = above - below
    return below + step * t if t < 0.5 else above - step * (1 - t)  # as NumPy rounds


@dataclass(frozen=True)
class Recovery:
    """How well a model finds a design's truth.

    Attributes:
        table: columns as in `recovery.csv`.
        result: of the run, replicate by replicate.
        design: what was simulated.
        replications: asked for.
        interval, prob: of the intervals whose coverage is counted.
        trusted: whether at most 5 % of the fits failed.
        notes: sentences about what fits withheld.
    """

    table: "pd.DataFrame"
    result: Result
    design: Design
    replications: int
    interval: str
    prob: float
    trusted: bool
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return table_html(self.table)


def recover(
    design: Design | str | Path,
    *,
    seed: int = 1,
    replications: int | None = None,
    engine: str = "auto",
    draws: int | None = None,
    chains: int | None = None,
    interval: Literal["eti", "hdi"] = "eti",
    prob: float = 0.95,
    workers: int = 2,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    executor: "Executor | None" = None,
) -> Recovery:
    """Simulate a design's study and refit its model, many times.

    Predictors, groupings and responses are drawn anew. With the collapsed engine, twenty
    replicates in turn share predictors and groupings, and standard errors count that.

    Args:
        design: from `load_design`, or the path or shipped name of one.
        seed: of the whole run.
        replications: how often; as the design says if None.
        engine: as for `fit`, but what fails with `auto` is counted and not fitted again by NUTS.
        draws: of each chain; if None, 150 by hmc and 500 by NUTS, more where
            these are too few, and 1,000 in all by weighted points.
        chains: 4 by hmc and NUTS if None.
        interval: whose coverage is counted, `eti` or `hdi`.
        prob: its mass.
        workers: processes at once; they change the time and nothing else.
        out: a folder that keeps finished replicates, so that a run can be continued; none if None.
        progress: called as replicates finish.
        executor: runs blocks of replicates instead of workers of this machine.

    Raises:
        InputError: design, model and options do not go together.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> found = ac.recover(design, replications=20, workers=1)
        >>> found.table[["name", "truth", "bias", "coverage"]].round(2).head(2)
                                         name  truth  bias  coverage
        0            collective_knowledge ~ 1   0.00 -0.03      0.95
        1  collective_knowledge ~ flexibility   0.15  0.01      1.00
    """
    design = as_design(design)
    check_run(replications, draws, chains, prob)
    job = Job(
        "recover", (Cell(design),), RecoveryMeasure(interval, prob), seed, engine, draws, chains
    )
    number = replications or design.replications
    result = in_folder(job, number, workers, out, progress, executor)
    table, trusted = recovery_table(result)
    notes = _withheld(result, prob)
    return Recovery(table, result, design, number, interval, prob, trusted, notes)


def _withheld(result: Result, prob: float) -> tuple[str, ...]:
    """Say in how many fits a ratio was withheld."""
    good = numbers_of(result.outcomes[0])
    out: list[str] = []
    for q, name in enumerate(result.ready[0].quantities):
        lost = int(np.isnan(good[:, q, 1]).sum())
        if lost:
            out.append(
                f"{name} was withheld in {lost} of {len(good)} fits, as `fit` withholds it, since "
                f"the {stated(100 * prob)} % interval of the total effect included 0; its row is "
                "about the other fits."
            )
    return tuple(out)


def check_run(replications: int | None, draws: int | None, chains: int | None, prob: float) -> None:
    """Refuse impossible options.

    Raises:
        InputError: one of them.
    """
    for name, value, least in (
        ("replications", replications, 1),
        ("draws", draws, 4),
        ("chains", chains, 1),
    ):
        if value is not None and value < least:
            raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}")
    if not 0 < prob < 1:
        raise InputError(f"prob must lie between 0 and 1, not {prob!r}")


def in_folder(
    job: Job,
    replications: int,
    workers: int,
    out: Path | None,
    progress: Callable[[str, int, int], None] | None,
    executor: "Executor | None" = None,
) -> Result:
    """Run a job with its store in a folder, or in one that is thrown away."""
    tell = progress or (lambda *_: None)
    if out is None:
        with TemporaryDirectory() as folder:
            return in_folder(job, replications, workers, Path(folder), progress, executor)
    store = open_store(out, job_key(job), job.kind)
    try:
        return run(job, store, replications, workers=workers, progress=tell, executor=executor)
    finally:
        store.close()


def recovery_table(result: Result) -> tuple["pd.DataFrame", bool]:
    """The rows of `recovery.csv`, and whether few enough fits failed."""
    import pandas as pd

    ready, outcome = result.ready[0], result.outcomes[0]
    good = numbers_of(outcome)
    failed = len(outcome.reasons) - len(good)
    trusted = failed <= MOST_FAILED * len(outcome.reasons)
    blocks = clusters(outcome, ready.shared)
    rows: list[dict[str, object]] = []
    for q, name in enumerate(ready.quantities):
        told = ~np.isnan(good[:, q, 1])  # not where a fit withholds the quantity
        n = int(told.sum())
        truth, mean, _, lower, upper = good[told, q, :].T if n else np.full((5, 1), np.nan)
        inside = ((lower <= truth) & (truth <= upper)).astype(float)
        rows.append(
            {
                "name": name,
                "truth": good[:, q, 0].mean() if len(good) else np.nan,
                "n": n,
                "failed": failed,
                "bias": np.mean(mean - truth),
                "rmse": np.sqrt(np.mean((mean - truth) ** 2)),
                "coverage": inside.mean() if n else np.nan,
                "coverage_mcse": share_error(inside, blocks[told]) if n else np.nan,
                "mean_width": np.mean(upper - lower),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)), trusted


def clusters(outcome: Outcome, size: int) -> np.ndarray:
    """The block of each replicate whose fit can be used."""
    return np.array([r // size for r, why in zip(outcome.replicates, outcome.reasons, strict=True)
                     if not why], dtype=np.int64)  # fmt: skip


def share_error(hits: Array, blocks: np.ndarray) -> float:
    """Monte Carlo standard error of a share of hits among replicates in blocks.

    That of independent replicates, times the root of the design effect where replicates of a
    block are alike: the ratio estimator's variance between blocks (Cochran, 1977, section 9.5)
    over the binomial one, taken as at least 1. The binomial variance is taken at
    (hits + 1) / (n + 2), so that it is not 0 where every replicate agrees.
    """
    n = len(hits)
    p = (hits.sum() + 1) / (n + 2)
    return float(np.sqrt(p * (1 - p) / n * design_effect(hits, blocks)))


def design_effect(hits: Array, blocks: np.ndarray) -> float:
    """Variance of a share with its blocks counted, over the binomial variance; at least 1."""
    n = len(hits)
    names, at = np.unique(blocks, return_inverse=True)
    share = hits.mean() if n else 0.0
    if len(names) < 10 or len(names) == n or not 0 < share < 1:
        return 1.0
    off = np.bincount(at, weights=hits - share)
    between = len(names) / (len(names) - 1) * np.sum(off**2) / n**2
    return float(max(1.0, between / (share * (1 - share) / n)))
