"""One block of replicates: draw predictors and groupings, truths, responses; fit; measure."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol, cast

import numpy as np

from acmodels.data import Study
from acmodels.engines import Batched, Prepared, Sampling, choose, engine, engine_names
from acmodels.errors import AcmodelsError
from acmodels.estimands import Context, denominators, evaluate, may_be_zero, question
from acmodels.generate import generate_stack
from acmodels.inference.diagnosis import diagnose
from acmodels.numbers import decimal
from acmodels.posterior import Diagnostics, Posterior
from acmodels.priors import Priors, resolve_priors, response_scales
from acmodels.replication.incomplete import (
    Modeled,
    holed,
    stacked,
    systems,
)
from acmodels.rng import child_seed, stream
from acmodels.simulation import (
    Assumptions,
    assumptions,
    categories,
    check_design,
    check_losses,
    draw_frame,
    draw_losses,
    reference_frame,
    resolve_truth,
)
from acmodels.spec.design import Design
from acmodels.spec.distribution import Distribution, draw
from acmodels.spec.model import Model
from acmodels.system import Layout, Responses, System, build_layout, parameters
from acmodels.system.layout import Array, with_steps

HOLED, HOLED_ROWS_VARY = 10, 100
"""Replicates that share predictors and missing cells, where such are modeled.

