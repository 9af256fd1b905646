"""One block of replicates: draw predictors and groupings, truths, responses; fit; measure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from acmodels.data import Study
from acmodels.engines import Batched, Prepared, Sampling, engine
from acmodels.errors import AcmodelsError
from acmodels.generate import generate_stack
from acmodels.inference.diagnosis import diagnose
from acmodels.numbers import decimal
from acmodels.posterior import Diagnostics, Posterior
from acmodels.replication.incomplete import Modeled, holed, stacked, systems
from acmodels.replication.job import Job, Outcome, Seen
from acmodels.replication.ready import (
    Ready,
    forget_others,
    losses_of,
    once,
    prepared_for,
    ready_for,
)
from acmodels.replication.truths import truths
from acmodels.rng import child_seed, stream
from acmodels.simulation import draw_frame
from acmodels.spec.distribution import draw
from acmodels.system import Layout, Responses, System, build_layout, parameters
from acmodels.system.arrays import Array
from acmodels.system.structural import with_steps

DRAWS = 1000
"""Draws of each posterior by an engine that takes batches, where a person does not say."""
CHAINS = 4
"""Chains by one that runs chains."""
LONGER = 4
"""How many times as many steps chains take where the usual number of steps was too few."""
LEAST_ESS = 100
"""Effective draws that a fit inside a loop needs; fewer than a fit that is read for itself."""


def run_block(job: Job, key: str, number: int, block: int) -> Outcome:
    """Run one block of one cell; what goes wrong with a fit is its reason, not an error.

    Where a data set stops the block, its replicates are run one by one, so that it stops no other.
    """
    ready = ready_for(job, key, number)
    replicates = tuple(range(block * ready.size, (block + 1) * ready.size))
    try:
        return _measured(job, ready, (key, number), replicates)
    except AcmodelsError:
        found = [_alone(job, ready, (key, number), r) for r in replicates]
    reasons = tuple(o.reasons[0] for o in found)
    return Outcome(replicates, reasons, np.concatenate([o.numbers for o in found]))


def _alone(job: Job, ready: Ready, at: tuple[str, int], replicate: int) -> Outcome:
    """Run one replicate of a block; one that cannot be fitted has no numbers."""
    try:
        return _measured(job, ready, at, (replicate,))
    except AcmodelsError as error:
        said = str(error).splitlines()[0]
        shape = (1, len(ready.quantities), len(job.measure.columns))
        return Outcome((replicate,), (said,), np.full(shape, np.nan))


def run_block_alone(job: Job, key: str, number: int, block: int) -> Outcome:
    """The same, where only one job is run at a time: what was made for others is let go."""
    forget_others(key)
    return run_block(job, key, number, block)


def _measured(job: Job, ready: Ready, at: tuple[str, int], replicates: tuple[int, ...]) -> Outcome:
    number = replicates[0] // ready.size
    frame = _frame(job, ready, number * ready.size)
    layout = build_layout(ready.model, frame, ready.codes, ready.curves)
    rngs = [stream(job.seed, "data", r) for r in replicates]
    truth = {k: np.full(len(rngs), v) for k, v in ready.truth.items()}
    if ready.cell.from_priors:
        truth = truths(layout, ready.priors, rngs)
    for name, d in ready.cell.drawn.items():
        truth[name] = np.array([draw(d, g, 1)[0] for g in rngs])
    truth = with_steps(layout, truth)
    stack = generate_stack(layout, truth, rngs).responses
    seeds = [child_seed(job.seed, "fit", r) for r in replicates]
    found, layout, stack = _fitted(job, ready, (*at, number), (frame, layout, stack), seeds)
    seen = Seen(
        ready.model, layout, ready.priors, stack, truth, found.names, found.values, found.ess, rngs
    )
    numbers = job.measure.measure(seen)
    lost = ~np.isfinite(found.values).all(axis=(1, 2))
    numbers[lost] = np.nan
    return Outcome(replicates, found.reasons, numbers)


def _frame(job: Job, ready: Ready, first: int) -> Study:
    """Ids and predictors of the block that begins with a replicate."""
    own = stream(job.seed, "frame", ready.size, first // ready.size)
    if ready.shared == ready.size:
        return draw_frame(ready.cell.design, own)
    sizes = stream(job.seed, "units and rows", ready.shared, first // ready.shared)
    return draw_frame(ready.cell.design, own, sizes)


def _fitted(
    job: Job,
    ready: Ready,
    at: tuple[str, int, int],
    data: tuple[Study, Layout, Responses],
    seeds: Sequence[int],
) -> tuple["_Found", Layout, Responses]:
    """Fit R data sets, less what they lose; the layout and responses that were observed too."""
    frame, layout, stack = data
    if not ready.cell.design.lacks:
        return _whole(job, ready, prepared_for(ready, *at[:2]), layout, stack, seeds), layout, stack
    lost = losses_of(job, ready.cell.design, layout, ready.size, at[2])
    holes = holed(ready.model, frame, layout, lost, ready.codes)
    if not holes.modeled:
        layout, stack = holes.layout, holes.responses(stack)
        return _whole(job, ready, prepared_for(ready, *at[:2]), layout, stack, seeds), layout, stack
    studies = systems(ready.model, frame, layout, lost, ready.codes, stack)
    typical = cast("System", ready.incomplete)
    prepare = once(("modeled", *at[:2]), lambda: Modeled(ready.model, ready.priors, typical))
    return _modeled(job, ready, prepare, studies, seeds), *stacked(studies)


def _whole(
    job: Job,
    ready: Ready,
    first: Prepared,
    layout: Layout,
    stack: Responses,
    seeds: Sequence[int],
) -> "_Found":
    """Fit R data sets in which nothing has to be modeled."""
    prepared = first.onto(layout)
    if prepared is None:  # a group that no row drew, say
        one = {k: v[0] for k, v in stack.items()}
        prepared = engine(ready.engine).prepare(layout, ready.priors, one)
    if engine(ready.engine).batches:
        return _batch(job, cast("Batched", prepared), stack, seeds, ready.read)
    sampling = _sampling(job, ready, ready.read)
    again = job.draws is None
    return _one_by_one(sampling, [prepared] * len(seeds), _each(stack), seeds, again=again)


def _modeled(
    job: Job, ready: Ready, prepare: Modeled, studies: Sequence[System], seeds: Sequence[int]
) -> "_Found":
    """Fit R data sets whose missing values are modeled; draws of the model's own parameters."""
    data = [s.sampled.responses for s in studies]
    own = tuple(p.name for p in parameters(studies[0].layout))
    sampling = _sampling(job, ready, None)
    return _one_by_one(sampling, (prepare(s) for s in studies), data, seeds, own)


