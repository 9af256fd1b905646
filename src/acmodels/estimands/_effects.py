"""Unit slopes, and the expectation of their product over units.

On the linear scale an arrow's strength at a unit is the derivative of the outcome's
linear predictor: coefficients times what they multiply, plus group effects times what
they multiply. An indirect effect is the expectation over units of the product of its
arrows' strengths. Group effects are normal with mean zero, so the product's
expectation follows from their covariances by Isserlis' theorem (Isserlis, 1918); for
two arrows with slopes a and b it is ab + cov(a, b) (Kenny, Korchmaros & Bolger, 2003;
Bauer, Preacher & Gil, 2006).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np

from acmodels.errors import EstimandError, FormulaError, did_you_mean, listing
from acmodels.estimands import Array, Context
from acmodels.spec.formula import Operand, parse_operand
from acmodels.spec.names import level_of, quoted, without_backticks
from acmodels.system import Block, Column, EquationLayout, parameters
from acmodels.system.columns import part_values, slope, variable_values
from acmodels.system.layout import Derived, Part
from acmodels.system.terms import constant_within

type Held = float | str | bool
"""What a file can say a moderator is held at."""

_BENT = {"square", "log", "sqrt"}

type At = Mapping[str, float]
"""Values (codes of factors) at which variables are held, by variable."""


@dataclass(frozen=True)
class Node:
    """What an arrow starts from: a variable, a term as written, or a factor's level.

    Attributes:
        text: as the person wrote it.
        variable: the column it rests on.
        operand: the canonical text of a transform, where it is one.
        level: the code of a factor's level, set against `reference`.
    """

    text: str
    variable: str
    operand: str | None = None
    level: int | None = None
    reference: int | None = None


@dataclass(frozen=True)
class Atom:
    """A summand of a unit slope: draws or a group effect, times a number for each unit.

    Attributes:
        multiplier: shape (n,).
        coefficient: the name of a coefficient, or None for a group effect.
        effect: block position and member of a group effect.
    """

    multiplier: Array
    coefficient: str | None = None
    effect: tuple[int, int] | None = None


def node(text: str, context: Context, where: str, to: str | None = None) -> Node:
    """Find what a name in `from` or `moderator` stands for.

    Args:
        text: the name.
        context: the model.
        where: for messages.
        to: the one equation whose arrows matter, or None for all.

    Raises:
        EstimandError: nothing in the model goes by that name, or it is a factor's reference.
    """
    layout = context.layout
    plain, wanted = level_of(text)
    if wanted is not None:
        name = _bare(plain)
        variable = layout.variables.get(name)
        if variable is None or wanted not in variable.levels:
            raise EstimandError(f"{where}: no factor level '{text}' in the model")
        reference = _reference(context, name, where, to)
        level = variable.levels.index(wanted)
        if level == reference:
            others = [
                f"{quoted(name)}[{v}]" for k, v in enumerate(variable.levels) if k != reference
            ]
            raise EstimandError(
                f"{where}: '{text}' is the reference level, which the others are set against; name "
                f"one of {listing(others, 12)}"
            )
        return Node(text, name, None, level, reference)
    try:
        operand = parse_operand(text)
    except FormulaError as error:
        raise EstimandError(f"{where}: {p}" for p in error.problems) from None
    known = _names(context)
    if operand.function is not None:
        if operand.text not in known:
            raise EstimandError(
                f"{where}: '{text}' stands in no formula of the model"
                f"{did_you_mean(operand.text, known)}"
            )
        if operand.function == "factor":
            return _two_level(text, operand.variable, context, where, to)
        return Node(text, operand.variable, operand.text)
    apart = [d.text for d in _decompositions(context, operand.variable)]
    if apart and not _bare_somewhere(context, operand.variable):
        raise EstimandError(
            f"{where}: '{text}' enters the model as {listing(apart)} only; say which of them"
        )
    if operand.variable not in {p.operand.variable for p in _all_parts(context)}:
        raise EstimandError(
            f"{where}: '{text}' predicts nothing in the model{did_you_mean(text, known)} "
            f"(predictors: {listing(sorted(known), 15)})"
        )
    variable = layout.variables.get(operand.variable)
    if variable is not None and variable.levels:
        return _two_level(text, operand.variable, context, where, to)
    return Node(text, operand.variable)


def _bare(text: str) -> str:
    try:
        return parse_operand(text).variable
    except FormulaError:
        return text


def _two_level(text: str, name: str, context: Context, where: str, to: str | None) -> Node:
    levels = context.layout.variables[name].levels
    if len(levels) != 2:
        raise EstimandError(
            f"{where}: '{text}' has {len(levels)} levels; say which one, as "
            f"{quoted(name)}[{levels[-1]}] (levels: {listing(levels, 12)})"
        )
    reference = _reference(context, name, where, to)
    return Node(text, name, None, 1 - reference, reference)


def _reference(context: Context, name: str, where: str, to: str | None) -> int:
    """Code of the level that a factor's other levels are set against.

    Args:
        context: the model.
        name: of the factor.
        where: for messages.
        to: the one equation that matters, or None for all.

    Raises:
        EstimandError: the equations have different references.
    """
    levels = context.layout.variables[name].levels
    found: dict[int, str] = {}
    for e in context.layout.equations:
        if to is not None and e.response != to:
            continue
        parts = [p for c in e.columns for p in c.parts if p.operand.variable == name]
        full = len({p.level for p in parts}) == len(levels)  # indicators of every level
        for p in parts:
            if p.operand.ref is not None:
                found.setdefault(levels.index(p.operand.ref), e.response)
            elif not full:
                found.setdefault(0, e.response)
    if len(found) > 1:
        said = ", ".join(f"{levels[k]} in equations.{r}" for k, r in found.items())
        raise EstimandError(
            f"{where}: the equations set '{name}' against different references ({said}); give all "
            "the same ref"
        )
    return next(iter(found), 0)


def _names(context: Context) -> set[str]:
    """Variables and operands as written, over all equations."""
    out: set[str] = set()
    for e in context.layout.equations:
        for c in _all_columns(context, e):
            for p in c.parts:
                out |= {quoted(p.operand.variable), p.operand.text}
    return out


def _decompositions(context: Context, variable: str) -> list[Operand]:
    """Return what `within` and `between` take of a variable, as written."""
    found = (p.operand for p in _all_parts(context))
    return list(dict.fromkeys(o for o in found if o.variable == variable and o.source != variable))


def _bare_somewhere(context: Context, variable: str) -> bool:
    return any(p.operand.source == variable for p in _all_parts(context))


def _all_parts(context: Context) -> Iterator[Part]:
    for e in context.layout.equations:
        for c in _all_columns(context, e):
            yield from c.parts


def links(context: Context, variable: str, response: str) -> list[Node]:
    """The nodes by which a response enters another's equation: itself, or what is taken of it."""
    out: dict[str, Node] = {}
    for c in _all_columns(context, context.layout.equation(response)):
        for p in c.parts:
            if p.operand.variable == variable:
                apart = p.operand.source != variable
                text = p.operand.source if apart else quoted(variable)
                out[text] = Node(text, variable, text if apart else None)
    return list(out.values())


