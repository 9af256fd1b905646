"""A cell made ready once in each process: its design resolved, its engine chosen and prepared."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from acmodels.engines import Prepared, choose, engine
from acmodels.estimands import Context
from acmodels.generate import generate_stack
from acmodels.priors import Priors, resolve_priors, response_scales
from acmodels.replication.incomplete import holed, stacked, systems
from acmodels.replication.job import Cell, Job
from acmodels.replication.truths import truths
from acmodels.rng import stream
from acmodels.simulation import (
    Assumptions,
    assumptions,
    categories,
    check_design,
    check_losses,
    draw_losses,
    reference_frame,
    resolve_truth,
    settled_layout,
    without_constructs,
)
from acmodels.spec.design import Design
from acmodels.spec.model import Model
from acmodels.system import Layout, Responses, System
from acmodels.system.arrays import Array
from acmodels.system.equation import Curves
from acmodels.system.layout import curves_in
from acmodels.system.structural import with_steps

HOLED, HOLED_ROWS_VARY = 10, 100
"""Replicates that share predictors and missing cells, where such are modeled.

The second number is how many share units and rows, where a design draws these.
What is compiled for one study serves all with as many units and rows."""


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
        curves: the columns of splines, the same in all studies.
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
    curves: Mapping[str, Curves]


def resolve_design(
    cell: Cell, seed: int, scales: Mapping[str, tuple[float, float]] | None = None
) -> tuple[Layout, Priors, dict[str, float]]:
    """Return a typical layout of a design, its priors and its truths.

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
    layout = settled_layout(
        model,
        reference_frame(design, stream(seed, "reference")),
        categories(design, model),
        lambda one: resolve_truth(design, model, one),
        lambda: stream(seed, "reference responses"),
    )
    priors = resolve_priors(model.priors, layout, None, model.source, scales)
    return layout, priors, resolve_truth(design, model, layout)


def design_scales(job: Job) -> dict[str, tuple[float, float]] | None:
    """Return what default priors are scaled to, for all cells of a job: mean and sd by response.

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
    if cell.design.lacks:
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
        shared, incomplete, told, curves_in(layout),
    )  # fmt: skip


def _rows_vary(design: Design) -> bool:
    """Return whether studies differ in their number of rows, and compiled code with them."""
    return design.loss.attrition > 0 or any(u.size.sd > 0 for u in design.units)


def losses_of(job: Job, design: Design, layout: Layout, *use: str | int) -> dict[str, np.ndarray]:
    """Draw the cells that the studies of a block lack."""
    rng = stream(job.seed, "losses", *use)
    lost = draw_losses(design, layout, rng, stream(job.seed, "pattern of losses"))
    return lost | without_constructs(design, layout)


def _typical_holes(
    job: Job, cell: Cell, layout: Layout, whole: Responses, codes: Mapping[str, tuple[int, ...]]
) -> tuple[Layout, Responses, System | None]:
    """A typical layout and responses without what is lost; the system, where that is modeled.

    Raises:
        DataError: values are missing that cannot be modeled.
    """
    model = cast("Model", cell.design.model)
    frame = reference_frame(cell.design, stream(job.seed, "reference"))
    lost = losses_of(job, cell.design, layout, "typical")
    holes = holed(model, frame, layout, lost, codes)
    if not holes.modeled:
        return holes.layout, holes.responses(whole), None
    found = systems(model, frame, layout, lost, codes, whole)
    return *stacked(found), found[0]


_made: dict[tuple[str, str, int], Any] = {}


_locks: dict[tuple[str, str, int], threading.Lock] = {}


_lock = threading.Lock()


def once[T](at: tuple[str, str, int], make: Callable[[], T]) -> T:
    """Return what `make` returns, made once in each process."""
    with _lock:
        lock = _locks.setdefault(at, threading.Lock())
    with lock:
        if at not in _made:
            _made[at] = make()
        return _made[at]


def ready_for(job: Job, key: str, number: int) -> Ready:
    """Make a cell ready, once in each process."""
    return once(("ready", key, number), lambda: get_ready(job, number))


def prepared_for(ready: Ready, key: str, number: int) -> Prepared:
    """Prepare a cell's engine on typical data, once in each process."""
    layout, responses = ready.typical
    return once(
        ("prepared", key, number),
        lambda: engine(ready.engine).prepare(layout, ready.priors, responses),
    )


def forget_others(key: str) -> None:
    """Let go of what was made in this process for other jobs."""
    with _lock:
        for at in [at for at in _made if at[1] != key]:
            del _made[at]
            _locks.pop(at, None)
