"""From terms to columns, and from columns to numbers.

Factors are coded as R codes them (Chambers & Hastie, 1992, section 2.3): by
indicators of all levels but the reference where the term without the factor is
also in the formula, by indicators of all levels otherwise; those span the term without
the factor for the terms that follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import product

import numpy as np

from acmodels.errors import DataError, did_you_mean, listing
from acmodels.sources import Grouped, unit_function
from acmodels.spec.formula import INTERCEPT, FormulaTerm, Operand
from acmodels.system.arrays import Array, Responses
from acmodels.system.curves import Curve
from acmodels.system.equation import Column, EquationLayout, Part
from acmodels.system.layout import (
    Derived,
    Layout,
    Variable,
)

type Look = Callable[[str], Array]
"""Looks values up by what an operand's `source` says."""


def columns_of(
    terms: Sequence[FormulaTerm],
    levels: Mapping[Operand, tuple[tuple[str, int], ...]],
    curves: Mapping[Operand, tuple[Curve, ...]],
) -> tuple[Column, ...]:
    """Expand terms to columns.

    Args:
        terms: in the order written.
        levels: of each operand that is a factor, its levels and codes, the reference first.
        curves: of each operand that is a spline, its columns.
    """
    keys = {t.key for t in terms}
    out: list[Column] = []
    for term in terms:
        choices: list[list[tuple[str, Part]]] = []
        spanned: set[frozenset[Operand]] = set()
        for operand in term.operands:
            if operand.function == "mo":
                choices.append(
                    [
                        (f"{operand.text}[{place}]", Part(operand, code, above=True))
                        for place, (_, code) in enumerate(levels[operand])
                        if place > 0
                    ]
                )
                continue
            if operand in curves:
                choices.append(
                    [
                        (f"{operand.text}[{place}]", Part(operand, curve=curve))
                        for place, curve in enumerate(curves[operand], 1)
                    ]
                )
                continue
            if operand not in levels:
                choices.append([(operand.text, Part(operand))])
                continue
            margin = term.key - {operand}
            contrast = margin in keys
            spanned.add(margin)
            choices.append(
                [
                    (f"{operand.text}[{name}]", Part(operand, code))
                    for place, (name, code) in enumerate(levels[operand])
                    if place > 0 or not contrast
                ]
            )
        keys |= spanned
        for chosen in product(*choices):
            name = ":".join(n for n, _ in chosen) or INTERCEPT.text
            out.append(Column(name, tuple(p for _, p in chosen)))
    return tuple(out)


def apply(operand: Operand, values: Array, reference: Array | None = None) -> Array:
    """Apply an operand's transforms to values of its variable.

    Args:
        operand: a variable or nested transforms of one.
        values: of the variable, the units last.
        reference: values over the equation's rows, from which `center` and `standardize`
            take mean and sd (n - 1); `values` itself where None.
    """
    if operand.inner is None:
        return values
    inner = apply(operand.inner, values, reference)
    over = inner if reference is None else apply(operand.inner, reference)
    match operand.function:
        case "square":
            return inner**2
        case "log":
            return np.log(inner)
        case "sqrt":
            return np.sqrt(inner)
        case "center":
            return inner - over.mean(axis=-1, keepdims=True)
        case "standardize":
            return (inner - over.mean(axis=-1, keepdims=True)) / _sd(over)
        case _:  # of a deviation or mean, which is what `values` are
            return inner


def _sd(values: Array) -> Array:
    """Standard deviation over the last axis; 1 for what does not vary, refused where it matters."""
    sd = values.std(axis=-1, ddof=1, keepdims=True) if values.shape[-1] > 1 else np.zeros(1)
    return np.where(sd > 0, sd, 1.0)


def slope(operand: Operand, values: Array, reference: Array) -> Array:
    """Derivative of an operand with respect to its variable, at values of it."""
    if operand.inner is None:
        return np.ones_like(values)
    inner = apply(operand.inner, values, reference)
    outer: Callable[[Array], Array]
    match operand.function:
        case "square":
            outer = lambda v: 2 * v  # noqa: E731
        case "log":
            outer = lambda v: 1 / v  # noqa: E731
        case "sqrt":
            outer = lambda v: 0.5 / np.sqrt(v)  # noqa: E731
        case "standardize":
            sd = _sd(apply(operand.inner, reference))
            outer = lambda v: np.ones_like(v) / sd  # noqa: E731
        case _:
            outer = np.ones_like
    return outer(inner) * slope(operand.inner, values, reference)


def part_values(part: Part, look: Look, reference: Look | None = None) -> Array:
    """Numbers of one part.

    Args:
        part: of a column.
        look: looks up values (or codes) of what the part rests on.
        reference: the same over the equation's rows, as for `apply`; `look` where None.
    """
    if part.level is not None:
        values = look(part.operand.source)
        return (values >= part.level if part.above else values == part.level).astype(np.float64)
    if part.operand.others:
        return _extreme(part.operand.function)(_arguments(part, look, reference))
    return _curved(part, _applied(part.operand, look, reference))