def _all_columns(context: Context, e: EquationLayout) -> Iterator[Column]:
    yield from e.columns
    for block, mine in context.layout.blocks_of(e.response):
        yield from (block.members[k].column for k in mine)


def touches(column: Column, n: Node) -> bool:
    """Return whether a column changes with a node.

    A bare variable is not what `within` and `between` take of it; those are nodes of their own.
    """
    return any(_is(p, n) for p in column.parts)


def _is(part: Part, n: Node) -> bool:
    o = part.operand
    if n.operand is None:
        return o.source == n.variable
    return o.variable == n.variable and o.text == n.operand


def arrow(context: Context, n: Node, response: str) -> bool:
    """Return whether a node has a direct arrow into a response's equation."""
    return any(touches(c, n) for c in _all_columns(context, context.layout.equation(response)))


def equation_name(text: str, context: Context, where: str) -> str:
    """Return the response a name stands for.

    Raises:
        EstimandError: it has no equation.
    """
    names = context.layout.responses
    bare = _bare(text)
    if bare not in names:
        raise EstimandError(
            f"{where}: '{text}' has no equation{did_you_mean(text, names)} "
            f"(equations: {listing(names)})"
        )
    return bare


def paths(context: Context, start: Node, to: str) -> list[tuple[Node, ...]]:
    """Mediators of every path of two arrows or more from a node to a response."""
    found: list[tuple[Node, ...]] = []

    def walk(here: Node, response: str, via: tuple[Node, ...]) -> None:
        passed = {start.variable, response, *(v.variable for v in via)}
        for target in context.layout.responses:
            if target in passed:
                continue
            for step in links(context, response, target):
                if not leg(context, here, response, step):
                    continue
                if target == to:
                    found.append((*via, step))
                else:
                    walk(step, target, (*via, step))

    for r in context.layout.responses:
        if r not in (to, start.variable):
            walk(start, r, ())
    return found