def _sampling(job: Job, ready: Ready, wanted: frozenset[str] | None) -> Sampling:
    """How much is drawn of each data set by chains."""
    chosen = engine(ready.engine)
    draws = job.draws or chosen.loop_draws
    return Sampling(draws, chosen.loop_tune, job.chains or CHAINS, cores=1, wanted=wanted)


def _each(stack: Responses) -> list[Responses]:
    """Responses of R data sets, (R, n), one by one."""
    R = len(next(iter(stack.values())))
    return [{k: v[r] for k, v in stack.items()} for r in range(R)]


@dataclass(frozen=True)
class _Found:
    """Draws (R, S, names) of R data sets, and why any cannot be used."""

    names: tuple[str, ...]
    values: Array
    ess: Array
    reasons: tuple[str, ...]


def _batch(
    job: Job, prepared: Batched, stack: Responses, seeds: Sequence[int], read: frozenset[str]
) -> _Found:
    draws = DRAWS
    if job.draws is not None or job.chains is not None:
        draws = (job.draws or 1000) * (job.chains or 1)
    with np.errstate(all="ignore"):
        b = prepared.batch(stack, seeds, draws, wanted=read, alone=True)
    reasons: list[str] = []
    for ok, k, ess in zip(b.usable, b.pareto_k, b.ess, strict=True):
        if not ok:
            reasons.append(f"importance weights are not reliable: Pareto k is {decimal(k, 2)}")
        elif ess < LEAST_ESS:
            reasons.append(f"too few effective points: {decimal(ess, 0)}, below {LEAST_ESS}")
        else:
            reasons.append("")
    return _Found(b.names, b.values, b.ess, tuple(reasons))


def _one_by_one(
    sampling: Sampling,
    prepared: Iterable[Prepared],
    data: Sequence[Responses],
    seeds: Sequence[int],
    own: tuple[str, ...] | None = None,
    *,
    again: bool = True,
) -> _Found:
    """Sample R data sets; where some values are modeled, only the model's own parameters count.

    Where draws are too few, `again` says whether the data set is fitted once more with more.
    """
    values: list[Array] = []
    ess: list[float] = []
    reasons: list[str] = []
    names: tuple[str, ...] = ()
    longer = replace(sampling, draws=LONGER * sampling.draws, tune=LONGER * sampling.tune)
    for ready, one, seed in zip(prepared, data, seeds, strict=True):
        posterior, found = _sampled(ready, one, seed, sampling, own)
        if again and not found.usable:
            posterior, found = _sampled(ready, one, seed, longer, own)
        names = posterior.names
        thinned = posterior.values[:, :: posterior.values.shape[1] // sampling.draws]
        values.append(thinned.reshape(-1, len(names)))
        ess.append(found.min_ess_bulk or 0.0)
        reasons.append("" if found.usable else found.messages[0])
    return _Found(names, np.stack(values), np.array(ess), tuple(reasons))


def _sampled(
    ready: Prepared,
    data: Responses,
    seed: int,
    sampling: Sampling,
    own: tuple[str, ...] | None,
) -> tuple[Posterior, Diagnostics]:
    """Sample one data set by chains, and diagnose these parameters of it."""
    posterior = ready.sample(data, seed, sampling)
    if own is not None:
        kept = [posterior.names.index(n) for n in own]
        posterior = replace(posterior, names=own, values=posterior.values[..., kept])
    return posterior, diagnose(posterior, (), LEAST_ESS)