The second number is how many share units and rows, where a design draws these.
What is compiled for one study serves all with as many units and rows."""
DRAWS = 1000
"""Draws of each posterior by an engine that takes batches, where a person does not say."""
CHAINS = 4
"""Chains by one that runs chains."""
LONGER = 4
"""How many times as many steps chains take where the usual number of steps was too few."""
RULES = 5
"""Counts up when what is drawn in a loop, or what counts as a failed fit, changes between releases,
so that a run begun before is not continued."""
LEAST_ESS = 100
"""Effective draws that a fit inside a loop needs; fewer than a fit that is read for itself."""


class Measure(Protocol):
    """Choose what is kept of a replicate.

    It is a small frozen value that can be sent to another process.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the numbers kept of each quantity."""
        ...

    def quantities(self, model: Model, context: Context) -> tuple[str, ...]:
        """Names of the quantities measured, given any context of the model.

        Every structural parameter that `measure` will read is read here too: equations of
        which none is read need not be fitted.
        """
        ...

    def measure(self, seen: "Seen") -> Array:
        """The numbers, (R, quantities, columns)."""
        ...


@dataclass(frozen=True)
class Cell:
    """A design with its truths.

    Attributes:
        design: with its model loaded.
        drawn: truths that each replicate draws, by parameter.
        from_priors: whether each replicate draws all its truths from the model's priors.
        label: for messages.
    """

    design: Design
    drawn: Mapping[str, Distribution] = field(default_factory=dict[str, Distribution])
    from_priors: bool = False
    label: str = ""


@dataclass(frozen=True)
class Job:
    """All that decides what comes out.

    Attributes:
        kind: `recover`, `calibrate` or `power`.
        cells: in order.
        measure: what is kept.
        seed: of the whole job.
        engine: `auto`, or an engine's name.
        draws, chains: as a person asked, or None.
    """

    kind: str
    cells: tuple[Cell, ...]
    measure: Measure
    seed: int
    engine: str = "auto"
    draws: int | None = None
    chains: int | None = None


def job_key(job: Job) -> str:
    """A hash of all that decides a job's numbers, this package's version included."""
    said = {
        "version": version("acmodels"),
        "rules": RULES,
        "kind": job.kind,
        "block": max(engine(n).block_size for n in engine_names()),
        "seed": job.seed,
        "engine": job.engine,
        "draws": job.draws,
        "chains": job.chains,
        "measure": repr(job.measure),
        "cells": [_cell_key(c) for c in job.cells],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _cell_key(cell: Cell) -> list[str]:
    d = cell.design
    model = cast("Model", d.model)
    return [
        model.sha256 or repr(model),
        repr((d.units, sorted(d.truth.items()), sorted(d.exogenous.items(), key=lambda p: p[0]))),
        repr(d.loss),
        repr(sorted(cell.drawn.items(), key=lambda p: p[0])),
        repr(cell.from_priors),
    ]


@dataclass(frozen=True)
class Seen:
    """What a measure is shown of R replicates.

    Attributes:
        model, layout, priors: of the cell; the layout on the block's rows.
        responses: (R, n) each.
        truth: of every structural parameter, (R,).
        names: of the structural parameters.
        values: their draws, (R, S, names).
        ess: effective draws behind each replicate's draws, (R,).
        rngs: a stream for each replicate, for what a measure itself draws.
    """

    model: Model
    layout: Layout
    priors: Priors
    responses: Responses
    truth: Mapping[str, Array]
    names: tuple[str, ...]
    values: Array
    ess: Array
    rngs: Sequence[np.random.Generator]

    def draws(self, name: str) -> Array:
        """Draws of a structural parameter, (R, S)."""
        return self.values[..., self.names.index(name)]

    def effects(self, of: Sequence[str], withhold: float | None = None) -> tuple[Array, Array]:
        """Estimands at the draws (R, S, rows) and at the truths (R, rows), in order.

        Args:
            of: the estimands.
            withhold: mass of the interval of its denominator at which a ratio is withheld, as a
                fit does; its draws in that replicate are NaN. None withholds nothing.
        """
        at_draws = self._rows(of, self.draws, _values)
        at_truth = self._rows(of, lambda n: self.truth[n][:, None], _values)
        if withhold is not None:
            zero = self._rows(of, self.draws, partial(_zero, withhold))
            at_draws = np.where(zero > 0, np.nan, at_draws)
        return at_draws, at_truth[:, 0, :]

    def _rows(
        self, of: Sequence[str], parameter: Any, what: Callable[[str, Context], list[Array]]
    ) -> Array:
        """Every row of the estimands at R data sets."""
        model = self.model
        context = Context(self.layout, self.responses, parameter, model.estimands, model.source)
        return np.stack([d for n in of for d in what(n, context)], axis=-1)


def _values(name: str, context: Context) -> list[Array]:
    return [r.draws for r in evaluate(name, context)]


def _zero(prob: float, name: str, context: Context) -> list[Array]:
    """Return whether what each row divides by may be zero, 0 or 1, (R, 1)."""
    found = denominators(name, context)
    if not found:
        sets = len(next(iter(context.responses.values())))
        return [np.zeros((sets, 1)) for _ in question(name, context).at]
    return [
        np.any([may_be_zero(w, prob, axis=1) for w in row], axis=0).astype(float)[:, None]
        for row in found
    ]


@dataclass(frozen=True)
class Outcome:
    """What a block yields.

    Attributes:
        replicates: their numbers.
        reasons: why a replicate's fit cannot be used, or nothing.
        numbers: (R, quantities, columns); NaN where there was no fit at all.
    """

    replicates: tuple[int, ...]
    reasons: tuple[str, ...]
    numbers: Array


@dataclass(frozen=True)
class Ready:
    """A cell made ready: its design resolved once.

    Attributes:
        cell: as asked for.
        model: its model.
        codes: categories of ordered responses.
        priors: in force; they do not change with the data.
        truth: of every structural parameter, where it is not drawn.
        engine: which one.
        typical: a layout of the design, and responses on it, for the engine to prepare on.
        quantities: what is measured.
        read: the structural parameters that it is made of.
        size: replicates in a block.
        shared: replicates that share units and rows, in one block or several.
        incomplete: a typical study whose missing values are modeled, or None.
        assumptions: all that its studies rest on.
    """

    cell: Cell
    model: Model
    codes: Mapping[str, tuple[int, ...]]
    priors: Priors
    truth: Mapping[str, float]
    engine: str
    typical: tuple[Layout, Responses]
    quantities: tuple[str, ...]
    read: frozenset[str]
    size: int
    shared: int
    incomplete: System | None
    assumptions: Assumptions


def resolve_design(
    cell: Cell, seed: int, scales: Mapping[str, tuple[float, float]] | None = None
) -> tuple[Layout, Priors, dict[str, float]]:
    """A typical layout of a design, its priors and its truths.

    Args:
        cell: the design.
        seed: of the whole job.
        scales: what default priors are scaled to, by response; see `design_scales`.

    Raises:
        ModelError: the design, its truths or the model's priors do not go together.
    """
    design = cell.design
    model = cast("Model", design.model)
    check_design(design)
    check_losses(design)
    layout = build_layout(
        model, reference_frame(design, stream(seed, "reference")), categories(design, model)
    )
    priors = resolve_priors(model.priors, layout, None, model.source, scales)
    return layout, priors, resolve_truth(design, model, layout)


def design_scales(job: Job) -> dict[str, tuple[float, float]] | None:
    """Mean and sd of each response that default priors are scaled to, for all cells of a job.

    An sd of 1, or the one that the first cell's truths imply where it is larger, and the mean
    that they imply. None where truths are drawn from the priors, which come first then.
    """
    cell = job.cells[0]
    if cell.from_priors:
        return None
    layout, _, truth = resolve_design(cell, job.seed)
    whole = with_steps(layout, {k: np.array([v]) for k, v in truth.items()})
    made = generate_stack(layout, whole, [stream(job.seed, "scales")]).responses
    found = response_scales(layout, {k: v[0] for k, v in made.items()})
    return {
        e.response: (found[e.response][0], max(found[e.response][1], 1.0))
        for e in layout.equations
        if e.has_sigma
    }


def get_ready(job: Job, number: int) -> Ready:
    """Resolve a cell of a job.

    Raises:
        ModelError: the design does not fit the model.
        EngineError: the engine asked for cannot take the model.
    """
    from acmodels.replication.truths import truths

    cell = job.cells[number]
    model = cast("Model", cell.design.model)
    layout, priors, truth = resolve_design(cell, job.seed, design_scales(job))
    rng = stream(job.seed, "typical")
    typical = {k: np.array([v]) for k, v in truth.items()}
    if cell.from_priors:
        typical = truths(layout, priors, [rng], middle=True)
    responses = generate_stack(layout, typical, [rng]).responses
    told = assumptions(cell.design, layout, truth, cell.drawn, from_priors=cell.from_priors)
    codes = categories(cell.design, model)
    incomplete: System | None = None
    if cell.design.loss.empties:
        layout, responses, incomplete = _typical_holes(job, cell, layout, responses, codes)
    sampled = layout if incomplete is None else incomplete.sampled.layout
    name = choose(sampled, priors, job.engine, source=model.source).name
    one = {k: v[0] for k, v in responses.items()}
    read: set[str] = set()

    def parameter(name: str) -> Array:
        read.add(name)
        return typical[name][None]

    context = Context(layout, one, parameter, model.estimands, model.source)
    quantities = job.measure.quantities(model, context)
    size = shared = engine(name).block_size
    if sampled.missing:
        size = HOLED
        shared = HOLED_ROWS_VARY if _rows_vary(cell.design) else HOLED
    return Ready(
        cell, model, codes, priors, truth, name, (layout, one), quantities, frozenset(read), size,
        shared, incomplete, told,
    )  # fmt: skip


def _rows_vary(design: Design) -> bool:
    """Return whether studies differ in their number of rows, and compiled code with them."""
    return design.loss.attrition > 0 or any(u.size.sd > 0 for u in design.units)


def _losses(job: Job, design: Design, layout: Layout, *use: str | int) -> dict[str, np.ndarray]:
    """The cells that the studies of a block lack."""
    rng = stream(job.seed, "losses", *use)
    return draw_losses(design, layout, rng, stream(job.seed, "pattern of losses"))


def _typical_holes(
    job: Job, cell: Cell, layout: Layout, whole: Responses, codes: Mapping[str, tuple[int, ...]]
) -> tuple[Layout, Responses, System | None]:
    """A typical layout and responses without what is lost; the system, where that is modeled.

    Raises:
        DataError: values are missing that cannot be modeled.
    """
    model = cast("Model", cell.design.model)
    frame = reference_frame(cell.design, stream(job.seed, "reference"))
    lost = _losses(job, cell.design, layout, "typical")
    holes = holed(model, frame, layout, lost, codes)
    if not holes.modeled:
        return holes.layout, holes.responses(whole), None
    found = systems(model, frame, layout, lost, codes, whole)
    return *stacked(found), found[0]


_made: dict[tuple[str, str, int], Any] = {}
_locks: dict[tuple[str, str, int], threading.Lock] = {}
_lock = threading.Lock()


def _once[T](at: tuple[str, str, int], make: Callable[[], T]) -> T:
    """Return what `make` returns, made once in each process."""
    with _lock:
        lock = _locks.setdefault(at, threading.Lock())
    with lock:
        if at not in _made:
            _made[at] = make()
        return _made[at]


def ready_for(job: Job, key: str, number: int) -> Ready:
    """A cell made ready, once in each process."""
    return _once(("ready", key, number), lambda: get_ready(job, number))


def _prepared(ready: Ready, key: str, number: int) -> Prepared:
    """A cell's engine prepared on typical data, once in each process."""
    layout, responses = ready.typical
    return _once(
        ("prepared", key, number),
        lambda: engine(ready.engine).prepare(layout, ready.priors, responses),
    )


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


