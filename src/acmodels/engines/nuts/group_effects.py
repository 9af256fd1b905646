"""Group effects: sampled centered as far as the data speak, and turned into those as written.

Given the effects before it in its block, an effect is normal with mean m and sd c. What is sampled
is v ~ Normal(w (m + h), c^w), where h is what the effect's group absorbs of the population-level
part, and the effect is m + c^(1 - w) (v - w (m + h)): hierarchically centered where w is 1,
non-centered where it is 0. All in units of a rough sd.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from acmodels.engines.nuts.centering import CONSTANT, Centering
from acmodels.engines.nuts.correlations import cholesky, cholesky_draws
from acmodels.engines.nuts.forms import joined
from acmodels.engines.nuts.population import Population
from acmodels.engines.nuts.rows import Stack
from acmodels.engines.nuts.scales import Scales, group_bases
from acmodels.system import Block, Layout, Responses
from acmodels.system.arrays import Array, Index
from acmodels.system.terms import Term, group_terms
from acmodels.system.versions import Versions


@dataclass(frozen=True)
class GroupEffects:
    """Where group effects stand: block by block, effect by effect, level by level.

    Attributes:
        stack: the equations.
        scales: the sds.
        starts: where each block's effects start among all, and their number.
        bases: by block, what its effects as written are in terms of those that are sampled (K, K);
            blocks where they are the same have none.
    """

    stack: Stack
    scales: Scales
    starts: tuple[int, ...]
    bases: Mapping[int, Array]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of the layout."""
        return self.stack.layout.blocks

    def at(self, b: int, k: int) -> slice:
        """Return where the effects of a member of a block stand."""
        J = len(self.blocks[b].levels)
        return slice(self.starts[b] + k * J, self.starts[b] + (k + 1) * J)

    @property
    def single(self) -> bool:
        """Whether no block has correlations."""
        return all(len(b.members) == 1 for b in self.blocks)


@dataclass(frozen=True)
class GroupArrays:
    """What group effects read.

    Attributes:
        index, weight: for each row of the graph, the effects that enter it and what multiplies
            them, (rows, most).
        unit, centering: of each effect, its rough sd and how far it is centered, (effects,).
        sd: the place of its sd, where no block has correlations.
        absorb_slopes, absorb_constants: what it absorbs of slopes and constants, (effects, ...).
    """

    index: Index
    weight: Array
    unit: Array
    centering: Array
    sd: Index | None
    absorb_slopes: Array | None
    absorb_constants: Array | None


def make_group_effects(stack: Stack, scales: Scales) -> GroupEffects:
    """Lay out the group effects."""
    starts = [0]
    for b in stack.layout.blocks:
        starts.append(starts[-1] + len(b.levels) * len(b.members))
    return GroupEffects(stack, scales, tuple(starts), group_bases(stack.layout, stack.priors))


def group_arrays(
    part: GroupEffects, population: Population, look: Centering, versions: Versions
) -> GroupArrays | None:
    """Say which effects enter each row, and how they are sampled.

    Args:
        part: the group effects.
        population: coefficients and constants, which effects may absorb.
        look: at the data, with signed effects non-centered.
        versions: the data.
    """
    if not part.blocks:
        return None
    index, weight = _rows(part, versions)
    members = [(b, k) for b, block in enumerate(part.blocks) for k in range(len(block.members))]
    sizes = [len(part.blocks[b].levels) for b, _ in members]
    found = [look.effects[m] for m in members]
    sds = [part.scales.sds[b] + k for b, k in members]
    slopes, constants = _absorbed(part, population, look)
    return GroupArrays(
        index,
        weight,
        np.repeat([f.tau for f in found], sizes),
        np.concatenate([f.weight for f in found]),
        np.repeat(sds, sizes) if part.single else None,
        slopes if population.slopes else None,
        constants if population.constants else None,
    )


