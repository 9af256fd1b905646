"""How much an estimand hangs on the prior: power-scaling by ArviZ.

Only the priors of structural parameters are scaled; the distribution of group effects
is part of the model (Kallioinen, Paananen, Bürkner & Vehtari, 2024, section 2.3).
"""

from dataclasses import replace

import numpy as np

from acmodels.judging import Effect
from acmodels.posterior import Array, Posterior
from acmodels.priors import Priors
from acmodels.spec.distribution import log_density
from acmodels.system import Layout, Parameter, System, parameters
from acmodels.system.columns import design_matrix
from acmodels.system.layout import residual_pairs


def prior_sensitivity(
    rows: tuple[Effect, ...], system: System, priors: Priors, posterior: Posterior
) -> tuple[Effect, ...]:
    """Return the rows with their sensitivity to the prior filled in."""
    import arviz as az
    import xarray as xr

    both = ("chain", "draw")
    moving = [k for k, r in enumerate(rows) if np.ptp(r.draws) > 0]
    if not moving:
        return rows
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({f"q{k}": (both, rows[k].draws) for k in moving}),
            "log_prior": xr.Dataset({"prior": (both, log_prior(system, priors, posterior))}),
        }
    )
    found = az.psense(tree, group="prior")
    values = {k: float(found[f"q{k}"]) for k in moving}
    return tuple(replace(r, prior_sensitivity=values.get(k, 0.0)) for k, r in enumerate(rows))


def log_prior(system: System, priors: Priors, posterior: Posterior) -> Array:
    """Joint log density of the structural parameters under their priors, (chain, draw)."""
    layout = system.layout
    total = np.zeros(posterior.values.shape[:2])
    for p in parameters(layout):
        if p.kind in ("cor", "step"):
            continue
        prior = priors[p.name]
        if p.kind == "simo":  # Dirichlet, up to a constant
            alpha = prior.distribution.parameters["alpha"]
            total = total + (alpha - 1.0) * np.log(posterior[p.name])
            continue
        x = posterior[p.name]
        if prior.centered:
            x = _at_means(system, p, posterior)
        total = total + log_density(prior.distribution, x)
    return total + _correlations(layout, priors, posterior)


def _at_means(system: System, p: Parameter, posterior: Posterior) -> Array:
    """What the default prior of an intercept or a threshold is on.

    The expected response at the predictors' means; the threshold less what they add there.
    """
    layout = system.layout
    e = layout.equations[p.owner]
    means = design_matrix(layout, e, system.responses).mean(axis=0)
    names = [e.coefficient(c) for c in e.columns]
    total = np.full(posterior.values.shape[:2], e.offset.mean())
    for m, n in zip(means, names, strict=True):
        total = total + m * posterior[n]
    return posterior[p.name] - total if p.kind == "threshold" else total


def _correlations(layout: Layout, priors: Priors, posterior: Posterior) -> Array | float:
    """LKJ log density, (eta - 1) log det R, up to a constant."""
    total: Array | float = 0.0
    sets = [(len(b.members), b.correlations()) for b in layout.blocks]
    sets += [(len(r), residual_pairs(layout, n)) for n, r in enumerate(layout.residual)]
    for K, pairs in sets:
        if not pairs:
            continue
        eta = priors[pairs[0][2]].distribution.parameters["eta"]
        R = np.tile(np.eye(K), (*posterior.values.shape[:2], 1, 1))
        for i, j, name in pairs:
            R[..., i, j] = R[..., j, i] = posterior[name]
        total = total + (eta - 1.0) * np.linalg.slogdet(R)[1]
    return total