def leg(context: Context, n: Node, response: str, onward: Node | None) -> bool:
    """Return whether a node has an arrow into that of a response which the next node takes on."""
    e = context.layout.equation(response)
    return any(
        touches(c, n) and carried(context, c, b, onward) for c, b in _with_blocks(context, e)
    )


def carried(context: Context, column: Column, block: Block | None, onward: Node | None) -> bool:
    """Return whether a column of a response's equation is part of what the next node takes of it.

    `between(m, g)` takes the columns and group effects that are constant within g, `within(m, g)`
    the others.
    """
    d = None if onward is None or onward.operand is None else _decomposed(context, onward)
    if d is None:
        return True
    fixed = constant_within(context.layout, column, d.code)
    if block is not None:
        pairs = len(np.unique(d.code * len(block.levels) + block.code))
        fixed = fixed and pairs == len(d.levels)
    return fixed == d.constant


def _decomposed(context: Context, n: Node) -> Derived | None:
    return context.layout.derived.get(n.operand or "")


def _with_blocks(context: Context, e: EquationLayout) -> Iterator[tuple[Column, Block | None]]:
    for c in e.columns:
        yield c, None
    for block, mine in context.layout.blocks_of(e.response):
        for k in mine:
            yield block.members[k].column, block


def slope_atoms(
    context: Context, n: Node, response: str, rows: np.ndarray, at: At, onward: Node | None = None
) -> list[Atom]:
    """Summands of a unit slope, on the given data rows; of what the next node takes, if any."""
    layout = context.layout
    e = layout.equation(response)
    out: list[Atom] = []
    out += [
        Atom(_derivative(context, e, c, n, rows, at), e.coefficient(c))
        for c in e.columns
        if touches(c, n) and carried(context, c, None, onward)
    ]
    for b, block in enumerate(layout.blocks):
        for k, m in enumerate(block.members):
            if m.response != response or not touches(m.column, n):
                continue
            if carried(context, m.column, block, onward):
                d = _derivative(context, e, m.column, n, rows, at)
                out.append(Atom(d, None, (b, k)))
    return [a for a in out if np.any(a.multiplier)]


def _derivative(
    context: Context, e: EquationLayout, column: Column, n: Node, rows: np.ndarray, at: At
) -> Array:
    """Derivative of a column by a node; for a factor's level, its difference from the reference."""

    def look(variable: str) -> tuple[Array, Array]:
        full = variable_values(context.layout, variable, context.responses)
        reference = full[..., e.rows]
        here = np.full(len(rows), at[variable]) if variable in at else full[..., rows]
        return here, reference

    total = np.zeros(len(rows))
    for k, part in enumerate(column.parts):
        if not _is(part, n):
            continue
        here, reference = look(part.operand.source)
        if part.above:  # the mean step, whichever way it is named
            steps = e.monotonic[part.operand.text]
            mine = np.full(len(rows), 1.0 / len(steps))
        elif n.level is not None:
            one = float(part.level == n.level) - float(part.level == n.reference)
            mine = np.full(len(rows), one)
        elif n.operand is not None:
            mine = np.ones(len(rows))
        else:
            mine = slope(part.operand, here, reference)
        for j, other in enumerate(column.parts):
            if j != k:
                values, reference = look(other.operand.source)
                mine = mine * part_values(other, values, reference)
        total = total + mine
    return total


def expected_product(context: Context, legs: Sequence[Sequence[Atom]]) -> Array:
    """Expectation over units and group effects of a product of unit slopes; (chain, draw).

    The sum over units is taken once, on products of multipliers, so that the cost does
    not grow with units times draws.
    """
    total: Array | float = 0.0
    for atoms in product(*legs):
        effects = [a.effect for a in atoms if a.effect is not None]
        moment = _moment(context, effects)
        if moment is None:
            continue
        # (1,), or (R, 1) where multipliers rest on the responses of R data sets, one a "chain"
        weight = np.mean(reduce(np.multiply, [a.multiplier for a in atoms]), -1, keepdims=True)
        term: Array = weight * moment
        for a in atoms:
            if a.coefficient is not None:
                term = term * context.parameter(a.coefficient)
        total = total + term
    if not isinstance(total, np.ndarray):
        return np.zeros_like(context.parameter(parameters(context.layout)[0].name))
    return total


