"""Hamiltonian Monte Carlo in one compiled program that serves every model of its class.

Generalized linear mixed models with any families, groupings and shared group effects, in
coordinates in which the posterior is nearly normal (`density`), from the mode (`mode`), by steps
that are exact for a normal posterior (`sampler`). Nothing is compiled for a model.
"""

import importlib
from typing import TYPE_CHECKING

from acmodels.errors import listing
from acmodels.priors import Priors
from acmodels.system import Layout, Responses
from acmodels.system.terms import latent_terms

if TYPE_CHECKING:
    from acmodels.engines.hmc.sampling import PreparedHmc

order = 50
title = "Hamiltonian Monte Carlo (compiled once)"
suits = "its density is compiled for all such models"
exact = False
batches = False
marginal_likelihood = False
block_size = 20
loop_draws = 400
compiles = False

MOST_LEVELS = 3000
"""Coordinates beside those of the largest block of group effects: their metric is dense."""
MOST_EFFECTS = 8
"""Effects that may share a covariance."""


def unfit(layout: Layout, priors: Priors) -> str | None:
    """Say why a model is outside the class, or None."""
    return _structure(layout) or _families(layout) or _priors(layout, priors)


def _structure(layout: Layout) -> str | None:
    if layout.missing:
        names = list(dict.fromkeys(f"'{g.variable}'" for g in layout.missing))
        return f"missing values of {listing(names)} are modeled"
    if layout.confounder is not None:
        return "a cause that is not measured is sampled"
    if layout.residual:
        return "residuals of equations correlate"
    for e in layout.equations:
        if latent_terms(layout, e.response):
            return f"'{e.response}' rests on a latent mean"
        for effect in e.monotonic:
            return f"the steps of {effect} in equations.{e.response} have one sign"
    sizes = [len(b.levels) * len(b.members) for b in layout.blocks]
    if sum(sizes) - max(sizes, default=0) > MOST_LEVELS:
        return f"there are more than {MOST_LEVELS} group effects beside those of one grouping"
    for b in layout.blocks:
        if len(b.members) > MOST_EFFECTS:
            return f"{len(b.members)} group effects by {b.group} share a covariance"
    return None


def _families(layout: Layout) -> str | None:
    from acmodels.engines.hmc.densities import known

    for e in layout.equations:
        if e.link not in known().get(e.family, frozenset()):
            return f"'{e.response}' is {e.family} with the link {e.link}"
    return None


def _priors(layout: Layout, priors: Priors) -> str | None:
    coefficients = {
        e.coefficient(c) for e in layout.equations for k, c in enumerate(e.columns)
        if k != e.intercept
    }  # fmt: skip
    for p in priors.values():
        if p.held is not None and p.name not in coefficients:
            return f"'{p.name}' is held"
    return None


def load() -> None:
    """Import the compiled program, which compiles it on a machine's first use."""
    importlib.import_module(f"{__name__}.sampling")


def prepare(layout: Layout, priors: Priors, responses: Responses) -> "PreparedHmc":
    """Take a model on its rows."""
    from acmodels.engines.hmc import sampling

    return sampling.prepare(layout, priors, responses)
