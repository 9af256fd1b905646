"""Models of exogenous predictors with missing values: an equation each, made here.

A predictor is regressed on the exogenous predictors that are complete and on the incomplete ones
that come before it, so that together the equations are one joint distribution of all (Ibrahim,
Lipsitz & Chen, 1999). Its rows are the units in which it has one value each; it varies by the
groupings of the equations that read it, where those have several of its units. A number is normal,
one of two values binary (logit), a factor ordered by cumulative logit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from acmodels.data import kind
from acmodels.spec.formula import quoted
from acmodels.spec.model import Equation, Model
from acmodels.spec.parsing import parse_formula
from acmodels.system.arrays import Array, Index, Responses
from acmodels.system.equations import layout_of
from acmodels.system.first_waves import first_wave
from acmodels.system.layout import Layout
from acmodels.system.missing import subset
from acmodels.system.system import Joint
from acmodels.system.terms import group_terms, reads

if TYPE_CHECKING:
    from acmodels.system.rows import Rows

FEWEST = 5
"""Known units for each column of a design of an incomplete predictor, at least."""
GROUPS = 5
"""Groups that a grouping needs for effects on an incomplete predictor."""


@dataclass(frozen=True)
class Incomplete:
    """An exogenous predictor with values to be modeled.

    Attributes:
        name: the column.
        missing: rows whose value is unknown, (N,).
        needed: those of them that some equation reads, (N,).
        level: the id column in whose units it has one value each, or None.
        code: the unit of each row, or None.
        support: its values where it is discrete.
    """

    name: str
    missing: np.ndarray
    needed: np.ndarray
    level: str | None
    code: Index | None
    support: tuple[float, ...]

    @property
    def units(self) -> int:
        """How many values it has, known or not."""
        return len(self.missing) if self.code is None else int(self.code.max()) + 1

    def reading(self, rows: Index) -> "Incomplete":
        """The same, read by an equation on these data rows too."""
        more = np.zeros_like(self.needed)
        more[rows] = True
        return replace(self, needed=self.needed | (self.missing & more))


@dataclass(frozen=True)
class Predictors:
    """A layout with the models of incomplete predictors.

    Attributes:
        joint: the layout and its responses.
        formulas: of these models, by predictor.
        needed: by predictor, the rows whose unknown value some equation reads, (N,).
    """

    joint: Joint
    formulas: Mapping[str, str]
    needed: Mapping[str, np.ndarray]


def predictor_models(
    model: Model,
    joint: Joint,
    incomplete: Sequence[Incomplete],
    lacking: frozenset[str],
    rows: "Rows",
) -> Predictors:
    """Add an equation for each incomplete predictor.

    Args:
        model: of the user.
        joint: that on the data, rough values in the place of missing ones.
        incomplete: the predictors, in any order.
        lacking: columns without a value in some row, whether it is read or not.
        rows: the study, likewise filled in.
    """
    layout = joint.layout
    chain = sorted(incomplete, key=lambda x: (x.units, int(x.missing.sum()), x.name))
    made: list[tuple[Layout, Array]] = []
    formulas: dict[str, str] = {}
    for place in reversed(range(len(chain))):
        x = chain[place]
        allowed = [v for v in layout.variables if v not in lacking and not first_wave(v)]
        allowed += [b.name for b in chain[:place]]
        equation = _equation(layout, x, allowed, rows)
        alone, y = _one(model, layout, x, equation, rows)
        e = alone.equations[0]
        read = {v for c in e.columns for v in c.variables}
        chain[:place] = [b.reading(e.rows) if b.name in read else b for b in chain[:place]]
        made.insert(0, (alone, y))
        formulas[x.name] = equation.formula.text
    first = len(layout.equations)
    equations = tuple(a.equations[0] for a, _ in made)
    out = replace(
        layout,
        equations=(*layout.equations, *equations),
        order=(*range(first, first + len(made)), *layout.order),
        blocks=(*layout.blocks, *(b for a, _ in made for b in a.blocks)),
        auxiliary=tuple(e.response for e in equations),
    )
    responses: Responses = {
        **joint.responses,
        **{e.response: y for e, (_, y) in zip(equations, made, strict=True)},
    }
    return Predictors(Joint(out, responses), formulas, {x.name: x.needed for x in chain})


def _one(
    model: Model, layout: Layout, x: Incomplete, equation: Equation, rows: "Rows"
) -> tuple[Layout, Array]:
    """The model of one predictor as a layout of its own, and its values as responses."""
    single = Model(name=x.name, equations={x.name: equation}, source=model.source)
    codes = {x.name: tuple(range(len(x.support)))}
    alone = layout_of(single, rows, codes)
    e = alone.equations[0]
    lost = x.missing[e.rows]
    wanted = np.bincount(e.carry[x.needed], minlength=e.n) > 0
    e = subset(e, ~lost | wanted)
    values = layout.variables[x.name].values[e.rows]
    y = np.searchsorted(x.support, values).astype(np.float64) if x.support else values
    return replace(alone, equations=(e,)), y


def _equation(layout: Layout, x: Incomplete, allowed: Sequence[str], rows: "Rows") -> Equation:
    known = np.flatnonzero(~x.missing)
    if x.code is not None:
        _, first = np.unique(x.code[known], return_index=True)
        known = known[first]
    terms = ["1", *_terms(layout, x, allowed, known, rows)]
    terms += [f"(1 | {':'.join(quoted(c) for c in g)})" for g in _groupings(layout, x, known)]
    family = "gaussian" if not x.support else "bernoulli" if len(x.support) == 2 else "ordinal"
    text = quoted(x.name) + " ~ " + " + ".join(terms)
    return Equation(x.name, parse_formula(text), family=family, level=x.level)


def _terms(
    layout: Layout, x: Incomplete, allowed: Sequence[str], known: Index, rows: "Rows"
) -> list[str]:
    """Predictors of a predictor, the closest first, as many as the known values bear."""
    target = layout.variables[x.name].values[known]
    target = target - target.mean()
    candidates: list[tuple[float, str, Array]] = []
    for name in allowed:
        v = layout.variables[name]
        if x.code is not None and not _constant(v.values, x.code):
            continue
        here = v.values[known]
        D = here[:, None]
        if v.levels:
            D = (here[:, None] == np.arange(1, len(v.levels))).astype(np.float64)
        D = D - D.mean(axis=0)
        if np.any(np.ptp(D, axis=0) == 0):
            continue
        fit = D @ np.linalg.lstsq(D, target, rcond=None)[0]
        candidates.append((-float(np.sum(fit**2)), name, D / np.linalg.norm(D, axis=0)))
    chosen: list[str] = []
    X = np.zeros((len(known), 0))
    for _, name, D in sorted(candidates, key=lambda c: c[0]):
        wider = np.column_stack([X, D])
        if FEWEST * (wider.shape[1] + 1) > len(known):
            continue
        if np.linalg.matrix_rank(wider, tol=1e-6) == wider.shape[1]:
            X = wider
            chosen.append(name)
    return [_written(layout, n, rows) for n in allowed if n in chosen]


def _written(layout: Layout, name: str, rows: "Rows") -> str:
    numbered = bool(layout.variables[name].levels) and kind(rows.study, name) == "number"
    return f"factor({quoted(name)})" if numbered else quoted(name)


def _groupings(layout: Layout, x: Incomplete, known: Index) -> list[tuple[str, ...]]:
    """Groupings of the equations that read a predictor, where it can vary by them."""
    out: list[tuple[str, ...]] = []
    for e in layout.equations:
        if x.name not in reads(layout, e.response):
            continue
        for block, _ in group_terms(layout, e.response):
            groups = len(np.unique(block.code[known]))
            if x.code is not None and not _constant(block.code, x.code):
                continue
            if groups >= GROUPS and len(known) >= 2 * groups:
                out.append(block.columns)
    return list(dict.fromkeys(out))


def _constant(values: np.ndarray, code: Index) -> bool:
    first = np.zeros(int(code.max()) + 1, dtype=values.dtype)
    first[code[::-1]] = values[::-1]
    return bool(np.all(values == first[code]))
