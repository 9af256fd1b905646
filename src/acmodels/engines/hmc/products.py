"""What an equation's predictor has beside known columns: products of parameters, effects and values.

Columns hold observed unit means, and rough numbers where values are missing. What a column differs
by from these is a product of quantities that the density computes: here these products are listed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from acmodels.spec.formula import Operand
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.columns import column_values, unit_means, variable_values
from acmodels.system.layout import Array, Index
from acmodels.system.terms import Factor, Term, latent_means, terms

type Slots = Index
"""Places in V, one a row."""
type Moves = list[tuple[Index, Slots, float]]
"""Rows, places in V of what they move with, and what that is multiplied by."""
type Coefficient = list[tuple[Slots, float]]
"""Places in V of a row's coefficient, with weights."""

KNOWN_FORMS = frozenset({None, "square", "center"})
"""What may be taken of a value that moves; functions of units aside."""


def moving(layout: Layout, term: Term) -> list[Factor]:
    """List the factors of a term whose values the density computes."""
    return [f for f in term.factors if _moves(layout, f)]


def unfit_term(layout: Layout, term: Term) -> str | None:
    """Say why a term that moves cannot be written in products, or None."""
    for f in moving(layout, term):
        s = f.source
        if s.derived is not None and s.latent is None:
            return f"'{s.key}' is an observed mean, or a deviation from it, of missing values"
        o: Operand | None = f.part.operand
        while o is not None:
            if o.unit is None and o.function not in KNOWN_FORMS:
                return f"'{f.part.operand.text}' is taken of values that are sampled"
            o = o.inner
    return None


def _moves(layout: Layout, f: Factor) -> bool:
    s = f.source
    if s.missing is not None and not layout.missing[s.missing].discrete:
        return True
    return s.latent is not None and s.derived is not None


@dataclass
class Values:
    """What V starts as, piece by piece."""

    size: int = 1
    pieces: list[tuple[int, Array]] = field(default_factory=list)

    def add(self, n: int, values: Any = 0.0) -> int:
        """Take n places; returns the first."""
        first = self.size
        self.size += n
        self.pieces.append((first, np.broadcast_to(np.asarray(values, dtype=np.float64), (n,))))
        return first

    def start(self) -> Array:
        """Return all of it; place 0 is a one."""
        out = np.zeros(self.size)
        out[0] = 1.0
        for first, values in self.pieces:
            out[first : first + len(values)] = values
        return out


@dataclass(frozen=True)
class Known:
    """What products are made of.

    Attributes:
        layout, responses: the model and its data.
        values: V.
        natural: place in V of an equation's coefficient of a column, by position, and what it is
            the sum of: a constant, and places with weights.
        eta: place of the first predictor of an equation.
        effect: places of a group effect, by level of the rows, with weights.
        cell: place of the first value of a variable that is missing, by its position.
    """

    layout: Layout
    responses: Responses
    values: Values
    natural: Callable[[str, int], tuple[float, list[tuple[int, float]]]]
    eta: Callable[[str], int]
    effect: Callable[[EquationLayout, tuple[int, int], Index], Coefficient]
    cell: Callable[[int], int]