def _rows(part: GroupEffects, versions: Versions) -> tuple[Index, Array]:
    """For each stacked row, the group effects that enter it and what multiplies them."""
    stack = part.stack
    rows: list[tuple[Index, Array]] = []
    for i in stack.order:
        e = stack.layout.equations[i]
        source = stack.unknown.rows[i].source
        places: list[Index] = []
        weights: list[Array] = []
        for block, terms in group_terms(stack.layout, e.response):
            for t in terms:
                places.append(part.at(*(t.effect or (0, 0))).start + block.index(e)[source])
                weights.append(versions.spread(i, partial(_values, term=t)))
        shape = (stack.count(i), 0)
        rows.append(
            (np.stack(places, 1), np.stack(weights, 1))
            if places
            else (np.zeros(shape, dtype=np.int64), np.zeros(shape))
        )
    width = max(1, *(p.shape[1] for p, _ in rows))
    index = [np.pad(p, ((0, 0), (0, width - p.shape[1]))) for p, _ in rows]
    weight = [np.pad(w, ((0, 0), (0, width - w.shape[1]))) for _, w in rows]
    return np.concatenate(index), np.concatenate(weight)


def _values(layout: Layout, responses: Responses, term: Term) -> Array:
    return term.values(layout, responses)


def _absorbed(part: GroupEffects, population: Population, look: Centering) -> tuple[Array, Array]:
    """Return what effects absorb of slopes and of constants, (effects, ...)."""
    slopes = np.zeros((part.starts[-1], len(population.slopes)))
    constants = np.zeros((part.starts[-1], len(population.constants)))
    place = population.place
    for (i, p), (b, shares) in look.absorbed.items():
        e = part.stack.layout.equations[i]
        for k, values in shares.items():
            if p in (e.intercept, CONSTANT):
                constants[part.at(b, k), population.constants.index(i)] = values
            else:
                slopes[part.at(b, k), place[i, p]] = values
    return slopes, constants


def group_effects(
    pm: Any, part: GroupEffects, data: GroupArrays, scales: Any, slopes: Any, constants: Any
) -> Any:
    """Add all group effects to the graph, as the formula has them: one vector."""
    absorbed: Any = 0.0
    if data.absorb_slopes is not None:
        absorbed = absorbed + pm.math.dot(data.absorb_slopes, slopes)
    if data.absorb_constants is not None:
        absorbed = absorbed + pm.math.dot(data.absorb_constants, constants)
    unit, w = data.unit, data.centering
    home = w * absorbed / unit
    if data.sd is not None:
        c = scales[data.sd] / unit
        v = pm.Normal("group_effects", home, c**w, shape=part.starts[-1])
        return _as_written(pm, part, unit * c ** (1.0 - w) * (v - home))
    pieces: list[Any] = []
    for b, block in enumerate(part.blocks):
        J, K = len(block.levels), len(block.members)
        pairs = block.correlations()
        L = None if K == 1 else cholesky(pm, f"partial_{b}", K, part.stack.priors, pairs)
        z: list[Any] = []
        for k in range(K):
            at = part.at(b, k)
            c = scales[part.scales.sds[b] + k] / unit[at]
            m: Any = 0.0
            if L is not None:
                m = c * sum((L[k, j] * z[j] for j in range(k)), 0.0)
                c = c * L[k, k]
            mean = w[at] * m + home[at]
            v = pm.Normal(f"group_effects_{b}_{k}", mean, c ** w[at], shape=J)
            z.append((v - mean) / c ** w[at])
            pieces.append(unit[at] * (m + c * z[k]))
    return _as_written(pm, part, joined(pm, pieces))


def _as_written(pm: Any, part: GroupEffects, u: Any) -> Any:
    if not part.bases:
        return u
    pieces: list[Any] = []
    for b, block in enumerate(part.blocks):
        J, K = len(block.levels), len(block.members)
        mine = u[part.starts[b] : part.starts[b + 1]]
        if b in part.bases:
            mine = pm.math.dot(part.bases[b], mine.reshape((K, J))).reshape((K * J,))
        pieces.append(mine)
    return joined(pm, pieces)


def entering(data: GroupArrays, effects: Any) -> Any:
    """Return what group effects add to the stacked predictor."""
    return (effects[data.index] * data.weight).sum(axis=1)


