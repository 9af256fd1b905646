"""How far each group effect should be centered, from a quick look at the data.

Where the data say much about a group's effect, sampling the effect itself (centered) is
best; where they say little, sampling it in units of its sd (non-centered) is. Between
the two, the best mixture is the effect's reliability, tau^2 I / (1 + tau^2 I), with I the
information of the group's rows (Papaspiliopoulos, Roberts & Sköld, 2003). The choice
changes the geometry that the sampler sees, never the posterior.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

import numpy as np

from acmodels.system import Block, EquationLayout, Layout, Responses
from acmodels.system.arrays import Array
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.working import Multipliers, rough_effects, working_residuals

CONSTANT = -1
"""Stands for the column of a constant that thresholds give: it is in no design matrix."""


@dataclass(frozen=True)
class Member:
    """For one member of one block.

    Attributes:
        tau: a rough sd, the unit in which effects are sampled.
        weight: 0 non-centered to 1 centered, shape (J,).
    """

    tau: float
    weight: Array

    @property
    def informed(self) -> bool:
        """Whether the data put the sd well away from zero, so that centering has no funnel."""
        known = float(np.sum(self.weight**2))
        return known >= 25.0 or (known >= 5.0 and float(self.weight.mean()) > 0.75)


@dataclass(frozen=True)
class Centering:
    """How a model's group effects are to be sampled.

    Attributes:
        effects: by block position and member.
        sigma: by equation position, a rough residual sd (1 where the family has none).
        absorbed: by equation position and design column (or `CONSTANT`): the block whose
            effects take the column's part of the predictor in, and by member what multiplies
            its coefficient in each group, shape (J,).
    """

    effects: dict[tuple[int, int], Member]
    sigma: dict[int, float]
    absorbed: dict[tuple[int, int], tuple[int, dict[int, Array]]]


def uncertain(
    layout: Layout, responses: Responses, bases: Mapping[int, Array]
) -> frozenset[tuple[int, int]]:
    """Members, by block position, whose sd the data do not put well away from zero."""
    found = [m for e in layout.equations for m in _equation(layout, e, responses, bases)[0].items()]
    found += list(_raters(layout).items())
    return frozenset(place for place, member in found if not member.informed)


def centering(
    layout: Layout,
    responses: Responses,
    plain: Set[tuple[int, int]] = frozenset(),
    bases: Mapping[int, Array] | None = None,
) -> Centering:
    """Look at every equation on its own.

    Args:
        layout: of the model.
        responses: the data.
        plain: members that are to stay non-centered.
        bases: by block, what its effects as written are in terms of those that are sampled (K, K),
            where they are not the same.
    """
    bases = bases or {}
    effects: dict[tuple[int, int], Member] = {}
    sigma: dict[int, float] = {}
    absorbed: dict[tuple[int, int], tuple[int, dict[int, Array]]] = {}
    for i, e in enumerate(layout.equations):
        found, sigma[i] = _equation(layout, e, responses, bases)
        effects |= {
            place: replace(m, weight=np.zeros_like(m.weight)) if place in plain else m
            for place, m in found.items()
        }
        for p, home in _absorption(layout, e, responses, effects, bases).items():
            absorbed[i, p] = home
    effects |= {
        place: replace(m, weight=np.zeros_like(m.weight)) if place in plain else m
        for place, m in _raters(layout).items()
    }
    return Centering(effects, sigma, absorbed)


RATER_SD = 0.5
"""A rough sd of raters' deviations, in units of their construct's."""
ANSWER = 0.6
"""Rough information of one answer about a rater's deviation, likewise."""


def _raters(layout: Layout) -> dict[tuple[int, int], Member]:
    """Say how raters' deviations from their constructs are to be sampled."""
    out: dict[tuple[int, int], Member] = {}
    pairs = [(m, place) for m in layout.measures for place in m.raters]
    for m, place in pairs:
        block = layout.blocks[place[0]]
        answers = np.zeros(len(block.levels))
        for i in m.items:
            answers += np.bincount(block.index(layout.equations[i]), minlength=len(answers))
        ratio = RATER_SD**2 * ANSWER * answers
        out[place] = Member(RATER_SD * m.scale, ratio / (1.0 + ratio))
    return out


