"""Hamiltonian Monte Carlo in one compiled program that serves every model of its class.

Generalized linear mixed models with any families, groupings and shared group effects, in
coordinates in which the posterior is nearly normal (`density`), from the mode (`mode`), by steps
that are exact for a normal posterior (`sampler`). Nothing is compiled for a model.
"""

import importlib
from typing import TYPE_CHECKING

import numpy as np

from acmodels.engines.hmc.places import MOST_EFFECTS
from acmodels.priors import Priors
from acmodels.system import Layout, Responses
from acmodels.system.terms import latent_means, terms
from acmodels.system.versions import unknown

if TYPE_CHECKING:
    from acmodels.engines.hmc.sampling import PreparedHmc

order = 50
title = "Hamiltonian Monte Carlo (compiled once)"
suits = "its density is compiled for all such models"
exact = False
batches = False
marginal_likelihood = True
block_size = 20
loop_draws = 150
loop_tune = 200
compiles = False

MOST_LEVELS = 3000
"""Coordinates beside those of the largest block of group effects: their metric is dense."""

MOST_STATES = 30_000
"""Group effects and missing values that have joint coordinates."""


def unfit(layout: Layout, priors: Priors) -> str | None:
    """Say why a model is outside the class, or None."""
    if layout.lags and layout.stationary:
        return "first waves are those that the process implies"
    return _structure(layout) or _families(layout) or _priors(layout, priors)


def _structure(layout: Layout) -> str | None:
    sizes = [len(b.levels) * len(b.members) for b in layout.blocks]
    sizes += [len(g.at) for g in layout.missing]
    if layout.confounder is not None:
        sizes.append(layout.confounder.units)
    joint = bool(latent_means(layout)) or layout.confounder is not None
    joint |= any(not g.discrete for g in layout.missing)
    if joint and sum(sizes) > MOST_STATES:
        return f"there are more than {MOST_STATES} group effects and missing values"
    if not joint and sum(sizes) - max(sizes, default=0) > MOST_LEVELS:
        return f"there are more than {MOST_LEVELS} group effects beside those of one grouping"
    for b in layout.blocks:
        if len(b.members) > MOST_EFFECTS:
            return f"{len(b.members)} group effects by {b.group} share a covariance"
    return _missing(layout) or _residual(layout)


def _missing(layout: Layout) -> str | None:
    from acmodels.engines.hmc.products import unfit_term

    paired = {i for r in layout.residual for i in r}
    for g in layout.missing:
        e = layout.equations[g.equation]
        if g.discrete:
            continue
        if e.family != "gaussian" or not e.has_sigma or e.se is not None or e.weights is not None:
            return f"missing values of '{g.variable}' are not simply normal"
    for e in layout.equations:
        for t in terms(layout, e.response):
            why = unfit_term(layout, t)
            if why:
                return why
    return _summed(layout, paired)


def _summed(layout: Layout, paired: set[int]) -> str | None:
    """Say why likelihoods cannot be summed over discrete missing values, or None."""
    from acmodels.engines.hmc.products import moving

    if not any(g.discrete for g in layout.missing):
        return None
    if any(e.has_sigma1 for e in layout.equations):
        return "discrete values are missing in a panel"
    for g in layout.missing:
        if g.discrete and layout.equations[g.equation].family not in ("bernoulli", "ordinal"):
            return f"missing values of '{g.variable}' are summed over"
    read = {m.equation for m in latent_means(layout)}
    for i, rows in enumerate(unknown(layout).rows):
        e = layout.equations[i]
        cells = any(not g.discrete and g.equation == i for g in layout.missing)
        moves = any(moving(layout, t) for t in terms(layout, e.response))
        if np.any(rows.bin >= 0) and (cells or moves or i in paired or i in read):
            return f"'{e.response}' rests on discrete missing values beside others"
    return None


def _residual(layout: Layout) -> str | None:
    for r in layout.residual:
        these = [layout.equations[i] for i in r]
        if any(e.family != "gaussian" or e.se is not None or not e.has_sigma for e in these):
            return "residuals correlate that are not simply normal"
        if any(not np.array_equal(e.rows, these[0].rows) for e in these):
            return "residuals correlate of equations on other rows"
        if any(e.weights is not None for e in these):
            return "residuals correlate of rows with weights"
    return None


def _families(layout: Layout) -> str | None:
    from acmodels.engines.hmc.densities import known

    for e in layout.equations:
        if e.has_sigma1 and e.family != "gaussian":
            return f"'{e.response}' is {e.family} with a residual sd of first waves"
        if e.link not in known().get(e.family, frozenset()):
            return f"'{e.response}' is {e.family} with the link {e.link}"
    return None


def _priors(layout: Layout, priors: Priors) -> str | None:
    def held(name: str) -> bool:  # default priors of incomplete predictors may not be there yet
        return name in priors and priors[name].held is not None

    for e in layout.equations:
        known = [held(n) for n in e.thresholds]
        if any(known) and not all(known):
            return f"some thresholds of '{e.response}' are held"
    for block in layout.blocks:
        if any(held(n) for n in block.sds) and any(priors[n].on for n in block.sds):
            return f"sds by {block.group} are held whose priors are on others"
    return None


def slow(layout: Layout, priors: Priors) -> str | None:  # noqa: ARG001
    """Return None: no model is known for which another engine is quicker."""
    return None


def load() -> None:
    """Import the compiled program, which compiles it on a machine's first use."""
    importlib.import_module(f"{__name__}.sampling")


def prepare(layout: Layout, priors: Priors, responses: Responses) -> "PreparedHmc":
    """Take a model on its rows."""
    from acmodels.engines.hmc import sampling

    return sampling.prepare(layout, priors, responses)