# --- draws -----------------------------------------------------------------------------------


def group_draws(
    part: GroupEffects,
    data: GroupArrays | None,
    draws: Mapping[str, Array],
    sds: Mapping[str, Array],
    slopes: Array,
    constants: Array,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return draws of group effects and of their sds and correlations, as written.

    Args:
        part: the group effects.
        data: their arrays.
        draws: of what is sampled.
        sds: draws of the sampled sds by name, some with a sign.
        slopes: (chain, draw, slopes).
        constants: at the predictors' means, (chain, draw, constants).

    Returns:
        By block, (chain, draw, J, K); by parameter, (chain, draw).
    """
    if data is None:
        return {}, {}
    home = np.zeros(1)
    if data.absorb_slopes is not None:
        home = home + slopes @ data.absorb_slopes.T
    if data.absorb_constants is not None:
        home = home + constants @ data.absorb_constants.T
    home = np.broadcast_to(home, (*slopes.shape[:2], part.starts[-1]))
    effects: dict[str, Array] = {}
    out: dict[str, Array] = {}
    for b, block in enumerate(part.blocks):
        found, cors = _block_draws(part, b, data, draws, sds, home)
        out |= _without_signs(block, sds, cors)
        if b in part.bases:
            out |= _written(block, part.bases[b], out)
            found = found @ part.bases[b].T
        effects[block.key] = found
    return effects, out


def _block_draws(
    part: GroupEffects,
    b: int,
    data: GroupArrays,
    draws: Mapping[str, Array],
    sds: Mapping[str, Array],
    home: Array,
) -> tuple[Array, dict[str, Array]]:
    """Return draws of a block's sampled effects, (chain, draw, J, K), and of its correlations."""
    block = part.blocks[b]
    K = len(block.members)
    L, cors = None, dict[str, Array]()
    if K > 1:
        pairs = block.correlations()
        L, cors = cholesky_draws(draws, f"partial_{b}", K, part.stack.priors, pairs)
    effects: list[Array] = []
    z: list[Array] = []
    for k, name in enumerate(block.sds):
        at = part.at(b, k)
        unit, w = data.unit[at], data.centering[at]
        c = sds[name][..., None] / unit
        m = np.zeros_like(c)
        if L is not None:
            for j in range(k):
                m = m + c * L[..., k, j, None] * z[j]
            c = c * L[..., k, k, None]
        whole = f"group_effects_{b}_{k}"
        v = draws[whole] if whole in draws else draws["group_effects"][..., at]
        z.append((v - w * (m + home[..., at] / unit)) / c**w)
        effects.append(unit * (m + c * z[k]))
    return np.stack(effects, axis=-1), cors


def _without_signs(
    block: Block, sds: Mapping[str, Array], cors: Mapping[str, Array]
) -> dict[str, Array]:
    """Make signed sds positive; a correlation takes the signs of its two sds."""
    signs = [np.sign(sds[name]) for name in block.sds]
    out = {name: cors[name] * signs[i] * signs[j] for i, j, name in block.correlations()}
    return out | {name: sds[name] * signs[k] for k, name in enumerate(block.sds)}


def _written(block: Block, basis: Array, out: Mapping[str, Array]) -> dict[str, Array]:
    """Sds and correlations of a block's effects as written, which are `basis` times the sampled."""
    sds = np.stack([out[name] for name in block.sds], axis=-1)
    R = np.zeros((*sds.shape, sds.shape[-1])) + np.eye(sds.shape[-1])
    for i, j, name in block.correlations():
        R[..., i, j] = R[..., j, i] = out[name]
    covariance = basis @ (sds[..., :, None] * R * sds[..., None, :]) @ basis.T
    written = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    found = {name: written[..., k] for k, name in enumerate(block.sds)}
    with np.errstate(divide="ignore", invalid="ignore"):
        found |= {
            name: covariance[..., i, j] / (written[..., i] * written[..., j])
            for i, j, name in block.correlations()
        }
    return found
