"""What the compiled density leaves out: the logarithms of all normalizing constants.

The density that is sampled needs none of them. A marginal likelihood needs every one: of rows, of
priors and where these are cut off, of coordinates, and what the density adds for coordinates that
are held. Constants of rows and of priors are differences at one point between the normalized
densities that the rest of the package has and what the engine computes, so that none is written
down twice.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import betaln

from acmodels.engines.hmc.densities import CHUNK, density
from acmodels.engines.hmc.design import Design, Parts
from acmodels.engines.hmc.effects import prior as compiled_prior
from acmodels.engines.hmc.forms import form
from acmodels.priors import Prior
from acmodels.spec.distribution import cdf, log_density, median, quantiles
from acmodels.system import EquationLayout, Responses
from acmodels.system.arrays import Array
from acmodels.system.terms import slopes

LEVELS = 4001
"""Quantiles of each threshold's prior, at which the probability of their order is summed."""


def log_constant(d: Design, x: Array, responses: Responses) -> float | str:
    """Return what is added to the log density of free coordinates to normalize prior and rows.

    Args:
        d: the component.
        x: coordinates, for those that are held.
        responses: the data.

    Returns:
        The number, or a sentence that says of which prior it is not known.
    """
    total = -0.5 * np.log(2 * np.pi) * int(d.arrays.sizes[0])
    for e, part in enumerate(d.parts):
        own = _linear(d, e, part)
        if isinstance(own, str):
            return own
        total += own + _rows(d, part.equation, responses[part.equation.response])
        total += _cuts(d, x, part) + _numbers(d, x, part) + _shares(d, x, part)
    return float(total + _scales(d, x) + _correlations(d, x))


def _rows(d: Design, e: EquationLayout, y: Array) -> float:
    """Rows of an equation; its missing values have a density of their own."""
    if e.construct:
        return 0.0
    weight = np.ones(e.n) if e.weights is None else np.array(e.weights, dtype=np.float64)
    position = d.layout.equations.index(e)
    for gap in d.layout.missing:
        if gap.equation == position:
            weight[gap.at] = 0.0
    cuts = {n: float(k - 1) for k, n in enumerate(e.thresholds)}
    values = {**{e.scalar(k): 0.5 for k in e.scalars}, **cuts}
    whole = e.conditional(lambda name: np.array(values.get(name, 1.0)))
    log = np.asarray(whole.log_density(y, np.zeros(e.n)))[weight > 0] @ weight[weight > 0]
    numbers = [*([1.0] if e.distribution.has_sigma else []), *values.values(), 1.0]
    return float(log) - _compiled_rows(e, y, weight, np.array(numbers))


def _compiled_rows(e: EquationLayout, y: Array, weight: Array, numbers: Array) -> float:
    """Log density of rows where predictors are zero, as the engine computes it."""
    given = density(e.family, e.link)
    total = 0.0
    for first in range(0, e.n, CHUNK):
        span = slice(first, min(first + CHUNK, e.n))
        n = span.stop - first
        data = np.ascontiguousarray(given.data(e, y)[:, span])
        work = [np.zeros(n), np.zeros(n), np.zeros(len(numbers) + 1), np.zeros(4 * CHUNK)]
        arrays = [np.zeros(n), data, numbers, np.ascontiguousarray(weight[span]), *work]
        called: Any = given.function.ctypes
        pointers = [a.ctypes.data_as(called.argtypes[2]) for a in arrays]
        total += called(n, n, *pointers)
    return total


def _linear(d: Design, e: int, part: Parts) -> float | str:
    """Priors of slopes, constant and thresholds, and the map to what these are on."""
    M = d.arrays
    q = part.equation
    p, raw, cuts = len(part.free), len(part.raw), len(q.thresholds)
    size = p + raw + int(part.constant >= 0) + cuts
    first, last = int(M.prior0[e]), int(M.prior0[e + 1])
    o = int(M.lin0[e])
    A = M.A[o : o + (last - first) * size].reshape(last - first, size)
    names = [t.parameter for t in slopes(d.layout, q.response)]
    loose = [m for m in part.monotonic if not d.frozen[m.b]]
    on = [d.priors[names[k]] for k in part.free] + [d.priors[m.name] for m in loose]
    columns = [A[:, k] for k in range(p)]
    columns += [A[:, [p + part.raw.index(k) for k in m.steps]].sum(axis=1) for m in loose]
    total = 0.0
    if q.measured:
        total -= sum(np.log(_mass(prior)) for prior in on)
    if part.constant >= 0 and not d.frozen[part.constant]:
        on.append(d.priors[names[int(q.intercept or 0)]])
        columns.append(A[:, p + raw])
    if cuts and not d.frozen[part.cut0]:
        free = [d.priors[n] for n in q.thresholds]
        rows = A[len(on) :, : size - cuts]
        if np.ptp(rows, axis=0).max(initial=0.0) > 1e-9:
            return (
                f"some thresholds of '{q.response}' have stated priors and others have default "
                "ones, which are on thresholds at the predictors' means; state priors of all"
            )
        total -= np.log(_in_order(free, M.a[first + len(on) : last]))
        on += free
        columns += [A[:, size - cuts + k] for k in range(cuts)]
    if not on:
        return 0.0
    return float(total + np.linalg.slogdet(np.column_stack(columns))[1] + sum(map(_constant, on)))


