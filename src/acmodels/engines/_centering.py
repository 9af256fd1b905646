"""How far each group effect should be centred, from a quick look at the data.

Where the data say much about a group's effect, sampling the effect itself (centred) is
best; where they say little, sampling it in units of its sd (non-centred) is. Between
the two, the best mixture is the effect's reliability, tau^2 I / (1 + tau^2 I), with I the
information of the group's rows (Papaspiliopoulos, Roberts & Sköld, 2003). The choice
changes the geometry that the sampler sees, never the posterior.
"""

from dataclasses import dataclass

import numpy as np

from acmodels.families import family
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.layout import Array

ROUNDS = 25


@dataclass(frozen=True)
class Centering:
    """For one member of one block.

    Attributes:
        tau: a rough sd, the unit in which effects are sampled.
        weight: 0 non-centred to 1 centred, shape (J,).
    """

    tau: float
    weight: Array


def centering(layout: Layout, responses: Responses) -> dict[tuple[int, int], Centering]:
    """Look at every equation on its own; by block position and member."""
    out: dict[tuple[int, int], Centering] = {}
    for e in layout.equations:
        out |= _equation(layout, e, responses)
    return out


def _equation(
    layout: Layout, e: EquationLayout, responses: Responses
) -> dict[tuple[int, int], Centering]:
    """Fit independent group effects to working residuals by a few mean-field EM rounds."""
    residual, precision = _working(layout, e, responses)
    members = [
        (b, k, layout.blocks[b].index(e), group_column(layout, e, m.column, responses))
        for b, block in enumerate(layout.blocks)
        for k, m in enumerate(block.members)
        if m.response == e.response
    ]
    sigma2 = 1.0
    if e.has_sigma:
        sigma2 = float(np.mean(residual**2)) or 1.0
    size = {b: len(layout.blocks[b].levels) for b, *_ in members}
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
    return {
        (b, k): Centering(float(np.sqrt(t)), t * i / sigma2 / (1.0 + t * i / sigma2))
        for (b, k, *_), t, i in zip(members, tau2, info, strict=True)
    }


def _working(layout: Layout, e: EquationLayout, responses: Responses) -> tuple[Array, Array]:
    """Residuals on the link's scale from the population-level part, and their precisions."""
    y = responses[e.response]
    X = design_matrix(layout, e, responses)
    precision = np.ones(e.n)
    target = y - e.offset
    if e.se is not None:
        precision = 1.0 / e.se**2
    elif not e.has_sigma:
        # one step of iteratively reweighted least squares from the pooled mean
        fam = family(e.family)
        location, _ = fam.scale(y, e.trials, e.link)
        step = 1e-4
        eta = np.full(e.n, location)
        p = fam.mean(eta, e.link)
        slope = (fam.mean(eta + step, e.link) - p) / step
        trials = np.ones(e.n) if e.trials is None else e.trials
        precision = trials * slope**2 / (p * (1 - p))
        target = location + (y / trials - p) / slope - e.offset
    root = np.sqrt(precision)
    if X.shape[1]:
        beta, *_ = np.linalg.lstsq(X * root[:, None], target * root, rcond=None)
        target = target - X @ beta
    return target, precision
