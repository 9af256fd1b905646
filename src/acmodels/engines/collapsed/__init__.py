"""Exact posteriors of Gaussian models: coefficients and group effects integrated out.

In a recursive system of Gaussian equations with normal priors on coefficients, everything but the
standard deviations and correlations integrates out analytically, in cross-products that are taken
once. The few that are left are sampled by importance from a folded t proposal at the mode, with
Pareto-smoothed weights; where those cannot be trusted the proposal adapts, and beyond that the
collapsed density is sampled by Metropolis steps. Coefficients and group effects are then drawn from
their normal distributions. Lindley & Smith (1972) for the algebra; Bates et al. (2015) for its
parametrization; Vehtari et al. (2024) for the weights.
"""

import importlib
from typing import TYPE_CHECKING

from acmodels.errors import listing
from acmodels.priors import Priors
from acmodels.system import Layout, Responses
from acmodels.system.terms import latent_terms

if TYPE_CHECKING:
    from acmodels.engines.collapsed.fitting import PreparedCollapsed

order = 0
title = "exact integration"
suits = "the model is gaussian, with normal priors on its coefficients"
exact = True
batches = True
marginal_likelihood = True
block_size = 20
loop_draws = 500
loop_tune = 500
compiles = False

SLOW = 4
"""Coefficients of latent means that trade places with correlations, from which another engine that
can fit a model is quicker."""


def unfit(layout: Layout, priors: Priors) -> str | None:
    """Say why a model is outside the Gaussian class, or None."""
    if layout.measures:
        return f"'{layout.measures[0].name}' is a construct measured by items"
    if layout.missing:
        names = list(dict.fromkeys(f"'{g.variable}'" for g in layout.missing))
        return f"missing values of {listing(names)} are modeled"
    if any(e.has_sigma1 for e in layout.equations):
        return "residuals of first waves have an sd of their own"
    if layout.confounder is not None:
        return "a cause that is not measured is sampled"
    for e in layout.equations:
        for term, how in latent_terms(layout, e.response):
            if term.position is None:
                return (
                    f"'{how.key}', which rests on a latent mean, has an effect on '{e.response}' "
                    "that varies by group"
                )
    for e in layout.equations:
        for effect in e.monotonic:
            return f"the steps of {effect} in equations.{e.response} have one sign"
        if not e.distribution.normal:
            return f"'{e.response}' is {e.family}, not gaussian"
        for c in e.columns:
            prior = priors[e.coefficient(c)]
            if prior.distribution.name not in ("Normal", "Constant"):
                return f"the prior of '{prior.name}' is {prior.distribution}, not normal"
        conditioned = {t.parameter for t, _ in latent_terms(layout, e.response)}
        for name in conditioned:
            if priors[name].held is not None:
                return f"'{name}', the coefficient of a latent mean, is held"
        for k, c in enumerate(e.columns):
            on = [] if k == e.intercept else [n for n, _ in priors[e.coefficient(c)].on]
            if conditioned.intersection(on):
                return (
                    f"the default prior of '{e.coefficient(c)}' is on a sum of coefficients in "
                    "which that of a latent mean stands"
                )
    return None


def slow(layout: Layout, priors: Priors) -> str | None:
    """Say why importance sampling takes long, or None.

    Two mediators whose means stand at two levels make four ridges: 16,000 points a round found such
    a posterior (P41 of the framework, 134 rows) in 75 processor seconds, 4,096 did not in 22.
    """
    means = [
        how
        for e in layout.equations
        for t, how in latent_terms(layout, e.response)
        if t.position is not None and how.sign >= 0 and not how.rest.parts
    ]
    if len(means) < SLOW:
        return None
    from acmodels.engines.collapsed.mixed import components
    from acmodels.engines.collapsed.ridges import ridges

    found = sum(len(ridges(c, layout, set(c.blocks))) for c in components(layout, priors))
    if found < SLOW:
        return None
    return f"{found} coefficients of latent means trade places with correlations of group effects"


def load() -> None:
    """Import the kernels, which compiles them on a machine's first use."""
    importlib.import_module(f"{__name__}.fitting")


def prepare(layout: Layout, priors: Priors, responses: Responses) -> "PreparedCollapsed":
    """Arrange the equations as linear mixed models and find where their posteriors lie."""
    from acmodels.engines.collapsed import fitting

    return fitting.prepare(layout, priors, responses)
