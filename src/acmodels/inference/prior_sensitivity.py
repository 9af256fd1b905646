"""How sensitive an estimand is to the prior: power-scaling by ArviZ.

Only the priors of structural parameters are scaled; the distribution of group effects
is part of the model (Kallioinen, Paananen, Bürkner & Vehtari, 2024, section 2.3).
"""

from dataclasses import replace

import numpy as np

from acmodels.inference.judging import EffectRow
from acmodels.posterior import Array, Posterior
from acmodels.priors import Prior, Priors
from acmodels.spec.distribution import log_density
from acmodels.system import Block, Layout, Parameter, System, parameters
from acmodels.system.groups import Correlations


def prior_sensitivity(
    rows: tuple[EffectRow, ...], system: System, priors: Priors, posterior: Posterior
) -> tuple[EffectRow, ...]:
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
        if prior.held is not None:
            continue
        if p.kind == "simo":  # Dirichlet, up to a constant
            alpha = prior.distribution.parameters["alpha"]
            total = total + (alpha - 1.0) * np.log(posterior[p.name])
            continue
        if p.kind == "sd" and _turned(layout.blocks[p.owner], priors):
            continue
        total = total + log_density(prior.distribution, _quantity(p, prior, posterior))
    for block in layout.blocks:
        if _turned(block, priors):
            total = total + _centered_sds(block, priors, posterior)
    return total + _correlations(layout, priors, posterior)


def _quantity(p: Parameter, prior: Prior, posterior: Posterior) -> Array:
    """Return what a prior is on: the parameter, or a sum of parameters (see `Prior.on`)."""
    if not prior.centered:
        return posterior[p.name]
    total = np.full(posterior.values.shape[:2], prior.constant)
    alone = p.kind != "threshold" and not prior.on
    for name, weight in ((p.name, 1.0),) if alone else prior.on:
        total = total + weight * posterior[name]
    return posterior[p.name] - total if p.kind == "threshold" else total


def _turned(block: Block, priors: Priors) -> bool:
    return any(priors[n].on for n in block.sds)


def _centered_sds(block: Block, priors: Priors, posterior: Posterior) -> Array:
    """Log density of the sds of a block's effects at the predictors' means."""
    total = np.zeros(posterior.values.shape[:2])
    for name, sd in group_sds(block, priors, posterior).items():
        total = total + log_density(priors[name].distribution, sd)
    return total


def group_sds(block: Block, priors: Priors, posterior: Posterior) -> dict[str, Array]:
    """Give the draws of what the priors of a block's sds are on, by the name of the sd.

    That is the sd itself or, where a default prior is on the effects of the model with centered
    predictors, the sd of such an effect.
    """
    names = block.sds
    if not _turned(block, priors):
        return {n: posterior[n] for n in names}
    sds = np.stack([posterior[n] for n in names], axis=-1)
    K = len(names)
    R = Correlations(K, block.correlations()).matrix(lambda n: posterior[n])
    covariance = sds[..., :, None] * R * sds[..., None, :]
    out: dict[str, Array] = {}
    for name in names:
        on = dict(priors[name].on) or {name: 1.0}
        w = np.array([on.get(n, 0.0) for n in names])
        out[name] = np.sqrt(np.maximum(np.einsum("...ij,i,j->...", covariance, w, w), 0.0))
    return out


def _correlations(layout: Layout, priors: Priors, posterior: Posterior) -> Array | float:
    """LKJ log density, (eta - 1) log det R, up to a constant."""
    total: Array | float = 0.0
    for matrix in layout.correlations:
        pairs = matrix.entries
        if not pairs or priors[pairs[0][2]].held is not None:
            continue
        eta = priors[pairs[0][2]].distribution.parameters["eta"]
        R = matrix.matrix(lambda n: posterior[n])
        total = total + (eta - 1.0) * np.linalg.slogdet(R)[1]
    return total
