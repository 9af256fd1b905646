"""Truths drawn from a model's priors, for each of R data sets."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from acmodels.errors import ModelError
from acmodels.families import scalars
from acmodels.priors import Prior, Priors, turned
from acmodels.spec.distribution import draw, median
from acmodels.system import Block, EquationLayout, Layout, parameters
from acmodels.system.arrays import Array
from acmodels.system.groups import Correlations
from acmodels.system.structural import with_steps

TRIES = 1000
"""How often thresholds are drawn until they rise, or a number until it is above its bound."""


def truths(
    layout: Layout,
    priors: Priors,
    rngs: Sequence[np.random.Generator],
    *,
    middle: bool = False,
    settled: Collection[str] = (),
) -> dict[str, Array]:
    """Draw every structural parameter of R data sets from its prior.

    Correlation matrices are drawn by partial correlations (Lewandowski, Kurowicka & Joe, 2009,
    section 2.4), ordered thresholds until they rise.

    Args:
        layout: of the model.
        priors: in force.
        rngs: the stream of each data set.
        middle: take the median of each prior (0 of a correlation) and draw nothing.
        settled: responses whose thresholds are not drawn but taken in the middle of their priors,
            since nothing that is asked rests on them.

    Returns:
        By parameter, shape (R,).

    Raises:
        ModelError: ordered thresholds hardly ever rise under their priors.
    """
    drawn = [_one(layout, priors, g, middle=middle, settled=settled) for g in rngs]
    return {n: np.array([d[n] for d in drawn]) for n in drawn[0]}


def _one(
    layout: Layout,
    priors: Priors,
    rng: np.random.Generator,
    *,
    middle: bool,
    settled: Collection[str],
) -> dict[str, float]:
    drawn: dict[str, float] = {}
    known = parameters(layout)
    for p in known:
        if p.kind not in ("cor", "threshold", "simo", "step"):
            drawn[p.name] = _number(priors[p.name], p.kind, rng, middle=middle)
    for e in layout.equations:
        if e.thresholds:
            mine = [priors[n] for n in e.thresholds]
            found = _rising(mine, rng, middle=middle or e.response in settled)
            drawn |= dict(zip(e.thresholds, found, strict=True))
    for matrix in layout.correlations:
        pairs = matrix.entries
        if pairs and priors[pairs[0][2]].held is not None:
            drawn |= {name: priors[name].distribution.parameters["value"] for _, _, name in pairs}
        elif pairs:
            eta = priors[pairs[0][2]].distribution.parameters["eta"]
            R = np.eye(matrix.size) if middle else lkj_matrix(matrix.size, eta, rng)
            drawn |= {name: float(R[i, j]) for i, j, name in pairs}
    for e in layout.equations:
        for effect in e.monotonic:
            names = e.shares(effect)
            if priors[names[0]].held is not None:
                drawn |= {n: priors[n].distribution.parameters["value"] for n in names}
                continue
            alpha = priors[names[0]].distribution.parameters["alpha"]
            share = np.full(len(names), 1 / len(names))
            if not middle:
                share = rng.dirichlet(np.full(len(names), alpha))
            drawn |= dict(zip(names, map(float, share), strict=True))
    out = with_steps(layout, drawn)
    for e in layout.equations:
        out |= _coefficients_as_written(e, priors, out)
    for block in layout.blocks:
        out |= _effects_as_written(block, priors, out)
    return {p.name: out[p.name] for p in known}


def _coefficients_as_written(
    e: EquationLayout, priors: Priors, drawn: Mapping[str, float]
) -> dict[str, float]:
    """Coefficients and thresholds, from draws of the quantities that their priors are on."""
    names = [n for k, c in enumerate(e.columns) for n in [e.coefficient(c)] if k != e.intercept]
    out = {n: drawn[n] - (priors[n].constant if n in priors else 0.0) for n in names}
    turn = turned(names, priors)
    if turn is not None:
        out = dict(zip(names, (turn @ list(out.values())).tolist(), strict=True))
    for n in e.thresholds:
        prior = priors[n]
        out[n] = drawn[n] + prior.constant + sum(w * out[other] for other, w in prior.on)
    if e.intercept is not None:
        n = e.coefficient(e.columns[e.intercept])
        prior = priors[n]
        rest = sum(w * out[other] for other, w in prior.on if other != n)
        out[n] = drawn[n] - prior.constant - rest
    return out


def _effects_as_written(
    block: Block, priors: Priors, drawn: Mapping[str, float]
) -> dict[str, float]:
    """Sds and correlations of a block, from draws of those that its priors are on."""
    names = list(block.sds)
    turn = turned(names, priors)
    if turn is None:
        return {}
    sds = np.array([drawn[n] for n in names])
    R = Correlations(len(names), block.correlations()).matrix(lambda n: drawn[n])
    covariance = turn @ (sds[:, None] * R * sds) @ turn.T
    written = np.sqrt(np.diag(covariance))
    out = dict(zip(names, written.tolist(), strict=True))
    unit = covariance / np.outer(written, written)
    return out | {name: float(unit[i, j]) for i, j, name in block.correlations()}


def _number(prior: Prior, kind: str, rng: np.random.Generator, *, middle: bool) -> float:
    if middle:
        if prior.upper <= 0:  # the loading of a reversed item
            return min(median(prior.distribution), -0.1)
        return median(prior.distribution, prior.lower)
    for _ in range(TRIES):
        value = float(draw(prior.distribution, rng, 1)[0])
        if prior.held is not None or kind not in (*scalars(), "loading") or prior.allows(value):
            return value
    raise ModelError(f"the prior of {prior.name} is hardly ever {prior.range}")


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
