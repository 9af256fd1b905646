"""Coordinates in which the ridges that latent means make of a posterior are straight.

Where y's equation has the latent mean of m in a unit, with a coefficient b, the data know the
covariance of the unit's effects on m with what the unit does to y, the less of b the smaller the
sd d of m's effects is. So the coordinate is b d, with sqrt(d^2 + constant) for d.

Where y's own effect of the unit correlates with m's, they know the sum

    b + (regression of y's effect on m's) ,

and hardly how it is split: the posterior is a curved ridge in b, the correlation, and the sd of
y's effects. It is nearly straight in the sum, the partial correlation, and the sd of what the
correlation leaves of y's effects, which the data know too (a Cholesky factor's diagonal). With
u = A u + e for effects given those before them, and means of means w = u + B w, the sum is
A + B - A B. Where units lie in larger units whose effects correlate too, b stands in their sum as
well, so that their regressions move with the units' own.

Where y's equation has the means of several variables whose effects of the unit correlate, the data
know what each of independent effects does to y: with u = D L e, the coordinates are L' D b. In b
itself there is a long ridge where a correlation is near one.

What is over an sd fades out near zero. All of it keeps the signs: turning that of an sd turns
the partial correlations with it, before and after.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from acmodels.engines.collapsed.matrices import Matrix, cholesky
from acmodels.engines.collapsed.mixed import Component
from acmodels.system import Layout
from acmodels.system.arrays import Array
from acmodels.system.terms import latent_terms

FADE = 0.05
"""Sd of group effects, in its unit, below which what is over it fades out."""

type Pair = tuple[int, int, int]
"""A block, the place of y's effect in it, and the place of m's."""


@dataclass(frozen=True)
class Ridge:
    """A coefficient of a latent mean.

    Attributes:
        conditioned: its position among the conditioned ones.
        sd: block and member of the group effect that tells most of it.
        pairs: effects of the outcome and of the mean that correlate, most levels first.
        abreast: places in the block of `sd` of the effects of this mean and others in the equation,
            with the position of each one's coefficient; none where it stands alone.
    """

    conditioned: int
    sd: tuple[int, int]
    pairs: tuple[Pair, ...]
    abreast: tuple[tuple[int, int], ...] = ()

    @property
    def later(self) -> tuple[tuple[int, int], ...]:
        """Those of `abreast` that stand after its own."""
        return tuple((k, at) for k, at in self.abreast if k > self.sd[1])


def ridges(component: Component, layout: Layout, free: Collection[int]) -> tuple[Ridge, ...]:
    """Find them, in the order of the outcomes' effects.

    Args:
        component: whose.
        layout: of the model.
        free: blocks of which nothing is held.
    """
    found: list[Ridge] = []
    outcomes: list[int] = []
    blocks = sorted(component.blocks, key=lambda b: -len(layout.blocks[b].levels))
    place = {c: i for i, c in enumerate(component.copies.conditioned)}
    for e, i in enumerate(component.equations):
        response = layout.equations[i].response
        for t, how in latent_terms(layout, response):
            if t.position is None or how.sign < 0 or how.rest.parts:
                continue
            at = place[e, t.position]
            sds: list[tuple[int, int]] = []
            pairs: list[Pair] = []
            for b in (b for b in blocks if b in free):
                members = layout.blocks[b].members
                plain = [k for k, m in enumerate(members) if not m.column.parts]
                on = [k for k in plain if (e, b, k, (at,)) in component.copies.effects]
                own = [k for k in plain if members[k].response == response]
                sds += [(b, k) for k in on]
                pairs += [(b, of, k) for k in on for of in own if of > k]
            if sds:
                found.append(Ridge(at, sds[0], tuple(pairs)))
                outcomes.append(e)
    found = _abreast(found, outcomes)
    return tuple(sorted(found, key=lambda r: ([of for _, of, _ in r.pairs], -r.sd[1])))


def _abreast(found: Sequence[Ridge], outcomes: Sequence[int]) -> list[Ridge]:
    """Say which means of one equation have effects in one block, that of the outcome not in it."""
    sets: dict[tuple[int, int], list[Ridge]] = {}
    for r, e in zip(found, outcomes, strict=True):
        if not r.pairs:
            sets.setdefault((e, r.sd[0]), []).append(r)
    of = {
        r.conditioned: tuple((o.sd[1], o.conditioned) for o in some)
        for some in sets.values() if len({o.sd[1] for o in some}) == len(some) > 1
        for r in some
    }  # fmt: skip
    return [replace(r, abreast=of.get(r.conditioned, ())) for r in found]


def bent(
    x: Array,
    ridges: Sequence[Ridge],
    blocks: Mapping[int, Matrix],
    conditioned: Sequence[int],
    units: Array,
) -> tuple[Array, Array]:
    """Take coordinates in which ridges are straight to sds, correlations and coefficients.

    Args:
        x: coordinates, (..., d).
        ridges: see there.
        blocks: matrices by block.
        conditioned: coordinates of the conditioned coefficients.
        units: of the coordinates, (d,).

    Returns:
        Coordinates, (..., d), and the log of the volume of those given in them, (...).
    """
    log = np.zeros(x.shape[:-1])
    if not ridges:
        return x, log
    out = x.copy()
    first = {r.pairs[0]: conditioned[r.conditioned] for r in ridges if r.pairs}
    slopes: dict[int, Array] = {}
    for b in dict.fromkeys(b for place in (0, 1) for r in ridges for b, _, _ in r.pairs[place:]):
        matrix = blocks[b]
        sds = list(matrix.sds)
        d, unit = x[..., sds], units[sds]
        share = d / (d**2 + FADE**2) / unit  # of one over the sd
        for r in ridges:
            for _, of, on in (p for p in r.pairs[1:] if p[0] == b and r.pairs[0][0] in slopes):
                c, i, j = r.pairs[0]
                moved = slopes[c][..., i, j] * d[..., on] * unit[on] * share[..., of]
                out[..., matrix.partials[of * (of - 1) // 2 + on]] += np.arcsinh(moved)
        L = cholesky(matrix, out)
        left = np.diagonal(L, axis1=-2, axis2=-1)
        out[..., sds] = d / left
        log -= np.sum(np.log(left), axis=-1)
        slopes[b] = _regressions((d * unit / left)[..., :, None] * L * share[..., None, :])
    for r in ridges:
        at = conditioned[r.conditioned]
        block, own = r.sd
        sds = blocks[block].sds
        sd = x[..., sds[own]]
        L = cholesky(blocks[block], out) if r.abreast else np.ones((1, 1))
        if r.abreast:
            sd = sd * L[..., own, own]
        root = np.sqrt(sd**2 + FADE**2)
        out[..., at] = x[..., at] / root
        log -= np.log(root)
        for k, of in r.later:
            known = out[..., conditioned[of]] * x[..., sds[k]] * L[..., k, own] * sd / root**2
            unit = units[conditioned[of]] * units[sds[k]] / units[sds[own]] / units[at]
            out[..., at] -= known * unit
        for b, of, on in r.pairs[:1]:
            A = slopes[b]
            less = A[..., of, on]
            for j in (j for j in range(on + 1, of) if (b, j, on) in first):
                less = less - A[..., of, j] * out[..., first[b, j, on]] * units[first[b, j, on]]
            out[..., at] -= less / units[at]
    return out, log


def _regressions(U: Array) -> Array:
    """Regress each effect on those before it.

    Args:
        U: below the diagonal, weights of the effects in e, where u = A u + e, (..., K, K).

    Returns:
        A = I - U^-1, below the diagonal.
    """
    A = np.zeros(U.shape)
    for i in range(U.shape[-1]):
        for k in range(i - 1, -1, -1):
            A[..., i, k] = U[..., i, k]
            for j in range(k + 1, i):
                A[..., i, k] -= A[..., i, j] * U[..., j, k]
    return A
