"""Group sds that the data hardly inform: at zero, or with few groups.

Two questions are asked of each sd. Is it clearly above zero? The posterior density over the prior
density is the likelihood of the sd alone, everything else integrated out; where at zero it is not
clearly below its highest value, the lower end of the interval rests on the prior. Do the data bound
it from above? With few groups the likelihood has a long tail (Gelman, 2006, section 2.2); where the
upper end moves far when the prior is half as wide, it rests on the prior.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acmodels.errors import listing
from acmodels.inference.prior_sensitivity import group_sds
from acmodels.numbers import number
from acmodels.posterior import Array, Posterior
from acmodels.priors import Priors
from acmodels.spec.distribution import Distribution, log_density
from acmodels.system import Layout, Responses, System
from acmodels.system.columns import design_matrix
from acmodels.system.terms import terms
from acmodels.system.working import group_parts

AT_ZERO = float(np.exp(-0.5 * 2.7055))
"""Likelihood at zero, over its highest value, from which an sd is not clearly above zero: the
likelihood-ratio test of a variance against zero at 5 % (Self & Liang, 1987)."""

MOVED = 0.25
"""Share of the upper end by which a prior half as wide may move it."""

UPPER = 0.975
"""The upper end that is looked at, as a probability."""

FEWEST = 5
"""Groups below which `check` says for every sd that it rests on the prior."""


@dataclass(frozen=True)
class _Sd:
    """The draws of one group sd, with its prior.

    Attributes:
        name: of the sd.
        draws: of what its prior is on, (S,).
        prior: its distribution.
        groups: how many groups there are.
    """

    name: str
    draws: Array
    prior: Distribution
    groups: int


def boundary_notes(system: System, priors: Priors, posterior: Posterior) -> tuple[str, ...]:
    """Say which group sds of a fit the data hardly inform.

    Args:
        system: the model on the data.
        priors: in force.
        posterior: from an engine.

    Returns:
        Sentences; none where the data inform every group sd.
    """
    layout = system.sampled.layout
    found = [
        _Sd(name, draws.reshape(-1), priors[name].distribution, len(block.levels))
        for block in layout.blocks
        for name, draws in group_sds(block, priors, posterior).items()
        if priors[name].held is None
    ]
    low = [s for s in found if at_zero(s.draws, s.prior) > AT_ZERO]
    high = [(s, *ends) for s in found if (ends := _ends(s)) is not None]
    both = {s.name for s in low} & {s.name for s, _, _ in high}
    out: list[str] = []
    if low:
        names = listing([s.name for s in low], 6)
        rests = "the lower end of its interval depends"
        if len(low) > 1:
            rests = "the lower ends of their intervals depend"
        out.append(f"The data do not separate {names} clearly from 0, so {rests} on the prior.")
    for s, now, then in high:
        hardly = "The data hardly inform" if s.name in both else "The data hardly bound"
        above = "" if s.name in both else " from above"
        out.append(
            f"{hardly} {s.name}{above} ({s.groups} groups): with a prior half as wide, the upper "
            f"end of its 95 % interval would be {number(then, 2)} and not {number(now, 2)}, so "
            "its interval depends on the prior."
        )
    return tuple(out)


def at_zero(draws: Array, prior: Distribution) -> float:
    """Estimate the likelihood of an sd near zero, over its highest value.

    Draws are mirrored at zero, since the likelihood of an sd is even in it. Where the prior has
    no finite density at zero, the smallest draws are looked at instead.

    Args:
        draws: of the sd, (S,).
        prior: its prior.
    """
    quartiles = np.quantile(draws, [0.25, 0.75])
    spread = min(float(draws.std()), float(np.ptp(quartiles)) / 1.34)
    if not spread > 0:
        return 0.0
    width = 0.9 * spread * len(draws) ** -0.2
    grid = np.linspace(0.0, float(np.quantile(draws, 0.9)), 41)
    if not np.isfinite(log_density(prior, grid[:1])[0]):
        grid = np.linspace(float(np.quantile(draws, 0.02)), grid[-1], 41)
    some = draws[:: max(1, len(draws) // 4000)]
    away = (grid[:, None] - some) / width, (grid[:, None] + some) / width
    density = sum(np.exp(-0.5 * z**2).mean(axis=1) for z in away)
    likelihood = density / np.exp(log_density(prior, grid))
    return float(likelihood[0] / likelihood.max())


def _ends(s: _Sd) -> tuple[float, float] | None:
    """The upper end, and where it would be with a prior half as wide, where that is far away."""
    log = log_density(s.prior, 2.0 * s.draws) - log_density(s.prior, s.draws)
    weights = np.exp(log - log.max())
    order = np.argsort(s.draws)
    total = np.cumsum(weights[order])
    then = float(s.draws[order][np.searchsorted(total, UPPER * total[-1])])
    now = float(np.quantile(s.draws, UPPER))
    return (now, then) if then < (1.0 - MOVED) * now else None


# --- before a fit ----------------------------------------------------------------------


def rough_notes(layout: Layout, responses: Responses) -> list[str]:
    """Say before a fit which group sds the data will probably not put above zero.

    Each sd is looked at in turn, the effects of other groupings held at a rough estimate, by the
    restricted likelihood of the equation's working response.

    Args:
        layout: of the model.
        responses: by name.
    """
    low: list[str] = []
    for e in (e for e in layout.equations if not e.measured):  # scores of constructs are of items
        sds = {t.effect: t.parameter for t in terms(layout, e.response)}
        X = design_matrix(layout, e, responses)
        if e.codes:
            X = np.column_stack([np.ones(e.n), X])
        for part in group_parts(layout, e, responses):
            counts = np.bincount(part.index)
            if np.sum(counts > 0) < FEWEST or (counts.max() == 1 and e.has_sigma):
                continue  # there is a warning for these
            gain = _gain(X, part.target, part.precision, part.z, part.index, free=e.has_sigma)
            if gain < -np.log(AT_ZERO):
                low.append(sds[part.block, part.member])
    if not low:
        return []
    each = "it" if len(low) == 1 else "each"
    said = f"by a rough estimate, the data do not separate {listing(low, 6)} clearly from 0"
    return [f"{said}; the lower end of the interval of {each} will depend on the prior"]


SIZES: Sequence[float] = tuple(np.geomspace(1e-3, 1e2, 26))
"""Reliabilities' odds at an average group that are tried."""