class Products:
    """Lists products, equation by equation: V[to] += factor V[first] V[second]."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.layout = known.layout
        self.lists: list[tuple[Index, Index, Index, Array]] = []
        self.starts = [0]
        self.coefficients: dict[tuple[str, int], int] = {}
        self.means: dict[int, Slots] = {}

    def equation(self, e: EquationLayout) -> None:
        """Add what moves in an equation; those that it rests on have been added."""
        eta = self.known.eta(e.response) + np.arange(e.n)
        for t in terms(self.layout, e.response):
            self._term(e, t, np.arange(e.n), eta)

    def residual(self, members: Sequence[EquationLayout], root: int, K: int) -> None:
        """Condition the last of some equations on the residuals of those before it.

        Args:
            members: equations on the same rows.
            root: place in V of the root of the residuals' covariance, (K, K), and of the inverse
                of its diagonal.
            K: of the whole block.
        """
        k = len(members) - 1
        eta = self.known.eta(members[k].response) + np.arange(members[k].n)
        for j, e in enumerate(members[:-1]):
            key = (e.response, -1)
            if key not in self.coefficients:
                left = self.known.values.add(e.n, self.known.responses[e.response])
                self._add(left + np.arange(e.n), 0, self._eta(e), -1.0)
                self.coefficients[key] = self.known.values.add(e.n)
                inner = self.coefficients[key] + np.arange(e.n)
                self._add(inner, left + np.arange(e.n), root + K * K + j, 1.0)
            inner = self.coefficients[key] + np.arange(e.n)
            self._add(eta, inner, root + k * K + j, 1.0)

    def done(self) -> None:
        """End an equation's products."""
        self.starts.append(sum(len(x[0]) for x in self.lists))

    def arrays(self) -> dict[str, list[Any]]:
        """Return what the density reads."""
        names = ("to", "first", "second", "factor")
        found = {n: [x[i] for x in self.lists] for i, n in enumerate(names)}
        return {**found, "product0": list(self.starts)}

    def _add(self, to: Any, first: Any, second: Any, factor: Any) -> None:
        to = np.asarray(to, dtype=np.int64)
        shape = to.shape
        self.lists.append(
            (
                to,
                np.broadcast_to(np.asarray(first, dtype=np.int64), shape),
                np.broadcast_to(np.asarray(second, dtype=np.int64), shape),
                np.broadcast_to(np.asarray(factor, dtype=np.float64), shape),
            )
        )

    def _eta(self, e: EquationLayout) -> Slots:
        return self.known.eta(e.response) + np.arange(e.n, dtype=np.int64)

    def _coefficient(self, response: str, k: int) -> int:
        """Place of a coefficient as written."""
        if (response, k) not in self.coefficients:
            start, parts = self.known.natural(response, k)
            at = self.known.values.add(1, start)
            for place, weight in parts:
                self._add([at], 0, [place], weight)
            self.coefficients[response, k] = at
        return self.coefficients[response, k]

    def _term(self, e: EquationLayout, t: Term, rows: Index, to: Slots) -> None:
        """Add what a term differs by from its column, at some rows of its equation."""
        found = moving(self.layout, t)
        if not found:
            return
        if t.effect is None:
            at = self._coefficient(e.response, t.position or 0)
            by: Coefficient = [(np.full(len(rows), at), 1.0)]
        else:
            by = self.known.effect(e, t.effect, rows)
        moved = {f.part for f in found}
        stays = replace(t.column, parts=tuple(p for p in t.column.parts if p not in moved))
        rest = column_values(stays, e.rows, self._data)[rows]
        if len(found) == 1 and _plain(found[0].part.operand):
            for where, slots, factor in self._moves(e, found[0], rows):
                for slot, weight in by:
                    self._add(to[where], slot[where], slots, weight * factor * rest[where])
            return
        column = t.values(self.layout, self.known.responses)[rows]
        values = [self._value(e, f)[rows] for f in found]
        while len(values) > 2:
            values[:2] = [self._product(values[0], values[1])]
        away = self.known.values.add(len(rows), -column) + np.arange(len(rows))
        self._add(away, values[0], values[1] if len(values) > 1 else 0, rest)
        for slot, weight in by:
            self._add(to, slot, away, weight)

    def _product(self, a: Slots, b: Slots) -> Slots:
        out = self.known.values.add(len(a)) + np.arange(len(a))
        self._add(out, a, b, 1.0)
        return out

    def _data(self, name: str) -> Array:
        return variable_values(self.layout, name, self.known.responses)

    def _moves(self, e: EquationLayout, f: Factor, rows: Index) -> Moves:
        """What a value moves with: a missing value, a latent mean, or both."""
        s = f.source
        out: Moves = []
        constant = s.derived is not None and s.derived.constant
        if s.missing is not None and not constant:
            gap = self.layout.missing[s.missing]
            if not gap.discrete:
                cell = gap.cell[e.rows][rows]
                here = np.flatnonzero(cell >= 0)
                out.append((here, self.known.cell(s.missing) + cell[here], 1.0))
        if s.latent is not None and s.derived is not None:
            unit = latent_means(self.layout)[s.latent].code[e.rows][rows]
            sign = s.derived.mean or 0.0
            out.append((np.arange(len(rows)), self._mean(s.latent)[unit], sign))
        return out

    def _value(self, e: EquationLayout, f: Factor) -> Slots:
        """Places of a factor's values on all rows of an equation."""
        base = self._data(f.source.key)[e.rows]
        at = self.known.values.add(e.n, base) + np.arange(e.n)
        for where, slots, factor in self._moves(e, f, np.arange(e.n)):
            self._add(at[where], 0, slots, factor)
        return self._form(f.part.operand, at)

    def _form(self, operand: Operand, at: Slots) -> Slots:
        if operand.inner is None or operand.unit is not None:
            return at
        inner = self._form(operand.inner, at)
        n = len(at)
        if operand.function == "square":
            return self._product(inner, inner)
        mean = self.known.values.add(1)
        self._add(np.full(n, mean), 0, inner, 1.0 / n)
        out = self.known.values.add(n) + np.arange(n)
        self._add(out, 0, inner, 1.0)
        self._add(out, 0, np.full(n, mean), -1.0)
        return out

    def _mean(self, n: int) -> Slots:
        """Places of what a latent mean differs by from the observed one, by unit."""
        if n in self.means:
            return self.means[n]
        m = latent_means(self.layout)[n]
        e = self.layout.equations[m.equation]
        observed = unit_means(self.layout, self.layout.derived[m.key], self.known.responses)
        J = len(m.at)
        at = self.known.values.add(J, m.offset - observed) + np.arange(J)
        self.means[n] = at
        for t in terms(self.layout, e.response):
            if t.effect is None and t.position in m.columns:
                place = self._coefficient(e.response, t.position)
                x = t.values(self.layout, self.known.responses)[m.at]
                self._add(at, 0, np.full(J, place), x)
            elif t.effect is not None and t.effect in m.effects:
                z = t.values(self.layout, self.known.responses)[m.at]
                for slot, weight in self.known.effect(e, t.effect, m.at):
                    self._add(at, 0, slot, weight * z)
            else:
                continue
            self._term(e, t, m.at, at)
        return at


def _plain(o: Operand) -> bool:
    """Whether an operand is its value itself."""
    return o.inner is None or o.unit is not None
