"""Ratings: a construct's value and the deviation of a rater, which several items read together.

Without them each item's row would move with every state that its rating is made of, and their pairs
would be most of the work (`places.Arrays`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from acmodels.engines.hmc.products import GroupEffect, Products, moving, plain
from acmodels.system import EquationLayout, Layout
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import column_values
from acmodels.system.terms import Factor, Term, terms


@dataclass(frozen=True)
class Rating:
    """Values that items read.

    Attributes:
        first: place in V.
        effects: what each value is the sum of, at all of them.
        readers: by response, which value each row of its equation reads.
    """

    first: int
    effects: tuple[GroupEffect, ...]
    readers: dict[str, Index]

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.effects[0].level)


@dataclass(frozen=True)
class Reader:
    """An item's only term that moves: a rating times a coefficient and a known factor."""

    term: Term
    factor: Factor
    effects: tuple[GroupEffect, ...]


def ratings(
    layout: Layout, products: Products, equations: Sequence[EquationLayout]
) -> list[Rating]:
    """List the ratings of a component, those that two or more items read."""
    found: dict[tuple[tuple[int, tuple[float, ...]], ...], dict[str, Reader]] = {}
    for e in equations:
        r = reader(layout, products, e)
        if r is not None:
            key = tuple((x.block, x.weights) for x in r.effects)
            found.setdefault(key, {})[e.response] = r
    return [_rating(products, x) for x in found.values() if len(x) > 1]


def reader(layout: Layout, products: Products, e: EquationLayout) -> Reader | None:
    """Return what an equation reads of a rating, or None if it reads none, or more than that."""
    i = layout.equations.index(e)
    if not e.measured or e.has_sigma1:
        return None
    if any(g.equation == i for g in layout.missing) or any(i in r for r in layout.residual):
        return None
    if layout.confounder is not None and e.response in layout.confounder.loadings:
        return None
    every = terms(layout, e.response)
    moves = [(t, moving(layout, t)) for t in every]
    some = [(t, f) for t, f in moves if f]
    if len(some) != 1 or any(t.effect is not None for t in every) or len(some[0][1]) != 1:
        return None
    term, (factor,) = some[0]
    if not factor.source.raters or not plain(factor.part.operand):
        return None
    parts = products.moves(e, factor, np.arange(e.n))
    effects = [m.effect for m in parts if m.effect is not None and len(m.rows) == e.n]
    if len(effects) < len(parts) or any(np.any(m.factor != 1.0) for m in parts):
        return None
    return Reader(term, factor, tuple(effects))


def multiplier(products: Products, e: EquationLayout, r: Reader) -> Array:
    """Return what a rating is multiplied by beside its coefficient, (n,)."""
    rest = replace(r.term.column, parts=tuple(p for p in r.term.column.parts if p != r.factor.part))
    return column_values(rest, e.rows, products.data)


def _rating(products: Products, readers: dict[str, Reader]) -> Rating:
    levels = [np.column_stack([x.level for x in r.effects]) for r in readers.values()]
    every, inverse = np.unique(np.concatenate(levels), axis=0, return_inverse=True)
    ends = np.cumsum([len(x) for x in levels])[:-1]
    effects = next(iter(readers.values())).effects
    return Rating(
        products.known.values.add(len(every)),
        tuple(replace(x, level=every[:, k]) for k, x in enumerate(effects)),
        dict(zip(readers, np.split(inverse.ravel(), ends), strict=True)),
    )
