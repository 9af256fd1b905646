"""Standard deviations that a model implies of a variable, or of its part at a level.

A variable is the sum of the terms of its equation; what of it is constant within units g is its
latent mean in g, and the rest its deviation from that (as `between(y, g)` and `within(y, g)` read
it). Endogenous predictors are replaced by their own terms, down to columns of the data, group
effects and residuals, so that the variance is that of the reduced form (Bollen, 1989, chapter 4).
Columns of the data have their empirical covariance, group effects and residuals theirs in the draw;
what a random effect multiplies counts with its mean square (Johnson, 2014). With a link it is the
latent response: the linear predictor with the group effects and, where rows are concerned, the
variance of the link's own distribution (McKelvey & Zavoina, 1975).

Two endogenous factors in one term, a curve of one, one whose family has a link, and values of
earlier waves are taken as columns with the values that they have in the data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from acmodels.system.arrays import Array, Index, Responses
from acmodels.system.columns import part_values, variable_values
from acmodels.system.layout import Layout, residual_pairs
from acmodels.system.structural import parameters
from acmodels.system.terms import Factor, Term, constant_within, is_constant, terms
from acmodels.system.variances import covariance, residual_variance, shared

type Parameter = Callable[[str], Array]
type Level = tuple[tuple[Index, bool], ...]
"""Which part of a variable is meant: for units of each data row whether what is constant within
them, or what is not; all of it where nothing is said."""


@dataclass
class _Form:
    """A sum: each summand is a number for each data row, (..., N), times draws (chain, draw)."""

    fixed: list[tuple[Array, Array]] = field(default_factory=list)
    effects: list[tuple[Term, Array, Array]] = field(default_factory=list)
    residuals: list[tuple[str, Array, Array]] = field(default_factory=list)


def spread(
    layout: Layout, response: str, level: Level, responses: Responses, parameter: Parameter
) -> Array:
    """Compute the implied sd of an endogenous variable's part at a level, (chain, draw).

    Args:
        layout: the model on its rows.
        response: the variable.
        level: which part of it.
        responses: of one data set, or of R data sets with draws of shape (R, draw).
        parameter: draws of a parameter by name.
    """
    form = _Form()
    one = np.ones(layout.n_rows)
    _add(form, layout, response, level, responses, parameter, one, np.ones(()))
    rows = units_of(layout.equation(response).rows, level)
    return np.sqrt(_variance(form, layout, rows, responses, parameter))


def units_of(rows: Index, level: Level) -> Index:
    """Return one of the rows for each unit whose part is meant, or all where rows are."""
    for code, constant in level:
        if constant:
            return rows[np.unique(code[rows], return_index=True)[1]]
    return rows


def _keeps(pattern: Array | Index, level: Level) -> bool:
    return all(is_constant(pattern, code) == constant for code, constant in level)


def _holds(layout: Layout, t: Term, level: Level) -> bool:
    """Return whether a term is part of what is meant at a level."""
    for code, constant in level:
        same = constant_within(layout, t.column, code)
        if t.effect is not None:
            same = same and is_constant(layout.blocks[t.effect[0]].code, code)
        if same != constant:
            return False
    return True


def _add(
    form: _Form,
    layout: Layout,
    response: str,
    level: Level,
    responses: Responses,
    parameter: Parameter,
    times: Array,
    weight: Array,
) -> None:
    """Add a variable's part at a level, times numbers for rows and draws, to a sum."""
    e = layout.equation(response)
    for t in terms(layout, response):
        inner = _endogenous(layout, t)
        if t.effect is not None:
            if _holds(layout, t, level):
                z = _product(layout, t.factors, responses)
                form.effects.append((t, times * z, weight))
            continue
        scaled = weight * parameter(t.parameter)
        for place in (p for s in t.sources for p in s.raters):
            deviation = _raters(layout, place)
            if _holds(layout, deviation, level):
                form.effects.append((deviation, times, scaled))
        if inner is None:
            if not t.intercept and _holds(layout, t, level):
                form.fixed.append((times * _product(layout, t.factors, responses), scaled))
            continue
        rest = [f for f in t.factors if f is not inner]
        z = _product(layout, rest, responses)
        varying = [not is_constant(_flat(z), code) for code, _ in level]
        if any(v and constant for v, (_, constant) in zip(varying, level, strict=True)):
            continue  # the product varies within the units
        part = tuple(lvl for v, lvl in zip(varying, level, strict=True) if not v)
        d = inner.source.derived
        if d is not None:
            part = (*part, (d.code, d.constant))
        _add(form, layout, inner.source.variable, part, responses, parameter, times * z, scaled)
    if _keeps(e.carry, level):
        form.residuals.append((response, times, weight))