def _moment(context: Context, effects: Sequence[tuple[int, int]]) -> Array | float | None:
    """Expected product of group effects (Isserlis); None where it is zero."""
    if not effects:
        return 1.0
    if len(effects) % 2:
        return None
    first, rest = effects[0], effects[1:]
    total: Array | float | None = None
    for j, other in enumerate(rest):
        if other[0] != first[0]:
            continue  # group effects of different blocks are independent
        left = _moment(context, [*rest[:j], *rest[j + 1 :]])
        if left is None:
            continue
        term = covariance(context, context.layout.blocks[first[0]], first[1], other[1]) * left
        total = term if total is None else total + term
    return total


def covariance(context: Context, block: Block, i: int, j: int) -> Array:
    """Covariance of two effects of a block; (chain, draw)."""
    sd_i = context.parameter(block.sd(block.members[i]))
    if i == j:
        return sd_i**2
    name = next(n for a, b, n in block.correlations() if {a, b} == {i, j})
    return sd_i * context.parameter(block.sd(block.members[j])) * context.parameter(name)


def settings_rows(
    at: Mapping[str, Sequence[Held]], context: Context, where: str
) -> list[tuple[str, dict[str, float]]]:
    """Spell `at` out: a label and the held values for each combination."""
    choices = [
        [held(name, v, context, f"{where}.at") for v in values] for name, values in at.items()
    ]
    for name, found in zip(at, choices, strict=True):
        labels = [label for label, _, _ in found]
        if len(set(labels)) < len(labels):
            raise EstimandError(f"{where}.at: '{name}' has a value twice (to the digits shown)")
    return [
        ("; ".join(label for label, _, _ in c), {variable: value for _, variable, value in c})
        for c in product(*choices)
    ]


def held(name: str, value: Held, context: Context, where: str) -> tuple[str, str, float]:
    """A value at which a variable is held: its label, the variable, and its number or code.

    Raises:
        EstimandError: nothing goes by that name, or it has no such level.
    """
    variable = _plain(name, where)
    known = context.layout.variables.get(variable)
    levels = known.levels if known is not None else ()
    if known is None and variable not in context.layout.responses:
        raise EstimandError(
            f"{where}: '{name}' stands in no formula of the model"
            f"{did_you_mean(name, (*context.layout.variables, *context.layout.responses))}"
        )
    if levels:
        text = (
            f"{value:g}"
            if isinstance(value, float | int) and not isinstance(value, bool)
            else str(value)
        )
        if text not in levels:
            raise EstimandError(
                f"{where}: '{name}' has no level '{text}'{did_you_mean(text, levels)} "
                f"(levels: {listing(levels, 12)})"
            )
        return f"{without_backticks(name)}={text}", variable, float(levels.index(text))
    if isinstance(value, str):
        raise EstimandError(f"{where}: '{name}' is a number; {value!r} is not")
    return f"{without_backticks(name)}={float(value):g}", variable, float(value)


def _plain(name: str, where: str) -> str:
    """Column that a name stands for where values are given.

    Raises:
        EstimandError: the name is a transform, whose value is not its variable's.
    """
    try:
        operand = parse_operand(name)
    except FormulaError:
        return name
    if operand.function not in (None, "factor"):
        raise EstimandError(
            f"{where}: '{name}' is a transform; give values of '{operand.variable}' itself"
        )
    return operand.variable


def moderates(context: Context, variable: str, steps: Sequence[tuple[Node, str]]) -> list[int]:
    """Positions of the steps whose slope depends on a variable."""
    out: list[int] = []
    for i, (n, response) in enumerate(steps):
        for c in _all_columns(context, context.layout.equation(response)):
            if not touches(c, n):
                continue
            others = [p for p in c.parts if p.operand.variable == variable]
            own = variable == n.variable
            bends = any(_BENT & set(p.operand.functions) for p in others)
            if others and (not own or bends or len(others) > 1):
                out.append(i)
                break
    return out


def spelled(text: str) -> str:
    """A name in canonical spelling."""
    try:
        return parse_operand(text).text
    except FormulaError:
        return text


def node_variable(text: str) -> str:
    """Column that a name as written rests on."""
    return _bare(text)


def curved(
    context: Context, variable: str, all_paths: Sequence[Sequence[tuple[Node, str]]]
) -> bool:
    """Return whether a variable enters a step of some path through a square, log or root."""
    return any(
        p.operand.variable == variable and bool(_BENT & set(p.operand.functions))
        for path in all_paths
        for n, response in path
        for c in _all_columns(context, context.layout.equation(response))
        if touches(c, n)
        for p in c.parts
    )