def _absorption(
    layout: Layout,
    e: EquationLayout,
    responses: Responses,
    effects: Mapping[tuple[int, int], Member],
    bases: Mapping[int, Array],
) -> dict[int, tuple[int, dict[int, Array]]]:
    """Find for each design column a block of well-informed effects that can take it in.

    A column can be taken in where, within every group, it is a combination of what
    multiplies the group's effects: an intercept or a predictor of the group by random
    intercepts, a predictor with a random slope by that slope. Of several blocks, the one
    that blurs the coefficient most (largest tau^2 / J) takes it.
    """
    X = design_matrix(layout, e, responses)
    if e.codes:
        X = np.column_stack([np.ones(e.n), X])
    if e.has_constant:
        X = np.column_stack([X[:, 0], X[:, 1:] - X[:, 1:].mean(axis=0)])
    best: dict[int, tuple[float, int, dict[int, Array]]] = {}
    for b, block in _own_blocks(layout):
        mine = [k for k, m in enumerate(block.members) if m.response == e.response]
        informed = [effects[b, k] for k in mine if effects[b, k].weight.mean() > 0.5]
        if not informed:
            continue
        blur = max(m.tau**2 for m in informed) / len(block.levels)
        index = block.index(e)
        Z = _multipliers(layout, e, b, responses, bases)
        for p, H in _in_span(X, Z, index, len(block.levels)).items():
            if p not in best or blur > best[p][0]:
                best[p] = (blur, b, {k: H[:, place] for place, k in enumerate(mine)})
    first = CONSTANT if e.codes else 0
    return {p + first: (b, shares) for p, (_, b, shares) in best.items()}


def _multipliers(
    layout: Layout,
    e: EquationLayout,
    b: int,
    responses: Responses,
    bases: Mapping[int, Array],
) -> Array:
    """Say what multiplies the sampled effects of a block that are of one equation, (n, effects)."""
    members = layout.blocks[b].members
    mine = [k for k, m in enumerate(members) if m.response == e.response]
    Z = np.column_stack([group_column(layout, e, members[k].column, responses) for k in mine])
    return Z @ bases[b][np.ix_(mine, mine)] if b in bases else Z


def _in_span(X: Array, Z: Array, index: np.ndarray, J: int) -> dict[int, Array]:
    """Columns of X that are, within every group, combinations of Z; with the combinations."""
    gram = np.zeros((J, Z.shape[1], Z.shape[1]))
    np.add.at(gram, index, Z[:, :, None] * Z[:, None, :])
    inverse = np.linalg.pinv(gram, hermitian=True)
    out: dict[int, Array] = {}
    for p in range(X.shape[1]):
        cross = np.zeros((J, Z.shape[1]))
        np.add.at(cross, index, Z * X[:, [p]])
        H = np.einsum("jkl,jl->jk", inverse, cross)
        left = X[:, p] - np.sum(Z * H[index], axis=1)
        if np.sum(left**2) <= 1e-12 * np.sum(X[:, p] ** 2):
            out[p] = H
    return out


def _equation(
    layout: Layout, e: EquationLayout, responses: Responses, bases: Mapping[int, Array]
) -> tuple[dict[tuple[int, int], Member], float]:
    """Fit independent group effects to working residuals by a few mean-field EM rounds."""
    residual, precision = working_residuals(layout, e, responses)
    members = _members(layout, e, responses, bases)
    found = rough_effects(e, residual, precision, members, [len(b.levels) for b in layout.blocks])
    sigma2 = found.sigma2
    effects_found = {
        (b, k): Member(float(np.sqrt(t)), t * i / sigma2 / (1.0 + t * i / sigma2))
        for (b, k, *_), t, i in zip(members, found.tau2, found.info, strict=True)
    }
    return effects_found, float(np.sqrt(sigma2))


def _own_blocks(layout: Layout) -> list[tuple[int, Block]]:
    """List the blocks whose effects are part of the equations of their members."""
    return [(b, block) for b, block in enumerate(layout.blocks) if not block.raters]


def _members(
    layout: Layout, e: EquationLayout, responses: Responses, bases: Mapping[int, Array]
) -> Multipliers:
    return [
        (b, k, block.index(e), z)
        for b, block in _own_blocks(layout)
        for mine in [[k for k, m in enumerate(block.members) if m.response == e.response]]
        if mine
        for k, z in zip(mine, _multipliers(layout, e, b, responses, bases).T, strict=True)
    ]
