"""What a loop is asked to do, and what it yields: cells, a measure, blocks' outcomes."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol, cast

import numpy as np

from acmodels.engines import engine, engine_names
from acmodels.estimands import Context, denominators, evaluate, question, steps
from acmodels.priors import Priors
from acmodels.spec.design import Design
from acmodels.spec.distribution import Distribution
from acmodels.spec.model import Model
from acmodels.system import Layout, Responses
from acmodels.system.arrays import Array

RULES = 5
"""Counts up when what is drawn in a loop, or what counts as a failed fit, changes between releases,
so that a run begun before is not continued."""


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
    """Hash all that decides a job's numbers, this package's version included."""
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

    def steps(self, name: str) -> list[list[list[Array]]]:
        """Draws of the steps of an indirect effect, by row, path and step; each (R, S)."""
        model = self.model
        context = Context(self.layout, self.responses, self.draws, model.estimands, model.source)
        return [[[s.draws for s in path] for path in row] for row in steps(name, context)]

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
        np.any([w.doubtful(prob, axis=1) for w in row], axis=0).astype(float)[:, None]
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
