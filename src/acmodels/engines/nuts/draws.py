"""From draws of what is sampled to draws of structural parameters and group effects."""

from collections.abc import Mapping, Sequence

import numpy as np

from acmodels.engines.nuts.bounds import between
from acmodels.engines.nuts.plan import (
    Plan,
    by_form,
    centered,
    centering_arrays,
    form_name,
    start_arrays,
)
from acmodels.priors import held_matrix
from acmodels.spec.distribution import Distribution
from acmodels.system import Block, Responses, parameters
from acmodels.system.columns import design_matrix
from acmodels.system.layout import Array, residual_pairs


def structural(
    plan: Plan, draws: Mapping[str, Array], responses: Responses
) -> tuple[Array, dict[str, Array]]:
    """Structural parameters and group effects from the free variables' draws."""
    layout = plan.layout
    out: dict[str, Array] = {}
    begin = start_arrays(plan, responses)

    if plan.scales:
        ratio = begin["scale_ratio"]
        scales = begin["scale_unit"] * _assemble(draws, "scales", plan.scale_forms, ratio)
        out |= {p.name: scales[..., j] for j, p in enumerate(plan.scales)}
    slopes = np.zeros((1, 1, 0))
    home: Array | float = 0.0
    constants: dict[int, Array] = {}
    centred = centering_arrays(plan, responses) if layout.blocks else {}
    if plan.slopes:
        slopes = _slopes(plan, draws, begin, out)
        home = home + (slopes @ centred["absorb_slopes"].T if centred else 0.0)
    for place, (i, k) in enumerate(plan.slopes):
        e = layout.equations[i]
        out[e.coefficient(e.columns[k])] = slopes[..., place]
    if plan.intercepts:
        intercepts = _constants(plan, draws, begin, slopes, responses)
        home = home + (intercepts @ centred["absorb_intercepts"].T if centred else 0.0)
        for j, i in enumerate(plan.intercepts):
            e = layout.equations[i]
            _, means, mean_offset = centered(e, design_matrix(layout, e, responses))
            mine = [place for place, (q, _) in enumerate(plan.slopes) if q == i]
            raw = intercepts[..., j] - mean_offset
            if mine:
                raw = raw - slopes[..., mine] @ means
            if e.codes:
                constants[i] = raw
            else:
                out[e.coefficient(e.columns[0])] = raw
    out |= _owned(plan, draws, begin, constants)
    effects = {
        block.key: _block_draws(plan, n, draws, out, centred, home)
        for n, block in enumerate(layout.blocks)
    }
    _drop_signs(plan, out)
    for b, basis in plan.bases.items():
        block = layout.blocks[b]
        out |= _as_written(block, basis, out)
        effects[block.key] = effects[block.key] @ basis.T
    for r, members in enumerate(layout.residual):
        names = [name for _, _, name in residual_pairs(layout, r)]
        L = _factor(plan, draws, f"residual_partial_{r}", len(members), names)
        R = L @ np.swapaxes(L, -1, -2)
        out |= {name: R[..., i, j] for i, j, name in residual_pairs(layout, r)}
    return np.stack([out[p.name] for p in parameters(layout)], axis=-1), effects


def _slopes(
    plan: Plan, draws: Mapping[str, Array], begin: Mapping[str, Array], out: dict[str, Array]
) -> Array:
    """All slopes, (chain, draw, slopes); what they are made of goes to `out`."""
    shape = next(iter(draws.values())).shape[:2]
    slopes = np.zeros((*shape, 0))
    if plan.free:
        slopes = begin["slope_start"] + draws["slopes"] @ begin["slope_root"].T
    known = np.broadcast_to(plan.held_values, (*shape, len(plan.held)))
    slopes = np.concatenate([slopes, known], axis=-1)
    out |= {name: slopes[..., k] for k, name in enumerate((*plan.free, *plan.held))}
    slopes = slopes[..., list(plan.free_of)]
    for n, (names, steps) in enumerate(plan.monotonic):
        held = [plan.priors[x].held for x in names]
        share = draws.get(f"shares_{n}")
        if share is None:
            share = np.broadcast_to(np.array(held, dtype=np.float64), (*shape, len(names)))
        slopes[..., list(steps)] *= len(names) * share
        out |= {name: share[..., k] for k, name in enumerate(names)}
    return slopes


def _owned(
    plan: Plan, draws: Mapping[str, Array], begin: Mapping[str, Array], constants: dict[int, Array]
) -> dict[str, Array]:
    """Thresholds, from the constants and the gaps between them, and what else families own."""
    out: dict[str, Array] = {}
    equations = plan.layout.equations
    if plan.cuts:
        relative = _relative(plan, draws, begin)
        for place, (i, k) in enumerate(plan.cuts):
            out[equations[i].thresholds[k]] = relative[..., place] - constants[i]
    for n, place in enumerate(plan.free_owned):
        i, s = plan.owned[place]
        at = begin["owned_start"][place] + draws["owned"][..., n]
        out[equations[i].scalar(s.kind)] = between(at, plan.owned_priors[place])
    for place, value in plan.held_owned.items():
        i, s = plan.owned[place]
        out[equations[i].scalar(s.kind)] = np.full(next(iter(draws.values())).shape[:2], value)
    return out


def _relative(plan: Plan, draws: Mapping[str, Array], begin: Mapping[str, Array]) -> Array:
    """Thresholds relative to the middle one of their response, (chain, draw, cuts)."""
    gaps, held = plan.gaps, plan.held_gaps
    sizes = np.zeros((*next(iter(draws.values())).shape[:2], gaps.shape[1]))
    free = [k for k in range(gaps.shape[1]) if k not in held]
    if free:
        at = begin["gap_start"][free] + begin["gap_unit"][free] * draws["gaps"]
        sizes[..., free] = np.exp(at)
    sizes[..., list(held)] = list(held.values())
    return sizes @ gaps.T


