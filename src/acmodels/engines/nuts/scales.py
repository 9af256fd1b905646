"""Standard deviations: those of group effects, then residual ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acmodels.engines import Unclear
from acmodels.engines.nuts.centering import Centering, uncertain
from acmodels.engines.nuts.forms import scaled, scaled_draws
from acmodels.engines.nuts.rows import Stack
from acmodels.priors import Prior, Priors, turned
from acmodels.spec import parameters as names
from acmodels.spec.distribution import Distribution
from acmodels.system import Layout, Responses
from acmodels.system.arrays import Array

_SYMMETRIC = {
    "HalfNormal": "Normal",
    "HalfStudentT": "StudentT",
    "HalfCauchy": "Cauchy",
    "Exponential": "Laplace",
}
"""Priors of an sd, and the symmetric prior whose absolute value has them."""


@dataclass(frozen=True)
class Scales:
    """What sds there are, in the graph's order.

    Attributes:
        priors: of group sds, then residual sds.
        sds: for each block, where its sds start.
        sigmas: by equation, the place of its residual sd.
        firsts: by equation of a panel, the place of its residual sd in first waves.
        signed: by block and member, the places of group sds that are sampled with a sign. Where the
            data do not put an sd well away from zero, its log has a long tail; with a symmetric
            prior on the whole line and non-centered effects the posterior is smooth through zero,
            and the sd is the absolute value.
    """

    priors: tuple[Prior, ...]
    sds: tuple[int, ...]
    sigmas: Mapping[int, int]
    firsts: Mapping[int, int]
    signed: Mapping[tuple[int, int], int]

    @property
    def forms(self) -> list[Distribution]:
        """What the sds are sampled as: their priors, or the symmetric ones behind them."""
        places = set(self.signed.values())
        return [
            replace(p.distribution, name=_SYMMETRIC[p.distribution.name])
            if j in places
            else p.distribution
            for j, p in enumerate(self.priors)
        ]


@dataclass(frozen=True)
class ScaleArrays:
    """Rough sds, the units in which they are sampled, and their priors' scales in these units."""

    unit: Array
    ratio: Array


def make_scales(
    stack: Stack,
    responses: Responses,
    signed: Mapping[tuple[int, int], int] | None = None,
    unclear: Unclear = frozenset(),
) -> Scales:
    """Lay out the sds.

    Args:
        stack: the equations.
        responses: the data, which decide what is sampled with a sign.
        signed: what is sampled with a sign, where that was decided before.
        unclear: group sds that are taken not to be well away from zero, whatever these data say.
    """
    layout, priors = stack.layout, stack.priors
    found: list[Prior] = []
    sds: list[int] = []
    for b in layout.blocks:
        sds.append(len(found))
        found += [priors[name] for name in b.sds]
    sigmas: dict[int, int] = {}
    for i in stack.order:
        e = layout.equations[i]
        if e.has_sigma:
            sigmas[i] = len(found)
            found.append(priors[names.sigma(e.response)])
    firsts: dict[int, int] = {}
    for i in stack.order:
        if layout.equations[i].has_sigma1:
            firsts[i] = len(found)
            found.append(priors[layout.equations[i].sigma1])
    if signed is None:
        signed = {
            (b, k): sds[b] + k
            for b, k in sorted(uncertain(layout, responses, group_bases(layout, priors)) | unclear)
            if found[sds[b] + k].distribution.name in _SYMMETRIC
            and all(priors[n].held is None for _, _, n in layout.blocks[b].correlations())
        }
    return Scales(tuple(found), tuple(sds), sigmas, firsts, signed)


def group_bases(layout: Layout, priors: Priors) -> dict[int, Array]:
    """Find the blocks whose effects as written are not those that default priors are on.

    Returns:
        By block, the former in terms of the latter, (K, K).
    """
    found = {b: turned(list(block.sds), priors) for b, block in enumerate(layout.blocks)}
    return {b: basis for b, basis in found.items() if basis is not None}


def scale_arrays(part: Scales, found: Centering) -> ScaleArrays | None:
    """Take rough sds from a look at the data."""
    if not part.priors:
        return None
    unit = np.ones(len(part.priors))
    for (b, k), member in found.effects.items():
        unit[part.sds[b] + k] = member.tau
    for i, place in part.sigmas.items():
        unit[place] = found.sigma[i]
    for i, place in part.firsts.items():
        unit[place] = found.sigma[i]
    sizes = [p.distribution.scale if p.held is None else p.held for p in part.priors]
    return ScaleArrays(unit, np.array(sizes) / unit)


def scales(pm: Any, part: Scales, data: ScaleArrays | None) -> Any:
    """Add the sds to the graph: a vector, some of it with a sign; None where there are none."""
    if data is None:
        return None
    return data.unit * scaled(pm, "scales", part.forms, data.ratio)


def scale_draws(
    part: Scales, data: ScaleArrays | None, draws: Mapping[str, Array]
) -> dict[str, Array]:
    """Return draws of the sds by name, some with a sign."""
    if data is None:
        return {}
    values = data.unit * scaled_draws(draws, "scales", part.forms, data.ratio)
    return {
        p.name: values[..., j] if p.held is None else np.full_like(values[..., j], p.held)
        for j, p in enumerate(part.priors)
    }
