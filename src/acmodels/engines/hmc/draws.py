"""What draws of coordinates mean: parameters, group effects and missing values by name."""

from collections.abc import Sequence

import numpy as np

from acmodels.engines.hmc.design import Design, Monotonic
from acmodels.engines.hmc.roots import correlation_root, lower_root
from acmodels.system.arrays import Array
from acmodels.system.layout import first_pairs, residual_pairs
from acmodels.system.terms import slopes as slope_terms


def coefficient_draws(d: Design, fixed: Array) -> dict[str, Array]:
    """Draws of coefficients, thresholds, residual sds and families' numbers, by name."""
    neff = int(d.arrays.sizes[0])
    out: dict[str, Array] = {}
    V: dict[int, Array] = {0: np.ones(fixed.shape[:2])}  # linear parameters, by place
    for part in d.parts:
        e = part.equation
        names = [t.parameter for t in slope_terms(d.layout, e.response)]

        def take(at: int, part_of: Array = fixed) -> Array:
            return part_of[..., at - neff]

        p = len(part.free)
        beta = fixed[..., part.slope0 - neff : part.slope0 - neff + p] @ part.turn.T
        out |= {names[k]: beta[..., i] for i, k in enumerate(part.free)}
        out |= {name: np.full(fixed.shape[:2], v) for name, v in part.held}
        for m in part.monotonic:
            out |= monotonic_draws(m, names, fixed, neff)
        shift = part.mean_offset + beta @ part.means[:p]
        for k, mean in zip(part.raw, part.means[p:], strict=True):
            shift = shift + out[names[k]] * mean
        V |= {part.lin_at + i: take(part.slope0 + i) for i in range(p)}
        V |= {part.lin_at + p + i: out[names[k]] for i, k in enumerate(part.raw)}
        away = sum((w * V[a] * V[b] for a, b, w in part.shear), np.zeros(fixed.shape[:2]))
        if part.constant >= 0 and e.intercept is not None:
            V[part.lin_at + p + len(part.raw)] = take(part.constant) - away
            out[names[e.intercept]] = take(part.constant) - away - shift
        K = len(e.thresholds)
        middle = (K - 1) // 2
        cuts: dict[int, Array] = {}
        if K:
            cuts[middle] = take(part.cut0) + away
            for k in range(middle + 1, K):
                cuts[k] = cuts[k - 1] + np.exp(take(part.cut0 + k))
            for k in range(middle - 1, -1, -1):
                cuts[k] = cuts[k + 1] - np.exp(take(part.cut0 + k + 1))
            out |= {name: cuts[k] + shift for k, name in enumerate(e.thresholds)}
        for k, (name, (low, high)) in enumerate(zip(part.numbers, part.bounds, strict=True)):
            c = take(part.par0 + k)
            if part.rhos[k]:
                out[name] = part.rhos[k] * np.sinh(c)
                continue
            out[name] = low + (np.exp(c) if np.isinf(high) else (high - low) / (1 + np.exp(-c)))
    return out


def monotonic_draws(
    m: Monotonic, names: Sequence[str], fixed: Array, neff: int
) -> dict[str, Array]:
    """Draws of a monotonic effect: its mean step, its shares and its steps."""
    K = len(m.steps)
    mean = fixed[..., m.b - neff]
    left = np.ones(fixed.shape[:2])
    out = {m.name: mean}
    for k, name in enumerate(m.shares):
        v = 1.0
        if k < K - 1:
            v = 1 / (1 + (K - 1 - k) * np.exp(-fixed[..., m.sticks + k - neff]))
        out[name] = left * v
        out[names[m.steps[k]]] = mean * K * out[name]
        left = left * (1 - v)
    return out


def residual_draws(d: Design, fixed: Array) -> dict[str, Array]:
    """Draws of the correlations of residuals, by name."""
    neff = int(d.arrays.sizes[0])
    out: dict[str, Array] = {}
    firsts = dict(first_pairs(d.layout))
    for found in d.residual:
        members, at = found.members, found.at
        K = len(members)
        L = lower_root(np.tanh(fixed[..., at - neff : at - neff + K * (K - 1) // 2]))
        R = L @ np.swapaxes(L, -1, -2)
        r = next(n for n, x in enumerate(d.layout.residual) if members[0] in x)
        place = {i: k for k, i in enumerate(members)}
        for i, j, name in firsts[r] if found.waves == 1 else residual_pairs(d.layout, r):
            a, b = d.layout.residual[r][i], d.layout.residual[r][j]
            out[name] = R[..., place[a], place[b]]
    return out


def group_draws(
    d: Design, fixed: Array, effects: Array
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """Draws of sds and correlations by name, of group effects by block, and of missing values."""
    M = d.arrays
    neff = int(M.sizes[0])
    out: dict[str, Array] = {}
    groups: dict[str, Array] = {}
    cells: dict[str, Array] = {}
    for b, level in enumerate(d.levels):
        J, K, m0 = level.J, level.K, int(M.member0[b])
        u = effects[..., int(M.block0[b]) : int(M.block0[b]) + J * K]
        if level.missing is not None:
            variable = d.layout.missing[level.missing].variable
            cells[variable] = u + d.rough[variable]
        if level.block is None:
            continue
        block = d.layout.blocks[level.block]
        s0, c0 = int(M.sd0[b]) - neff, int(M.cor0[b]) - neff
        tau = M.rho[m0 : m0 + K] * np.sinh(fixed[..., s0 : s0 + K])
        L = correlation_root(np.tanh(fixed[..., c0 : c0 + K * (K - 1) // 2]))
        u = np.moveaxis(u.reshape(*u.shape[:2], K, J), -2, -1)
        base = d.bases[b]
        T = tau[..., :, None] * L
        if base is not None:
            T = base @ T
            u = u @ base.T
        covariance = T @ np.swapaxes(T, -1, -2)
        sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
        out |= {name: sd[..., k] for k, name in enumerate(block.sds)}
        with np.errstate(divide="ignore", invalid="ignore"):
            out |= {
                name: covariance[..., i, j] / (sd[..., i] * sd[..., j])
                for i, j, name in block.correlations()
            }
        groups[block.key] = u
    return out, groups, cells
