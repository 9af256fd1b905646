"""List what a predictor has beside known columns: products of quantities.

Columns hold observed unit means, and rough numbers where values are missing. What a column differs
by from these is a product of quantities that the density computes: here these products are listed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from acmodels.engines.hmc.places import MOST_SEEN
from acmodels.spec.formula import PLAIN, Operand
from acmodels.system import EquationLayout, Layout, Responses
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import column_values, unit_means, variable_values
from acmodels.system.terms import Factor, Source, Term, latent_means, terms

type Slots = Index
"""Places in V, one a row."""
type Coefficient = list[tuple[Slots, float]]
"""Places in V of a row's coefficient, with weights."""

KNOWN_FORMS = frozenset({None, "square", "center", *PLAIN})
"""What may be taken of a value that moves; functions of units aside."""


def moving(layout: Layout, term: Term) -> list[Factor]:
    """List the factors of a term whose values the density computes."""
    return [f for f in term.factors if _moves(layout, f)]


def unfit_term(layout: Layout, term: Term) -> str | None:
    """Say why a term that moves cannot be written in products, or None."""
    for f in moving(layout, term):
        s = next(s for s in f.sources if _source_moves(layout, s))
        if s.derived is not None and s.latent is None and not s.derived.plain:
            return f"missing values of '{s.variable}' enter the observed {s.key}"
        o: Operand | None = f.part.operand
        while o is not None:
            if o.unit is None and o.function not in KNOWN_FORMS:
                of = "latent means" if s.missing is None else f"missing values of '{s.variable}'"
                return f"{of} enter as {f.part.operand.text}"
            o = o.inner
    return None


def _moves(layout: Layout, f: Factor) -> bool:
    return any(_source_moves(layout, s) for s in f.sources)


def _source_moves(layout: Layout, s: Source) -> bool:
    if s.missing is not None and not layout.missing[s.missing].discrete:
        return True
    return s.latent is not None and s.derived is not None


@dataclass
class Values:
    """Collect what V starts as, piece by piece."""

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
class Move:
    """Say what a value moves with: something in V, or an effect, times a factor.

    Attributes:
        rows: that move.
        slots: places in V, by row; none for an effect.
        factor: by row.
        effect: at these rows, or None.
    """

    rows: Index
    slots: Slots
    factor: Array
    effect: "GroupEffect | None" = None


@dataclass(frozen=True)
class GroupEffect:
    """A group effect as written: its block, the level of each row, weights of sampled effects."""

    block: int
    level: Index
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Shift:
    """The mean over an equation's rows of a coefficient times a latent mean.

    Attributes:
        position: of the coefficient.
        of: the response whose mean it is.
        constant: of the mean over rows, what rests on no parameter.
        columns: positions of that response's coefficients, with weights.
    """

    position: int
    of: str
    constant: float
    columns: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Known:
    """Hold what products are made of.

    Attributes:
        layout, responses: the model and its data.
        values: V.
        natural: place in V of an equation's coefficient of a column, by position, and what it is
            the sum of: a constant, and places with weights.
        eta: place of the first predictor of an equation.
        effect: a group effect at rows of an equation.
        cell: the block of a variable's missing values, by its position.
        block: place in V of the first effect of a block, and its number of levels.
        term: adds an effect times a quantity to an equation's predictor, where states have joint
            coordinates: the response, the quantity's place in V, block, member, level and factor
            of each row; None where products are listed instead.
    """

    layout: Layout
    responses: Responses
    values: Values
    natural: Callable[[str, int], tuple[float, list[tuple[int, float]]]]
    eta: Callable[[str], int]
    effect: Callable[[EquationLayout, tuple[int, int], Index], "GroupEffect"]
    cell: Callable[[int], int]
    block: Callable[[int], tuple[int, int]]
    term: Callable[[str, int, int, int, Index, Array], None] | None = None


