"""Log density of structural parameters under their priors, written out by hand."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from acmodels.priors import Priors
from acmodels.spec.distribution import log_density
from acmodels.system import Layout, parameters


def log_prior(
    layout: Layout,
    priors: Priors,
    value: Mapping[str, Any],
    names: Collection[str] | None = None,
) -> Any:
    """All but correlations, shares and steps, up to a constant; of some parameters where named.

    Values are numbers, or arrays of one shape where no sd of group effects is among them.
    """
    total: Any = 0.0
    for p in parameters(layout):
        if p.kind in ("cor", "cor1", "simo", "step") or priors[p.name].held is not None:
            continue
        if names is not None and p.name not in names:
            continue
        prior = priors[p.name]
        if p.kind == "sd":
            total += centered_sd(layout, priors, p, value)
            continue
        at = value[p.name]
        if prior.centered:  # on a sum of parameters
            on = prior.on if p.kind == "threshold" or prior.on else ((p.name, 1.0),)
            there = prior.constant + sum(w * value[n] for n, w in on)
            at = at - there if p.kind == "threshold" else there
        total = total + log_density(prior.distribution, np.array(at))
    return total


def centered_sd(layout: Layout, priors: Priors, p: Any, value: Mapping[str, float]) -> float:
    """Log density of an sd, where its prior is on that of another combination of effects.

    The map from sds and correlations to those of other effects goes by their covariances, whose
    determinant of derivatives is prod(sd)^K up to a constant on either side.
    """
    block = layout.blocks[p.owner]
    names = [block.sd(m) for m in block.members]
    K = len(names)
    R = np.eye(K)
    for i, j, name in block.correlations():
        R[i, j] = R[j, i] = value[name]
    sds = np.array([value[n] for n in names])
    on = dict(priors[p.name].on) or {p.name: 1.0}
    w = np.array([on.get(n, 0.0) for n in names])
    there = np.sqrt(w @ (R * np.outer(sds, sds)) @ w)
    found = float(log_density(priors[p.name].distribution, there))
    return found + K * float(np.log(value[p.name]) - np.log(there))