def _constant(prior: Prior) -> float:
    """Log constant of a prior, which the compiled density leaves out."""
    if prior.held is not None:
        return 0.0
    compiled: Any = compiled_prior
    kind, location, scale, shape = form(prior)
    at = median(prior.distribution)
    bare, _ = compiled.py_func(kind, at, location, scale, shape)
    return float(log_density(prior.distribution, np.array(at))) - bare


def _mass(prior: Prior) -> float:
    """Probability of where a prior is taken."""
    low, high = cdf(prior.distribution, np.array([prior.lower, prior.upper]))
    return float(high - low)


def _in_order(priors: Sequence[Prior], shift: Array) -> float:
    """Probability that independent thresholds are in order, each less its shift.

    The probability that the first k are in order and the last of these is below t is summed from
    that of k - 1, over the quantiles of all priors.
    """
    if len(priors) == 1:
        return 1.0
    u = (np.arange(LEVELS) + 0.5) / LEVELS
    t = np.sort(
        np.concatenate(
            [quantiles(p.distribution, u) - s for p, s in zip(priors, shift, strict=True)]
        )
    )
    below = np.ones(len(t) + 2)
    for prior, s in zip(priors, shift, strict=True):
        F = np.concatenate([[0.0], cdf(prior.distribution, t + s), [1.0]])
        steps = 0.5 * (below[1:] + below[:-1]) * np.diff(F)
        below = np.concatenate([[0.0], np.cumsum(steps)])
    return float(below[-1])


def _cuts(d: Design, x: Array, part: Parts) -> float:
    """Thresholds that are held: what their coordinates add to the log density."""
    K = len(part.equation.thresholds)
    if not K or not d.frozen[part.cut0]:
        return 0.0
    return -float(x[part.cut0 + 1 : part.cut0 + K].sum())


def _numbers(d: Design, x: Array, part: Parts) -> float:
    """Residual sds and families' numbers: priors, where these are cut off, and coordinates."""
    total = 0.0
    known = zip(part.numbers, part.bounds, part.rhos, strict=True)
    for k, (name, (low, high), rho) in enumerate(known):
        prior, c = d.priors[name], float(x[part.par0 + k])
        total += _constant(prior)
        if prior.held is not None:
            total -= c if np.isinf(high) else -2 * np.logaddexp(0.0, c) + c
            continue
        total -= np.log(_mass(prior))
        total += np.log(rho) if rho else 0.0 if np.isinf(high) else np.log(high - low)
    return float(total)


def _shares(d: Design, x: Array, part: Parts) -> float:
    """Shares of monotonic effects, broken off a stick."""
    total = 0.0
    for m in part.monotonic:
        K = len(m.steps)
        alpha = d.priors[m.shares[0]].distribution.parameters.get("alpha", 1.0)
        for k in range(K - 1):
            rest, c = K - 1 - k, float(x[m.sticks + k])
            if d.frozen[m.sticks + k]:
                v = 1 / (1 + rest * np.exp(-c))
                total -= np.log(v) + rest * np.log1p(-v)
            else:
                total -= betaln(alpha, rest * alpha)
    return float(total)


def _scales(d: Design, x: Array) -> float:
    """Sds of group effects: priors, and coordinates."""
    M, total = d.arrays, 0.0
    for b, level in enumerate(d.levels):
        if level.missing is not None:
            continue
        for k in range(level.K):
            at = int(M.sd0[b]) + k
            if d.frozen[at]:
                total -= np.log(np.cosh(x[at]))
                continue
            name = d.layout.blocks[level.block or 0].sds[k]
            total += _constant(d.priors[name]) + np.log(M.rho[int(M.member0[b]) + k])
    return float(total)


def _correlations(d: Design, x: Array) -> float:
    """Correlation matrices: each partial correlation has a beta density on (-1, 1)."""
    M = d.arrays
    found = [
        (int(M.cor0[b]), level.K, float(M.lkj[b]))
        for b, level in enumerate(d.levels)
        if level.missing is None
    ]
    found += [
        (r.at, len(r.members), float(eta))
        for r, eta in zip(d.residual, M.residual_lkj, strict=True)
    ]
    total = 0.0
    for first, K, eta in found:
        pairs = [j for k in range(K) for j in range(k)]
        for at, j in enumerate(pairs, first):
            shape = eta + 0.5 * (K - 2 - j)
            if d.frozen[at]:
                total += 2 * shape * np.log(np.cosh(x[at]))
            else:
                total -= (2 * shape - 1) * np.log(2.0) + betaln(shape, shape)
    return float(total)
