"""Engines: from a System to a Posterior, one package each; alone in importing samplers.

An engine is two functions: `prepare(layout, priors, responses)` once for a design, and
`sample(responses, seed, sampling)` on what it returns, for each data set. What else it can do it
says in attributes; nobody else asks for an engine by its name. `choose` picks one for `auto`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import EngineError, InputError, did_you_mean, listing
from acmodels.posterior import Array, Posterior
from acmodels.priors import Priors
from acmodels.system import Layout, Responses

type Progress = Callable[[str, int, int], None]
"""Called with a stage's name, the steps done and the steps in all."""


type Unclear = frozenset[tuple[int, int]]
"""Group sds, by positions of block and member, that data may not put well away from zero."""


@dataclass(frozen=True)
class Sampling:
    """How much to draw.

    Attributes:
        draws: kept, per chain.
        tune: warm-up steps per chain, not kept.
        chains: number of chains.
        cores: chains run at once; changes time and nothing else.
        progress: called at every step, or None.
        wanted: parameters that are asked for, all if None; an engine may leave out equations that
            hold none of them and share nothing with one that does.
    """

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int = 2
    progress: Progress | None = None
    wanted: frozenset[str] | None = None


@dataclass(frozen=True)
class Batch:
    """Fits of many data sets of one design.

    Attributes:
        names: of the structural parameters.
        values: their draws, (R, draw, parameter), each data set's in an order that means nothing.
        pareto_k: the largest of each data set, (R,).
        ess: the smallest effective number of weighted points, (R,).
        usable: whether weights can be trusted, (R,).
        log_marginal_likelihood: (R,); NaN where unknown.
    """

    names: tuple[str, ...]
    values: Array
    pareto_k: Array
    ess: Array
    usable: NDArray[np.bool_]
    log_marginal_likelihood: Array


class Prepared(Protocol):
    """A design made ready, to be sampled for any responses that fit it."""

    def onto(self, layout: Layout) -> "Prepared | None":
        """Take over to other rows of the same model: predictors and groupings drawn anew.

        Returns:
            None where the engine has to prepare such rows from the start.
        """
        ...

    def sample(self, responses: Responses, seed: int, sampling: Sampling) -> Posterior:
        """Draw from the posterior given responses.

        Raises:
            EngineError: no chain could start or finish.
        """
        ...


class Batched(Prepared, Protocol):
    """A prepared design whose engine can fit many data sets at once."""

    def batch(
        self,
        stack: Responses,
        seeds: Sequence[int],
        draws: int,
        points: int | None = None,
        wanted: Collection[str] | None = None,
        *,
        alone: bool = False,
    ) -> Batch:
        """Fit R data sets in the calling thread, without the GIL where it matters.

        Args:
            stack: responses, each (R, n).
            seeds: of the data sets, R of them; results depend on nothing else.
            draws: of the posterior, for each data set.
            points: at which the density of sds and correlations is evaluated; as many as their
                number asks for if None. Where too few count in the end, more are added.
            wanted: parameters that are asked for, all if None; equations that hold none of them
                and share nothing with one that does are not fitted, and `names` lacks theirs.
            alone: whether `names` lacks all that were not asked for, so that less is drawn.
        """
        ...


class Reshaped(Prepared, Protocol):
    """A prepared design of an engine that compiles each model for itself."""

    def shaped(self, layout: Layout, priors: Priors) -> Prepared:
        """Take over what is compiled to a layout and priors of the same `shape`."""
        ...


class Engine(Protocol):
    """What an engine's package provides, without importing what it samples with.

    Attributes:
        order: `auto` takes the first engine that can take a model, in this order.
        title: what reports call it.
        suits: why a model that it can take is given to it, as a clause.
        exact: whether draws are independent and come from weighted points, not from chains.
        batches: whether what it prepares is `Batched`.
        marginal_likelihood: whether its posteriors give the model's marginal likelihood.
        block_size: replicates of a loop that share predictors and groupings, and a call to it.
        loop_draws: of each chain in a loop of many fits, where a person does not say.
        loop_tune: steps of warm-up that go with them.
        compiles: whether preparing compiles each model, which takes longer than many fits; it is
            then `Compiling`, and what it prepares is `Reshaped`.
    """

    order: int
    title: str
    suits: str
    exact: bool
    batches: bool
    marginal_likelihood: bool
    block_size: int
    loop_draws: int
    loop_tune: int
    compiles: bool

    def unfit(self, layout: Layout, priors: Priors) -> str | None:
        """Say in a phrase why the engine cannot take this model, or None where it can."""
        ...

    def slow(self, layout: Layout, priors: Priors) -> str | None:
        """Say in a phrase why another engine may be quicker for a single fit, or None."""
        ...

    def load(self) -> None:
        """Import what the engine needs, so that processes split off afterwards have it."""
        ...

    def prepare(self, layout: Layout, priors: Priors, responses: Responses) -> Prepared:
        """Do once what does not depend on the responses' values (they give the shapes)."""
        ...


