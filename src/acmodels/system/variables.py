"""Predictors that have no equation: numbers, factors, and what is taken of them within units."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from acmodels.data import kind
from acmodels.data.coding import named_levels
from acmodels.data.columns import date_advice
from acmodels.errors import DataError, InputError, ModelError
from acmodels.spec.formula import PLAIN, FormulaTerm, Operand
from acmodels.spec.model import Model
from acmodels.system import checks
from acmodels.system.arrays import Index
from acmodels.system.columns import apply, ordered_levels
from acmodels.system.curves import Curve, spline
from acmodels.system.equation import Curves
from acmodels.system.layout import Derived, Variable
from acmodels.system.rows import Rows, codes_of

STAND_IN = np.array([NormalDist().inv_cdf((k + 0.5) / 400) for k in range(400)])
"""Values of a standard normal variable, where those of a response are not drawn yet."""

MOST_STEPS = 30
"""Steps of a monotonic effect, at most."""


def variables_of(model: Model, rows: Rows, problems: list[str]) -> dict[str, Variable]:
    """Read every predictor that has no equation, as numbers or as a factor."""
    uses: dict[str, list[Operand]] = {}
    for e in model.equations.values():
        for o in e.formula.operands():
            for v in o.variables:
                uses.setdefault(v, []).append(o)
    out: dict[str, Variable] = {}
    for name, operands in uses.items():
        wanted_as_factor = [o for o in operands if o.function == "factor"]
        if name in model.equations:
            if wanted_as_factor:
                problems.append(
                    f"'{name}' has an equation of its own, so it cannot be a factor(); "
                    "it enters other equations as a number"
                )
            continue
        try:
            out[name] = _variable(name, operands, wanted_as_factor, rows)
        except InputError as error:
            problems += [p.removeprefix(f"{rows.study.name}: ") for p in error.problems]
    return out


def _variable(
    name: str, operands: Sequence[Operand], as_factor: Sequence[Operand], rows: Rows
) -> Variable:
    if not as_factor and kind(rows.study, name) == "number":
        values = rows.numeric(name)
        for o in operands:
            checks.domain(name, o, values, rows.names)
        return Variable(name, values)
    if not as_factor and kind(rows.study, name) == "date":
        raise DataError(f"'{name}' holds dates, not numbers; {date_advice(rows.study, name)}")
    bare = next(
        (o for o in operands if o.functions not in ((), ("factor",), *((f,) for f in PLAIN))), None
    )
    if bare is not None:
        if as_factor:
            raise DataError(f"'{name}' is used as factor({name}) and as {bare.text}; choose one")
        return Variable(name, rows.numeric(name))  # raises, naming what the text column holds
    if as_factor and len(as_factor) < len(operands) and kind(rows.study, name) == "number":
        raise DataError(f"'{name}' is used both as a number and as factor({name}); choose one")
    found = rows.labels(name)
    if kind(rows.study, name) == "boolean":  # one spelling, whatever the file's
        true = rows.truths(name) == 1
        found = np.where(true, "True", "False").astype(object)
    levels = tuple(str(v) for v in dict.fromkeys(found))
    if kind(rows.study, name) == "number":
        levels = tuple(sorted(levels, key=float))
    else:
        levels = tuple(sorted(levels))
    named = named_levels(rows.study, name, levels)
    if named:
        found = np.array([named[str(v)] for v in found], dtype=object)
        levels = tuple(dict.fromkeys(named[v] for v in levels))
    if len(levels) < 2:
        raise DataError(
            f"the predictor '{name}' has one category only ('{''.join(levels)}'), so its effect "
            "cannot be distinguished from the intercept"
        )
    if len(levels) > max(20, rows.n // 2):
        raise DataError(
            f"'{name}' has {len(levels)} different values in {rows.n} rows as a factor; "
            "that is an id, not a predictor"
            if as_factor
            else f"'{name}' is text with {len(levels)} different values in {rows.n} rows; "
            "that is an id, not a predictor"
        )
    code = {v: i for i, v in enumerate(levels)}
    return Variable(name, np.array([code[str(v)] for v in found], dtype=np.float64), levels)


def refuse_monotonic(model: Model) -> None:
    """Refuse monotonic effects of which the meaning is not settled here.

    Raises:
        ModelError: mo() in a product, in a group term, or of a response.
    """
    problems: list[str] = []
    for e in model.equations.values():
        where = f"{model.source}: equations.{e.response}.formula"
        for t in e.formula.terms:
            for o in (o for o in t.operands if "mo" in o.functions):
                if len(t.operands) > 1:
                    problems.append(
                        f"{where}: {o.text} stands in the product {t.text}; a monotonic effect "
                        f"enters alone in this version (factor({o.variable}) can be multiplied)"
                    )
                if o.variable in model.equations:
                    problems.append(
                        f"{where}: {o.text}: '{o.variable}' has an equation of its own, so its "
                        "categories are not given; it enters other equations as a number"
                    )
        for g in e.formula.groups:
            problems += [
                f"{where}: {o.text} varies by {g.group}; a monotonic effect is one for all groups "
                "in this version"
                for t in g.terms
                for o in t.operands
                if "mo" in o.functions
            ]
    if problems:
        raise ModelError(dict.fromkeys(problems))


def monotonic_problems(model: Model, variables: Mapping[str, Variable]) -> list[str]:
    """Refuse predictors of monotonic effects that are no ordered categories."""
    out: list[str] = []
    for e in model.equations.values():
        for o in e.formula.operands():
            if o.function != "mo" or o.variable not in variables:
                continue
            count = len(np.unique(variables[o.variable].values))
            if count < 2:
                out.append(f"'{o.variable}' has one category only, so {o.text} has no step")
            if count > MOST_STEPS + 1:
                out.append(
                    f"'{o.variable}' has {count} values; {o.text} takes ordered categories, at "
                    f"most {MOST_STEPS + 1}; enter it as a number, or cut it into categories first"
                )
    return out


def derived_of(model: Model, rows: Rows) -> dict[str, Derived]:
    """Read the units of every `within`, `between` and `lag`."""
    out: dict[str, Derived] = {}
    codes: dict[str, tuple[Index, tuple[str, ...]]] = {}
    for e in model.equations.values():
        for o in e.formula.operands():
            unit = o.unit
            if o.lag and unit is None and model.panel is not None:
                unit = model.panel.unit
            if unit is None:
                continue
            if unit not in codes:
                codes[unit] = codes_of([rows.labels(unit)])
            code, names = codes[unit]
            out[o.text] = Derived(o.variable, unit, o.function or "", code, names, o.lag)
    return out


def levels_of(
    terms: Sequence[FormulaTerm], variables: Mapping[str, Variable], source: str
) -> dict[Operand, tuple[tuple[str, int], ...]]:
    """Return the levels of each factor among some terms, with their codes, the reference first."""
    return {
        o: ordered_levels(o, variables[o.variable], source)
        for t in terms
        for o in t.operands
        if o.variable in variables and variables[o.variable].levels
    } | {o: _steps(variables[o.variable]) for t in terms for o in t.operands if o.function == "mo"}


def curves_of(
    terms: Sequence[FormulaTerm],
    own: Index,
    variables: Mapping[str, Variable],
    rows: Rows,
    known: Curves,
) -> dict[Operand, tuple[Curve, ...]]:
    """Make the columns of each spline among some terms, from the values on an equation's rows.

    Args:
        terms: of the equation.
        own: its rows.
        variables: predictors that have no equation.
        rows: the study's. Where it does not hold a response, as in a design, the columns are those
            of a standard normal variable, until values of the response have been drawn.
        known: columns that are settled already, by spline.

    Raises:
        DataError: a variable is text, or has too few distinct values.
    """
    out: dict[Operand, tuple[Curve, ...]] = {}
    for o in (o for t in terms for o in t.operands):
        if o.df is None or o.inner is None or o in out:
            continue
        if o in known:
            out[o] = known[o]
            continue
        if o.variable in variables:
            values = variables[o.variable].values
        elif o.variable in rows.study.names:
            values = rows.numeric(o.variable, factor=False)
        else:
            out[o] = spline(STAND_IN, o.df, o.text)
            continue
        given = rows.known(o.variable)[own]
        if not given.any():  # a construct, of which rough values stand here
            given = ~given
        try:
            checks.domain(o.variable, o, values, rows.names)
            out[o] = spline(apply(o.inner, values[own])[given], o.df, o.text)
        except DataError as error:
            raise DataError(f"{rows.study.name}: {p}" for p in error.problems) from None
    return out


def _steps(variable: Variable) -> tuple[tuple[str, int], ...]:
    """Categories of an ordered predictor with their codes, from the lowest."""
    return tuple((f"{v:g}", int(v)) for v in np.unique(variable.values))
