"""Effects in standard deviations: `scale = "standardized"`.

A slope is multiplied by the sd of what it starts from and divided by that of what it leads to, draw
by draw. Both sds are of the part of the variable that the effect moves: where `from` is constant
within units (or is their mean) of the latent means of these units, where it is a deviation from
them of the deviations, else of the variable as a whole. A mediator has the same sd whether a step
leads to it or starts from it, so that a product of standardized steps is the standardized product.
"""

from dataclasses import dataclass

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws
from acmodels.estimands._names import Node
from acmodels.spec.parsing import parse_operand
from acmodels.system import Layout
from acmodels.system.columns import apply, variable_values
from acmodels.system.spreads import Level, spread, units_of
from acmodels.system.terms import is_constant, pattern


@dataclass(frozen=True)
class Standard:
    """In what slopes along paths from one variable are measured.

    Attributes:
        start: where the paths begin.
        level: the part of variables that moves.
    """

    start: Node
    level: Level

    def ratio(self, source: str, to: str, draws: Draws) -> Array | float:
        """Compute sd(source) / sd(to), (chain, draw).

        Args:
            source: a response that a step starts from, or nothing for where the path begins.
            to: the response that it leads to.
            draws: of parameters.
        """
        over = self._spread(to, draws)
        return (self._spread(source, draws) if source else self._begins(draws, to)) / over

    def _spread(self, response: str, draws: Draws) -> Array:
        key = ("spread", response, tuple((id(code), constant) for code, constant in self.level))
        if key not in draws.memory:
            draws.memory[key] = spread(
                draws.layout, response, self.level, draws.responses, draws.parameter
            )
        return draws.memory[key]

    def _begins(self, draws: Draws, to: str) -> Array | float:
        """The sd of what the paths begin with; 1 of a factor or of two values one apart."""
        n, layout = self.start, draws.layout
        known = layout.variables.get(n.variable)
        if n.level is not None:
            return 1.0
        if known is None:
            return self._spread(n.variable, draws)
        values = variable_values(layout, n.variable, draws.responses)
        if n.operand is None and np.ptp(values) == 1 and len(np.unique(values)) == 2:
            return 1.0
        rows = units_of(layout.equation(to).rows, self.level)
        if n.operand is not None and n.operand in layout.derived:
            values = variable_values(layout, n.operand, draws.responses)
        elif n.operand is not None and not n.operand.startswith("mo("):
            values = apply(parse_operand(n.operand), values, values)
        return float(np.std(values[rows], ddof=1))


def standard(layout: Layout, start: Node, to: str, where: str) -> Standard:
    """Find the part of variables that an effect moves.

    Raises:
        EstimandError: there are too few units to have an sd, or what it starts from is constant
            or a transform of an endogenous variable.
    """
    if start.operand is not None and parse_operand(start.operand).others:
        raise EstimandError(
            f"{where}.scale: '{start.text}' is made of several columns, of which none has its sd; "
            "make it a column of the data, or name one of the columns it is made of"
        )
    found = Standard(start, _level(layout, start))
    rows = units_of(layout.equation(to).rows, found.level)
    if len(rows) < 2:
        raise EstimandError(
            f"{where}.scale: a standard deviation needs at least two units between which "
            f"'{start.text}' varies"
        )
    known = layout.variables.get(start.variable)
    if known is None and start.operand is not None and start.operand not in layout.derived:
        raise EstimandError(
            f"{where}.scale: '{start.text}' is a transform of '{start.variable}', which has an "
            "equation, so its sd does not follow from the model's variances; give from = "
            f'"{start.variable}"'
        )
    if known is not None and not known.levels and np.ptp(known.values[rows]) == 0:
        raise EstimandError(f"{where}.scale: '{start.text}' does not vary, so it has no sd")
    return found


def _level(layout: Layout, n: Node) -> Level:
    """The part of variables that moves with a node."""
    d = layout.derived.get(n.operand or "")
    if d is not None and d.constant:
        return ((d.code, True),)
    varies = pattern(layout, n.variable if d is None else str(n.operand))
    inside = () if d is None else ((d.code, False),)
    codes = [b.code for b in layout.blocks]
    codes += [d.code for d in layout.derived.values()]
    codes += [e.carry for e in layout.equations if e.n < layout.n_rows]
    kept = [c for c in codes if is_constant(varies, c)]
    if not kept:
        return inside
    coarsest = min(kept, key=lambda c: len(np.unique(c)))
    return (*inside, (coarsest, True))
