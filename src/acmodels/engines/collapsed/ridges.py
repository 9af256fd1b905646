"""Coordinates along which correlated group effects and copies of them trade places.

Where y's equation has the latent mean of m in a unit, with a coefficient b, and its own effect of
the unit correlates with m's, the data know what the unit's effect on m does to y in all,

    c = b + (regression of y's effect on m's) ,

and hardly how it is split: the posterior is a curved ridge in b, the correlation, and the sd of
y's effects. It is nearly straight in c, the partial correlation, and the sd of what the
correlation leaves of y's effects, which the data know too (a Cholesky factor's diagonal; compare
Lewandowski, Kurowicka & Joe, 2009, for the partial correlations). So these are sampled. With
u = A u + e for effects given those before them, and means of means w = u + B w, the sum is
A + B - A B.

Near an sd of zero of m's effects nothing is known of the regression, and its share fades out.
"""

from dataclasses import dataclass

from acmodels.engines.collapsed.mixed import Component
from acmodels.system import Layout
from acmodels.system.terms import latent_terms

FADE = 0.1
"""Sd of m's effects, in its unit, below which its share fades out."""


@dataclass(frozen=True)
class Ridge:
    """A coefficient of a latent mean beside a correlation with what the mean is made of.

    Attributes:
        block: position in the layout of the block of both effects.
        of, on: members of the block: the outcome's effect, and the mean's.
        conditioned: position of the coefficient among the conditioned ones.
    """

    block: int
    of: int
    on: int
    conditioned: int


def ridges(component: Component, layout: Layout) -> tuple[Ridge, ...]:
    """Find them; of each coefficient one, in the block with most levels."""
    found: dict[int, Ridge] = {}
    blocks = sorted(component.blocks, key=lambda b: -len(layout.blocks[b].levels))
    place = {c: i for i, c in enumerate(component.copies.conditioned)}
    for e, i in enumerate(component.equations):
        response = layout.equations[i].response
        for t, how in latent_terms(layout, response):
            if t.position is None or how.sign < 0 or how.rest.parts:
                continue
            at = place[e, t.position]
            for b in blocks:
                members = layout.blocks[b].members
                plain = [k for k, m in enumerate(members) if not m.column.parts]
                own = [k for k in plain if members[k].response == response]
                copied = [of for of in plain if (e, b, of, (at,)) in component.copies.effects]
                if own and copied and copied[0] < own[0]:
                    found.setdefault(at, Ridge(b, own[0], copied[0], at))
    return tuple(sorted(found.values(), key=lambda r: (r.block, r.of)))