def _gain(X: Array, y: Array, w: Array, z: Array, index: np.ndarray, *, free: bool) -> float:
    """How far the log restricted likelihood of an sd rises from zero to its highest value.

    Args:
        X: design matrix, (n, p).
        y: what is to be explained, (n,).
        w: its precision, (n,), up to the residual variance where that is `free`.
        z: what multiplies the effects, (n,).
        index: the group of each row, (n,).
        free: whether there is a residual variance to be estimated.
    """
    J, p = int(index.max()) + 1, X.shape[1]
    info = np.bincount(index, w * z**2, J)
    D = np.column_stack([X, y])
    scale = np.sqrt((D**2 * w[:, None]).sum(axis=0))
    D = D / np.where(scale > 0, scale, 1.0)
    sums = np.stack([np.bincount(index, w * z * d, J) for d in D.T], axis=1)
    whole = (D * w[:, None]).T @ D
    typical = float(info[info > 0].mean()) if (info > 0).any() else 1.0

    def log(size: float) -> float:
        t = size / typical
        less = (sums * (t / (1.0 + t * info))[:, None]).T @ sums
        M = whole - less
        A, b = M[:p, :p] + 1e-10 * np.eye(p), M[:p, p]
        left = max(float(M[p, p] - b @ np.linalg.solve(A, b)), 1e-12) if p else float(M[p, p])
        size_of_y = float(scale[p]) ** 2
        fit = -0.5 * (len(y) - p) * np.log(left) if free else -0.5 * left * size_of_y
        return float(fit - 0.5 * np.log1p(t * info).sum() - 0.5 * np.linalg.slogdet(A)[1])

    return max(0.0, max(log(s) for s in SIZES) - log(0.0))
