"""Unit slopes, and the expectation of their product over units.

On the linear scale an arrow's strength at a unit is the derivative of the outcome's
linear predictor: coefficients times what they multiply, plus group effects times what
they multiply. An indirect effect is the expectation over units of the product of its
arrows' strengths. Group effects are normal with mean zero, so the product's
expectation follows from their covariances by Isserlis' theorem (Isserlis, 1918); for
two arrows with slopes a and b it is ab + cov(a, b) (Kenny, Korchmaros & Bolger, 2003;
Bauer, Preacher & Gil, 2006).

The expectation is a polynomial in the parameters. Its weights, means over units, are worked out
once, except where they rest on responses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np

from acmodels.estimands import Array, Draws
from acmodels.estimands._names import At, Node
from acmodels.estimands._paths import Steps, carried, is_node, touches
from acmodels.system import Layout, Responses
from acmodels.system.arrays import Index
from acmodels.system.columns import Look, part_slope, part_values, variable_values
from acmodels.system.equation import Part
from acmodels.system.terms import Factor, Term, terms
from acmodels.system.variances import Covariance, covariance, shared

type Path = tuple[Sequence[Node], Sequence[Node | None]]
"""The nodes from which a step starts, and those by which the next goes on."""


@dataclass(frozen=True)
class Derivative:
    """The derivative of a term by a node; for a factor's level, its difference from the reference.

    Attributes:
        term: what is differentiated.
        node: by what.
        rows: the data rows that stand for the units, (n,).
        at: values at which variables are held.
    """

    term: Term
    node: Node
    rows: Index
    at: At

    @property
    def own(self) -> tuple[int, ...]:
        """Positions of the factors that are the node."""
        return tuple(k for k, f in enumerate(self.term.factors) if is_node(f.part, self.node))

    @property
    def endogenous(self) -> bool:
        """Whether it changes with the responses."""
        own = self.own
        read = {j for k in own for j in range(len(self.term.factors)) if j != k}
        read |= {k for k in own if self._bends(self.term.factors[k].part)}
        return any(s.endogenous for k in read for s in self.term.factors[k].sources)

    def _bends(self, part: Part) -> bool:
        """Whether the derivative of the node itself rests on its value."""
        plain = part.level is None and self.node.operand is None
        return plain and part.operand.inner is not None

    def values(self, layout: Layout, responses: Responses) -> Array:
        """Compute it, (n,); (R, n) where it rests on the responses of R data sets."""
        total = np.zeros(len(self.rows))
        for k in self.own:
            mine = self._of(self.term.factors[k], layout, responses)
            for j, other in enumerate(self.term.factors):
                if j != k:
                    mine = mine * part_values(other.part, *self._look(layout, responses))
            total = total + mine
        return total

    def _of(self, f: Factor, layout: Layout, responses: Responses) -> Array:
        """Derivative of the node's own factor."""
        one = np.ones(len(self.rows))
        if f.part.above:  # the mean step, whichever way it is named
            steps = layout.equation(self.term.response).monotonic[f.part.operand.text]
            return one / len(steps)
        if self.node.level is not None:
            level = f.part.level
            return one * (float(level == self.node.level) - float(level == self.node.reference))
        if self._bends(f.part):
            return part_slope(f.part, self.node.variable, *self._look(layout, responses))
        return one

    def _look(self, layout: Layout, responses: Responses) -> tuple[Look, Look]:
        """Look values up at the units, and over the equation's rows."""

        def here(key: str) -> Array:
            if key in self.at:
                return np.full(len(self.rows), self.at[key])
            return variable_values(layout, key, responses)[..., self.rows]

        def over(key: str) -> Array:
            return variable_values(layout, key, responses)[..., self.term.rows]

        return here, over


@dataclass(frozen=True)
class Atom:
    """A summand of a unit slope: a coefficient or a group effect, times a number for each unit.

    Attributes:
        term: whose coefficient or group effect it is.
        multiplier: shape (n,), or what has to be computed from responses.
    """

    term: Term
    multiplier: Array | Derivative


