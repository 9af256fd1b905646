"""What a name in an estimand stands for: a node of the arrows, a response, a held value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from acmodels.errors import EstimandError, FormulaError, did_you_mean, listing
from acmodels.spec.formula import Operand
from acmodels.spec.names import level_of, quoted, without_backticks
from acmodels.spec.parsing import parse_operand
from acmodels.system import Layout
from acmodels.system.equation import Part
from acmodels.system.terms import Term, slopes, terms

type Held = float | str | bool
"""What a file can say a moderator is held at."""

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


def _level_node(
    text: str, name: str, wanted: str, layout: Layout, where: str, to: str | None
) -> Node:
    """Find a level of a factor, written `factor[level]`."""
    variable = layout.variables.get(name)
    if variable is None or wanted not in variable.levels:
        raise EstimandError(f"{where}: no factor level '{text}' in the model")
    reference = _reference(layout, name, where, to)
    level = variable.levels.index(wanted)
    if level == reference:
        others = [f"{quoted(name)}[{v}]" for k, v in enumerate(variable.levels) if k != reference]
        raise EstimandError(
            f"{where}: '{text}' is the reference level, which the others are set against; name "
            f"one of {listing(others, 12)}"
        )
    return Node(text, name, None, level, reference)


def node(text: str, layout: Layout, where: str, to: str | None = None) -> Node:
    """Find what a name in `from` or `moderator` stands for.

    Args:
        text: the name.
        layout: the model.
        where: for messages.
        to: the one equation whose arrows matter, or None for all.

    Raises:
        EstimandError: nothing in the model goes by that name, or it is a factor's reference.
    """
    plain, wanted = level_of(text)
    if wanted is not None:
        return _level_node(text, _bare(plain), wanted, layout, where, to)
    try:
        operand = parse_operand(text)
    except FormulaError as error:
        raise EstimandError(f"{where}: {p}" for p in error.problems) from None
    known = _names(layout)
    if operand.function is not None:
        if operand.text not in known:
            raise EstimandError(
                f"{where}: '{text}' is in no formula of the model"
                f"{did_you_mean(operand.text, known)}"
            )
        if operand.function == "spline":
            raise EstimandError(
                f"{where}: '{text}' has several coefficients and no effect of its own; name the "
                f'variable, "{quoted(operand.variable)}", of which the effect is taken at values '
                '(slope_at, curvature) or between them (scale = "response")'
            )
        if operand.function == "factor":
            return _two_level(text, operand.variable, layout, where, to)
        return Node(text, operand.variable, operand.text)
    apart = [d.text for d in _decompositions(layout, operand.variable)]
    if apart and not _bare_somewhere(layout, operand.variable):
        raise EstimandError(
            f"{where}: '{text}' enters the model as {listing(apart)} only; say which of them"
        )
    if operand.variable not in {v for p in _all_parts(layout) for v in p.operand.variables}:
        raise EstimandError(
            f"{where}: '{text}' predicts nothing in the model{did_you_mean(text, known)} "
            f"(predictors: {listing(sorted(known), 15)})"
        )
    variable = layout.variables.get(operand.variable)
    if variable is not None and variable.levels:
        return _two_level(text, operand.variable, layout, where, to)
    return Node(text, operand.variable)


def _bare(text: str) -> str:
    try:
        return parse_operand(text).variable
    except FormulaError:
        return text


def _two_level(text: str, name: str, layout: Layout, where: str, to: str | None) -> Node:
    levels = layout.variables[name].levels
    if len(levels) != 2:
        raise EstimandError(
            f"{where}: '{text}' has {len(levels)} levels; say which one, as "
            f"{quoted(name)}[{levels[-1]}] (levels: {listing(levels, 12)})"
        )
    reference = _reference(layout, name, where, to)
    return Node(text, name, None, 1 - reference, reference)


def _reference(layout: Layout, name: str, where: str, to: str | None) -> int:
    """Code of the level that a factor's other levels are set against.

    Args:
        layout: the model.
        name: of the factor.
        where: for messages.
        to: the one equation that matters, or None for all.

    Raises:
        EstimandError: the equations have different references.
    """
    levels = layout.variables[name].levels
    found: dict[int, str] = {}
    for e in layout.equations:
        if to is not None and e.response != to:
            continue
        every = (p for t in slopes(layout, e.response) for p in t.column.parts)
        parts = [p for p in every if p.operand.variable == name and p.level is not None]
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


def every_term(layout: Layout) -> Iterator[Term]:
    """Iterate over the terms of all equations."""
    for response in layout.responses:
        yield from terms(layout, response)


def _names(layout: Layout) -> set[str]:
    """Variables and operands as written, over all equations."""
    return {
        name
        for p in _all_parts(layout)
        for name in (*map(quoted, p.operand.variables), p.operand.text)
    }


def _decompositions(layout: Layout, variable: str) -> list[Operand]:
    """Return what `within` and `between` take of a variable, as written."""
    found = (p.operand for p in _all_parts(layout))
    return list(dict.fromkeys(o for o in found if o.variable == variable and o.source != variable))


def _bare_somewhere(layout: Layout, variable: str) -> bool:
    return any(variable in p.operand.sources for p in _all_parts(layout))


def _all_parts(layout: Layout) -> Iterator[Part]:
    return (p for t in every_term(layout) for p in t.column.parts)


def equation_name(text: str, layout: Layout, where: str) -> str:
    """Return the response a name stands for.

    Raises:
        EstimandError: it has no equation.
    """
    names = layout.responses
    bare = _bare(text)
    if bare not in names:
        raise EstimandError(
            f"{where}: '{text}' has no equation{did_you_mean(text, names)} "
            f"(equations: {listing(names)})"
        )
    return bare


def settings_rows(
    at: Mapping[str, Sequence[Held]], layout: Layout, where: str
) -> list[tuple[str, dict[str, float]]]:
    """Spell `at` out: a label and the held values for each combination."""
    choices = [
        [held_at(name, v, layout, f"{where}.at") for v in values] for name, values in at.items()
    ]
    for name, found in zip(at, choices, strict=True):
        labels = [label for label, _, _ in found]
        if len(set(labels)) < len(labels):
            raise EstimandError(f"{where}.at: '{name}' has a value twice (to the digits shown)")
    return [
        ("; ".join(label for label, _, _ in c), {variable: value for _, variable, value in c})
        for c in product(*choices)
    ]


def held_at(name: str, value: Held, layout: Layout, where: str) -> tuple[str, str, float]:
    """A value at which a variable is held: its label, the variable, and its number or code.

    Raises:
        EstimandError: nothing goes by that name, or it has no such level.
    """
    variable = _plain(name, where)
    known = layout.variables.get(variable)
    levels = known.levels if known is not None else ()
    if known is None and variable not in layout.responses:
        raise EstimandError(
            f"{where}: '{name}' is in no formula of the model"
            f"{did_you_mean(name, (*layout.variables, *layout.responses))}"
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


def spelled(text: str) -> str:
    """A name in canonical spelling."""
    try:
        return parse_operand(text).text
    except FormulaError:
        return text


def node_variable(text: str) -> str:
    """Column that a name as written rests on."""
    return _bare(text)