def part_slope(part: Part, source: str, look: Look, reference: Look) -> Array:
    """Derivative of one part's numbers with respect to one of the variables it rests on.

    The derivative of a minimum is that of whichever argument is smallest, or the mean of those
    that tie.

    Args:
        part: of a column, no indicator.
        source: what the variable's values are looked up by.
        look: looks up values of what the part rests on.
        reference: the same over the equation's rows.
    """
    o = part.operand
    if not o.others:
        mine = slope(o, look(source), reference(source))
        if part.curve is not None:
            mine = mine * part.curve.slope(_applied(o, look, reference))
        return mine
    every = _arguments(part, look, reference)
    chosen = np.stack([v == _extreme(o.function)(every) for v in every]).astype(np.float64)
    share = chosen / chosen.sum(axis=0)
    total = np.zeros_like(share[0])
    for k, a in enumerate(o.arguments):
        if a.source == source:
            total = total + share[k] * slope(a, look(source), reference(source))
    return total


def _extreme(function: str | None) -> Callable[[Sequence[Array]], Array]:
    pick = np.minimum if function == "min" else np.maximum
    return lambda every: reduce(pick, every)


def _arguments(part: Part, look: Look, reference: Look | None) -> list[Array]:
    """Numbers of the arguments of `min` or `max`, brought to one shape."""
    found = [_applied(a, look, reference) for a in part.operand.arguments]
    return [np.asarray(v) for v in np.broadcast_arrays(*found)]


def _applied(operand: Operand, look: Look, reference: Look | None) -> Array:
    key = operand.source
    return apply(operand, look(key), None if reference is None else reference(key))


def _curved(part: Part, values: Array) -> Array:
    return values if part.curve is None else part.curve(values)


def variable_values(layout: Layout, name: str, responses: Responses) -> Array:
    """Values of a variable, predictor or response, on the data's rows; shape (..., N)."""
    if name in layout.derived:
        d = layout.derived[name]
        now = replace(d, lag=0)
        if not d.plain:
            values = unit_function(d.function).values(grouped(layout, now, responses))
        else:
            values = variable_values(layout, d.variable, responses)
        return values if not d.lag else lagged(layout, d, values)
    if name in layout.variables:
        return layout.variables[name].values
    return responses[name][..., layout.equation(name).carry]


def lagged(layout: Layout, d: Derived, values: Array) -> Array:
    """Values of earlier waves, (..., N): 0 where there is none, or for a factor no category."""
    at = layout.lags[d.lag]
    known = layout.variables.get(d.variable)
    none = -1.0 if known is not None and known.levels else 0.0
    return np.where(at >= 0, values[..., at], none)


def grouped(layout: Layout, d: Derived, responses: Responses) -> Grouped:
    """Values of a variable, on the rows of its own level, with the units that they lie in."""
    if d.variable in layout.variables:
        every = np.arange(layout.n_rows, dtype=np.int64)
        return Grouped(layout.variables[d.variable].values, d.code, every, d.code, len(d.levels))
    e = layout.equation(d.variable)
    return Grouped(responses[d.variable], d.code[e.rows], e.carry, d.code, len(d.levels))


def unit_means(layout: Layout, d: Derived, responses: Responses) -> Array:
    """Observed mean of a variable in each unit, over the rows of its own level; shape (..., J)."""
    return grouped(layout, d, responses).means


def column_values(column: Column, rows: np.ndarray, values: Callable[[str], Array]) -> Array:
    """One column on the given data rows; `values` looks a variable up on all data rows.

    Shape (rows,), or (R, rows) where it rests on responses of R data sets.
    """
    out = np.ones(len(rows))
    for part in column.parts:
        out = out * part_values(part, lambda source: values(source)[..., rows])
    return out


def design_matrix(layout: Layout, e: EquationLayout, responses: Responses) -> Array:
    """Design matrix of an equation, its moving columns filled from responses.

    Shape (n, p); with responses of R data sets, (R, n, p) if any column moves.
    """
    moved = {
        k: column_values(
            e.columns[k], e.rows, lambda name: variable_values(layout, name, responses)
        )
        for k in e.endogenous
    }
    sets = np.broadcast_shapes(*(v.shape[:-1] for v in moved.values()))
    X = np.array(np.broadcast_to(e.fixed, (*sets, *e.fixed.shape)))
    for k, v in moved.items():
        X[..., k] = v
    return X


def group_column(layout: Layout, e: EquationLayout, column: Column, responses: Responses) -> Array:
    """Numbers that multiply a group effect, on an equation's rows; shape (..., n)."""
    return column_values(column, e.rows, lambda name: variable_values(layout, name, responses))


def ordered_levels(
    operand: Operand, variable: Variable, source: str
) -> tuple[tuple[str, int], ...]:
    """Levels of a factor with their codes, the reference first.

    Raises:
        DataError: the stated reference is not a level.
    """
    pairs = list(zip(variable.levels, range(len(variable.levels)), strict=True))
    if operand.ref is None:
        return tuple(pairs)
    if operand.ref not in variable.levels:
        raise DataError(
            f'{source}: factor({operand.variable}, ref="{operand.ref}"): no such level'
            f"{did_you_mean(operand.ref, variable.levels)} "
            f"(levels: {listing(variable.levels, 12)})"
        )
    return tuple(sorted(pairs, key=lambda p: p[0] != operand.ref))