@dataclass(frozen=True)
class Summand:
    """A summand of an expected product: its weight times parameters.

    Attributes:
        weight: mean over units of the product of multipliers, (1,); or these multipliers.
        moment: expected product of the group effects in it: a sum of products of covariances,
            or None where there are no group effects.
        coefficients: their names.
    """

    weight: Array | tuple[Array | Derivative, ...]
    moment: tuple[tuple[Covariance, ...], ...] | None
    coefficients: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """Whether it is a product of coefficients and nothing else."""
        known = isinstance(self.weight, np.ndarray) and np.allclose(self.weight, 1.0, 1e-9, 0.0)
        return known and self.moment is None

    def value(self, draws: Draws) -> Array:
        """Compute it, (chain, draw)."""
        term = self._weight(draws)
        if self.moment is not None:
            term = term * _moment(self.moment, draws)
        for name in self.coefficients:
            term = term * draws.parameter(name)
        return term

    def _weight(self, draws: Draws) -> Array:
        if isinstance(self.weight, np.ndarray):
            return self.weight
        return _mean(
            [
                m.values(draws.layout, draws.responses) if isinstance(m, Derivative) else m
                for m in self.weight
            ]
        )


def _mean(multipliers: Sequence[Array]) -> Array:
    """Mean over units, (1,); (R, 1) where it rests on the responses of R data sets."""
    return np.mean(reduce(np.multiply, multipliers), -1, keepdims=True)


def _moment(sums: tuple[tuple[Covariance, ...], ...], draws: Draws) -> Array:
    return reduce(
        np.add, [reduce(np.multiply, [covariance(c, draws.parameter) for c in s]) for s in sums]
    )


def unit_slope(
    layout: Layout, n: Node, response: str, rows: Index, at: At, onward: Node | None = None
) -> list[Atom]:
    """Summands of a unit slope, on the given data rows; of what the next node takes, if any."""
    out: list[Atom] = []
    for t in terms(layout, response):
        if not touches(t, n) or not carried(layout, t, onward):
            continue
        d = Derivative(t, n, rows, at)
        multiplier = d if d.endogenous else d.values(layout, {})
        if isinstance(multiplier, Derivative) or np.any(multiplier):
            out.append(Atom(t, multiplier))
    return out


def expected_product(layout: Layout, path: Steps, at: At) -> tuple[Summand, ...]:
    """Expectation over units and group effects of the product of a path's unit slopes.

    The mean over units is taken of products of multipliers, so that the cost does not grow with
    units times draws.
    """
    rows = layout.equation(path[-1][1]).rows
    onward = [*(n for n, _ in path[1:]), None]
    legs = [unit_slope(layout, n, r, rows, at, o) for (n, r), o in zip(path, onward, strict=True)]
    out: list[Summand] = []
    for atoms in product(*legs):
        moment = _pairings(layout, [a.term for a in atoms if a.term.effect is not None])
        if not moment:
            continue  # the expectation is zero
        given = [a.multiplier for a in atoms]
        known = [m for m in given if isinstance(m, np.ndarray)]
        weight = _mean(known) if len(known) == len(given) else tuple(given)
        names = tuple(a.term.parameter for a in atoms if a.term.effect is None)
        out.append(Summand(weight, moment if any(moment) else None, names))
    return tuple(out)


def expected_slope(
    layout: Layout, path: Path, response: str, rows: Index, at: At
) -> tuple[Summand, ...]:
    """Expectation over units and group effects of the slope of one step.

    Where a mediator enters an equation by several terms, as itself and as `between(m, g)`, the
    slopes of all that the step before moves add up. Group effects have mean zero.

    Args:
        layout: the model on its rows.
        path: what the step starts from, and what the next step takes of the response: nodes.
        response: that it leads to.
        rows: the data rows that stand for the units.
        at: values at which variables are held.
    """
    found: dict[tuple[str, str], Atom] = {}
    for n in path[0]:
        for onward in path[1]:
            for a in unit_slope(layout, n, response, rows, at, onward):
                if a.term.effect is None:
                    found.setdefault((n.text, a.term.parameter), a)
    return tuple(
        Summand(
            _mean([a.multiplier]) if isinstance(a.multiplier, np.ndarray) else (a.multiplier,),
            None,
            (a.term.parameter,),
        )
        for a in found.values()
    )


def _pairings(layout: Layout, effects: Sequence[Term]) -> tuple[tuple[Covariance, ...], ...]:
    """Expected product of group effects as a sum of products of covariances (Isserlis).

    Nothing where it is zero; one product of nothing where there are no effects.
    """
    if not effects:
        return ((),)
    first, rest = effects[0], effects[1:]
    return tuple(
        (c, *left)
        for j, other in enumerate(rest)
        if (c := shared(layout, first, other)) is not None
        for left in _pairings(layout, [*rest[:j], *rest[j + 1 :]])
    )
