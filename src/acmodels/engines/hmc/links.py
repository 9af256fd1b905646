"""How rows' predictors move with states: group effects and missing values, all of them together.

The density itself is a list of products (`products`). Its joint coordinates need, besides, the
slope of each row's predictor in each state, as a quantity of parameters alone times a number: exact
where states enter linearly, at the anchor where they are multiplied with each other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from acmodels.engines.hmc.products import GroupEffect, Products, moving
from acmodels.system import EquationLayout
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import column_values
from acmodels.system.terms import Factor, Term, latent_means, terms

if TYPE_CHECKING:
    from acmodels.spec.formula import Operand

type States = tuple[int, Index]
"""A place in V of a quantity of parameters alone, and the state of each row."""


@dataclass(frozen=True)
class Link:
    """Slopes of an equation's predictor in states: V[place] times `z` times values at `slots`.

    Attributes:
        place: in V, of parameters alone.
        state: of each row, -1 where there is none, (n,).
        z: known, (n,).
        slots: places in V whose values at the anchor multiply z, by row.
    """

    place: int
    state: Index
    z: Array
    slots: tuple[Index, ...] = ()

    def at(self, V: Array) -> Array:
        """Return what multiplies the place, given values, (n,)."""
        out = self.z
        for s in self.slots:
            out = out * V[s]
        return np.where(self.state >= 0, out, 0.0)


class Links:
    """Finds the links of equations.

    Args:
        products: of the density.
        root: place in V of the root of a block's covariance, (K, K); None for missing values.
        first: the first state of a block, and its levels and effects.
    """

    def __init__(
        self,
        products: Products,
        root: Callable[[int], int | None],
        first: Callable[[int], tuple[int, int, int]],
    ) -> None:
        self.products = products
        self.known = products.known
        self.layout = products.layout
        self.root = root
        self.first = first
        self.made: dict[tuple[int, ...] | tuple[float, ...], int] = {}

    def equation(self, e: EquationLayout) -> list[Link]:
        """List the links of an equation's predictor."""
        out = [x for t in terms(self.layout, e.response) for x in self._term(e, t)]
        return [x for x in out if np.any(x.state >= 0)]

    def cells(self, e: EquationLayout, at: Index, block: int) -> Link:
        """Return the link of an equation's own missing values, as they enter its residual."""
        state = np.full(e.n, -1)
        state[at] = self.first(block)[0] + np.arange(len(at))
        return Link(0, state, np.full(e.n, -1.0))

    def effect(self, of: GroupEffect, z: Array) -> list[Link]:
        """Return the links of a group effect that enters times z."""
        return [Link(p, s, z) for p, s in self._states(of)]

    def _term(self, e: EquationLayout, t: Term) -> Iterator[Link]:
        rows = np.arange(e.n)
        found = moving(self.layout, t)
        moved = {f.part for f in found}
        stays = replace(t.column, parts=tuple(p for p in t.column.parts if p not in moved))
        rest = column_values(stays, e.rows, self.products.data)
        if t.effect is None:
            by: list[tuple[int, tuple[Index, ...]]] = [
                (self.products.coefficient(e.response, t.position or 0), ())
            ]
        else:
            effect = self.known.effect(e, t.effect, rows)
            values = tuple(self._slots(e, f) for f in found)
            for place, state in self._states(effect):
                yield Link(place, state, rest, values)
            by = [(0, (self._value(effect),))] if found else []
        for f in found:
            others = tuple(self._slots(e, g) for g in found if g is not f)
            inner = self._slopes(e, f)
            for place, state, factor in self._moves(e, f, rows):
                for coefficient, slots in by:
                    at = self._product(coefficient, place)
                    yield Link(at, state, rest * factor, (*slots, *others, *inner))

    def _moves(
        self, e: EquationLayout, f: Factor, rows: Index
    ) -> Iterator[tuple[int, Index, Array]]:
        """List states that a factor's value moves with, before what is taken of it."""
        for m in self.products.moves(e, f, rows):
            if m.effect is None:
                continue
            for place, state in self._states(m.effect):
                every, factor = np.full(len(rows), -1), np.zeros(len(rows))
                every[m.rows], factor[m.rows] = state, m.factor
                yield place, every, factor
        s = f.source
        if s.latent is not None and s.derived is not None:
            mean = latent_means(self.layout)[s.latent]
            at = self.products.read_at(e, s, rows)
            unit = mean.code[at]
            sign = s.derived.mean or 0.0
            for place, state, factor in self._of_mean(s.latent):
                yield place, np.where(at >= 0, state[unit], -1), sign * factor[unit]

    def _of_mean(self, n: int) -> Iterator[tuple[int, Index, Array]]:
        """List states that a latent mean moves with through what its own equation reads."""
        m = latent_means(self.layout)[n]
        e = self.layout.equations[m.equation]
        for t in terms(self.layout, e.response):
            found = moving(self.layout, t)
            if t.effect is not None or t.position not in m.columns or len(found) != 1:
                continue
            stays = replace(
                t.column, parts=tuple(p for p in t.column.parts if p is not found[0].part)
            )
            rest = column_values(stays, e.rows, self.products.data)[m.at]
            own = self.products.coefficient(e.response, t.position)
            for place, state, factor in self._moves(e, found[0], m.at):
                yield self._product(own, place), state, factor * rest

    def _states(self, of: GroupEffect) -> list[States]:
        """Return the standardized states that an effect is made of."""
        first, J, K = self.first(of.block)
        root = self.root(of.block)
        if root is None:
            return [(0, first + of.level)]
        out: list[States] = []
        for c in range(K):
            weights = {root + k * K + c: w for k, w in enumerate(of.weights) if w and k <= c}
            if weights:
                out.append((self._sum(weights), first + c * J + of.level))
        return out

    def _sum(self, weights: dict[int, float]) -> int:
        """Place of a weighted sum of places."""
        if list(weights.values()) == [1.0]:
            return next(iter(weights))
        key = tuple(x for item in weights.items() for x in item)
        if key not in self.made:
            self.made[key] = self.products.parameter([(p, 0, w) for p, w in weights.items()])
        return self.made[key]

    def _product(self, a: int, b: int) -> int:
        """Place of a product of two places."""
        if a == 0 or b == 0:
            return a + b
        if (a, b) not in self.made:
            self.made[a, b] = self.products.parameter([(a, b, 1.0)])
        return self.made[a, b]

    def _slots(self, e: EquationLayout, f: Factor) -> Index:
        return self.products.value(e, f)

    def _value(self, of: GroupEffect) -> Index:
        """Places of a group effect's values."""
        return self.products.effect_value(of)

    def _slopes(self, e: EquationLayout, f: Factor) -> tuple[Index, ...]:
        """Places of the slope of what is taken of a value, where that is no constant."""
        o: Operand | None = f.part.operand
        while o is not None:
            if o.unit is None and o.function == "square":
                return (self.products.twice(e, f),)
            o = o.inner
        return ()