class Products:
    """Lists products, equation by equation: V[to] += factor V[first] V[second]."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.layout = known.layout
        self.lists: list[tuple[Index, Index, Index, Array]] = []
        self.first: list[tuple[Index, Index, Index, Array]] = []  # of parameters alone
        self.starts = [0]
        self.seen: dict[tuple[int, int, tuple[float, ...]], int] = {}
        self.coefficients: dict[tuple[str, int], int] = {}
        self.means: dict[int, tuple[Slots, list[tuple[GroupEffect, Array]]]] = {}
        self.values: dict[tuple[str, str], Slots] = {}
        self.shifts: dict[str, list[Shift]] = {}

    def equation(self, e: EquationLayout) -> None:
        """Add what moves in an equation; those that it rests on have been added."""
        eta = self.known.eta(e.response) + np.arange(e.n)
        for t in terms(self.layout, e.response):
            self._term(e, t, np.arange(e.n), eta)

    def residual(
        self, members: Sequence[EquationLayout], root: int, K: int, first: int | None = None
    ) -> None:
        """Condition the last of some equations on the residuals of those before it.

        Args:
            members: equations on the same rows.
            root: place in V of the root of the residuals' covariance, (K, K), and of the inverse
                of its diagonal.
            K: of the whole block.
            first: the same root in first waves, where that is another.
        """
        k = len(members) - 1
        eta = self.known.eta(members[k].response) + np.arange(members[k].n)
        for j, e in enumerate(members[:-1]):
            key = (e.response, -1)
            if key not in self.coefficients:
                left = self.known.values.add(e.n, self.known.responses[e.response])
                self._add(left + np.arange(e.n), 0, self._eta(e), -1.0)
                self._own(e, left)
                self.coefficients[key] = self.known.values.add(e.n)
                inner = self.coefficients[key] + np.arange(e.n)
                by = _by_wave(e, root, first) + K * K + j
                self._add(inner, left + np.arange(e.n), by, 1.0)
            inner = self.coefficients[key] + np.arange(e.n)
            self._add(eta, inner, _by_wave(e, root, first) + k * K + j, 1.0)

    def _own(self, e: EquationLayout, to: int) -> None:
        """Add an equation's own missing values to its responses."""
        for n, g in enumerate(self.layout.missing):
            if self.layout.equations[g.equation] is e and not g.discrete:
                first, _ = self.known.block(self.known.cell(n))
                self._add(to + g.at, 0, first + np.arange(len(g.at)), 1.0)

    def done(self) -> None:
        """End an equation's products."""
        self.starts.append(sum(len(x[0]) for x in self.lists))

    def arrays(self) -> dict[str, list[Any]]:
        """Return what the density reads."""
        names = ("to", "first", "second", "factor")
        found = {n: [x[i] for x in (*self.first, *self.lists)] for i, n in enumerate(names)}
        before = sum(len(x[0]) for x in self.first)
        return {**found, "product0": [0, *(before + n for n in self.starts)]}

    def read(self, levels: Sequence[tuple[int, int]]) -> dict[str, list[Any]]:
        """Return what the density reads of products of effects and coefficients.

        Args:
            levels: J and K of each block.
        """
        out: dict[str, list[Any]] = {
            k: [] for k in ("Q", "virtual0", "virtual_at", "product_at", "seen_at", "weight0",
                            "virtual_weight")
        }  # fmt: skip
        n = 0
        for b, (J, K) in enumerate(levels):
            mine = [(key, place) for key, place in self.seen.items() if key[0] == b]
            out["Q"].append(K + len(mine))
            out["virtual0"].append(len(out["virtual_at"]))
            out["weight0"].append(sum(len(w) for w in out["virtual_weight"]))
            for (_, at, weights), place in mine:
                out["virtual_at"].append(at)
                out["product_at"].append(n)
                out["seen_at"].append(place + np.arange(J))
                out["virtual_weight"].append(weights)
                n += J
        return out

    def _add(self, to: Any, first: Any, second: Any, factor: Any) -> None:
        self.lists.append(_listed(to, first, second, factor))

    def _eta(self, e: EquationLayout) -> Slots:
        return self.known.eta(e.response) + np.arange(e.n, dtype=np.int64)

    def coefficient(self, response: str, k: int) -> int:
        """Place of a coefficient as written."""
        if (response, k) not in self.coefficients:
            start, parts = self.known.natural(response, k)
            at = self.known.values.add(1, start)
            for place, weight in parts:
                self.first.append(_listed([at], 0, [place], weight))
            self.coefficients[response, k] = at
        return self.coefficients[response, k]

    def _term(self, e: EquationLayout, t: Term, rows: Index, to: Slots) -> None:
        """Add what a term differs by from its column, at some rows of its equation."""
        found = moving(self.layout, t)
        if not found:
            return
        at = None
        if t.effect is None:
            at = self.coefficient(e.response, t.position or 0)
            by: Coefficient = [(np.full(len(rows), at), 1.0)]
        else:
            by = self._effect(self.known.effect(e, t.effect, rows))
        moved = {f.part for f in found}
        stays = replace(t.column, parts=tuple(p for p in t.column.parts if p not in moved))
        rest = column_values(stays, e.rows, self.data)[rows]
        if len(found) == 1 and plain(found[0].part.operand):
            self._shift(e, t, found[0], rows, rest)
            for m in self.moves(e, found[0], rows):
                here, factor = m.rows, m.factor * rest[m.rows]
                if at is not None and self._added(e, at, m, factor, to):
                    continue
                seen = None if at is None or m.effect is None else self._seen(at, m.effect)
                if seen is not None and m.effect is not None:
                    self._add(to[here], 0, seen + m.effect.level, factor)
                    continue
                for slot, weight in by:
                    for inner, w in (
                        [(m.slots, 1.0)] if m.effect is None else self._effect(m.effect)
                    ):
                        self._add(to[here], slot[here], inner, weight * w * factor)
            return
        column = t.values(self.layout, self.known.responses)[rows]
        values = [self.value(e, f)[rows] for f in found]
        while len(values) > 2:
            values[:2] = [self._product(values[0], values[1])]
        away = self.known.values.add(len(rows), -column) + np.arange(len(rows))
        self._add(away, values[0], values[1] if len(values) > 1 else 0, rest)
        for slot, weight in by:
            self._add(to, slot, away, weight)

    def _shift(self, e: EquationLayout, t: Term, f: Factor, rows: Index, rest: Array) -> None:
        """Note what a latent mean adds to an equation's predictor on average."""
        s = f.source
        if t.effect is not None or s.latent is None or s.derived is None or len(rows) < e.n:
            return
        m = latent_means(self.layout)[s.latent]
        at = self.read_at(e, s, rows)
        here = at >= 0
        weight = np.bincount(
            m.code[at[here]], (s.derived.mean or 0.0) * rest[here] / e.n, minlength=len(m.at)
        )
        other = self.layout.equations[m.equation]
        observed = unit_means(self.layout, self.layout.derived[m.key], self.known.responses)
        columns = [
            (x.position, float(weight @ x.values(self.layout, self.known.responses)[m.at]))
            for x in terms(self.layout, other.response)
            if x.effect is None and x.position in m.columns
        ]
        constant = float(weight @ (m.offset - observed))
        found = Shift(t.position or 0, other.response, constant, tuple(columns))
        self.shifts.setdefault(e.response, []).append(found)

    def _added(self, e: EquationLayout, at: int, m: Move, factor: Array, to: Slots) -> bool:
        """Add an effect times a coefficient to a predictor as a term of it, where that is one."""
        known = self.known
        if known.term is None or m.effect is None or to[0] != known.eta(e.response):
            return False
        level, z = np.zeros(e.n, dtype=np.int64), np.zeros(e.n)
        level[m.rows], z[m.rows] = m.effect.level, factor
        for k, w in enumerate(m.effect.weights):
            if w:
                known.term(e.response, at, m.effect.block, k, level, w * z)
        return True

    def _effect(self, of: GroupEffect) -> Coefficient:
        """Places of a group effect in V, with weights."""
        first, J = self.known.block(of.block)
        return [(first + k * J + of.level, w) for k, w in enumerate(of.weights) if w]

    def _seen(self, at: int, of: GroupEffect) -> int | None:
        """Place of a coefficient times each level's effect; None where a block has too many."""
        key = (of.block, at, of.weights)
        if self.known.term is not None:
            return None
        if key not in self.seen:
            if sum(k[0] == of.block for k in self.seen) + len(of.weights) >= MOST_SEEN:
                return None
            first, J = self.known.block(of.block)
            self.seen[key] = self.known.values.add(J)
            to = self.seen[key] + np.arange(J)
            for k, w in enumerate(of.weights):
                if w:
                    self._add(to, at, first + k * J + np.arange(J), w)
        return self.seen[key]

    def _product(self, a: Slots, b: Slots) -> Slots:
        out = self.known.values.add(len(a)) + np.arange(len(a))
        self._add(out, a, b, 1.0)
        return out

    def data(self, name: str) -> Array:
        """Return the values of a variable on the data's rows; rough ones where they are missing."""
        return variable_values(self.layout, name, self.known.responses)

    def moves(self, e: EquationLayout, f: Factor, rows: Index) -> list[Move]:
        """List what a value moves with: a missing value, a latent mean, or both."""
        s = f.source
        out: list[Move] = []
        constant = s.derived is not None and s.derived.constant
        none = np.zeros(0, dtype=np.int64)
        at = self.read_at(e, s, rows)
        if s.missing is not None and not constant:
            gap = self.layout.missing[s.missing]
            if not gap.discrete:
                cell = np.where(at >= 0, gap.cell[at], -1)
                here = np.flatnonzero(cell >= 0)
                effect = GroupEffect(self.known.cell(s.missing), cell[here], (1.0,))
                out.append(Move(here, none, np.ones(len(here)), effect))
        for place in s.raters:
            effect = self.known.effect(e, place, rows)
            out.append(Move(np.arange(len(rows)), none, np.ones(len(rows)), effect))
        if s.latent is not None and s.derived is not None:
            m = latent_means(self.layout)[s.latent]
            here = np.flatnonzero(at >= 0)
            unit = m.code[at[here]]
            sign = s.derived.mean or 0.0
            fixed, effects = self._mean(s.latent)
            out.append(Move(here, fixed[unit], np.full(len(here), sign)))
            for effect, z in effects:
                of = replace(effect, level=effect.level[unit])
                out.append(Move(here, none, sign * z[unit], of))
        return out

    def read_at(self, e: EquationLayout, s: Source, rows: Index) -> Index:
        """Return the data rows whose values a source takes at rows of an equation, -1 for none."""
        lagged = self.layout.at(s.key)
        return e.rows[rows] if lagged is None else lagged[e.rows[rows]]

    def value(self, e: EquationLayout, f: Factor) -> Slots:
        """Places of a factor's values on all rows of an equation."""
        key = (e.response, f.part.operand.text)
        if key not in self.values:
            self.values[key] = self._form(f.part.operand, self._plain_value(e, f))
        return self.values[key]

    def _plain_value(self, e: EquationLayout, f: Factor) -> Slots:
        base = self.data(f.source.key)[e.rows]
        at = self.known.values.add(e.n, base) + np.arange(e.n)
        for m in self.moves(e, f, np.arange(e.n)):
            for slots, w in [(m.slots, 1.0)] if m.effect is None else self._effect(m.effect):
                self._add(at[m.rows], 0, slots, w * m.factor)
        return at

    def twice(self, e: EquationLayout, f: Factor) -> Slots:
        """Places of twice a factor's values, before what is taken of these."""
        out = self.known.values.add(e.n) + np.arange(e.n)
        self._add(out, 0, self._plain_value(e, f), 2.0)
        return out

    def effect_value(self, of: GroupEffect) -> Slots:
        """Places of a group effect's values."""
        out = self.known.values.add(len(of.level)) + np.arange(len(of.level))
        for slots, w in self._effect(of):
            self._add(out, 0, slots, w)
        return out

    def parameter(self, parts: Sequence[tuple[int, int, float]]) -> int:
        """Place of a sum of products of two quantities of parameters alone, with weights."""
        at = self.known.values.add(1)
        for first, second, weight in parts:
            self.first.append(_listed([at], [first], [second], weight))
        return at

    def _form(self, operand: Operand, at: Slots) -> Slots:
        if operand.inner is None or plain(operand):
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

    def _mean(self, n: int) -> tuple[Slots, list[tuple[GroupEffect, Array]]]:
        """Return what a latent mean differs by from the observed one, by unit.

        Returns:
            Places in V of all but group effects, (J,), and these with what multiplies them.
        """
        if n in self.means:
            return self.means[n]
        m = latent_means(self.layout)[n]
        e = self.layout.equations[m.equation]
        observed = unit_means(self.layout, self.layout.derived[m.key], self.known.responses)
        J = len(m.at)
        at = self.known.values.add(J, m.offset - observed) + np.arange(J)
        effects: list[tuple[GroupEffect, Array]] = []
        self.means[n] = at, effects
        for t in terms(self.layout, e.response):
            if t.effect is None and t.position in m.columns:
                place = self.coefficient(e.response, t.position)
                x = t.values(self.layout, self.known.responses)[m.at]
                self._add(at, 0, np.full(J, place), x)
            elif t.effect is not None and t.effect in m.effects:
                z = t.values(self.layout, self.known.responses)[m.at]
                effects.append((self.known.effect(e, t.effect, m.at), z))
            else:
                continue
            self._term(e, t, m.at, at)
        return at, effects


def _by_wave(e: EquationLayout, root: int, first: int | None) -> Index:
    """Place of a root for each row of an equation."""
    out = np.full(e.n, root, dtype=np.int64)
    if first is not None and e.first is not None:
        out[e.first] = first
    return out


def _listed(to: Any, first: Any, second: Any, factor: Any) -> tuple[Index, Index, Index, Array]:
    to = np.asarray(to, dtype=np.int64)
    shape = to.shape
    return (
        to,
        np.broadcast_to(np.asarray(first, dtype=np.int64), shape),
        np.broadcast_to(np.asarray(second, dtype=np.int64), shape),
        np.broadcast_to(np.asarray(factor, dtype=np.float64), shape),
    )


def plain(o: Operand) -> bool:
    """Whether an operand is its value itself."""
    return o.inner is None or o.unit is not None or o.function in PLAIN
