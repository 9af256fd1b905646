"""What first waves have of their own.

In first waves a lag is not there: its terms are 0. With `within(lag(x), unit)` the deviation is 0,
the expected one, and nothing more is needed than an sd of its own (Hamaker, Kuiper & Grasman,
2015). With plain `lag(y)` the first observation has a mean that the process before it made. So it
has coefficients of its own, and one for the latent unit mean, on which it rests as all that came
before did: the first observation is modeled jointly with the unit effects, and conditioning on it
biases nothing (Anderson & Hsiao, 1982; Allison, Williams & Moral-Benito, 2017).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from acmodels.spec.formula import Operand
from acmodels.spec.model import Panel
from acmodels.system.columns import column_values, variable_values
from acmodels.system.equation import Column, EquationLayout, Part
from acmodels.system.latent import same_units
from acmodels.system.layout import Derived, Layout, Variable
from acmodels.system.terms import constant_within
from acmodels.system.waves import Waves

FIRST = "first({wave})"
"""The name of the variable that is 1 in first waves."""


def first_wave(name: str) -> bool:
    """Whether a variable, or a column by its name, is one of first waves only."""
    return name.startswith("first(")


def with_first_waves(layout: Layout) -> Layout:
    """Mark the rows of first waves: those where some lag of the equation is not there.

    Equations whose residuals correlate have the same first waves.

    Args:
        layout: with its equations and blocks.
    """
    deepest = [_deepest(layout, e) for e in layout.equations]
    for members in layout.residual:
        most = max(deepest[i] for i in members)
        for i in members:
            deepest[i] = most
    marked = tuple(
        e if not k or layout.waves is None else replace(e, first=layout.waves[e.rows] < k)
        for e, k in zip(layout.equations, deepest, strict=True)
    )
    return replace(layout, equations=marked)


def _deepest(layout: Layout, e: EquationLayout) -> int:
    columns = [m.column for b in layout.blocks for m in b.members if m.response == e.response]
    sources = (s for c in (*e.columns, *columns) for s in c.sources)
    return max((0, *(layout.derived[s].lag for s in sources if s in layout.derived)))


def with_own_first_waves(layout: Layout, panel: Panel, waves: Waves) -> Layout:
    """Give first waves coefficients of their own in equations with a plain lag.

    Args:
        layout: with its equations and blocks.
        panel: of the model.
        waves: of the rows.
    """
    name = FIRST.format(wave=panel.wave)
    variables, derived = dict(layout.variables), dict(layout.derived)
    equations = list(layout.equations)
    for i, e in enumerate(layout.equations):
        lagged = [
            d.variable
            for s in dict.fromkeys(s for c in e.columns for s in c.sources)
            for d in [layout.derived.get(s)]
            if d is not None and d.lag > 0 and d.plain
        ]
        if not lagged or e.first is None:
            continue
        # one variable for all equations that go back as far
        depth = int(waves.number[e.rows][e.first].max()) + 1
        mine = name if depth == 1 else f"{name[:-1]}, {depth})"
        values = (waves.number < depth).astype(np.float64)
        variables[mine] = Variable(mine, values)
        first = Part(Operand(mine))
        columns = [Column(mine, (first,))]
        for c in e.columns:
            moves = not constant_within(layout, c, waves.unit)
            now = all(layout.at(s) is None for s in c.sources)
            if moves and now and panel.wave not in c.variables and not _latent(layout, c):
                columns.append(Column(f"{mine}:{c.name}", (first, *c.parts)))
        for z in dict.fromkeys(lagged):
            if e.observed or not _varies(layout, z, waves):
                continue
            mean = Operand(z, "between", Operand(z), panel.unit)
            derived.setdefault(
                mean.text, Derived(z, panel.unit, "between", waves.unit, waves.levels)
            )
            columns.append(Column(f"{mine}:{mean.text}", (first, Part(mean))))
        here = replace(layout, variables=variables, derived=derived)
        equations[i] = _with_columns(here, e, columns)
    return replace(layout, equations=tuple(equations), variables=variables, derived=derived)


def _latent(layout: Layout, column: Column) -> bool:
    return any(layout.derived[s].mean is not None for s in column.sources if s in layout.derived)


def _varies(layout: Layout, response: str, waves: Waves) -> bool:
    """Whether a lagged response has an intercept of each unit, whose latent mean can be read."""
    return any(
        m.response == response and not m.column.parts and same_units(b.code, waves.unit)
        for b in layout.blocks
        for m in b.members
    )


def _with_columns(layout: Layout, e: EquationLayout, columns: Sequence[Column]) -> EquationLayout:
    """Add columns that say something new."""
    fixed, endogenous = e.fixed, list(e.endogenous)
    kept = list(e.columns)
    for c in columns:
        moves = any(v in layout.responses for v in c.variables)
        if moves:
            values = np.full(e.n, np.nan)
            endogenous.append(len(kept))
        else:
            values = column_values(c, e.rows, lambda n: variable_values(layout, n, {}))
            known = fixed[:, [k for k in range(len(kept)) if k not in endogenous]]
            if e.codes:
                known = np.column_stack([np.ones(e.n), known])
            if known.shape[1] and _spanned(known, values):
                continue
        kept.append(c)
        fixed = np.column_stack([fixed, values])
    return replace(e, columns=tuple(kept), fixed=fixed, endogenous=tuple(endogenous))


def _spanned(known: np.ndarray, values: np.ndarray) -> bool:
    """Whether a column is a sum of others."""
    if not np.any(values):
        return True
    sizes = np.linalg.norm(known, axis=0)
    X = known / np.where(sizes > 0, sizes, 1.0)
    left = values - X @ np.linalg.lstsq(X, values, rcond=None)[0]
    return bool(np.linalg.norm(left) <= 1e-8 * np.linalg.norm(values))
