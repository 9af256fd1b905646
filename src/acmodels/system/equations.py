"""Equations of a layout: design columns, offsets, weights, group effects, residual sets."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from acmodels.errors import DataError, InputError, ModelError, listing
from acmodels.families import family
from acmodels.spec.formula import INTERCEPT, GroupTerm
from acmodels.spec.model import Equation, Model, recursive_order
from acmodels.system import checks
from acmodels.system.arrays import Array, Index
from acmodels.system.columns import column_values, columns_of, variable_values
from acmodels.system.equation import Column, Curves, EquationLayout
from acmodels.system.first_waves import with_first_waves, with_own_first_waves
from acmodels.system.groups import Block, Member
from acmodels.system.latent import latent_problems
from acmodels.system.layout import Layout, Variable
from acmodels.system.measured import exogenous_sets, measured
from acmodels.system.rows import Rows, codes_of, rows_of_level
from acmodels.system.variables import (
    curves_of,
    derived_of,
    levels_of,
    monotonic_problems,
    refuse_monotonic,
    variables_of,
)
from acmodels.system.waves import lag_problems, waves_of

SCALE = (1, 2, 3, 4, 5)
"""Categories of an ordered response of which nothing is known."""


def layout_of(
    model: Model,
    rows: Rows,
    codes: Mapping[str, tuple[int, ...]],
    curves: Mapping[str, Curves] | None = None,
) -> Layout:
    """Build a layout.

    Args:
        model: checked for itself.
        rows: the study's.
        codes: by ordered response, its categories.
        curves: by equation, the columns of splines; made from the rows where not given.

    Raises:
        DataError: what cannot be read; a grouping with one group.
        ModelError: latent means that cannot be.
    """
    problems: list[str] = []
    refuse_monotonic(model)
    variables = variables_of(model, rows, problems)
    problems += monotonic_problems(model, variables)
    if problems:
        raise DataError(dict.fromkeys(f"{rows.study.name}: {p}" for p in problems))
    equations: list[EquationLayout] = []
    levels: dict[str, tuple[Index, Index]] = {}
    derived = derived_of(model, rows)
    waves = waves_of(model, rows)
    number = None if waves is None else waves.number
    lags: dict[int, Index] = {}
    if waves is not None:
        lags = {k: waves.back(k) for k in sorted({d.lag for d in derived.values()} - {0})}
        problems = lag_problems(model, waves, rows)
        if problems:
            raise DataError(f"{rows.study.name}: {p}" for p in problems)
    still = Layout((), (), (), (), variables, rows.n, derived, lags=lags, waves=number)
    for e in model.equations.values():
        at = levels.setdefault(e.level or "", rows_of_level(e.level, rows, number))
        mine = (curves or {}).get(e.response, {})
        found = _equation(model, e, at, (still, rows), mine)
        if family(e.family).ordered:
            found = replace(found, codes=codes.get(e.response, SCALE))
        equations.append(found)
    names = list(model.equations)
    residual = _residual_blocks(model)
    layout = replace(
        still,
        equations=tuple(equations),
        order=tuple(names.index(r) for r in recursive_order(model.equations, model.source)),
        residual=residual,
    )
    layout = replace(layout, blocks=_blocks(model, layout, rows, curves or {}))
    layout = measured(model, layout, rows)
    if waves is not None and model.panel is not None:
        layout = with_own_first_waves(with_first_waves(layout), model.panel, waves)
    problems = checks.grouping_problems(layout)
    if problems:
        raise DataError(f"{rows.study.name}: {p}" for p in problems)
    problems = latent_problems(layout)
    if problems:
        raise ModelError(f"{model.source}: {p}" for p in problems)
    return layout


def codes_found(model: Model, raw: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    """Categories of ordered responses: every whole number from the lowest to the highest.

    Of a response that will be refused, no more than shows why.
    """
    out: dict[str, tuple[int, ...]] = {}
    for r, e in model.equations.items():
        if family(e.family).ordered:
            low, high = int(np.floor(raw[r].min())), int(np.ceil(raw[r].max()))
            out[r] = tuple(range(low, min(max(high, low + 1), low + 100) + 1))
    return out


def _equation(
    model: Model,
    e: Equation,
    at: tuple[Index, Index],
    known: tuple[Layout, Rows],
    settled: Curves,
) -> EquationLayout:
    still, rows = known
    variables = still.variables
    where = f"{model.source}: equations.{e.response}"
    fam = family(e.family, where)
    own, carry = at
    terms = e.formula.terms
    implied = fam.ordered or e.construct
    if implied:  # thresholds are the constant, of a construct those of its items
        terms = (INTERCEPT, *(t for t in terms if t != INTERCEPT))
    levels = levels_of(terms, variables, model.source)
    curves = curves_of(terms, own, variables, rows, settled)
    columns = columns_of(terms, levels, curves)[int(implied) :]
    endogenous = tuple(
        k for k, c in enumerate(columns) if any(v in model.equations for v in c.variables)
    )
    fixed = np.full((len(own), len(columns)), np.nan)
    for k, c in enumerate(columns):
        if k not in endogenous:
            fixed[:, k] = column_values(c, own, lambda name: variable_values(still, name, {}))
    return EquationLayout(
        response=e.response,
        family=e.family,
        link=e.link or fam.links[0],
        level=e.level,
        rows=own,
        carry=carry,
        columns=columns,
        fixed=fixed,
        endogenous=endogenous,
        offset=_offset(e, own, variables, where),
        se=_positive(e.se, rows, own),
        trials=rows.numeric(e.trials)[own] if e.trials else None,
        has_sigma=fam.has_sigma and e.se is None,
        observed=e.centering == "observed",
        scalars=tuple(s.kind for s in fam.scalars),
        weights=_weights(e.weights, rows, own),
        measured=e.measured,
        construct=e.construct,
    )


def _offset(e: Equation, own: Index, variables: Mapping[str, Variable], where: str) -> Array:
    from acmodels.system.columns import apply

    total = np.zeros(len(own))
    for o in e.formula.offsets:
        if o.variable not in variables:
            raise DataError(f"{where}: offset({o.text}) cannot rest on another response")
        if variables[o.variable].levels:
            raise DataError(f"{where}: offset({o.text}) needs a number, not text")
        total = total + apply(o, variables[o.variable].values[own])
    return total


def _positive(column: str | None, rows: Rows, own: Index) -> Array | None:
    if column is None:
        return None
    values = rows.numeric(column)
    bad = np.flatnonzero(~(values > 0))
    if len(bad):
        raise DataError(
            f"{rows.study.name}: the standard errors in '{column}' must be above 0; rows "
            f"{listing(rows.names(bad))} are not"
        )
    return values[own]


def _weights(column: str | None, rows: Rows, own: Index) -> Array | None:
    """Weights divided by their mean over the rows used whose weight is not 0, as R counts rows."""
    if column is None:
        return None
    values = rows.numeric(column)
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(bad):
        raise DataError(
            f"{rows.study.name}: the weights in '{column}' must be finite and 0 or more; rows "
            f"{listing(rows.names(bad))} are not"
        )
    if not values[own].sum() > 0:
        raise DataError(f"{rows.study.name}: the weights in '{column}' are all 0")
    values = values[own]
    return values / values[values > 0].mean()


def _blocks(
    model: Model, layout: Layout, rows: Rows, settled: Mapping[str, Curves]
) -> tuple[Block, ...]:
    """Gather group effects into blocks: those of one term, or of one shared id, together."""
    found: dict[str, list[tuple[GroupTerm, str, tuple[Column, ...]]]] = {}
    for r, e in model.equations.items():
        for i, g in enumerate(e.formula.groups):
            factors = levels_of(g.terms, layout.variables, model.source)
            own, mine = layout.equation(r).rows, settled.get(r, {})
            curves = curves_of(g.terms, own, layout.variables, rows, mine)
            columns = columns_of(g.terms, factors, curves)
            if not g.correlated:  # each column of `||` varies on its own
                found.update({f"{r} {i} {c.name}": [(g, r, (c,))] for c in columns})
                continue
            key = f"|{g.id}|" if g.id is not None else f"{r} {i}"
            found.setdefault(key, []).append((g, r, columns))
    codes: dict[tuple[str, ...], tuple[Index, tuple[str, ...]]] = {}
    out: list[Block] = []
    for uses in found.values():
        g = uses[0][0]
        if g.grouping not in codes:
            codes[g.grouping] = codes_of([rows.labels(c) for c in g.grouping])
        code, names = codes[g.grouping]
        out.append(
            Block(
                group=g.group,
                columns=g.grouping,
                levels=names,
                members=tuple(
                    Member(r, c, layout.equation(r).loaded(c))
                    for _, r, columns in uses
                    for c in columns
                ),
                code=code,
            )
        )
    return tuple(out)


def _residual_blocks(model: Model) -> tuple[tuple[int, ...], ...]:
    """Sets of equations linked by freed residual correlations.

    Raises:
        InputError: a set has a pair that is not freed.
    """
    names = list(model.equations)
    together = exogenous_sets(model)
    sets: list[set[str]] = [set(alone) for alone in together]
    for a, b in model.residual_correlation:
        touching = [s for s in sets if a in s or b in s]
        sets = [s for s in sets if s not in touching] + [{a, b}.union(*touching)]
    freed = {frozenset(p) for p in model.residual_correlation}
    freed |= {frozenset((a, b)) for alone in together for a in alone for b in alone}
    for s in sets:
        held = [(a, b) for a in s for b in s if a < b and frozenset((a, b)) not in freed]
        if held:
            raise InputError(
                f"{model.source}: residual_correlation links {listing(sorted(s))} but does not "
                f"free {held[0][0]} with {held[0][1]}; free every pair of a linked set"
            )
    return tuple(tuple(sorted(names.index(n) for n in s)) for s in sets)