class Compiling(Engine, Protocol):
    """An engine that compiles each model for itself."""

    def prepare(
        self, layout: Layout, priors: Priors, responses: Responses, unclear: Unclear = frozenset()
    ) -> Prepared:
        """Compile the model; for `unclear` sds so that it serves data of any size of them."""
        ...

    def not_clear(self, layout: Layout, priors: Priors, responses: Responses) -> Unclear:
        """Return the group sds that the data do not put well away from zero."""
        ...

    def shape(
        self, layout: Layout, priors: Priors, responses: Responses, unclear: Unclear = frozenset()
    ) -> Hashable:
        """Return what data sets have in common that one compiled model serves."""
        ...


@lru_cache
def engine_names() -> tuple[str, ...]:
    """Names of the engines there are, found by listing this folder, as `auto` tries them."""
    found = [m.name for m in pkgutil.iter_modules(__path__) if m.ispkg]
    return tuple(sorted(found, key=lambda name: _load(name).order))


def _load(name: str) -> Engine:
    return cast("Engine", importlib.import_module(f"{__name__}.{name}"))


def engine(name: str) -> Engine:
    """Load an engine by name.

    Raises:
        InputError: there is no such engine.
    """
    if name not in engine_names():
        raise InputError(
            f"no engine '{name}'{did_you_mean(name, ('auto', *engine_names()))} "
            f"(engines: {listing(('auto', *engine_names()))})"
        )
    return _load(name)


def title(name: str) -> str:
    """Say what reports call an engine; one that is not there, by its name."""
    return _load(name).title if name in engine_names() else name


def is_exact(name: str) -> bool:
    """Say whether draws of an engine come from weighted points and not from chains."""
    return name in engine_names() and _load(name).exact


def with_marginal_likelihood() -> tuple[str, ...]:
    """Name the engines that give the marginal likelihood, those that know it exactly first."""
    return tuple(n for n in engine_names() if _load(n).marginal_likelihood)


def of_any_model_in_seconds() -> str:
    """Name the first engine that samples chains and compiles nothing for a model."""
    return next(n for n in engine_names() if not _load(n).exact and not _load(n).compiles)


@dataclass(frozen=True)
class Choice:
    """An engine for a model.

    Attributes:
        name: of the engine.
        engine: itself.
        reason: why none of the engines before it was taken, as a phrase; None where it is the
            first, or was asked for.
        why: the choice and its reason, as results state it.
        last: whether there is no other engine to turn to.
    """

    name: str
    engine: Engine
    reason: str | None
    why: str
    last: bool


def choose(
    layout: Layout,
    priors: Priors,
    asked: str = "auto",
    *,
    source: str = "this model",
    failed: Mapping[str, str] | None = None,
) -> Choice:
    """Choose the engine for a model: the one asked for, or the first that can take it.

    Args:
        layout: of all that is fitted.
        priors: in force.
        asked: an engine's name, or `auto`.
        source: what messages call the model.
        failed: engines that were tried to no avail, and what went wrong.

    Raises:
        EngineError: the engine asked for cannot take the model.
        InputError: there is no engine of that name.
    """
    if asked != "auto":
        reason = engine(asked).unfit(layout, priors)
        if reason is None:
            return Choice(asked, engine(asked), None, f"{asked}, as asked", last=True)
        takes_all = engine_names()[-1]
        raise EngineError(
            f"the engine {asked} cannot fit {source}: {reason}; use --engine {takes_all} or auto"
        )
    reasons = dict(failed or {})
    for name in engine_names():
        if name in reasons:
            continue
        reason = _load(name).unfit(layout, priors)
        if reason is None:
            before = next(reversed(reasons.values()), None)
            why = f"{name}, since {before or _load(name).suits}"
            return Choice(name, _load(name), before, why, last=name == engine_names()[-1])
        reasons[name] = reason
    raise EngineError(f"no engine can fit {source}: {'; '.join(reasons.values())}")


def pymc_model(layout: Layout, priors: Priors, responses: Responses) -> Any:
    """Build a model for PyMC, whichever engine fits it.

    Returns:
        A `pm.Model`, not compiled.
    """
    last: Any = _load(engine_names()[-1])  # the engine that takes every model is PyMC's
    return last.pymc_model(layout, priors, responses)
