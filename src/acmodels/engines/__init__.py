"""Engines: from a System to a Posterior, one file each; alone in importing samplers.

An engine is two functions: `prepare(layout, priors)` once for a design, and
`sample(responses, seed, settings)` on what it returns, for each data set.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import InputError, did_you_mean, listing
from acmodels.posterior import Array, Posterior
from acmodels.priors import Priors
from acmodels.system import Layout, Responses

type Progress = Callable[[str, int, int], None]
"""Called with a stage's name, the steps done and the steps in all."""


@dataclass(frozen=True)
class Sampling:
    """How much to draw.

    Attributes:
        draws: kept, per chain.
        tune: warm-up steps per chain, not kept.
        chains: number of chains.
        cores: chains run at once; changes time and nothing else.
        progress: called at every step, or None.
    """

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int = 2
    progress: Progress | None = None


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


class Engine(Protocol):
    """What an engine file provides."""

    def unfit(self, layout: Layout, priors: Priors) -> str | None:
        """Say in a phrase why the engine cannot take this model, or None where it can."""
        ...

    def prepare(self, layout: Layout, priors: Priors, responses: Responses) -> Prepared:
        """Do once what does not depend on the responses' values (they give the shapes)."""
        ...


@lru_cache
def engine_names() -> tuple[str, ...]:
    """Names of the engines there are, found by listing this folder."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


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
    return cast("Engine", importlib.import_module(f"{__name__}.{name}"))