def forget_others(key: str) -> None:
    """Let go of what was made in this process for other jobs."""
    with _lock:
        for at in [at for at in _made if at[1] != key]:
            del _made[at]
            _locks.pop(at, None)


def _measured(job: Job, ready: Ready, at: tuple[str, int], replicates: tuple[int, ...]) -> Outcome:
    from acmodels.replication.truths import truths

    number = replicates[0] // ready.size
    frame = _frame(job, ready, number * ready.size)
    layout = build_layout(ready.model, frame, ready.codes)
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
    if not ready.cell.design.loss.empties:
        return _whole(job, ready, _prepared(ready, *at[:2]), layout, stack, seeds), layout, stack
    lost = _losses(job, ready.cell.design, layout, ready.size, at[2])
    holes = holed(ready.model, frame, layout, lost, ready.codes)
    if not holes.modeled:
        layout, stack = holes.layout, holes.responses(stack)
        return _whole(job, ready, _prepared(ready, *at[:2]), layout, stack, seeds), layout, stack
    studies = systems(ready.model, frame, layout, lost, ready.codes, stack)
    typical = cast("System", ready.incomplete)
    prepare = _once(("modeled", *at[:2]), lambda: Modeled(ready.model, ready.priors, typical))
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
            reasons.append(f"weights cannot be trusted: Pareto k is {decimal(k, 2)}")
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
