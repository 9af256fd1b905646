"""A quick look at group effects by working responses, before anything is fitted.

Each family gives a working response and its precision on the scale of the linear predictor, as
iteratively reweighted least squares has them (McCullagh & Nelder, 1989, section 2.5). Where
sampling starts, and what is said of data before a fit, rest on it; never what is believed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.system.arrays import Array, Responses
from acmodels.system.columns import design_matrix
from acmodels.system.equation import EquationLayout
from acmodels.system.layout import Layout
from acmodels.system.terms import terms

ROUNDS = 25
"""Rounds of the rough fit of group effects."""


def rough(e: EquationLayout, y: Array) -> dict[str, Any]:
    """Rough values of what the family owns."""
    return e.distribution.guess(y, e.link, e.codes)


def relative(own: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Thresholds relative to the middle one, and the constant that this makes: minus it."""
    cuts = own.get("threshold")
    if cuts is None:
        return 0.0, own
    at = cuts[(len(cuts) - 1) // 2]
    return -float(at), {**own, "threshold": cuts - at}


def working(e: EquationLayout, y: Array, eta: Array) -> tuple[Array, Array]:
    """Working response (less the offset) on the link's scale, and its precision."""
    if e.se is not None:
        return y - e.offset, 1.0 / e.se**2
    if e.has_sigma:
        return y - e.offset, np.ones(e.n) if e.weights is None else e.weights
    _, own = relative(rough(e, y))
    response = e.distribution(link=e.link, trials=e.trials, **own)
    step = 1e-4
    mean = response.mean(eta)
    slope = (response.mean(eta + step) - mean) / step
    trials = np.ones(e.n) if e.trials is None else e.trials
    precision = slope**2 / response.variance(eta)
    if e.weights is not None:
        precision = precision * e.weights
    precision = np.maximum(precision, 1e-8)
    return eta + (y / trials - mean) / slope - e.offset, precision


def pooled(e: EquationLayout, y: Array) -> Array:
    """Linear predictor of the pooled mean."""
    if e.has_sigma or e.se is not None:
        return np.zeros(e.n)
    at = e.distribution.scale(y, e.trials, e.link)[0] + relative(rough(e, y))[0]
    if e.link == "log":  # offsets of exposure span orders of magnitude
        top = float(e.offset.max())
        return at + e.offset - top - float(np.log(np.mean(np.exp(e.offset - top))))
    return np.full(e.n, at)


type Multipliers = list[tuple[int, int, np.ndarray, Array]]
"""For each group effect: block, member, the group of each row, and what multiplies the effects."""


@dataclass(frozen=True)
class RoughEffects:
    """Rough group effects, by member: effects, variances and information; residual variance."""

    effects: list[Array]
    tau2: list[float]
    info: list[Array]
    sigma2: float


def rough_effects(
    e: EquationLayout, residual: Array, precision: Array, members: Multipliers, levels: list[int]
) -> RoughEffects:
    """Fit independent group effects by a few rounds of EM."""
    sigma2 = 1.0
    if e.has_sigma:
        sigma2 = float(np.mean(residual**2)) or 1.0
    size = {b: levels[b] for b, *_ in members}
    tau2 = [sigma2 / max(float(np.mean(precision * z**2)), 1e-300) / 2 for *_, z in members]
    effects = [np.zeros(size[b]) for b, *_ in members]
    info = [np.bincount(index, precision * z**2, size[b]) for b, _, index, z in members]
    left = residual.copy()
    spread = [np.zeros_like(i) for i in info]
    for _ in range(ROUNDS):
        for m, (b, _, index, z) in enumerate(members):
            left = left + z * effects[m][index]
            shrink = info[m] + sigma2 / tau2[m]
            effects[m] = np.bincount(index, precision * z * left, size[b]) / shrink
            spread[m] = sigma2 / shrink
            tau2[m] = max(float(np.mean(effects[m] ** 2 + spread[m])), 1e-12 * sigma2)
            left = left - z * effects[m][index]
        if e.has_sigma:
            lost = sum(float(np.sum(i * s)) for i, s in zip(info, spread, strict=True))
            sigma2 = max((float(np.sum(left**2)) + lost) / e.n, 1e-12 * sigma2)
    return RoughEffects(effects, tau2, info, sigma2)


def working_residuals(
    layout: Layout, e: EquationLayout, responses: Responses
) -> tuple[Array, Array]:
    """Residuals on the link's scale from the population-level part, and their precisions."""
    y = responses[e.response]
    X = design_matrix(layout, e, responses)
    if e.codes:
        X = np.column_stack([np.ones(e.n), X])
    target, precision = working(e, y, pooled(e, y))
    root = np.sqrt(precision)
    if X.shape[1]:
        beta, *_ = np.linalg.lstsq(X * root[:, None], target * root, rcond=None)
        target = target - X @ beta
    return target, precision


@dataclass(frozen=True)
class GroupPart:
    """One group effect of an equation, the rough effects of others taken out.

    Attributes:
        block, member: which.
        index: the group of each row, (n,).
        z: what multiplies the effects, (n,).
        target: the working response less the other group effects, (n,).
        precision: of the working response, (n,).
    """

    block: int
    member: int
    index: np.ndarray
    z: Array
    target: Array
    precision: Array


def group_parts(layout: Layout, e: EquationLayout, responses: Responses) -> list[GroupPart]:
    """Look at each group effect of an equation, with rough values of the others."""
    residual, precision = working_residuals(layout, e, responses)
    members: Multipliers = [
        (*t.effect, layout.blocks[t.effect[0]].index(e), t.values(layout, responses))
        for t in terms(layout, e.response)
        if t.effect is not None
    ]
    if not members:
        return []
    found = rough_effects(e, residual, precision, members, [len(b.levels) for b in layout.blocks])
    target, _ = working(e, responses[e.response], pooled(e, responses[e.response]))
    parts = [z * v[index] for (_, _, index, z), v in zip(members, found.effects, strict=True)]
    whole = np.sum(parts, axis=0)
    return [
        GroupPart(b, k, index, z, target - (whole - part), precision)
        for (b, k, index, z), part in zip(members, parts, strict=True)
    ]
