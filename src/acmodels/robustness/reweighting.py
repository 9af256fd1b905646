"""The likelihood of each unit's rows at each draw, the unit's own group effects integrated out.

A unit's rows depend on its effects in two ways: an equation's own effects, and the unit's latent
means, which are made of the effects in the equation of the variable that they are means of. Both
are integrated out together, since a unit that is left out takes all of its effects with it (Merkle,
Furr & Rabe-Hesketh, 2019). Effects that neither an equation nor a covariance joins are integrated
out apart from each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from acmodels.generate import linear_predictor
from acmodels.posterior import Array
from acmodels.system import Block, EquationLayout, System
from acmodels.system.terms import Term, terms

NODES = (9, 9, 5)
"""Of the quadrature over one, two and three effects of a unit, in each direction."""
STEPS = 12
"""Of the search for where to place them, at most."""

type Function = Callable[[Array], Array]
"""Of a unit's effects, (S, J, K), to numbers (S, J)."""


@dataclass(frozen=True)
class _Rows:
    """One equation at every draw.

    Attributes:
        equation: which one.
        unit: of each of its rows, (n,).
        eta: linear predictor where the units' own effects are zero, (S, n).
        slopes: what one more of an effect adds to it, by the effect's position, (S, n).
    """

    equation: EquationLayout
    unit: NDArray[np.int64]
    eta: Array
    slopes: Mapping[int, Array]


def unit_likelihoods(
    system: System, own: Sequence[Block], values: Mapping[str, Array], effects: Mapping[str, Array]
) -> Array | None:
    """Log likelihood of each unit's rows at each draw.

    By Gauss-Hermite quadrature with nodes placed by the mode and curvature at each draw (Naylor &
    Smith, 1982; Pinheiro & Bates, 1995).

    Args:
        system: the model on the data.
        own: the blocks of the grouping whose units are looked at.
        values: draws of the structural parameters, (S,).
        effects: draws of the group effects by block, (S, J, K).

    Returns:
        Shape (S, J); None where more than three effects of a unit hang together, or a predictor
        is not linear in them.
    """
    keys = {b.key for b in own}
    every = (t for r in system.layout.responses for t in terms(system.layout, r))
    mine = [t for t in every if t.effect and _block(system, t).key in keys]
    members = sorted(mine, key=lambda t: t.effect or (0, 0))
    rows: list[_Rows] = []
    for e in system.layout.equations:
        found = _equation(system, e, members, values, effects)
        if found is None:
            return None
        rows.append(found)
    parts = _components(members, rows)
    if any(len(p) > len(NODES) for p in parts):
        return None
    size, J = next(iter(effects.values())).shape[0], len(own[0].levels)
    total = np.zeros((size, J))
    for part in parts:
        moved = [r for r in rows if set(r.slopes) & set(part)]
        root = _root(system, [members[k] for k in part], values, size)
        total += _integrated(system, moved, part, root, values, J)
    alone = [r for r in rows if not r.slopes]
    for r in alone:
        total += _by_unit(system, r, r.eta, values, J)
    return total


def _block(system: System, t: Term) -> Block:
    assert t.effect is not None  # noqa: S101
    return system.layout.blocks[t.effect[0]]


def _equation(
    system: System,
    e: EquationLayout,
    members: Sequence[Term],
    values: Mapping[str, Array],
    effects: Mapping[str, Array],
) -> _Rows | None:
    """An equation's predictor as a linear function of the units' effects; None if it is not."""
    size = next(iter(effects.values())).shape[0]
    stack = {k: np.broadcast_to(v, (size, len(v))) for k, v in system.responses.items()}

    def at(u: Array) -> Array:
        moved = dict(effects)
        for key in {_block(system, t).key for t in members}:
            moved[key] = np.zeros_like(effects[key])
        for t, v in zip(members, u, strict=True):
            assert t.effect is not None  # noqa: S101
            moved[_block(system, t).key][..., t.effect[1]] = v
        return linear_predictor(system.layout, e, stack, values, moved)

    K = len(members)
    eta = at(np.zeros(K))
    slopes: dict[int, Array] = {}
    for k, one in enumerate(np.eye(K)):
        if system.layout.derived or members[k].response == e.response:
            slope = at(one) - eta
            if np.any(slope):
                slopes[k] = slope
    if system.layout.derived and slopes:
        u = np.array([(-1.0) ** k * (1.0 + 0.5 * k) for k in range(K)])
        straight = eta + sum(u[k] * s for k, s in slopes.items())
        if np.max(np.abs(at(u) - straight)) > 1e-8 * (1.0 + np.max(np.abs(straight))):
            return None
    return _Rows(e, _block(system, members[0]).code[e.rows], eta, slopes)


def _components(members: Sequence[Term], rows: Sequence[_Rows]) -> list[tuple[int, ...]]:
    """Effects that have to be integrated out together: those of an equation, or of a block."""
    joined = [set(r.slopes) for r in rows if r.slopes]
    blocks = [t.effect[0] for t in members if t.effect]
    joined += [{k for k, b in enumerate(blocks) if b == which} for which in dict.fromkeys(blocks)]
    parts: list[set[int]] = []
    for some in joined:
        touching = [p for p in parts if p & some]
        parts = [p for p in parts if not p & some]
        parts.append(some.union(*touching))
    return sorted(tuple(sorted(p)) for p in parts)


