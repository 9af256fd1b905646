"""Engines tried in turn, until one gives a result that can be used."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from acmodels.engines import Choice, Engine, Sampling, choose
from acmodels.errors import EngineError
from acmodels.inference.boundary import boundary_notes
from acmodels.inference.diagnosis import diagnose
from acmodels.inference.effect_rows import evaluate_draws
from acmodels.inference.imputation import Imputations, imputations
from acmodels.inference.judging import EffectRow
from acmodels.inference.prior_sensitivity import prior_sensitivity
from acmodels.posterior import Diagnostics, Posterior
from acmodels.priors import Priors
from acmodels.spec.model import Model
from acmodels.system import Layout, System

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Ready:
    """All that an engine is given."""

    model: Model
    system: System
    priors: Priors
    sampling: Sampling
    seed: int
    prob: float = 0.95


@dataclass(frozen=True)
class Attempt:
    """What an engine returned, and what became of it."""

    posterior: Posterior
    rows: tuple[EffectRow, ...]
    diagnostics: Diagnostics
    warnings: list[str]
    seconds: float
    imputations: Imputations | None = None


def by_engine(ready: Ready, asked: str) -> tuple[Attempt, str]:
    """Sample with the engine asked for, or with the first that does it right."""
    failed: dict[str, str] = {}
    layout, source = ready.system.sampled.layout, ready.model.source
    while True:
        choice = quickest(layout, ready.priors, asked, source, failed)
        try:
            found = _attempt(ready, choice.engine)
        except EngineError as error:
            if choice.last:
                raise
            failed[choice.name] = str(error)
            continue
        if found.diagnostics.usable or choice.last:
            return found, choice.why
        said = found.diagnostics.messages[0]
        failed[choice.name] = f"{choice.name} gave no usable result. {said}"


def quickest(
    layout: Layout, priors: Priors, asked: str, source: str, failed: Mapping[str, str]
) -> Choice:
    """Choose the engine for a single fit: the first that can, if no compiled one is quicker."""
    choice = choose(layout, priors, asked, source=source, failed=failed)
    slow = None if choice.last else choice.engine.slow(layout, priors)
    if slow is None:
        return choice
    known = {**failed, choice.name: slow}
    other = choose(layout, priors, asked, source=source, failed=known)
    return choice if other.last else other


def _attempt(ready: Ready, engine: Engine) -> Attempt:
    system, sampling = ready.system, ready.sampling
    tell: Callable[[str, int, int], None] = sampling.progress or (lambda *_: None)
    stage = "compiling" if engine.compiles else "preparing"
    tell(stage, 0, 1)
    joint = system.sampled
    prepared = engine.prepare(joint.layout, ready.priors, joint.responses)
    tell(stage, 1, 1)
    posterior = prepared.sample(joint.responses, ready.seed, sampling)
    before = time.perf_counter()
    values = imputations(joint, posterior, ready.seed) if system.joint is not None else None
    rows, warnings = evaluate_draws(ready.model, system, posterior, values, ready.prob)
    if ready.model.propositions:
        sampled = replace(system, layout=joint.layout, responses=joint.responses)
        rows = prior_sensitivity(rows, sampled, ready.priors, posterior)
    notes = tuple(f"In {s.message}" for s in system.separated)
    notes += boundary_notes(system, ready.priors, posterior)
    diagnostics = diagnose(posterior, rows, notes=notes)
    seconds = time.perf_counter() - before
    return Attempt(posterior, rows, diagnostics, warnings, seconds, values)
