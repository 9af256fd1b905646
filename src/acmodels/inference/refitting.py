"""A fit made again with something changed: its rows, its priors, or what its layout holds.

Whoever asks what would be if (a unit left out, a confounder, a wider prior) comes here, so that
the engine is chosen, the draws are counted and a refit is judged in one way.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from acmodels.engines import Batched, Choice, Prepared, Sampling, choose, engine
from acmodels.inference.diagnosis import diagnose
from acmodels.inference.fitting import Fit
from acmodels.inference.judging import EffectRow
from acmodels.posterior import Array
from acmodels.priors import Priors
from acmodels.rng import child_seed
from acmodels.system import Layout, Responses

LEAST_ESS = 100
"""Effective points or draws that a refit needs."""


@dataclass(frozen=True)
class Refit:
    """Draws of a model that was fitted again.

    Attributes:
        parameter: looks up draws of a structural parameter, (chain, draw), as many as the fit has.
        pareto_k: of the weighted points; NaN for chains.
        log_marginal_likelihood: log density of the responses; NaN where it is not known.
        usable: whether the draws, and those of some estimands made of them, can be used.
    """

    parameter: Callable[[str], Array]
    pareto_k: float
    log_marginal_likelihood: float
    usable: Callable[[tuple[EffectRow, ...]], bool]


@dataclass(frozen=True)
class Again:
    """What a fit is made again with, ready for data.

    Attributes:
        fit: as it was.
        layout: what is fitted instead of its own.
        priors: in place of its own.
        choice: the engine.
        prepared: by the engine.
    """

    fit: Fit
    layout: Layout
    priors: Priors
    choice: Choice
    prepared: Prepared

    def onto(self, layout: Layout, responses: Responses | None = None) -> "Again":
        """Take over to other rows, or to another confounder, of the same model.

        Args:
            layout: of the same model.
            responses: which give the shapes; the fit's own if None.
        """
        moved = self.prepared.onto(layout)
        if moved is None:
            return again(
                self.fit, layout=layout, priors=self.priors, responses=responses,
                asked=self.choice.name,
            )  # fmt: skip
        return Again(self.fit, layout, self.priors, self.choice, moved)


def again(
    fit: Fit,
    *,
    layout: Layout | None = None,
    priors: Priors | None = None,
    responses: Responses | None = None,
    asked: str | None = None,
) -> Again:
    """Make a fit ready to be made again.

    Args:
        fit: from `acmodels.fit`.
        layout: what is fitted; the fit's own if None.
        priors: by parameter; the fit's own if None.
        responses: which give the shapes; the fit's own if None.
        asked: an engine's name, or `auto`; by default the fit's own engine where it can take the
            layout and the priors, else as `auto` chooses.

    Raises:
        EngineError: the engine asked for cannot take them.
    """
    joint = fit.system.sampled
    layout, priors = layout or joint.layout, priors or fit.priors
    if asked is None:
        own = fit.draws.engine
        asked = own if engine(own).unfit(layout, priors) is None else "auto"
    choice = choose(layout, priors, asked, source=fit.spec.source)
    given = joint.responses if responses is None else responses
    return Again(fit, layout, priors, choice, choice.engine.prepare(layout, priors, given))


def refit(
    ready: Again,
    *,
    use: str,
    responses: Responses | None = None,
    points: int | None = None,
    wanted: Collection[str] | None = None,
    cores: int = 1,
) -> Refit:
    """Fit again.

    Args:
        ready: from `again`.
        use: what for; refits for one use share their random numbers, so that differences between
            them are smooth.
        responses: by name; the fit's own if None.
        points: of an exact engine, to begin with.
        wanted: parameters that are asked for; the others may keep the draws of the fit. All if
            None.
        cores: chains run at once.

    Raises:
        EngineError: no chain could start or finish.
    """
    fit = ready.fit
    given = fit.system.sampled.responses if responses is None else responses
    seed = child_seed(fit.seed, use)
    chains, draws = fit.draws.values.shape[:2]
    if not ready.choice.engine.batches:
        sampling = Sampling(draws=draws, chains=chains, cores=cores)
        posterior = ready.prepared.sample(given, seed, sampling)
        return Refit(
            posterior.__getitem__, float("nan"), float("nan"),
            lambda rows: diagnose(posterior, rows, LEAST_ESS).usable,
        )  # fmt: skip
    exact = cast("Batched", ready.prepared)
    stack = {k: v[None] for k, v in given.items()}
    b = exact.batch(stack, [seed], chains * draws, points, wanted=wanted)
    found: Mapping[str, int] = {name: k for k, name in enumerate(b.names)}

    def parameter(name: str) -> Array:
        if name not in found:
            return fit.draws[name]
        return b.values[0, :, found[name]].reshape(chains, draws)

    good = bool(b.usable[0]) and float(b.ess[0]) >= LEAST_ESS
    marginal = float(np.asarray(b.log_marginal_likelihood)[0])
    return Refit(parameter, float(b.pareto_k[0]), marginal, lambda _: good)