def _root(system: System, part: Sequence[Term], values: Mapping[str, Array], size: int) -> Array:
    """A root of the covariance of some effects at each draw, (S, K, K)."""
    K = len(part)
    out = np.tile(np.eye(K), (size, 1, 1))
    for i, j in combinations(range(K), 2):
        first, second = part[i].effect, part[j].effect
        if first and second and first[0] == second[0]:
            pairs = _block(system, part[i]).correlations()
            name = next(n for x, y, n in pairs if {x, y} == {first[1], second[1]})
            out[:, i, j] = out[:, j, i] = values[name]
    sds = np.stack([values[t.parameter] for t in part], axis=-1)
    vals, vectors = np.linalg.eigh(out)
    return sds[:, :, None] * vectors * np.sqrt(np.maximum(vals, 0.0))[:, None, :]


def _integrated(
    system: System,
    rows: Sequence[_Rows],
    part: Sequence[int],
    root: Array,
    values: Mapping[str, Array],
    J: int,
) -> Array:
    """Log likelihood of each unit's rows of some equations, its effects integrated out, (S, J)."""

    def log_joint(v: Array) -> Array:
        """With effects root v, v standard normal."""
        u = np.einsum("skl,sjl->sjk", root, v)
        total = -0.5 * np.sum(v**2, axis=-1) - 0.5 * len(part) * np.log(2 * np.pi)
        for r in rows:
            eta = r.eta
            for k, slope in r.slopes.items():
                eta = eta + u[:, r.unit, part.index(k)] * slope
            total = total + _by_unit(system, r, eta, values, J)
        return total

    return log_integral(log_joint, (len(root), J, len(part)))


def _by_unit(system: System, rows: _Rows, eta: Array, values: Mapping[str, Array], J: int) -> Array:
    """Sums over each unit's rows of an equation's log density, (S, J)."""
    e = rows.equation
    each = e.conditional(values.__getitem__).log_likelihood(system.responses[e.response], eta)
    order = np.argsort(rows.unit, kind="stable")
    there, first = np.unique(rows.unit[order], return_index=True)
    out = np.zeros((len(eta), J))
    out[:, there] = np.add.reduceat(each[:, order], first, axis=1)
    return out


def log_integral(f: Function, shape: tuple[int, int, int]) -> Array:
    """Logs of integrals of exp(f) over K numbers.

    Args:
        f: elementwise over the first two axes; holds the log density of K standard normals.
        shape: (S, J, K).

    Returns:
        Shape (S, J).
    """
    K = shape[-1]
    mode, root = modes(f, shape)
    x, w = np.polynomial.hermite.hermgauss(NODES[K - 1])
    logs: Array | None = None
    for place in product(range(len(x)), repeat=K):
        node = x[list(place)]
        at = mode + np.sqrt(2.0) * root @ node
        term = f(at) + float(np.log(w[list(place)]).sum() + node @ node)
        logs = term if logs is None else np.logaddexp(logs, term)
    assert logs is not None  # noqa: S101
    return logs + np.linalg.slogdet(root)[1] + 0.5 * K * np.log(2.0)


def modes(f: Function, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    """Modes of functions of K numbers, elementwise, by Newton's steps.

    Args:
        f: as for `log_integral`; no direction is wider than a standard normal.
        shape: (S, J, K).

    Returns:
        The modes (S, J, K), and roots of the inverse of minus the second derivatives there,
        (S, J, K, K).
    """
    K = shape[-1]
    v = np.zeros(shape)
    width = np.ones(shape)
    root = np.tile(np.eye(K), (*shape[:-1], 1, 1))
    for _ in range(STEPS):
        gradient, curvature = _derivatives(f, v, 0.01 * width)
        vals, vectors = np.linalg.eigh(curvature)
        vals = np.maximum(vals, 1.0)
        root = vectors / np.sqrt(vals)[..., None, :]
        width = np.sqrt(np.sum(root**2, axis=-1))
        step = (root @ (np.swapaxes(root, -1, -2) @ gradient[..., None]))[..., 0]
        step = np.clip(step, -5 * width, 5 * width)
        v = v + step
        if np.max(np.abs(step) / width) < 1e-2:
            break
    return v, root


def _derivatives(f: Function, v: Array, h: Array) -> tuple[Array, Array]:
    """Gradients, and minus the second derivatives, by differences over steps h, (S, J, K)."""
    K = v.shape[-1]
    here = f(v)
    steps = [h * one for one in np.eye(K)]
    above, below = [f(v + s) for s in steps], [f(v - s) for s in steps]
    gradient = np.stack(
        [(a - b) / (2 * h[..., k]) for k, (a, b) in enumerate(zip(above, below, strict=True))], -1
    )
    curvature = np.empty((*v.shape, K))
    for k in range(K):
        curvature[..., k, k] = (2 * here - above[k] - below[k]) / h[..., k] ** 2
    for i, j in combinations(range(K), 2):
        both, neither = f(v + steps[i] + steps[j]), f(v - steps[i] - steps[j])
        mixed = both + neither - above[i] - below[i] - above[j] - below[j] + 2 * here
        curvature[..., i, j] = curvature[..., j, i] = -mixed / (2 * h[..., i] * h[..., j])
    return gradient, curvature