def _constants(
    plan: Plan,
    draws: Mapping[str, Array],
    begin: Mapping[str, Array],
    slopes: Array,
    responses: Responses,
) -> Array:
    """Constants at the predictors' means, (chain, draw, intercepts)."""
    free = plan.free_intercepts
    out = np.zeros((*next(iter(draws.values())).shape[:2], len(plan.intercepts)))
    if free:
        out[..., free] = (
            begin["intercept_start"][free] + begin["intercept_unit"][free] * draws["intercepts"]
        )
    held = {plan.plain[k]: v for k, v in plan.held_intercepts.items()}
    if plan.held_cuts:
        relative = _relative(plan, draws, begin)
        held |= {
            int(plan.constant_of_cut[k]): relative[..., k] - v for k, v in plan.held_cuts.items()
        }
    for j, raw in held.items():
        i = plan.intercepts[j]
        e = plan.layout.equations[i]
        _, means, mean_offset = centered(e, design_matrix(plan.layout, e, responses))
        mine = [place for place, (q, _) in enumerate(plan.slopes) if q == i]
        out[..., j] = raw + mean_offset
        if mine:
            out[..., j] += slopes[..., mine] @ means
    return out


def _as_written(block: Block, basis: Array, out: Mapping[str, Array]) -> dict[str, Array]:
    """Sds and correlations of a block's effects as written, which are `basis` times the sampled."""
    sds = np.stack([out[block.sd(m)] for m in block.members], axis=-1)
    R = np.zeros((*sds.shape, sds.shape[-1])) + np.eye(sds.shape[-1])
    for i, j, name in block.correlations():
        R[..., i, j] = R[..., j, i] = out[name]
    covariance = basis @ (sds[..., :, None] * R * sds[..., None, :]) @ basis.T
    written = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    found = {block.sd(m): written[..., k] for k, m in enumerate(block.members)}
    with np.errstate(divide="ignore", invalid="ignore"):
        found |= {
            name: covariance[..., i, j] / (written[..., i] * written[..., j])
            for i, j, name in block.correlations()
        }
    return found


def _drop_signs(plan: Plan, out: dict[str, Array]) -> None:
    """Make signed sds positive; a correlation takes the signs of its two sds."""
    for block in plan.layout.blocks:
        signs = [np.sign(out[block.sd(m)]) for m in block.members]
        for i, j, name in block.correlations():
            out[name] = out[name] * signs[i] * signs[j]
        for k, m in enumerate(block.members):
            out[block.sd(m)] = out[block.sd(m)] * signs[k]


def _assemble(
    draws: Mapping[str, Array], name: str, priors: Sequence[Distribution], ratio: Array
) -> Array:
    forms = by_form(priors)
    shape = next(iter(draws.values())).shape[:2]
    pieces = [
        np.broadcast_to(ratio[places], (*shape, len(places)))
        if d.name == "Constant"
        else draws[form_name(name, n)]
        for n, (d, places) in enumerate(forms)
    ]
    order = np.argsort(np.concatenate([places for _, places in forms]))
    return np.concatenate(pieces, axis=-1)[..., order]


def _block_draws(
    plan: Plan,
    n: int,
    draws: Mapping[str, Array],
    out: dict[str, Array],
    centred: Mapping[str, Array],
    home: Array | float,
) -> Array:
    """Draws of a block's effects, shape (chain, draw, J, K); its correlations go to `out`."""
    block = plan.layout.blocks[n]
    J, K = len(block.levels), len(block.members)
    L = None
    if K > 1:
        names = [name for _, _, name in block.correlations()]
        L = _factor(plan, draws, f"partial_{n}", K, names)
        R = L @ np.swapaxes(L, -1, -2)
        out |= {name: R[..., i, j] for i, j, name in block.correlations()}
    effects: list[Array] = []
    z: list[Array] = []
    for k, member in enumerate(block.members):
        at = slice(plan.starts[n] + k * J, plan.starts[n] + (k + 1) * J)
        unit, w = centred["effect_unit"][at], centred["effect_centering"][at]
        c = out[block.sd(member)][..., None] / unit
        m = np.zeros_like(c)
        if L is not None:
            for j in range(k):
                m = m + c * L[..., k, j, None] * z[j]
            c = c * L[..., k, k, None]
        whole = f"group_effects_{n}_{k}"
        v = draws[whole] if whole in draws else draws["group_effects"][..., at]
        here = home[..., at] if isinstance(home, np.ndarray) else home
        z.append((v - w * (m + here / unit)) / c**w)
        effects.append(unit * (m + c * z[k]))
    return np.stack(effects, axis=-1)


def _factor(
    plan: Plan, draws: Mapping[str, Array], name: str, K: int, names: Sequence[str]
) -> Array:
    """Cholesky factor of a correlation matrix, (chain, draw, K, K)."""
    known = held_matrix(K, plan.priors, names)
    if known is None:
        return _cholesky_draws(draws[name], K)
    shape = next(iter(draws.values())).shape[:2]
    return np.broadcast_to(np.linalg.cholesky(known), (*shape, K, K))


def _cholesky_draws(partial: Array, K: int) -> Array:
    """The same in NumPy, from draws of the Beta variables; shape (chain, draw, K, K)."""
    rows, columns = np.tril_indices(K, -1)
    lower = np.zeros((*partial.shape[:2], K, K))
    lower[..., rows, columns] = 2.0 * partial - 1.0
    left = np.exp(0.5 * np.log1p(-(lower**2)) @ np.triu(np.ones((K, K)), 1))
    return (lower + np.eye(K)) * left