def _raters(layout: Layout, at: tuple[int, int]) -> Term:
    """Return raters' deviations from a construct as a term of what reads it."""
    block = layout.blocks[at[0]]
    m = block.members[at[1]]
    return Term(m.response, m.column, (), layout.equation(m.response).rows, None, at, block.sd(m))


def _flat(z: Array) -> Array:
    return z if z.ndim == 1 else z[0]


def _endogenous(layout: Layout, t: Term) -> Factor | None:
    """The one factor of a term that is an endogenous variable itself, or taken of it."""
    found = [f for f in t.factors if any(s.endogenous and not s.lag for s in f.sources)]
    if len(found) != 1:
        return None
    f = found[0]
    o = f.part.operand
    plain = f.part.level is None and (o.inner is None or o.text == f.source.key)
    linked = layout.equation(f.source.variable).link != "identity"
    taken = f.source.derived is None or f.source.derived.mean is not None
    return f if plain and taken and not linked else None


def _product(layout: Layout, factors: Sequence[Factor], responses: Responses) -> Array:
    """Numbers of a product of factors on the data's rows, (..., N)."""
    found = [
        part_values(f.part, lambda key: variable_values(layout, key, responses)) for f in factors
    ]
    return reduce(np.multiply, found, np.ones(layout.n_rows))


def _variance(
    form: _Form, layout: Layout, rows: Index, responses: Responses, parameter: Parameter
) -> Array:
    shape = parameter(parameters(layout)[0].name).shape
    total = np.zeros(shape)
    if form.fixed:
        V = np.stack(np.broadcast_arrays(*(z[..., rows] for z, _ in form.fixed)), axis=-2)
        V = V - V.mean(axis=-1, keepdims=True)
        S = V @ np.swapaxes(V, -1, -2) / max(len(rows) - 1, 1)
        B = np.stack([np.broadcast_to(b, shape) for _, b in form.fixed], axis=-1)
        total = total + np.einsum("...si,...ij,...sj->...s", B, S, B)
    for one, x, a in form.effects:
        for other, y, b in form.effects:
            names = shared(layout, one, other)
            if names is not None:
                size = np.mean((x * y)[..., rows], axis=-1, keepdims=True)
                total = total + size * a * b * covariance(names, parameter)
    for one, x, a in form.residuals:
        for other, y, b in form.residuals:
            found = _residual(layout, one, other, responses, parameter)
            if found is not None:
                size = np.mean((x * y)[..., rows], axis=-1, keepdims=True)
                total = total + size * a * b * found
    return total


def _residual(
    layout: Layout, one: str, other: str, responses: Responses, parameter: Parameter
) -> Array | None:
    """Covariance of two equations' residuals; None where they are independent."""
    if one == other:
        return residual_variance(layout, layout.equation(one), responses, parameter)
    places = [layout.responses.index(r) for r in (one, other)]
    for r, members in enumerate(layout.residual):
        if set(places) <= set(members):
            pair = {members.index(p) for p in places}
            name = next(n for i, j, n in residual_pairs(layout, r) if {i, j} == pair)
            sigma = [parameter(layout.equation(y).sigma) for y in (one, other)]
            return sigma[0] * sigma[1] * parameter(name)
    return None
