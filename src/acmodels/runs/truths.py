"""Truths drawn from a model's priors, for each of R data sets."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from acmodels.errors import ModelError
from acmodels.families import scalar_kinds
from acmodels.priors import Prior, Priors
from acmodels.spec.distribution import draw, median
from acmodels.system import Layout, parameters
from acmodels.system.layout import Array, residual_pairs, with_steps

TRIES = 1000
"""How often thresholds are drawn until they rise, or a number until it is above its bound."""


def fixed_priors(priors: Priors) -> Priors:
    """Priors that do not move with the data: a default intercept's is put on the raw intercept.

    Beside data it is on the expected response at the predictors' means, which differ from one
    simulated data set to the next; a truth cannot be drawn from that before there are data.
    """
    return {n: replace(p, centered=False) for n, p in priors.items()}


def truths(
    layout: Layout,
    priors: Priors,
    rngs: Sequence[np.random.Generator],
    *,
    middle: bool = False,
) -> dict[str, Array]:
    """Draw every structural parameter of R data sets from its prior.

    Correlation matrices are drawn by partial correlations (Lewandowski, Kurowicka & Joe, 2009,
    section 2.4), ordered thresholds until they rise.

    Args:
        layout: of the model.
        priors: in force.
        rngs: the stream of each data set.
        middle: take the median of each prior (0 of a correlation) and draw nothing.

    Returns:
        By parameter, shape (R,).

    Raises:
        ModelError: ordered thresholds hardly ever rise under their priors.
    """
    drawn = [_one(layout, priors, g, middle=middle) for g in rngs]
    return {n: np.array([d[n] for d in drawn]) for n in drawn[0]}


def _one(
    layout: Layout, priors: Priors, rng: np.random.Generator, *, middle: bool
) -> dict[str, float]:
    out: dict[str, float] = {}
    known = parameters(layout)
    for p in known:
        if p.kind in ("cor", "threshold", "simo", "step"):
            continue
        out[p.name] = _number(priors[p.name], p.kind, rng, middle=middle)
    for e in layout.equations:
        if e.thresholds:
            mine = [priors[n] for n in e.thresholds]
            out |= dict(zip(e.thresholds, _rising(mine, rng, middle=middle), strict=True))
    sets = [(len(b.members), b.correlations()) for b in layout.blocks]
    sets += [(len(r), residual_pairs(layout, n)) for n, r in enumerate(layout.residual)]
    for size, pairs in sets:
        if pairs:
            eta = priors[pairs[0][2]].distribution.parameters["eta"]
            R = np.eye(size) if middle else lkj_matrix(size, eta, rng)
            out |= {name: float(R[i, j]) for i, j, name in pairs}
    for e in layout.equations:
        for effect in e.monotonic:
            names = e.shares(effect)
            alpha = priors[names[0]].distribution.parameters["alpha"]
            drawn = rng.dirichlet(np.full(len(names), alpha))
            share = np.full(len(names), 1 / len(names)) if middle else drawn
            out |= dict(zip(names, map(float, share), strict=True))
    out = with_steps(layout, out)
    return {p.name: out[p.name] for p in known}


def _number(prior: Prior, kind: str, rng: np.random.Generator, *, middle: bool) -> float:
    if middle:
        return median(prior.distribution, prior.lower)
    for _ in range(TRIES):
        value = float(draw(prior.distribution, rng, 1)[0])
        if kind not in scalar_kinds() or value > prior.lower:
            return value
    raise ModelError(f"the prior of {prior.name} is hardly ever above {prior.lower:g}")


def _rising(priors: Sequence[Prior], rng: np.random.Generator, *, middle: bool) -> list[float]:
    if middle:
        found = [median(p.distribution) for p in priors]
        return found if np.all(np.diff(found) > 0) else list(np.linspace(-1.5, 1.5, len(found)))
    for _ in range(TRIES):
        drawn = [float(draw(p.distribution, rng, 1)[0]) for p in priors]
        if np.all(np.diff(drawn) > 0):
            return drawn
    raise ModelError(
        f"thresholds drawn from their priors hardly ever rise; state priors that put "
        f"{priors[0].name} below {priors[-1].name}"
    )


def lkj_matrix(size: int, eta: float, rng: np.random.Generator) -> Array:
    """A correlation matrix from LKJ(eta), (size, size), by its vine of partial correlations.

    The partial correlation of i and j given those before i is Beta(b, b) on (-1, 1) with
    b = eta + (size - 2 - i) / 2, i from 0 (Lewandowski, Kurowicka & Joe, 2009).
    """
    L = np.zeros((size, size))
    L[0, 0] = 1.0
    for j in range(1, size):
        left = 1.0
        for i in range(j):
            b = eta + (size - 2 - i) / 2
            z = 2 * rng.beta(b, b) - 1
            L[j, i] = z * np.sqrt(left)
            left *= 1 - z**2
        L[j, j] = np.sqrt(left)
    return L @ L.T
